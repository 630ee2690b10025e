"""What exists: the Pythons, CUDA images and framework releases that an image of today can be made of.

All tables of versions are here, and what they say about a release.
"""

from __future__ import annotations

import re

MODERN_PYTHON = (
    "3.12"  # the Python of Ubuntu 24.04, so the CPU and the GPU images can have the same
)
MODERN_CUDA = "12.8"
PYTHONS = ("3.10", "3.11", "3.12", "3.13")  # that can hold runway-serve
# CUDA version -> (release, what NVIDIA calls cuDNN there, Ubuntu) of an image that NVIDIA still publishes.
CUDA_IMAGES = {
    "11.8": ("11.8.0", "cudnn8", "22.04"),
    "12.1": ("12.1.1", "cudnn8", "22.04"),
    "12.2": ("12.2.2", "cudnn8", "22.04"),
    "12.4": ("12.4.1", "cudnn", "22.04"),
    "12.6": ("12.6.3", "cudnn", "24.04"),
    "12.8": ("12.8.1", "cudnn", "24.04"),
    "12.9": ("12.9.1", "cudnn", "24.04"),
}
UBUNTU_PYTHON = {"22.04": "3.10", "24.04": "3.12"}
DOCUMENTED_FRAMEWORKS = {
    "tensorflow": "1.12",
    "pytorch": "1.0",
}  # what runway.yml without a version meant
MODERN_RELEASES = {"tensorflow": "2.21.0", "torch": "2.13.0"}
# The CPU builds of PyTorch are on an index of its own; those on PyPI bring several GB of CUDA along.
TORCH_CPU_INDEX = "https://download.pytorch.org/whl/cpu"

# Package -> Python -> first release with builds for it. numpy and pillow: what runway-serve itself needs.
_FIRST = {
    "tensorflow": {"3.10": "2.8", "3.11": "2.12", "3.12": "2.16", "3.13": "2.20"},
    "torch": {"3.10": "1.11", "3.11": "2.0", "3.12": "2.2", "3.13": "2.5"},
    "torchvision": {"3.10": "0.12", "3.11": "0.15", "3.12": "0.17", "3.13": "0.20"},
    "numpy": {"3.10": "1.26", "3.11": "1.26", "3.12": "1.26", "3.13": "2.1"},
    "pillow": {"3.10": "10", "3.11": "10", "3.12": "10.1", "3.13": "11"},
}
_FAMILY = {"tensorflow-gpu": "tensorflow", "tensorflow-cpu": "tensorflow"}
GONE = {"tensorflow-gpu"}  # no release of it works on a Python of today


def package_of(framework: str) -> str:
    """Name on PyPI of a framework of runway.yml."""
    return "torch" if framework == "pytorch" else framework


def is_too_old(package: str, version: str, python: str) -> bool:
    """Whether that release has no build for that Python, as far as the tables know."""
    name = package.lower()
    if name in GONE:
        return True
    first = _FIRST.get(_FAMILY.get(name, name), {}).get(python)
    return first is not None and _numbers(version) < _numbers(first)


def replacement(package: str) -> str:
    """The requirement that takes the place of one that is too old: a release we tried, or any that fits."""
    name = package.lower()
    family = _FAMILY.get(name, name)
    release = MODERN_RELEASES.get(family)
    if release is None:
        return family
    return f"{family}{'[and-cuda]' if name in GONE else ''}=={release}"


def known_packages() -> list[str]:
    """Packages that the tables know, longest name first."""
    return sorted({*_FIRST, *_FAMILY}, key=len, reverse=True)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version.partition("+")[0])[:3])
