"""The Grafana dashboard asks only for what a server tells: its PromQL against a live `/metrics`, and in Prometheus."""
# ruff: noqa: F811  (pytest fixtures are arguments named like the import)

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import psutil
import pytest
import requests
import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.fake_gpus import fake_gpus  # noqa: F401
from tests.processes import end, free_port
from tests.serving import Served, serve

SCRIPTS = Path(__file__).parents[1] / "scripts"
DOCKER = Path(__file__).parents[2] / "docker"
DASHBOARD = json.loads((DOCKER / "grafana" / "runway.json").read_text())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
VARIABLES = {item["name"]: item for item in DASHBOARD["templating"]["list"]}
EXPRESSIONS = [(panel["title"], target) for panel in PANELS for target in panel["targets"]]
OF_PROMETHEUS = {"instance", "job"}  # labels that it adds to each sample
QUIET = {"Refusals by reason", "Items a stacked run"}  # the server at hand did neither lately
DEADLINE_S = 60.0


def filled_in(expression: str) -> str:
    """The expression as Grafana sends it when everything is chosen."""
    for name, text in (("__rate_interval", "10s"), ("instance", ".*"), ("command", ".*")):
        expression = expression.replace(f"${name}", text)
    return expression


def nodes(expression: str) -> list[Any]:
    """All parts of an expression."""
    found: list[Any] = []
    promql_parser.walk(promql_parser.parse(filled_in(expression)), found.append)
    return found


def selectors(expression: str) -> list[Any]:
    return [node for node in nodes(expression) if isinstance(node, promql_parser.VectorSelector)]


def grouping(expression: str) -> set[str]:
    """Labels that an aggregation keeps; empty if nothing is aggregated."""
    sums = [node for node in nodes(expression) if isinstance(node, promql_parser.AggregateExpr)]
    return {label for node in sums if node.modifier for label in node.modifier.labels}


@pytest.fixture(scope="module")
def server(fake_gpus) -> Iterator[Served]:
    """Two workers on pretend cards; calls, a failure, a refusal and a restart have happened."""
    with serve(SCRIPTS / "life.py", "--max-queue", "1", env=fake_gpus(2)) as served:
        for x in (1, 2, 66):
            served.post("half", {"x": x})
        psutil.Process(int(served.post("nap", {"s": 0}).json()["pid"])).kill()
        stop = time.monotonic() + DEADLINE_S
        while not re.search(r"^runway_worker_restarts_total\{", served.get("/metrics").text, re.M):
            assert time.monotonic() < stop
        yield served


@pytest.fixture(scope="module")
def exported(server) -> dict[str, set[str]]:
    """Labels of each metric by its name."""
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(server.get("/metrics").text):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


@pytest.mark.parametrize(("title", "target"), EXPRESSIONS)
def test_an_expression_names_what_the_server_exports(exported, title, target):
    expression = target["expr"]
    assert selectors(expression)
    for selector in selectors(expression):
        assert selector.name in exported, f"{title}: the server has no {selector.name}"
        labels = exported[selector.name] | OF_PROMETHEUS
        asked = {matcher.name for matcher in selector.matchers.matchers}
        assert asked <= labels, f"{title}: {selector.name} has no {asked - labels}"
        assert grouping(expression) <= labels, f"{title}: {grouping(expression) - labels}"
        shown = set(re.findall(r"{{(\w+)}}", target["legendFormat"]))
        assert shown <= (grouping(expression) or labels), f"{title}: legend"


@pytest.mark.parametrize("name", ["instance", "command"])
def test_a_choice_lists_values_of_a_label_that_there_is(exported, name):
    query = VARIABLES[name]["query"]["query"]
    expression, label = re.fullmatch(r"label_values\((.*), (\w+)\)", query).groups()

    (selector,) = selectors(expression)
    assert label in exported[selector.name] | OF_PROMETHEUS


def test_every_metric_of_the_server_is_on_the_dashboard(exported):
    shown = {selector.name for _, target in EXPRESSIONS for selector in selectors(target["expr"])}
    own = {re.sub("_(bucket|sum|count)$", "", name) for name in exported if "runway" in name}

    assert own - {re.sub("_(bucket|sum|count)$", "", name) for name in shown} == set()


def test_panels_do_not_overlap_and_say_what_they_show():
    cells: dict[tuple[int, int], str] = {}
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                assert x < 24, panel["title"]
                assert cells.setdefault((x, y), panel["title"]) == panel["title"]
    assert [panel["title"] for panel in PANELS if not panel["description"]] == []
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])


def test_compose_brings_the_dashboard_to_grafana():
    def provisioned(kind: str) -> dict[str, Any]:
        (path,) = (DOCKER / "grafana" / "provisioning" / kind).glob("*.yml")
        return yaml.safe_load(path.read_text())

    (source,) = provisioned("datasources")["datasources"]
    (provider,) = provisioned("dashboards")["providers"]
    volumes = yaml.safe_load((DOCKER / "compose.yml").read_text())["services"]["grafana"]["volumes"]
    folders = dict(volume.split(":")[:2][::-1] for volume in volumes)

    folder = DOCKER / folders[provider["options"]["path"]]
    assert [path.name for path in folder.glob("*.json")] == ["runway.json"]
    assert VARIABLES["datasource"]["query"] == source["type"]
    assert VARIABLES["datasource"]["current"]["value"] == source["uid"]
    assert all(panel["datasource"]["uid"] == "${datasource}" for panel in PANELS)


@pytest.fixture(scope="module")
def prometheus(server, tmp_path_factory) -> Iterator[str]:
    """A Prometheus that asks the server each second, once it has asked a few times."""
    if shutil.which("prometheus") is None:
        pytest.skip("no prometheus in PATH")
    folder = tmp_path_factory.mktemp("prometheus")
    jobs = [{"job_name": "runway", "static_configs": [{"targets": [f"127.0.0.1:{server.port}"]}]}]
    config = {"global": {"scrape_interval": "1s"}, "scrape_configs": jobs}
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    url = f"http://127.0.0.1:{free_port()}"
    command = ["prometheus", f"--config.file={folder}/prometheus.yml"]
    command += [f"--storage.tsdb.path={folder}/data", f"--web.listen-address={url[7:]}"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    try:
        stop = time.monotonic() + DEADLINE_S
        while len(answers(url, "count_over_time(runway_build_info[1m]) > 3")) == 0:
            assert time.monotonic() < stop, (folder / "log").read_text()
            server.post("half", {"x": 2})
            time.sleep(0.1)
        yield url
    finally:
        end(process)


def answers(url: str, expression: str) -> list[Any]:
    """What Prometheus answers; nothing while it does not listen yet."""
    try:
        answer = requests.get(f"{url}/api/v1/query", {"query": expression}, timeout=10)
    except requests.ConnectionError:
        return []
    if answer.status_code == 503:  # it starts
        return []
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]["result"]


@pytest.mark.parametrize(("title", "target"), EXPRESSIONS)
def test_prometheus_answers_an_expression(prometheus, title, target):
    found = answers(prometheus, filled_in(target["expr"]))

    numbers = [series for series in found if series["value"][1] != "NaN"]  # 0 calls of 0
    assert numbers or title in QUIET, f"{title} shows nothing: {found}"
