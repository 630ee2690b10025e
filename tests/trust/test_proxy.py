"""Known failure 37: the model below a path of a proxy that ends TLS. The browser's part of it is in `tests/ui/`."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from contextlib import closing
from urllib.parse import urljoin

import pytest
import requests
import websocket

from tests.serving import Served
from tests.trust.kinds import case, error_of, wait_for
from tests.trust.tls_proxy import Proxy, tls_proxy

IN_PAGE = re.compile(r"""(?:src|href)="([^"]+)\"""")
IN_MODULE = re.compile(r"""(?:from|import) ?["'](\.[^"']+)["']""")
EVIL = "https://evil.example"

pytestmark = [
    case(37),
    pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificate"),
]


@pytest.fixture(
    scope="module",
    params=[("/a/b/", True), ("/a/b/", False), ("/", True), ("/ui/half/ui/", True), ("/with.dot/", False)],
    ids=lambda param: f"{param[0]} {'Host passed' if param[1] else 'Host changed'}",
)  # fmt: skip
def proxy(request, two: Served, tmp_path_factory) -> Iterator[Proxy]:
    prefix, passes_host = request.param
    with tls_proxy(two.port, prefix, passes_host, tmp_path_factory.mktemp("tls")) as made:
        yield made


@pytest.fixture
def session(proxy: Proxy) -> Iterator[requests.Session]:
    with requests.Session() as made:
        made.trust_env = False
        made.verify = proxy.certificate
        yield made


def own_page(proxy: Proxy) -> dict[str, str]:
    """What a browser sends from the page itself, over https."""
    return {"Origin": proxy.url.split("/", 3)[0] + "//" + proxy.url.split("/")[2], **SAME}


SAME = {"Sec-Fetch-Site": "same-origin"}


def test_from_the_address_bar_to_every_file_of_the_page(proxy: Proxy, session: requests.Session):
    """A browser's walk: the redirect, the page, and what each file of it names, all below the path."""
    first = session.get(proxy.url, headers={"Accept": "text/html"}, timeout=10)
    assert first.url == urljoin(proxy.url, "ui/")
    assert first.history[0].status_code == 302

    seen: set[str] = set()
    left = [first.url]
    while left:
        address = left.pop()
        if address in seen:
            continue
        seen.add(address)
        assert address.startswith(proxy.url), address
        answer = session.get(address, timeout=10)
        assert answer.status_code == 200, address
        named = IN_MODULE if address.endswith(".mjs") else IN_PAGE
        left += [urljoin(address, name) for name in named.findall(answer.text)]

    assert len(seen) > 20
    assert urljoin(proxy.url, "ui/js/main.mjs") in seen
    assert urljoin(proxy.url, "meta") in seen


def test_commands_errors_and_setup(proxy: Proxy, session: requests.Session):
    page = own_page(proxy)

    answer = session.post(f"{proxy.url}half", json={"x": 4}, headers=page, timeout=10)
    assert answer.json() == {"y": 2}
    error_of(session.post(f"{proxy.url}half", json={"x": 101}, timeout=10), 400, "x")
    error_of(session.post(f"{proxy.url}nonesuch", json={}, timeout=10), 404)
    answer = session.post(f"{proxy.url}setup", json={}, headers=page, timeout=30)
    assert answer.json() == {"success": True}
    for site in ({}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}):
        headers = {"Origin": EVIL, **site}
        answer = session.post(f"{proxy.url}setup", json={}, headers=headers, timeout=10)
        error_of(answer, 403, "--cors")


def test_a_job_is_found_where_its_answer_says(proxy: Proxy, session: requests.Session):
    command = f"{proxy.url}half"
    headers = {"Prefer": "respond-async"}

    accepted = session.post(command, json={"x": 4}, headers=headers, timeout=10)
    job = urljoin(accepted.url, accepted.headers["Location"])

    assert accepted.status_code == 202
    assert job.startswith(f"{proxy.url}jobs/")
    wait_for(lambda: session.get(job, timeout=10).json()["status"] == "succeeded")
    assert session.delete(job, headers=own_page(proxy), timeout=10).ok


def test_an_upload_of_the_page(proxy: Proxy, session: requests.Session):
    where = f"{proxy.url}ui/files?name=weights.bin"

    kept = session.post(where, data=b"12345", headers=own_page(proxy), timeout=10)
    read = session.post(f"{proxy.url}read", json={"f": kept.json()["path"]}, timeout=10)

    assert read.json() == {"n": 5}
    refused = session.post(where, data=b"1", headers={"Origin": EVIL}, timeout=10)
    assert refused.status_code == 403


def test_websockets_of_the_page(proxy: Proxy, session: requests.Session):
    page = own_page(proxy)

    with closing(open_socket(proxy, "ui/watch?command=say", page)) as watch:
        session.post(f"{proxy.url}say", json={"t": "é"}, timeout=10)
        while "outputs" not in (told := json.loads(watch.recv())):
            watch.send("next")
    assert told["outputs"] == {"t": "é", "n": 1}

    for headers in ({**page, "Sec-Fetch-Site": "same-site"}, {"Origin": EVIL}):
        with pytest.raises(websocket.WebSocketBadStatusException):
            open_socket(proxy, "ui/watch?command=say", headers)


def test_the_servers_words_name_no_place(proxy: Proxy, session: requests.Session):
    """Neither host nor scheme nor a path from the root, but in the document that says where it was asked."""
    for path in ("meta", "", "healthcheck", "setup", "openapi.json"):
        answer = session.get(f"{proxy.url}{path}", timeout=10)
        assert answer.status_code == 200
        assert "127.0.0.1" not in answer.text and "localhost" not in answer.text, path


def open_socket(proxy: Proxy, path: str, headers: dict[str, str]) -> websocket.WebSocket:
    others = [f"{name}: {value}" for name, value in headers.items() if name != "Origin"]
    return websocket.create_connection(
        f"wss{proxy.url.removeprefix('https')}{path}",
        origin=headers["Origin"],
        header=others,
        sslopt={"ca_certs": proxy.certificate},
        timeout=10,
    )
