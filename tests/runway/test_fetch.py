"""Downloads of one address: what fails and how, which addresses are allowed, and that time limits hold."""

import socket
import time

import pytest

from runway import fetch
from runway.downloads import FilePolicy, download, file_session
from runway.fetch import is_public

pytestmark = pytest.mark.usefixtures("scratch")


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("/absent.txt", "server answered HTTP 404"),
        ("/short", "could not be downloaded"),
        ("/to/ftp:~~127.0.0.1~x", "only http and https"),
        ("/to/file:~~~etc~passwd", "only http and https"),
        ("/to/", "redirect without an address"),
        ("/endless", "larger than 100000 bytes"),
        ("/tree space.txt", "HTTP 404"),
    ],
)
def test_failed_downloads_say_why(server, address, message):
    with file_session(FilePolicy(max_bytes=100_000)), pytest.raises(ValueError, match=message):
        download(server.url + address)


def test_redirects_are_followed_a_few_times(server):
    with file_session():
        assert open(download(server.url + "/to/~noext")).read() == "plain"  # noqa: SIM115
        with pytest.raises(ValueError, match="more than 5 redirects"):
            download(server.url + "/to/" + "~to/" * 9 + "~noext")


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:9/x",
        "http://no-such-host.invalid/",
        "http://",
        "http://[::1",
        "http://h:99999/",
    ],
)
def test_unreachable_and_malformed_addresses_are_refused(url):
    with file_session(), pytest.raises(ValueError, match=r"download|address|URL"):
        download(url)


@pytest.mark.parametrize("page", ["/drip", "/drip-body"])
def test_a_slow_server_is_left_at_the_time_limit(server, page):
    began = time.monotonic()

    with (
        file_session(FilePolicy(timeout_s=0.4)),
        pytest.raises(ValueError, match=r"longer than 0\.4 s"),
    ):
        download(server.url + page)

    assert time.monotonic() - began < 3


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.0.0.1", "169.254.169.254", "192.168.1.1", "172.16.0.1", "100.64.0.1", "0.0.0.0",
        "224.0.0.1", "255.255.255.255", "240.0.0.1", "::1", "::", "fe80::1%eth0", "fc00::1", "ff02::1",
        "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::",
        "2001:0:4136:e378:8000:63bf:80ff:fffe",
    ],
)  # fmt: skip
def test_private_addresses_are_known_in_every_form(address):
    assert not is_public(address)


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]
)
def test_public_addresses_are_known(address):
    assert is_public(address)


def test_private_addresses_need_to_be_listed(server):
    asked = len(server.asked)

    for url in (
        server.url,
        "http://169.254.169.254/latest",
        f"http://localhost:{server.server_port}",
        "http://2130706433/",
    ):
        with (
            file_session(FilePolicy(allow_hosts=())),
            pytest.raises(ValueError, match="address not allowed"),
        ):
            download(f"{url}/noext")
    assert len(server.asked) == asked
    for listed in ("127.0.0.1", f"127.0.0.1:{server.server_port}"):
        with file_session(FilePolicy(allow_hosts=(listed,))):
            download(server.url + "/noext")
    with (
        file_session(FilePolicy(allow_hosts=("127.0.0.1:1",))),
        pytest.raises(ValueError, match="not allowed"),
    ):
        download(server.url + "/noext")


def test_each_redirect_is_checked_again(server):
    asked = len(server.asked)

    with (
        file_session(FilePolicy(allow_hosts=("127.0.0.1",))),
        pytest.raises(ValueError, match="address not allowed"),
    ):
        download(f"{server.url}/to/http:~~localhost:{server.server_port}~noext")

    assert len(server.asked) == asked + 1


def test_the_checked_address_is_the_one_connected_to(server, monkeypatch):
    answers = iter([[(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("8.8.8.8", 80))]])
    connected = []
    monkeypatch.setattr(fetch.socket, "getaddrinfo", lambda *args, **kwargs: next(answers))
    monkeypatch.setattr(
        fetch.socket,
        "create_connection",
        lambda address, timeout: connected.append(address) or 1 / 0,
    )

    with file_session(FilePolicy(allow_hosts=())), pytest.raises(ZeroDivisionError):
        download("http://rebinding.example/x")

    assert connected == [("8.8.8.8", 80)]


def test_one_private_answer_among_public_ones_refuses_the_name(monkeypatch):
    entries = [
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, 80)) for ip in ("8.8.8.8", "10.0.0.1")
    ]
    monkeypatch.setattr(fetch.socket, "getaddrinfo", lambda *args, **kwargs: entries)

    with (
        file_session(FilePolicy(allow_hosts=())),
        pytest.raises(ValueError, match="address not allowed"),
    ):
        download("http://mixed.example/x")


def test_https_is_fetched_from_a_trusted_server_of_that_name(tls_server, monkeypatch):
    url = f"https://localhost:{tls_server.server_port}/noext"

    with file_session(), pytest.raises(ValueError, match="could not be downloaded"):
        download(url)
    monkeypatch.setenv("SSL_CERT_FILE", tls_server.certificate)
    with file_session():
        assert open(download(url)).read() == "plain"  # noqa: SIM115
        with pytest.raises(ValueError, match="could not be downloaded"):
            download(url.replace("localhost", "127.0.0.1"))
    with (
        file_session(FilePolicy(timeout_s=0.4)),
        pytest.raises(ValueError, match=r"longer than 0\.4 s"),
    ):
        download(url.replace("noext", "drip"))
