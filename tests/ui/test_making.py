"""A value that is still being made is neither overtaken by a run nor lost."""

from __future__ import annotations

from queue import Queue

import numpy as np
import pytest
from PIL import Image

from tests.serving import run_script
from tests.ui.screen import picture_of

SKY = (140, 59, 255)
GALLERY = """
import runway

pictures = runway.array(runway.image)

@runway.command("gallery", inputs={"pictures": pictures}, outputs={"pictures": pictures})
def gallery(model, inputs):
    return inputs["pictures"]

runway.run()
"""
STROKE = """([x, y]) => {
  const canvas = document.querySelector('.painter canvas');
  canvas.setPointerCapture = () => {};  // no real pointer is down
  const box = canvas.getBoundingClientRect();
  const at = {clientX: box.left + x * box.width, clientY: box.top + y * box.height, bubbles: true};
  for (const name of ['pointerdown', 'pointermove', 'pointerup']) canvas.dispatchEvent(new PointerEvent(name, at));
"""
SLOW_WORKER = """() => {
  const post = Worker.prototype.postMessage;
  Worker.prototype.postMessage = function (...given) { setTimeout(() => post.apply(this, given), 500); };
}"""


@pytest.fixture
def flat(tmp_path):
    """Writes a PNG of one grey value, and gives its path."""

    def write(grey):
        path = tmp_path / f"{grey}.png"
        Image.new("RGB", (8, 8), (grey, grey, grey)).save(path)
        return path

    return write


@pytest.fixture
def gallery(tmp_path):
    """A served model that takes a list of pictures and gives it back."""
    script = tmp_path / "gallery.py"
    script.write_text(GALLERY)
    with run_script(script) as served:
        yield served


def grey_of(uri):
    return picture_of(uri).getpixel((0, 0))[0]


@pytest.fixture
def sky_painter(painter):
    painter.field("regions").get_by_role("radio", name="sky").check()
    return painter


def test_a_run_sends_the_stroke_that_was_drawn_right_before_it(sky_painter):
    screen = sky_painter
    screen.page.evaluate(STROKE + "document.querySelector('button.run').click(); }", [0.5, 0.5])
    screen.page.wait_for_selector(".tile")

    assert np.asarray(picture_of(screen.shown()["regions"]))[24, 32, :3].tolist() == list(SKY)


@pytest.mark.parametrize("side", [4, 64])
def test_a_picture_outlives_a_reload_right_after_it_was_given(open_screen, tmp_path, side):
    """A small one stands in the address, a large one in the browser's database."""
    path = tmp_path / "noise.png"
    noise = np.random.default_rng(seed=1).integers(0, 256, (side, side, 3), np.uint8)
    Image.fromarray(noise).save(path)
    screen = open_screen("invert")
    screen.give_picture("image", path)
    before = screen.inputs()
    screen.page.reload()

    assert screen.inputs() == before


def test_strokes_in_quick_succession_all_stay(sky_painter):
    screen = sky_painter
    places = [(0.2, 0.2), (0.8, 0.2), (0.2, 0.8), (0.8, 0.8)]
    size = screen.field("regions").get_by_role("slider", name="Size")
    size.fill("4")
    for place in places:
        screen.page.evaluate(STROKE + "}", place)
    pixels = np.asarray(picture_of(screen.run()["regions"]))

    for x, y in places:
        assert pixels[int(48 * y), int(64 * x), :3].tolist() == list(SKY)


def test_a_run_waits_for_a_picture_that_is_still_prepared(open_screen, flat):
    screen = open_screen("invert")
    screen.give_picture("image", flat(10))
    screen.page.evaluate(SLOW_WORKER)
    screen.upload("image", flat(200))

    assert grey_of(screen.run()["image"]) == 55


def test_a_run_waits_for_an_upload_and_can_be_cancelled_meanwhile(painter, tmp_path):
    screen = painter
    held = Queue()
    screen.page.route("**/ui/files*", held.put)
    path = tmp_path / "weights.txt"
    path.write_text("1 2 3")
    screen.upload("weights", path)
    run = screen.page.locator("button.run")
    run.click()
    screen.page.locator("button.stop").click()
    run.wait_for()
    assert screen.history_count() == 0

    run.click()
    held.get_nowait().continue_()
    screen.page.wait_for_selector(".tile")

    assert screen.shown()["weights"].endswith("weights.txt")


def test_items_of_a_list_that_become_ready_late_replace_no_others(gallery, open_screen, flat):
    screen = open_screen("gallery", url=gallery.url)
    add = screen.page.get_by_role("button", name="Add item")
    add.click()
    add.click()
    screen.page.evaluate(SLOW_WORKER)
    for number, grey in ((1, 10), (2, 200)):
        screen.upload(f"Pictures {number}", flat(grey))
    add.click()
    screen.page.get_by_label("Move item 2 up").click()
    pictures = screen.inputs()["pictures"]

    assert [grey_of(uri) for uri in pictures[:2]] == [200, 10]
