"""Every key of runway.yml: what is read, what is refused, and whether the message helps."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pytest

from runway_serve.config import ConfigError, find_script
from runway_serve.project.description import Entrypoint, parse_entrypoint
from runway_serve.project.reading import read_description

YML = Path(__file__).resolve().parents[1] / "idioms" / "yml"
ENTRY = "entrypoint: python runway_model.py\npython: 3.12\n"


@pytest.fixture
def read(tmp_path):
    def write_and_read(text: str | bytes):
        path = tmp_path / "runway.yml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_description(path)

    return write_and_read


def idiom(name: str):
    return read_description(YML / f"{name}.yml")


def complaints(description) -> list[tuple[int | None, str]]:
    return [(remark.line, remark.text) for remark in description.errors]


@pytest.mark.parametrize("path", sorted(YML.glob("*.yml")), ids=lambda path: path.stem)
def test_files_that_people_wrote_are_read_without_a_word_or_refused(path):
    description = read_description(path)

    assert [str(remark) for remark in description.remarks if not remark.is_error] == []
    assert bool(description.errors) == (path.stem == "other_tool")


def test_the_template_gives_every_key_its_value():
    description = idiom("template_full")

    assert description.entrypoint == Entrypoint(PurePosixPath("runway_model.py"))
    assert (description.python, description.cuda) == ("3.6", "10.0")
    assert (description.framework, description.framework_version) == ("tensorflow", None)
    assert description.environments == ("cpu", "gpu")
    assert description.ignore == ("my_dataset/*", "secrets.txt")
    assert [(step.line, step.environment) for step in description.steps] == [
        (15, None),
        (16, None),
        (17, "gpu"),
        (18, "cpu"),
    ]


def test_steps_of_the_other_environment_are_left_out():
    commands = [step.command for step in idiom("gpu_only_conditional").steps_for("gpu")]

    assert commands == [
        "pip install tensorflow-gpu==1.15.0",
        "pip install numpy==1.16.4 Pillow",
    ]


def test_windows_line_ends_and_blanks_are_no_part_of_values():
    description = idiom("crlf_export")

    assert description.cuda == "10.0"
    assert description.environments == ("gpu",)
    assert description.steps[-1].command == "pip install -r REQUIREMENTS.txt"


def test_none_as_a_framework_is_no_framework():
    assert idiom("framework_none_and_comments").framework is None


def test_undocumented_keys_people_use_are_read():
    assert idiom("apt_wget_chain").cuda_flavor == "devel"
    pytorch = idiom("python2_entrypoint_subfolder")
    assert (pytorch.framework, pytorch.framework_version) == ("pytorch", "1.0.0")


@pytest.mark.parametrize(
    ("written", "meant"), [("10", "10.0"), ("10.0", "10.0"), ("9", "9.0"), ("11.8.0", "11.8")]
)
def test_cuda_versions_are_equal_however_written(read, written, meant):
    assert read(f"{ENTRY}cuda: {written}\n").cuda == meant


def test_python_3_10_without_quotes_is_not_3_1(read):
    unquoted = read("entrypoint: python a.py\npython: 3.10\n")
    quoted = read("entrypoint: python a.py\npython: '3.10'\n")

    assert unquoted.python == quoted.python == "3.10"
    assert [remark.line for remark in unquoted.remarks] == [2]
    assert "quote it" in unquoted.remarks[0].text
    assert quoted.remarks == ()


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("python: 3.6\n", None, "has no entrypoint, such as: python runway_model.py"),
        ("", None, "the file is empty"),
        ("- entrypoint: x\n", 1, "must be keys with values"),
        ("just text", 1, "not text: just text"),
        ("entrypoint: [python, a.py]\n", 1, "entrypoint must be a Python command"),
        ("entrypoint: bash run.sh\n", 1, "names no Python script"),
        ("entrypoint: cd x && python a.py\n", 1, "not a line of shell"),
        ("entrypoint: python ../a.py\n", 1, "inside the model's folder"),
        ('entrypoint: python "a.py\n', 1, "No closing quotation"),
        (f"{ENTRY}python: 3.12\n", 3, "python stands in line 2 already"),
        (
            "entrypoint: python a.py\npython: 4\n",
            2,
            "python must be 2.7 or 3.5 to 3.13, not a number: 4",
        ),
        (
            "entrypoint: python a.py\npython: [3.6]\n",
            2,
            "python must be 2.7 or 3.5 to 3.13, not a list",
        ),
        (f"{ENTRY}cuda: new\n", 3, "cuda must be a version such as 10.0 or 12.8"),
        (f"{ENTRY}cuda_flavor: full\n", 3, "cuda_flavor must be runtime or devel"),
        (f"{ENTRY}framework: keras\n", 3, "framework must be tensorflow or pytorch"),
        (f"{ENTRY}framework: pytorch=\n", 3, "framework must be tensorflow or pytorch"),
        (f"{ENTRY}spec: cpu\n", 3, "spec must be cpu: and gpu:"),
        (f"{ENTRY}spec:\n  cpu: 'True'\n", 4, "spec.cpu must be true or false, not text: True"),
        (f"{ENTRY}spec:\n  cpu: no\n  gpu: no\n", 4, "excludes both"),
        (f"{ENTRY}files:\n  ignore: data/*\n", 4, "files.ignore must be a list of file patterns"),
        (f"{ENTRY}files:\n  ignore:\n    - [a]\n", 5, "files.ignore item 1 must be a file pattern"),
        (f"{ENTRY}build_steps: pip install x\n", 3, "build_steps must be a list"),
        (f"{ENTRY}build_steps:\n  - a\n  -\n", 5, "build_steps item 2 must be a shell command"),
        (f"{ENTRY}build_steps:\n  - 12\n", 4, "not a number: 12"),
        (f'{ENTRY}build_steps:\n  - echo "a: b"\n', 4, "put the step in quotes"),
        (f"{ENTRY}build_steps:\n  - if_tpu: x\n", 4, "or `if_gpu: command`"),
        (f"{ENTRY}build_steps:\n  - if_gpu: [x]\n", 4, "item 1 if_gpu must be"),
        (f"{ENTRY}build_steps:\n  - if_gpu: x\n    if_cpu: y\n", 4, "not a mapping of keys"),
        (f"{ENTRY}build_steps:\n  - a\nSetup\n=====\n", 6, "is not YAML"),
        (f"{ENTRY}\tcuda: 9\n", 3, "is not YAML"),
    ],
)
def test_mistakes_name_their_line_and_what_is_allowed(read, text, line, said):
    (found,) = complaints(read(text))

    assert found[0] == line
    assert said in found[1]


def test_bytes_that_are_no_text_are_refused(read):
    ((_, said),) = complaints(read(b"entrypoint: \xff\xfe\n"))

    assert said.startswith("is not YAML")


def test_all_mistakes_are_told_at_once(read):
    text = "entrypoint: x\npython: 1\ncuda: a\nbuild_steps:\n  - 1\n  - []\n"

    assert [line for line, _ in complaints(read(text))] == [1, 2, 3, 5, 6]


def test_another_programs_file_is_named_by_its_keys():
    ((line, said),) = complaints(idiom("other_tool"))

    assert line is None
    assert said.endswith("deployments: is it another program's runway.yml?")


def test_unknown_keys_are_only_warned_of(read):
    description = read(f"{ENTRY}build_step: []\nname: A face\n")

    assert description.errors == []
    (warning,) = description.remarks
    assert str(warning).endswith(
        "runway.yml:3: warning: build_step is not a key of runway.yml and is ignored; did you mean build_steps?"
    )


def test_arguments_of_the_script_are_kept():
    assert parse_entrypoint("python -u demo/a.py --size 'very large'") == Entrypoint(
        PurePosixPath("demo/a.py"), ("--size", "very large")
    )


def test_a_server_gets_script_and_arguments_and_minds_only_the_entrypoint(tmp_path):
    (tmp_path / "runway.yml").write_text("entrypoint: python a.py --deep\ncuda: broken\n")
    (tmp_path / "a.py").touch()

    assert find_script(str(tmp_path)) == (tmp_path / "a.py", ("--deep",))


def test_a_server_is_told_the_line_too(tmp_path):
    (tmp_path / "runway.yml").write_text("python: 3.6\nentrypoint: bash a.sh\n")

    with pytest.raises(ConfigError, match=r"runway\.yml:2: entrypoint names no Python script"):
        find_script(str(tmp_path))
