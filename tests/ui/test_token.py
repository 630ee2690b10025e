"""The page of a server with a token: it asks for it once, then everything on the page works."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.serving import Served, serve
from tests.ui.conftest import ANSWER_MS, SCRIPT
from tests.ui.screen import Screen, violations

TOKEN = "pa(ss)/w+rd=="  # what neither an address nor a subprotocol may hold as it is


@pytest.fixture(scope="module")
def guarded() -> Iterator[Served]:
    """`runway-serve --token` over a model of every type."""
    with serve(SCRIPT, "--gpus", "none", "--token", TOKEN) as server:
        server.session.headers["Authorization"] = f"Bearer {TOKEN}"
        yield server


@pytest.fixture
def page(browser, guarded) -> Iterator[Screen]:
    """A page that was given the token; nothing on it may fail from then on."""
    context = browser.new_context(viewport={"width": 1440, "height": 900}, accept_downloads=True)
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    context.set_default_timeout(ANSWER_MS)
    screen = Screen(context, guarded.url, expects_errors=True)  # 401, until the token is given
    screen.page.goto(f"{guarded.url}/ui/#/run%2Fspeak")
    give(screen, TOKEN)
    screen.page.wait_for_selector("#view")
    screen.expects_errors = False
    yield screen
    context.close()
    assert screen.errors == []


def give(screen: Screen, token: str) -> None:
    dialog = screen.page.get_by_role("dialog")
    dialog.get_by_label("Access token").fill(token)
    screen.page.keyboard.press("Enter")


def sockets(screen: Screen) -> list[str]:
    """Addresses of the WebSockets that the page opens from now on."""
    found: list[str] = []
    screen.page.on("websocket", lambda socket: found.append(socket.url))
    return found


def test_the_page_asks_says_when_the_token_is_wrong_and_keeps_the_right_one(browser, guarded):
    screen = Screen(browser.new_context(), guarded.url, expects_errors=True)
    page = screen.page
    page.goto(f"{guarded.url}/ui/#/run%2Fspeak")
    page.get_by_text("This server asks for a token").wait_for()
    assert violations(screen) == []
    give(screen, "wrong")
    page.get_by_text("The server refused that token").wait_for()
    assert violations(screen) == []
    give(screen, TOKEN)
    page.wait_for_selector("#view")
    page.reload()
    page.wait_for_selector("#input-prompt")

    assert page.get_by_role("dialog").count() == 0
    page.context.close()


def test_commands_run_over_the_socket(page):
    opened = sockets(page)
    page.page.fill("#input-prompt", "let in")

    assert page.run() == {"text": "LET IN"}
    assert opened == [f"{page.url.replace('http', 'ws')}/"]
    assert not [one for one in page.requests if one.method == "POST"]


def test_a_stream_shows_its_progress_and_can_be_cancelled(page):
    page.page.get_by_role("tab", name="Count").click()
    page.page.fill("#input-steps", "200")
    page.page.keyboard.press("Tab")
    page.page.click("button.run")
    page.until("document.querySelector('.progress-row progress')?.value > 0")
    page.page.keyboard.press("Escape")

    page.wait_idle()


def test_commands_run_by_http_where_the_socket_is_barred(page):
    page.page.route_web_socket("**/*", lambda socket: socket.close())
    page.page.reload()
    page.page.fill("#input-prompt", "by http")

    assert page.run() == {"text": "BY HTTP"}
    (post,) = [one for one in page.requests if one.method == "POST"]
    assert post.header_value("authorization") == f"Bearer {TOKEN}"


def test_setup_and_uploads_carry_the_token(page, guarded, photo):
    page.page.get_by_role("tab", name="Setup").click()
    page.give_picture("picture", photo)
    page.field("anything").locator("textarea").fill("{}")
    page.upload("weights", {"name": "w.txt", "mimeType": "text/plain", "buffer": b"numbers"})
    page.field("weights").get_by_text("w.txt,").wait_for()
    page.page.get_by_role("button", name="Start").click()
    page.page.wait_for_selector(".workbench")

    assert guarded.post("used", {"x": ""}).json()["options"]["weights"] == "numbers"
    posts = [one for one in page.requests if one.method == "POST"]
    assert {one.header_value("authorization") for one in posts} == {f"Bearer {TOKEN}"}


def test_the_network_source_listens_with_the_token(page, guarded):
    page.source("network")
    page.page.get_by_text("Waiting for a request").wait_for()
    guarded.post("speak", {"prompt": "from outside", "fail": False})

    page.until("document.querySelector('[data-output=text] pre')?.textContent === 'FROM OUTSIDE'")
    assert page.page.input_value("#input-prompt") == "from outside"


def test_the_foot_shows_workers_and_queue(page):
    page.page.locator(".foot").get_by_text("1 worker").wait_for()
    page.page.locator(".foot").get_by_text("0 queued").wait_for()


@pytest.mark.parametrize(
    ("link", "key", "value"),
    [("Manifest", "modelSDKVersion", None), ("OpenAPI", "openapi", "3.1.0")],
)
def test_links_to_manifest_and_openapi_open_what_the_token_is_needed_for(page, link, key, value):
    page.page.locator(".api-panel summary").click()
    with page.page.context.expect_page() as opening:
        page.page.get_by_role("link", name=link).click()
    other = opening.value
    other.wait_for_function("() => document.body?.innerText.length > 20")

    told = json.loads(other.evaluate("() => document.querySelector('pre').textContent"))
    assert value in (None, told[key])
    other.close()


def test_code_to_paste_reads_the_token_from_the_environment(page):
    page.page.locator(".api-panel summary").click()
    page.page.locator(".api-panel .icon-button").click()
    text = page.page.evaluate("() => navigator.clipboard.readText()")

    assert "Authorization: Bearer $RW_TOKEN" in text
    assert TOKEN not in page.page.content() and TOKEN not in text


def test_a_token_that_is_no_longer_good_is_asked_for_again(page):
    page.page.evaluate("() => sessionStorage.setItem('runway-token', 'old')")
    page.expects_errors = True
    page.page.reload()
    page.page.get_by_text("This server asks for a token").wait_for()
    give(page, TOKEN)
    page.page.fill("#input-prompt", "again")

    assert page.run() == {"text": "AGAIN"}
