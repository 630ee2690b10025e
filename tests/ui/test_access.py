"""Every view without a barrier: axe-core, keys alone, names for all controls, narrow screens."""

from __future__ import annotations

import pytest

from tests.ui.screen import violations

PHONE = {"width": 390, "height": 844}


def fill_everything(screen, photo) -> None:
    screen.give_picture("picture", photo)
    screen.field("anything").locator("textarea").fill("[1, 2]")
    screen.field("words").get_by_text("Add item").click()


def show_command(screen, photo):
    screen.open("everything")
    fill_everything(screen, photo)
    screen.run()
    screen.field("picture").get_by_text("Adjust").click()
    screen.field("z").get_by_role("button", name="Keep").click()
    screen.field("z").get_by_role("button", name="Paste").click()
    screen.field("z").get_by_role("button", name="Grid").click()
    screen.page.locator(".api-panel summary").click()


def show_source(name):
    def show(screen, photo):
        screen.open("everything")
        screen.source(name)
        screen.page.wait_for_selector(f".{name}-source")

    return show


def show_export(screen, photo):
    screen.open("invert")
    screen.give_picture("image", photo)
    screen.run()
    screen.page.click("text=Compare")
    screen.page.get_by_role("button", name="Export").click()


def show_failure(screen, photo):
    screen.open("speak")
    screen.page.check("#input-fail", force=True)
    screen.page.click("button.run")
    screen.page.wait_for_selector(".failure")


VIEWS = {
    "setup": lambda screen, photo: screen.open("#/setup"),
    "command": show_command,
    "grid": lambda screen, photo: screen.open("draw"),
    "export": show_export,
    "failure": show_failure,
    **{name: show_source(name) for name in ("camera", "video", "walk", "batch", "network")},
}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("view", VIEWS)
def test_axe_finds_nothing(open_screen, photo, view, scheme):
    screen = open_screen("speak", color_scheme=scheme, expects_errors=view == "failure")
    VIEWS[view](screen, photo)

    assert violations(screen) == []


@pytest.mark.parametrize("view", ["setup", "command", "camera"])
def test_narrow_screens_scroll_in_one_direction_only(open_screen, photo, view):
    screen = open_screen("speak", viewport=PHONE)
    VIEWS[view](screen, photo)

    width = screen.page.evaluate("() => document.documentElement.scrollWidth")
    assert width <= PHONE["width"]
    assert violations(screen) == []


def test_a_command_is_run_by_keys_alone(open_screen):
    screen = open_screen("speak")
    keyboard = screen.page.keyboard
    screen.page.locator("[role=tab][aria-selected=true]").focus()
    keyboard.press("ArrowLeft")
    screen.until("document.querySelector('[role=tab][aria-selected=true]').textContent === 'Draw'")
    keyboard.press("ArrowRight")
    screen.until("document.activeElement.textContent === 'Speak'")
    for _ in range(40):
        keyboard.press("Tab")
        if screen.page.evaluate("() => document.activeElement.id") == "input-prompt":
            break
    keyboard.type("by keys")
    keyboard.press("Control+Enter")

    screen.until("document.querySelector('[data-output=text] pre')?.textContent === 'BY KEYS'")


def test_focus_follows_the_order_on_screen(open_screen):
    screen = open_screen("invert")
    order = []
    screen.page.locator("[role=tab][aria-selected=true]").focus()
    for _ in range(12):
        screen.page.keyboard.press("Tab")
        order.append(
            screen.page.evaluate(
                "() => document.activeElement.textContent.trim() || document.activeElement.id"
            )
        )

    wanted = ["Choose a picture", "Record", "Run"]
    assert [text for text in order if text in wanted] == wanted


def test_every_control_has_a_name(open_screen):
    screen = open_screen("everything")
    nameless = screen.page.evaluate(
        """() => [...document.querySelectorAll('button, input, select, textarea, canvas[tabindex]')]
          .filter((one) => !one.hidden && one.offsetParent !== null)
          .filter((one) => !(one.labels?.length || one.getAttribute('aria-label') || one.textContent.trim()))
          .map((one) => one.outerHTML.slice(0, 200))"""
    )

    assert nameless == []
