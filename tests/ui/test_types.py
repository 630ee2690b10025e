"""Controls that are drawn: the painter, the vector grid, points, boxes and landmarks; and uploads."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from tests.ui.screen import picture_of

BACKGROUND, SKY, TREE = (214, 0, 0), (140, 59, 255), (1, 135, 0)


def drag(screen, selector, *places):
    """Press the mouse at the first place of an element, 0..1 in both directions, and move along the others."""
    element = screen.page.locator(selector)
    element.scroll_into_view_if_needed()
    box = element.bounding_box()
    points = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in places]
    screen.page.mouse.move(*points[0])
    screen.page.mouse.down()
    for point in points:
        screen.page.mouse.move(*point, steps=4)
    screen.page.mouse.up()


def painted(screen):
    """(h, w, 3) of the map that a run sends, as the server gives it back."""
    return np.asarray(picture_of(screen.run()["regions"]))


def choose(screen, label):
    screen.field("regions").get_by_role("radio", name=label).check()


def test_an_untouched_map_is_all_default_label(painter):
    pixels = painted(painter)

    assert pixels.shape == (48, 64, 3)
    assert (pixels == BACKGROUND).all()


def test_brush_fill_and_eraser(painter):
    size = painter.field("regions").get_by_role("slider", name="Size")
    size.fill("8")
    choose(painter, "sky")
    drag(painter, ".painter canvas", (0.1, 0.5), (0.9, 0.5))
    choose(painter, "tree")
    painter.field("regions").get_by_label("Fill").click()
    drag(painter, ".painter canvas", (0.5, 0.9))
    painter.field("regions").get_by_label("Eraser").click()
    drag(painter, ".painter canvas", (0.5, 0.5))
    pixels = painted(painter)

    assert tuple(pixels[24, 10]) == SKY
    assert tuple(pixels[45, 32]) == TREE
    assert tuple(pixels[24, 32]) == BACKGROUND  # erased
    colours = {tuple(colour) for colour in pixels.reshape(-1, 3)}
    assert colours == {BACKGROUND, SKY, TREE}  # no mixed colours at the edges


def test_undo_and_redo_by_button_and_key(painter):
    choose(painter, "sky")
    drag(painter, ".painter canvas", (0.2, 0.2))
    drag(painter, ".painter canvas", (0.8, 0.8))
    canvas = painter.page.locator(".painter canvas")
    painter.page.get_by_role("button", name="Undo").click()
    canvas.focus()
    canvas.press("Control+z")
    canvas.press("Control+y")
    pixels = painted(painter)

    assert tuple(pixels[10, 13]) == SKY
    assert tuple(pixels[38, 51]) == BACKGROUND


def test_the_map_is_painted_by_keys_alone(painter):
    choose(painter, "tree")
    canvas = painter.page.locator(".painter canvas")
    canvas.focus()
    for _ in range(5):
        canvas.press("[")
    canvas.press("ArrowRight")
    canvas.press("Space")
    pixels = painted(painter)

    assert tuple(pixels[24, 33]) == TREE
    assert tuple(pixels[0, 0]) == BACKGROUND


@pytest.mark.parametrize("kind", ["colours", "ids"])
def test_a_map_from_disk_is_imported(painter, tmp_path, kind):
    labels = np.zeros((30, 50), np.uint8)
    labels[:, 20:] = 2
    if kind == "ids":
        picture = Image.fromarray(labels)
    else:
        picture = Image.fromarray(np.array([BACKGROUND, SKY, TREE], np.uint8)[labels])
    path = tmp_path / "map.png"
    picture.save(path)
    painter.upload("regions-map", path)
    pixels = painted(painter)

    assert pixels.shape == (30, 50, 3)
    assert (pixels[:, :20] == BACKGROUND).all()
    assert (pixels[:, 20:] == TREE).all()


def test_a_picture_lies_behind_the_map(painter, photo):
    painter.upload("regions-backdrop", photo)

    painter.page.wait_for_selector(".painter .backdrop")
    assert (
        painter.page.locator(".painter canvas").evaluate("canvas => canvas.style.opacity") == "0.6"
    )


def test_another_size_of_the_map(painter):
    field = painter.field("regions").get_by_label("Width")
    field.fill("32")
    field.press("Tab")

    assert painted(painter).shape == (48, 32, 3)


def test_random_keep_and_use_favourites(open_screen):
    screen = open_screen("draw")
    first = screen.inputs()["z"]
    screen.page.click("text=Keep")
    screen.page.click("text=Random")
    second = screen.inputs()["z"]
    screen.page.get_by_title("Use this favourite").click()

    assert first != second
    assert screen.inputs()["z"] == first
    screen.page.reload()
    screen.page.wait_for_selector(".favourites .chip")
    screen.page.get_by_label("Forget favourite 1").click()
    assert screen.page.locator(".favourites").count() == 0


def test_samples_have_the_declared_spread(open_screen):
    screen = open_screen("everything")
    before = screen.inputs()["z"]
    screen.page.click("#input-z")
    assert len(set(before) & set(screen.inputs()["z"])) < 3

    samples = screen.page.evaluate(
        """async () => {
          const { sampleVector } = await import('./js/types.mjs');
          const meta = await (await fetch('../meta')).json();
          const command = meta.commands.find((one) => one.name === 'everything');
          const type = command.inputs.find((one) => one.name === 'z');
          return Array.from({length: 1250}, () => sampleVector(type)).flat();
        }"""
    )
    assert len(samples) == 20_000
    assert abs(np.mean(samples)) < 0.018  # spread 0.5: five standard errors
    assert 0.4875 < np.std(samples) < 0.5125


def test_pasted_numbers_are_taken_when_they_are_as_many_as_wanted(open_screen):
    screen = open_screen("draw")
    screen.page.click("text=Paste")
    box = screen.page.get_by_label("Numbers, as JSON")
    box.fill("1, 2, 3")
    use = screen.page.get_by_role("button", name="Use these")
    assert use.is_disabled()

    box.fill("[0.5, -1, 2e-1, 0, 1, 1, 1, 1]")
    use.click()
    assert screen.inputs()["z"] == [0.5, -1, 0.2, 0, 1, 1, 1, 1]


def test_dragging_on_the_grid_interpolates(open_screen):
    screen = open_screen("draw")
    seen = []
    for place in ((0.5, 0.5), (0.6, 0.5), (1.0, 1.0)):
        drag(screen, ".grid-plane", place)
        seen.append(np.array(screen.inputs()["z"]))

    near, far = np.linalg.norm(seen[0] - seen[1]), np.linalg.norm(seen[0] - seen[2])
    assert 0 < near < far


def test_the_grid_is_walked_by_keys(open_screen):
    screen = open_screen("draw")
    handle = screen.page.locator(".grid-handle")
    handle.focus()
    before = screen.inputs()["z"]
    handle.press("ArrowRight")

    assert "53%" in handle.get_attribute("aria-label")
    assert screen.inputs()["z"] != before


def test_the_grid_shows_what_the_model_makes_of_its_points(open_screen):
    screen = open_screen("draw")
    screen.page.get_by_label("Points").select_option("2")
    screen.page.click("text=Show pictures")
    screen.until("document.querySelectorAll('.anchor-picture').length === 4")

    sources = screen.page.locator(".anchor-picture").evaluate_all("all => all.map(one => one.src)")
    assert len(set(sources)) == 4


def test_points_and_boxes_are_set_on_the_picture(painter):
    assert painter.field("spot").locator(".board img").get_attribute("src") == painter.value(
        "picture"
    )
    drag(painter, '[data-field="spot"] .board', (0.25, 0.75))
    drag(painter, '[data-field="box"] .board', (0.1, 0.2), (0.6, 0.9))
    drag(painter, '[data-field="face"] .board', (0.5, 0.18), (0.4, 0.3))
    inputs = painter.inputs()

    assert np.allclose(inputs["spot"], [0.25, 0.75], atol=0.01)
    assert np.allclose(inputs["box"], [0.1, 0.2, 0.6, 0.9], atol=0.01)
    assert np.allclose(inputs["face"][0], [0.4, 0.3], atol=0.01)
    assert painter.run()["box"] == inputs["box"]


def test_points_are_moved_by_arrow_keys(painter):
    handle = painter.field("spot").locator(".handle")
    handle.focus()
    handle.press("ArrowRight")
    handle.press("Shift+ArrowDown")

    assert painter.inputs()["spot"] == [0.51, 0.6]


def test_boxes_can_be_typed(painter):
    left = painter.field("box").get_by_role("spinbutton", name="Left")
    left.fill("0.1")
    left.press("Tab")

    assert painter.inputs()["box"] == [0.1, 0.25, 0.75, 0.75]


def test_an_uploaded_folder_is_a_folder_for_the_model(painter, tmp_path):
    (tmp_path / "data" / "deep").mkdir(parents=True)
    (tmp_path / "data" / "a.txt").write_text("one")
    (tmp_path / "data" / "deep" / "b.txt").write_text("two")
    painter.upload("folder", tmp_path / "data")
    painter.field("folder").get_by_text("data (2 files)").wait_for()
    outputs = painter.run()

    from pathlib import Path

    assert (Path(outputs["folder"]) / "a.txt").read_text() == "one"
    assert (Path(outputs["folder"]) / "deep" / "b.txt").read_text() == "two"


def test_inputs_are_restored_after_every_reload(painter):
    choose(painter, "tree")
    drag(painter, ".painter canvas", (0.5, 0.5))
    painter.page.fill("#input-amount", "4.5")
    painter.until("location.hash.includes('amount=4.5')")
    before = painter.inputs()
    for _ in range(3):
        painter.page.reload()
        painter.page.wait_for_selector(".image-frame img")

        assert painter.inputs() == before
