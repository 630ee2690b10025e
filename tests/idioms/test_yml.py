"""The runway.yml files people wrote: the model script is found in each, another program's is refused."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from runway_serve.config import ConfigError, find_script

HERE = Path(__file__).resolve().parent
ENTRYPOINTS = {
    "apt_wget_chain": "server.py",
    "crlf_export": "src/web/faces.py",
    "framework_none_and_comments": "runway_model.py",
    "gpu_only_conditional": "runway_model.py",
    "minimal_no_version": "runway_model.py",
    "python2_entrypoint_subfolder": "demo/runway_model.py",
    "template_full": "runway_model.py",
}


@pytest.mark.parametrize("name", ENTRYPOINTS)
def test_script_is_the_one_of_the_entrypoint(name, tmp_path):
    script = tmp_path / ENTRYPOINTS[name]
    script.parent.mkdir(parents=True, exist_ok=True)
    script.touch()
    shutil.copy(HERE / "yml" / f"{name}.yml", tmp_path / "runway.yml")

    assert find_script(str(tmp_path)) == (script, ())


def test_another_programs_file_is_refused_by_name(tmp_path):
    (tmp_path / "runway_model.py").touch()
    shutil.copy(HERE / "yml" / "other_tool.yml", tmp_path / "runway.yml")

    with pytest.raises(ConfigError, match=r"runway\.yml has no entrypoint"):
        find_script(str(tmp_path))


def test_every_file_is_tried():
    assert {path.stem for path in HERE.glob("yml/*.yml")} == {*ENTRYPOINTS, "other_tool"}
