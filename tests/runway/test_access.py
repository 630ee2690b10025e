"""Whether a page of this very server sent a request, by what browsers and proxies tell of it."""

from __future__ import annotations

import pytest

from runway.access import WEBSOCKET, Access, is_foreign_page

HERE = {"host": "models.example:9000", "origin": "http://models.example:9000"}
SECURE = {"host": "models.example", "origin": "https://models.example"}


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("http://models.example:9000", "models.example:9000"),
        ("http://models.example", "models.example"),
        ("http://models.example", "models.example:80"),
        ("https://models.example", "models.example"),
        ("https://models.example", "models.example:443"),
        ("https://models.example:8443", "models.example:8443"),
        ("http://Models.Example:9000", "models.EXAMPLE:9000"),
        ("http://[::1]:9000", "[::1]:9000"),
        ("http://[::1]", "[::1]:80"),
    ],
)
def test_a_page_is_our_own_if_its_origin_is_the_host_asked_default_ports_left_out(origin, host):
    assert not is_foreign_page({"origin": origin, "host": host})


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("http://evil.example", "models.example"),
        ("http://models.example", "models.example:9000"),
        ("http://models.example:9000", "models.example"),
        ("http://models.example:443", "models.example"),
        ("https://models.example:80", "models.example"),
        ("http://models.example", "models.example:443"),
        ("https://models.example", "models.example:80"),
        ("http://models.example.evil.example", "models.example"),
        ("http://evil.models.example", "models.example"),
        ("http://models.example@evil.example", "models.example"),
        ("ftp://models.example", "models.example"),
        ("file://", ""),
        ("http://", ""),
        ("models.example", "models.example"),
        ("null", "models.example"),
        ("null", "null"),
        ("", "models.example"),
        ("", ""),
    ],
)
def test_every_other_origin_is_foreign(origin, host):
    assert is_foreign_page({"origin": origin, "host": host})
    assert is_foreign_page({"origin": origin, "host": host, "sec-fetch-site": "none"})


def test_a_program_names_no_origin_and_is_no_page():
    assert not is_foreign_page({})
    assert not is_foreign_page({"host": "models.example"})
    assert not is_foreign_page({"host": "models.example", "sec-fetch-site": "none"})


@pytest.mark.parametrize("site", ["same-site", "cross-site", "", "Same-Origin, cross-site"])
@pytest.mark.parametrize("known", [{}, HERE, SECURE, {**HERE, "origin": "null"}])
def test_what_the_browser_calls_another_origin_is_foreign_whatever_the_rest_says(site, known):
    assert is_foreign_page({**known, "sec-fetch-site": site})


@pytest.mark.parametrize("origin", ["https://models.example", "null"])
def test_what_the_browser_calls_the_same_origin_is_our_own_behind_a_proxy_that_changes_host(origin):
    behind = {"origin": origin, "host": "127.0.0.1:9000", "sec-fetch-site": "same-origin"}

    assert not is_foreign_page(behind)
    assert is_foreign_page({**behind, "sec-fetch-site": "none"})


@pytest.mark.parametrize("proto", ["https", "HTTPS", "wss", "https, http"])
def test_behind_https_a_page_that_came_by_http_is_foreign(proto):
    plain = {**SECURE, "origin": "http://models.example"}

    assert not is_foreign_page({**SECURE, "x-forwarded-proto": proto})
    assert not is_foreign_page(plain)
    assert is_foreign_page({**plain, "x-forwarded-proto": proto})


def test_an_inner_proxy_that_calls_itself_http_does_not_shut_the_page_out():
    assert not is_foreign_page({**SECURE, "x-forwarded-proto": "http"})


@pytest.mark.parametrize("name", ["x-forwarded-host", "forwarded", "x-original-host"])
def test_a_page_cannot_name_its_own_host(name):
    """A page may set any header but a few, and `Host` is one of the few."""
    headers = {"host": "models.example", "origin": "http://evil.example", name: "evil.example"}

    assert is_foreign_page(headers)


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/setup"), ("DELETE", "/jobs/1"), ("POST", "/ui/files")]
)
def test_a_page_without_origin_that_the_browser_calls_foreign_changes_nothing(method, path):
    access = Access(guards_setup=True)

    refusal = access.refusal(method, path, {"host": "x", "sec-fetch-site": "cross-site"})

    assert refusal is not None
    assert refusal.code == 403
    assert access.refusal(method, path, {"host": "x"}) is None


@pytest.mark.parametrize("method", ["POST", WEBSOCKET])
def test_a_listed_page_passes_and_no_other_of_its_site(method):
    access = Access(origins=("https://friend.example",))

    for origin, may in (("https://friend.example", True), ("https://sub.friend.example", False)):
        headers = {"host": "models.example", "origin": origin, "sec-fetch-site": "cross-site"}
        assert (access.refusal(method, "/half", headers) is None) is may
