"""The command view: every control sends what it shows, every output shows what came."""

from __future__ import annotations

import numpy as np
import pytest

from tests.ui.screen import picture_of


def test_every_type_goes_there_and_back(open_screen, photo, tmp_path):
    screen = open_screen("everything")
    page = screen.page
    text_file = tmp_path / "notes.txt"
    text_file.write_text("kept")
    screen.give_picture("picture", photo)
    screen.field("anything").locator("textarea").fill('{"a": [1, null, "x"]}')
    for word in ("one", "two"):
        screen.field("words").get_by_text("Add item").click()
        screen.field("words").locator("textarea").last.fill(word)
    page.uncheck("#input-flag", force=True)
    page.select_option("#input-choice", label="small")
    page.fill("#input-amount", "3.5")
    page.fill("#input-free", "-2.25")
    page.fill("#input-caption", "héllo")
    page.click("#input-z")
    screen.upload("weights", text_file)
    screen.field("weights").get_by_text("notes.txt,").wait_for()

    outputs = screen.run()

    assert outputs["anything"] == {"a": [1, None, "x"]}
    assert outputs["words"] == ["one", "two"]
    assert (outputs["flag"], outputs["choice"]) == (False, "small")
    assert (outputs["amount"], outputs["free"], outputs["caption"]) == (3.5, -2.25, "héllo")
    assert len(outputs["z"]) == 16
    assert picture_of(outputs["picture"]).size == (120, 80)
    assert picture_of(outputs["regions"]).size == (64, 48)
    assert outputs["spot"] == [0.5, 0.5]
    assert outputs["box"] == [0.25, 0.25, 0.75, 0.75]
    assert len(outputs["face"]) == 3
    assert outputs["weights"].endswith("notes.txt")
    assert outputs["folder"] is None


def test_every_type_is_shown(open_screen, photo):
    screen = open_screen("everything")
    screen.give_picture("picture", photo)
    screen.field("anything").locator("textarea").fill("[1, 2]")
    screen.run()

    texts = {
        "flag": "Yes",
        "choice": "large",
        "amount": "2.5",
        "free": "7",
        "caption": "hello",
        "words": "An empty list.",
        "folder": "\N{EN DASH}",
        "weights": "\N{EN DASH}",
    }
    for name, text in texts.items():
        assert text in screen.output(name).inner_text()
    assert screen.output("z").locator("svg[role=img]").count() == 1
    for name in ("picture", "regions"):
        assert screen.output(name).locator("img.picture").is_visible()
    assert screen.output("anything").locator("svg[role=img]").count() == 1
    assert screen.output("spot").locator(".mark").get_attribute("data-label") == "spot"
    assert screen.output("box").locator("rect").count() == 1
    assert screen.output("face").locator("line").count() == 2
    labels = (
        screen.output("face")
        .locator(".mark")
        .evaluate_all("marks => marks.map(m => m.dataset.label)")
    )
    assert labels == ["left", "right", "chin"]


def test_items_of_a_list_can_be_moved_and_removed(open_screen):
    screen = open_screen("everything")
    words = screen.field("words")
    for word in ("a", "b", "c", "d"):
        words.get_by_text("Add item").click()
        words.locator("textarea").last.fill(word)

    assert words.get_by_text("Add item").is_disabled()
    words.get_by_label("Move item 4 up").click()
    words.get_by_label("Move item 1 down").click()
    words.get_by_label("Remove item 2").click()

    values = words.locator("textarea").evaluate_all("areas => areas.map(area => area.value)")
    assert values == ["b", "d", "c"]


def test_json_that_does_not_parse_is_said_so_and_not_sent(open_screen):
    screen = open_screen("everything")
    area = screen.field("anything").locator("textarea")
    area.fill('{"a": 1}')
    area.fill('{"a": ')

    assert "Not JSON yet" in screen.field("anything").inner_text()
    assert area.get_attribute("aria-invalid") == "true"


def test_a_slider_and_its_number_say_the_same(open_screen):
    screen = open_screen("everything")
    slider = screen.field("amount").locator("input[type=range]")
    slider.focus()
    slider.press("ArrowRight")

    screen.until("document.querySelector('#input-amount').value === '3'")
    screen.page.fill("#input-amount", "9.5")
    screen.until("document.querySelector('[data-field=amount] input[type=range]').value === '9.5'")


def test_descriptions_are_tooltips(open_screen):
    screen = open_screen("everything")
    hint = screen.page.get_by_label("About Amount")
    hint.focus()

    tooltip = screen.page.get_by_role("tooltip")
    assert tooltip.inner_text() == "Between 0 and 10"
    assert hint.get_attribute("aria-describedby") == tooltip.get_attribute("id")


def test_a_missing_input_is_asked_for_beside_its_field(open_screen):
    screen = open_screen("invert")
    screen.page.click("button.run")

    assert "Choose a picture first" in screen.field("image").get_by_role("alert").inner_text()
    assert not [one for one in screen.requests if one.method == "POST"]


def test_an_error_of_the_server_stands_beside_the_field_it_names(open_screen):
    screen = open_screen("everything", expects_errors=True)
    screen.page.fill("#input-weights", "/nowhere/at-all.txt")
    screen.field("anything").locator("textarea").fill("1")
    screen.upload("picture", {"name": "a.png", "mimeType": "image/png", "buffer": b"no picture"})
    screen.page.wait_for_selector(".frame-note")
    screen.page.click("button.run")

    alert = screen.field("picture").get_by_role("alert")
    alert.wait_for()
    assert "Invalid argument: picture." in alert.inner_text()
    assert "An input was refused" in screen.page.inner_text(".output-card")


def test_an_error_in_the_model_shows_its_traceback(open_screen):
    screen = open_screen("speak", expects_errors=True)
    screen.page.check("#input-fail", force=True)
    screen.page.click("button.run")

    failure = screen.page.locator(".failure")
    failure.wait_for()
    assert "nothing to say" in failure.inner_text()
    failure.get_by_text("Traceback").click()
    assert "in speak" in failure.locator("pre").inner_text()


def test_a_stream_shows_its_progress_and_ends_by_itself(open_screen):
    screen = open_screen("count")
    screen.page.fill("#input-steps", "6")
    screen.page.click("button.run")
    screen.until("document.querySelector('.output-card progress')?.value > 0.3")

    screen.wait_idle()
    assert screen.output("step").inner_text().endswith("6")
    assert screen.shown()["trace"] == [0, 1, 4, 9, 16, 25]


def test_a_stream_can_be_cancelled(open_screen, model):
    screen = open_screen("count")
    screen.page.fill("#input-steps", "200")
    screen.page.fill("#input-pause", "0.1")
    screen.page.click("button.run")
    screen.until("document.querySelector('.output-card progress')?.value > 0")
    screen.page.get_by_role("button", name="Cancel").click()
    screen.wait_idle()

    assert screen.history_count() == 0
    # the model is free again long before the 20 s that all the steps would take
    assert model.post("speak", {"prompt": "x"}, timeout=5).json() == {"text": "X"}


def test_live_runs_at_every_change(open_screen):
    screen = open_screen("speak")
    screen.page.get_by_text("Live", exact=True).click()
    screen.page.fill("#input-prompt", "abc")

    screen.until("document.querySelector('[data-output=text] pre')?.textContent === 'ABC'")


def test_the_inputs_of_an_earlier_result_come_back(open_screen):
    screen = open_screen("speak")
    for word in ("first", "second"):
        screen.page.fill("#input-prompt", word)
        screen.run()
    screen.page.locator(".tile").nth(1).click()

    assert screen.output("text").locator("pre").inner_text() == "FIRST"
    screen.page.click("text=Use these inputs")
    assert screen.page.input_value("#input-prompt") == "first"


def test_the_output_is_compared_with_its_input(open_screen, photo):
    screen = open_screen("invert")
    screen.give_picture("image", photo)
    screen.run()
    screen.page.click("text=Compare")
    slider = screen.page.get_by_label("How much of the input is shown")
    slider.fill("25")

    before = screen.page.locator(".picture.before")
    assert before.evaluate("image => image.style.clipPath") == "inset(0px 75% 0px 0px)"
    assert before.get_attribute("src") == screen.value("image")


def test_pictures_can_be_zoomed_by_buttons_and_keys(open_screen, photo):
    screen = open_screen("invert")
    screen.give_picture("image", photo)
    screen.run()
    zoom = screen.page.locator(".output-card .zoom")
    zoom.hover()
    zoom.get_by_label("Zoom in").click()
    assert "150%" in zoom.inner_text()

    zoom.focus()
    zoom.press("+")
    assert "180%" in zoom.inner_text()
    zoom.press("0")
    assert "100%" in zoom.inner_text()


@pytest.mark.parametrize(
    "fit, expected", [("inside", (60, 40)), ("cover", (60, 60)), ("stretch", (60, 60))]
)
def test_pictures_are_scaled_before_they_are_sent(open_screen, photo, fit, expected):
    screen = open_screen("invert")
    screen.give_picture("image", photo)
    field = screen.field("image")
    field.get_by_text("Adjust").click()
    field.locator("select").first.select_option(fit)
    for name in ("Width", "Height"):
        field.get_by_label(name, exact=True).fill("60")
        field.get_by_label(name, exact=True).press("Tab")
    screen.page.wait_for_function(
        "size => { const i = document.querySelector('.image-frame img');"
        " return i.naturalWidth === size[0] && i.naturalHeight === size[1]; }",
        arg=list(expected),
    )

    assert picture_of(screen.run()["image"]).size == expected


def test_a_part_of_a_picture_is_sent(open_screen, photo):
    screen = open_screen("invert")
    screen.give_picture("image", photo)
    screen.field("image").get_by_text("Adjust").click()
    board = screen.page.locator(".crop-board")
    board.scroll_into_view_if_needed()
    box = board.bounding_box()
    screen.page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + box["height"] * 0.5)
    screen.page.mouse.down()
    screen.page.mouse.move(box["x"] + box["width"], box["y"] + box["height"], steps=5)
    screen.page.mouse.up()
    screen.until("document.querySelector('.image-frame img').naturalWidth < 70")

    pixels = np.asarray(picture_of(screen.run()["image"]).convert("RGB"))
    middle = pixels[pixels.shape[0] // 2, pixels.shape[1] // 2]
    assert list(middle) == [5, 5, 255]  # the yellow quarter, inverted


def test_an_untouched_picture_is_sent_byte_by_byte(open_screen, photo):
    screen = open_screen("invert")
    screen.give_picture("image", photo)

    sent = picture_of(screen.value("image"))
    assert sent.format == "PNG"
    assert np.array_equal(np.asarray(sent), np.asarray(picture_of_file(photo)))


def picture_of_file(path):
    from PIL import Image

    return Image.open(path)
