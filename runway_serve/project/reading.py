"""Reads a runway.yml into a `Description`: a function a key, each noting what is wrong, where, what is allowed."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path

from runway_serve.project.description import (
    CPU,
    EXAMPLE,
    GPU,
    Description,
    DescriptionError,
    Entrypoint,
    Step,
    parse_entrypoint,
)
from runway_serve.project.nodes import (
    Remark,
    Remarks,
    Value,
    flag_of,
    list_of,
    mapping_of,
    text_of,
)

FRAMEWORKS = ("tensorflow", "pytorch")
FLAVORS = ("runtime", "devel")
STEP_FORMS = "a shell command, or `if_gpu: command`, or `if_cpu: command`"
KEYS = "such as entrypoint: python runway_model.py"
PYTHONS = "2.7 or 3.5 to 3.13"
CUDAS = "a version such as 10.0 or 12.8"
FRAMEWORK = "tensorflow or pytorch, with =VERSION behind if you like, or None"


def read_description(path: Path) -> Description:
    """The file as read, with its errors among the remarks; never raises for what is in it."""
    description, remarks = Description(path), Remarks(path)
    values = _top(path, remarks)
    for key, value in values.items():
        description.lines[key] = value.line
        if reader := _READERS.get(key):
            reader(description, value, remarks)
    if values and "python" not in values:
        remarks.warn(None, "python is not given; the newest Python we build for is taken")
    description.remarks = tuple(sorted(remarks.found, key=lambda remark: remark.line or 0))
    return description


def read_entrypoint(path: Path) -> Entrypoint:
    """The entrypoint alone: what serving a folder needs of the file.

    Raises:
        DescriptionError: there is none, or it names no script.
    """
    description, remarks = Description(path), Remarks(path)
    if value := _top(path, remarks).get("entrypoint"):
        _read_entrypoint(description, value, remarks)
    if description.entrypoint is None:
        errors = [remark for remark in remarks.found if remark.is_error]
        raise DescriptionError("\n".join(_without_kind(remark) for remark in errors))
    return description.entrypoint


def _top(path: Path, remarks: Remarks) -> dict[str, Value]:
    """Values of the file's keys; empty, with an error noted, if it is not a model's runway.yml."""
    root = _compose(path, remarks)
    if root is None:
        return {}
    if root.node.id != "mapping":
        remarks.error(root.line, f"must be keys with values, {KEYS}, not {root.kind}")
        return {}
    keys = {str(key.value) for key, _ in root.node.value}
    if "entrypoint" not in keys:
        foreign = ", ".join(sorted(keys - _KNOWN.keys()))
        other = f"; {foreign}: is it another program's runway.yml?" if foreign else ""
        remarks.error(None, f"has no entrypoint, {EXAMPLE}{other}")
        return {}
    return mapping_of(root, remarks, _KNOWN, KEYS)


def _compose(path: Path, remarks: Remarks) -> Value | None:
    import yaml  # here, as the supervisor of a script without runway.yml needs none

    try:
        root = yaml.compose(path.read_bytes(), Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = None if mark is None else mark.line + 1
        remarks.error(line, f"is not YAML: {error.problem or error.context}")
        return None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        remarks.error(None, f"is not YAML: {' '.join(str(error).split())}")
        return None
    except OSError as error:
        remarks.error(None, f"cannot be read: {error.strerror}")
        return None
    if root is None:
        remarks.error(None, f"has no entrypoint, {EXAMPLE}; the file is empty")
        return None
    return Value("", root)


def _read_entrypoint(description: Description, value: Value, remarks: Remarks) -> None:
    text = text_of(value, remarks, f"a Python command, {EXAMPLE}")
    if text is None:
        return
    try:
        description.entrypoint = parse_entrypoint(text)
    except ValueError as error:
        remarks.error(value.line, f"entrypoint {error}")
        return
    before = shlex.split(text)[: shlex.split(text).index(str(description.entrypoint.script))]
    if settings := [word for word in before if "=" in word and not word.startswith("-")]:
        remarks.warn(value.line, f"entrypoint: {' '.join(settings)} is not set; set it outside")


def _read_python(description: Description, value: Value, remarks: Remarks) -> None:
    text = text_of(value, remarks, PYTHONS)
    if text is None:
        return
    if not re.fullmatch(r"2\.7|3\.([5-9]|1[0-3]?)", text):
        remarks.error(value.line, f"python must be {PYTHONS}, not {value.kind}")
        return
    if text in ("3.1", "3.10") and value.node.tag.endswith(":float"):
        remarks.warn(
            value.line, f"python: {text} is the number 3.1 to YAML; read as '3.10', quote it"
        )
        text = "3.10"
    description.python = text


def _read_cuda(description: Description, value: Value, remarks: Remarks) -> None:
    if value.is_empty:
        return
    text = text_of(value, remarks, CUDAS)
    if text is None:
        return
    if not re.fullmatch(r"\d{1,2}(\.\d)?(\.\d+)?", text):
        remarks.error(value.line, f"cuda must be {CUDAS}, not {value.kind}")
        return
    description.cuda = ".".join([*text.split("."), "0"][:2])


def _read_flavor(description: Description, value: Value, remarks: Remarks) -> None:
    allowed = " or ".join(FLAVORS)
    text = text_of(value, remarks, allowed)
    if text in FLAVORS:
        description.cuda_flavor = str(text)
    elif text is not None:
        remarks.error(value.line, f"cuda_flavor must be {allowed}, not {value.kind}")


def _read_framework(description: Description, value: Value, remarks: Remarks) -> None:
    if value.is_empty:
        return
    text = text_of(value, remarks, FRAMEWORK)
    if text is None:
        return
    name, sign, version = (part.strip() for part in re.split(r"(==?|$)", text, maxsplit=1))
    if name.lower() not in FRAMEWORKS or (sign and not re.fullmatch(r"\d[\w.+]*", version)):
        remarks.error(value.line, f"framework must be {FRAMEWORK}, not {value.kind}")
        return
    description.framework, description.framework_version = name.lower(), version or None


def _read_spec(description: Description, value: Value, remarks: Remarks) -> None:
    if value.is_empty:
        return
    flags = {CPU: True, GPU: True}
    for key, item in mapping_of(value, remarks, flags, "cpu: and gpu:, true or false").items():
        flag = flag_of(item, remarks)
        flags[key] = flags[key] if flag is None else flag
    description.environments = tuple(name for name, wanted in flags.items() if wanted)
    if not description.environments:
        remarks.error(value.line, "spec excludes both cpu and gpu; leave one of them true")


def _read_files(description: Description, value: Value, remarks: Remarks) -> None:
    if value.is_empty:
        return
    ignore = mapping_of(value, remarks, ["ignore"], "ignore: with a list").get("ignore")
    if ignore is None:
        return
    items = list_of(ignore, remarks, "a list of file patterns, such as: - my_dataset/*")
    texts = [text_of(item, remarks, "a file pattern, such as my_dataset/*") for item in items]
    description.ignore = tuple(text for text in texts if text)


def _read_steps(description: Description, value: Value, remarks: Remarks) -> None:
    items = list_of(value, remarks, f"a list, each item {STEP_FORMS}")
    steps = [_step(item, remarks) for item in items]
    description.steps = tuple(step for step in steps if step)


def _step(item: Value, remarks: Remarks) -> Step | None:
    environment = None
    if item.node.id == "mapping" and len(item.node.value) == 1:
        key_node, node = item.node.value[0]
        condition = str(key_node.value)
        if condition not in ("if_cpu", "if_gpu"):
            remarks.error(
                item.line,
                f"{item.name} must be {STEP_FORMS}; YAML reads `{condition}:` as a key, so put the step in quotes",
            )
            return None
        environment = condition.removeprefix("if_")
        item = Value(f"{item.name} {condition}", node)
    if item.node.id != "scalar" or item.is_empty or not item.node.tag.endswith(":str"):
        remarks.error(item.line, f"{item.name} must be {STEP_FORMS}, not {item.kind}")
        return None
    return Step(item.node.value.strip(), item.line, environment)


def _without_kind(remark: Remark) -> str:
    place = f"{remark.path} " if remark.line is None else f"{remark.path}:{remark.line}: "
    return place + remark.text


def _accept(_description: Description, value: Value, remarks: Remarks) -> None:
    text_of(value, remarks, "a number or a text")


_READERS: dict[str, Callable[[Description, Value, Remarks], None]] = {
    "version": _accept,
    "python": _read_python,
    "entrypoint": _read_entrypoint,
    "cuda": _read_cuda,
    "cuda_flavor": _read_flavor,
    "framework": _read_framework,
    "spec": _read_spec,
    "files": _read_files,
    "build_steps": _read_steps,
}
# Keys that tell people, not us.
_KNOWN: dict[str, object] = {**_READERS, "name": None, "description": None, "license": None}
