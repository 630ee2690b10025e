"""The setup view, on a server of its own: the options are what the model was set up with."""

from __future__ import annotations

import pytest

from tests.serving import run_script, serve
from tests.ui.conftest import SCRIPT


@pytest.fixture(scope="module", params=["script", "server"])
def own(request):
    if request.param == "script":
        with run_script(SCRIPT) as served:
            yield served
    else:
        with serve(SCRIPT, "--gpus", "none") as served:
            yield served


def fill_options(screen, photo):
    screen.give_picture("picture", photo)
    screen.field("anything").locator("textarea").fill('{"a": 1}')


def test_start_sets_the_model_up_and_shows_the_first_command(open_screen, own, photo, tmp_path):
    weights = tmp_path / "weights.txt"
    weights.write_text("1 2 3")
    screen = open_screen("#/setup", url=own.url)
    fill_options(screen, photo)
    screen.upload("weights", weights)
    screen.field("weights").get_by_text("weights.txt,").wait_for()
    screen.page.fill("#option-caption", "from the page")
    screen.page.get_by_role("button", name="Start").click()
    screen.page.wait_for_selector(".workbench")

    used = own.post("used", {"x": ""}).json()["options"]
    assert used["caption"] == "from the page"
    assert used["anything"] == {"a": 1}
    assert used["amount"] == 2.5
    assert used["weights"] == "1 2 3"


def test_every_type_reaches_the_model_as_an_option(open_screen, own, photo, tmp_path):
    (tmp_path / "weights.txt").write_text("3 2 1")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a.bin").write_bytes(b"a")
    screen = open_screen("#/setup", url=own.url)
    fill_options(screen, photo)
    screen.field("words").get_by_text("Add item").click()
    screen.field("words").locator("textarea").fill("word")
    screen.page.uncheck("#option-flag", force=True)
    screen.page.select_option("#option-choice", label="small")
    for name, value in {"amount": "4.5", "free": "-1", "caption": "all"}.items():
        screen.page.fill(f"#option-{name}", value)
    screen.field("z").get_by_role("button", name="Random").click()
    screen.field("regions").locator("canvas").click()
    for name, label, value in (("spot", "X", "0.25"), ("box", "Left", "0.125")):
        typed = screen.field(name).get_by_role("spinbutton", name=label)
        typed.fill(value)
        typed.press("Tab")
    screen.field("face").locator("[data-handle]").first.press("ArrowDown")
    screen.upload("weights", tmp_path / "weights.txt")
    screen.upload("folder", folder)
    screen.field("weights").get_by_text("weights.txt,").wait_for()
    screen.field("folder").get_by_text("folder (1 files)").wait_for()
    screen.page.get_by_role("button", name="Start").click()
    screen.page.wait_for_selector(".workbench")

    used = own.post("used", {"x": ""}).json()["options"]
    face = used.pop("face")
    assert len(face) == 3 and face[0] == [0.5, 0.19]
    assert used == {
        "anything": {"a": 1},
        "words": ["word"],
        "flag": False,
        "choice": "small",
        "amount": 4.5,
        "free": -1,
        "caption": "all",
        "z": [16],
        "picture": [80, 120, 3],
        "regions": [48, 64],
        "spot": [0.25, 0.5],
        "box": [0.125, 0.25, 0.75, 0.75],
        "weights": "3 2 1",
        "folder": ["a.bin"],
    }


def test_the_foot_tells_of_workers_and_queue(open_screen, own):
    screen = open_screen("speak", url=own.url)
    foot = screen.page.locator(".foot")
    foot.get_by_text("Running", exact=True).wait_for()
    screen.run()

    assert "median" in foot.inner_text()
    if own.get("/ready").status_code == 200:
        foot.get_by_text("1 worker").wait_for()
        foot.get_by_text("0 queued").wait_for()


def test_the_authors_error_is_shown(open_screen, own, photo):
    screen = open_screen("#/setup", url=own.url, expects_errors=True)
    fill_options(screen, photo)
    screen.page.fill("#option-caption", "fail")
    screen.page.get_by_role("button", name="Start").click()
    failure = screen.page.locator(".failure")
    failure.wait_for()

    assert "the checkpoint is broken" in failure.inner_text()
    failure.get_by_text("Traceback").click()
    assert "in setup" in failure.locator("pre").inner_text()


def test_a_bad_option_is_marked(open_screen, own, photo):
    screen = open_screen("#/setup", url=own.url, expects_errors=True)
    fill_options(screen, photo)
    screen.page.fill("#option-weights", "/not/there.txt")
    screen.page.get_by_role("button", name="Start").click()

    alert = screen.field("weights").get_by_role("alert")
    alert.wait_for()
    assert "Invalid argument: weights." in alert.inner_text()
    assert screen.page.locator("#option-weights").get_attribute("aria-invalid") == "true"


def test_a_missing_option_is_marked(open_screen, own):
    screen = open_screen("#/setup", url=own.url, expects_errors=True)
    screen.page.get_by_role("button", name="Start").click()

    alert = screen.field("anything").get_by_role("alert")
    alert.wait_for()
    assert "Missing option: anything." in alert.inner_text()
