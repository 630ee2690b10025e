"""What the versions of a runway.yml become: kept, replaced with a word about it, or in the way."""

from __future__ import annotations

from pathlib import Path

import pytest

from runway_serve.project.reading import read_description
from runway_serve.project.targets import resolve

YML = Path(__file__).resolve().parents[1] / "idioms" / "yml"


def target_of(tmp_path, text: str, environment: str = "cpu", **options):
    path = tmp_path / "runway.yml"
    path.write_text(f"entrypoint: python a.py\n{text}")
    description = read_description(path)
    assert description.errors == []
    return resolve(description, environment, **options)


def idiom(name: str, environment: str, is_modern: bool = False):
    return resolve(read_description(YML / f"{name}.yml"), environment, is_modern)


def test_a_file_of_2019_names_every_version_that_is_in_the_way():
    obstacles = [str(swap) for swap in idiom("template_full", "gpu").obstacles]

    assert [text.partition(" (")[0] for text in obstacles] == [
        "line 3: python 3.6 -> python 3.12",
        "line 5: cuda 10.0 -> cuda 12.8",
        "line 6: tensorflow 1.12 -> tensorflow 2.21.0",
    ]


def test_a_cpu_build_has_no_quarrel_with_cuda():
    assert [swap.line for swap in idiom("minimal_no_version", "cpu").obstacles] == [2]


def test_a_file_of_today_is_taken_as_it_is(tmp_path):
    text = "python: 3.11\ncuda: 12.4\nframework: pytorch=2.4.1\n"

    gpu = target_of(tmp_path, text, "gpu")
    cpu = target_of(tmp_path, text, "cpu")

    assert gpu.swaps == cpu.swaps == []
    assert gpu.base_image == "nvidia/cuda:12.4.1-cudnn-runtime-ubuntu22.04"
    assert gpu.framework == ("torch==2.4.1",)
    assert cpu.base_image == "python:3.11-slim-bookworm"
    assert cpu.framework[-1] == "torch==2.4.1+cpu"


def test_framework_without_version_fits_a_python_of_today(tmp_path):
    target = target_of(tmp_path, "python: 3.12\nframework: tensorflow\n")

    assert target.swaps == []
    assert target.framework == ("tensorflow==2.21.0",)


def test_compilers_come_with_the_devel_flavor():
    assert "-devel-" in idiom("apt_wget_chain", "gpu").base_image


def test_pins_in_steps_are_replaced_only_if_asked():
    as_is = idiom("framework_none_and_comments", "gpu").steps[0].command
    modern = idiom("framework_none_and_comments", "gpu", is_modern=True).steps[0].command

    assert "torch==1.5.0+cu101 torchvision==0.6.0+cu101 " in as_is
    assert modern.startswith("pip install torch==2.13.0 torchvision -f https:")


@pytest.mark.parametrize(
    ("command", "modern"),
    [
        ("pip install tensorflow-gpu==1.15.0", "pip install tensorflow[and-cuda]==2.21.0"),
        ("pip3 install NumPy==1.16.4 Pillow", "pip3 install numpy Pillow"),
        ("pip install torch==2.6.0", "pip install torch==2.6.0"),
        ("pip install my-torch==1.0 torchsde==0.1", "pip install my-torch==1.0 torchsde==0.1"),
        ("echo torch==1.0", "echo torch==1.0"),
    ],
)
def test_only_pins_without_a_build_are_replaced(tmp_path, command, modern):
    target = target_of(tmp_path, f"python: 3.12\nbuild_steps:\n  - {command}\n", is_modern=True)

    assert target.steps[0].command == modern


def test_old_pins_of_requirement_files_are_warned_of_with_their_line(tmp_path):
    (tmp_path / "needs.txt").write_text("# comment\nflask\ntorch==1.2.0  # old\n")

    target = target_of(tmp_path, "python: 3.12\nbuild_steps: [pip install -r needs.txt]\n")

    assert [str(warning) for warning in target.warnings] == [
        f"{tmp_path}/needs.txt:3: warning: torch==1.2.0 has no build for Python 3.12; write torch==2.13.0"
    ]


def test_a_given_base_image_decides_python_and_cuda(tmp_path):
    text = "python: 3.6\ncuda: 9.0\n"

    target = target_of(tmp_path, text, "gpu", base_image="localhost/mine:1")

    assert target.base_image == "localhost/mine:1"
    assert target.obstacles == []
    assert "gives way to that of localhost/mine:1" in target.warnings[0].text


def test_cuda_is_the_machines_business_without_an_image(tmp_path):
    target = target_of(tmp_path, "python: 3.12\ncuda: 9.0\n", "gpu", has_image=False)

    assert target.swaps == []
    assert target.base_image == ""
