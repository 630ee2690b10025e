"""A real Chromium with a fake camera, and pages in it that fail the test on errors and on requests to other hosts."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image

from tests.serving import Served, run_script
from tests.ui.screen import Screen

FOLDER = Path(__file__).parent
SCRIPT = FOLDER.parent / "scripts" / "every_type.py"
CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--js-flags=--expose-gc",
)
ANSWER_MS = 15_000  # a busy machine of two cores runs browser, page and model at once

OpenScreen = Callable[..., Screen]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if FOLDER in item.path.parents:
            item.add_marker(pytest.mark.slow)
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="package")
def browser() -> Iterator[object]:
    """Closed at the end of this folder: Playwright's event loop would be in the way of other tests' loops."""
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="Playwright is not installed here"
    )
    if CHROMIUM is None:
        pytest.skip("there is no Chromium here; .ci/run installs Debian's")
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield chromium
        chromium.close()


@pytest.fixture(scope="package")
def model() -> Iterator[Served]:
    """`python every_type.py`: a model with every type as option, input and output."""
    with run_script(SCRIPT) as served:
        yield served


@pytest.fixture
def open_screen(browser, model) -> Iterator[OpenScreen]:
    """Opens pages; at the end none of them may have failed or asked another host for anything."""
    screens: list[Screen] = []

    def open_one(
        path: str = "", *, url: str | None = None, expects_errors: bool = False, **options
    ) -> Screen:
        settings = {"viewport": {"width": 1440, "height": 900}, "accept_downloads": True, **options}
        context = browser.new_context(**settings)
        context.grant_permissions(["camera", "clipboard-read", "clipboard-write"])
        context.set_default_timeout(ANSWER_MS)
        screen = Screen(context, url or model.url, expects_errors)
        screens.append(screen)
        screen.open(path)
        return screen

    yield open_one
    for screen in screens:
        screen.page.context.close()
    for screen in screens:
        assert screen.outside == [], "the page asked another host"
        assert screen.errors == [], "the page failed"


@pytest.fixture(scope="session")
def photo(tmp_path_factory) -> Path:
    """A PNG of 120 x 80 whose quarters have four colours."""
    picture = Image.new("RGB", (120, 80))
    for index, colour in enumerate([(250, 0, 0), (0, 250, 0), (0, 0, 250), (250, 250, 0)]):
        x, y = 60 * (index % 2), 40 * (index // 2)
        picture.paste(colour, (x, y, x + 60, y + 40))
    path = tmp_path_factory.mktemp("pictures") / "quarters.png"
    picture.save(path)
    return path


@pytest.fixture
def painter(open_screen, photo):
    """The command with every type, with all it needs but the map."""
    screen = open_screen("everything")
    screen.give_picture("picture", photo)
    screen.field("anything").locator("textarea").fill("1")
    screen.page.locator(".painter canvas").scroll_into_view_if_needed()
    return screen
