"""Files of docker/: Kubernetes' own schemas, and that they fit each other and the images."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from runway_serve.project.dockerfile import USER_ID

DOCKER = Path(__file__).resolve().parents[2] / "docker"
MANIFESTS = sorted((DOCKER / "kubernetes").glob("*.yml"))
VALIDATE = Path(sys.executable).with_name("kubernetes-validate")


def validate(path: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([VALIDATE, "--strict", path], capture_output=True, text=True, check=False)


def load(name: str):
    return yaml.safe_load((DOCKER / name).read_text())


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.stem)
def test_kubernetes_knows_every_field(path):
    ended = validate(path)

    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_a_misspelt_field_would_be_found(tmp_path):
    wrong = tmp_path / "deployment.yml"
    text = (DOCKER / "kubernetes" / "deployment.yml").read_text()
    wrong.write_text(text.replace("readinessProbe", "readynessProbe"))

    assert validate(wrong).returncode != 0


def test_service_and_autoscaler_mean_the_deployment():
    deployment, service = load("kubernetes/deployment.yml"), load("kubernetes/service.yml")
    scaler = load("kubernetes/autoscaler.yml")
    labels = deployment["spec"]["template"]["metadata"]["labels"]

    assert deployment["spec"]["selector"]["matchLabels"] == labels == service["spec"]["selector"]
    assert scaler["spec"]["scaleTargetRef"]["name"] == deployment["metadata"]["name"]


def test_pods_run_as_the_user_of_the_image():
    pod = load("kubernetes/deployment.yml")["spec"]["template"]["spec"]

    assert pod["securityContext"]["runAsUser"] == USER_ID


def test_autoscaler_goes_by_a_metric_that_the_server_has():
    (metric,) = load("kubernetes/autoscaler.yml")["spec"]["metrics"]

    assert (
        f"`{metric['pods']['metric']['name']}`" in (DOCKER.parent / "docs/metrics.md").read_text()
    )


def test_files_that_compose_mounts_are_there():
    services = load("compose.yml")["services"]
    mounts = [volume for service in services.values() for volume in service.get("volumes", [])]
    local = [volume.split(":")[0] for volume in mounts if volume.startswith("./")]

    assert len(local) == 3
    assert [path for path in local if not (DOCKER / path).exists()] == []
    assert set(load("compose.gpu.yml")["services"]) <= set(services)


def test_prometheus_asks_the_model_of_compose():
    (job,) = load("prometheus.yml")["scrape_configs"]

    assert job["static_configs"] == [{"targets": ["model:9000"]}]
    assert "model" in load("compose.yml")["services"]
