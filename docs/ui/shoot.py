"""Takes the pictures of docs/workspace.md: starts the tour and the super-resolution example, and photographs each view.

    python docs/ui/shoot.py

Needs the development tools and Chromium. Photographs: *astronaut* (NASA, public domain) and *chelsea* (CC0), from
scikit-image.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from playwright.sync_api import sync_playwright
from skimage import data

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT))

from tests.serving import serve  # noqa: E402 - the checkout's own way to start a model
from tests.ui.conftest import CHROMIUM, FLAGS  # noqa: E402
from tests.ui.screen import Screen  # noqa: E402

TOUR = ROOT / "examples" / "workspace_tour"
UPSCALE = ROOT / "examples" / "super_resolution"
COLOURS = 256  # of the palette that keeps the files small
# Small things in these colours would be given those of larger ones.
ACCENTS = (
    *((31, 169, 113), (74, 68, 212), (157, 155, 255), (255, 61, 113)),
    *((133, 139, 152), (168, 174, 188), (92, 98, 112), (60, 64, 76)),  # switches and quiet text
)
WIDE = {"width": 1440, "height": 900}
LOW = {"width": 1440, "height": 500}
PHONE = {"width": 390, "height": 844}


def save(screen: Screen, name: str) -> None:
    """Write the view as a PNG with a palette."""
    screen.page.mouse.move(0, 0)
    screen.page.wait_for_timeout(250)  # hover effects fade
    picture = Image.open(io.BytesIO(screen.page.screenshot())).convert("RGB")
    found = picture.quantize(COLOURS - len(ACCENTS), method=Image.Quantize.MEDIANCUT).getpalette()
    palette = Image.new("P", (1, 1))
    palette.putpalette([*(found or []), *sum(ACCENTS, ())])
    small = picture.quantize(palette=palette, dither=Image.Dither.NONE)
    path = HERE / f"{name}.png"
    small.save(path, optimize=True)
    print(f"{path.relative_to(ROOT)}: {path.stat().st_size / 1000:.0f} kB")


def picture_file(pixels: np.ndarray[Any, Any], name: str) -> dict[str, Any]:
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "PNG")
    return {"name": name, "mimeType": "image/png", "buffer": content.getvalue()}


def land() -> np.ndarray[Any, Any]:
    """(256, 384) ids of a map: mountains behind a lake, a wood at its shore."""
    y, x = np.mgrid[0:256, 0:384]
    ids = np.zeros((256, 384), np.uint8)
    ridge = 120 - 46 * np.abs(np.sin(x / 61)) - 18 * np.abs(np.sin(x / 23 + 1))
    ids[y > ridge] = 1
    ids[y > 128 + 9 * np.sin(x / 44)] = 2
    ids[(y > 148 + 5 * np.sin(x / 17)) & (x < 150 + 22 * np.sin(y / 19))] = 4
    ids[((x - 250) / 150) ** 2 + ((y - 222) / 46) ** 2 < 1] = 3
    return ids


def setup(screen: Screen) -> None:
    screen.open("#/setup")
    save(screen, "setup")


def upscale(screen: Screen) -> None:
    screen.open("upscale")
    photo = data.chelsea()[20:212, 140:332]
    screen.upload("image", picture_file(photo, "cat.png"))
    screen.page.wait_for_selector(".image-frame img")
    screen.run()
    screen.page.click("text=Compare")
    screen.page.get_by_label("How much of the input").fill("42")
    save(screen, "image")


def landscape(screen: Screen) -> None:
    screen.open("landscape")
    screen.upload("map-map", picture_file(land(), "map.png"))
    screen.until("document.querySelector('.painter canvas').width === 384")
    screen.page.wait_for_timeout(500)
    for seed, roughness in (("8", "0.3"), ("21", "0.9"), ("3", "0.75")):
        screen.page.fill("#input-seed", seed)
        screen.page.fill("#input-roughness", roughness)
        screen.run()
    save(screen, "painter")


def bloom(screen: Screen) -> None:
    screen.open("bloom")
    for palette in ("orchid", "moss", "coral"):
        screen.page.select_option("#input-palette", label=palette)
        screen.page.get_by_role("button", name="Random").click()
        screen.run()
    screen.page.click("text=Show pictures")
    screen.until("document.querySelectorAll('.anchor-picture').length === 9")
    save(screen, "vector")


def look(screen: Screen) -> None:
    screen.open("look")
    screen.upload("photo", picture_file(data.astronaut(), "astronaut.png"))
    screen.page.wait_for_selector(".image-frame img")
    screen.run()
    save(screen, "places")


def etch(screen: Screen) -> None:
    screen.open("etch")
    screen.upload("photo", picture_file(data.astronaut()[:400, 60:460], "astronaut.png"))
    screen.page.wait_for_selector(".image-frame img")
    screen.run()
    screen.page.get_by_role("button", name="Export").click()
    save(screen, "export")


def api(screen: Screen) -> None:
    screen.open("bloom")
    screen.run()
    screen.page.locator(".api-panel summary").click()
    screen.page.check('input[name="language"][value="Python"]', force=True)
    screen.page.locator(".api-panel").scroll_into_view_if_needed()
    screen.page.evaluate("() => scrollTo(0, document.body.scrollHeight)")
    save(screen, "api")


def camera(screen: Screen) -> None:
    screen.open("etch")
    screen.source("camera")
    steps = screen.page.locator("#input-steps")
    steps.fill("6")
    screen.page.click("text=Start live")
    screen.until("document.querySelectorAll('.tile').length > 12")
    save(screen, "camera")
    screen.page.locator(".camera-source .stop").click()


def failure(screen: Screen) -> None:
    screen.open("look")
    screen.upload("photo", {"name": "x.png", "mimeType": "image/png", "buffer": b"not a picture"})
    screen.page.wait_for_selector(".frame-note")
    screen.page.click("button.run")
    screen.page.wait_for_selector(".failure")
    save(screen, "error")


def phone(screen: Screen) -> None:
    screen.open("landscape")
    screen.upload("map-map", picture_file(land(), "map.png"))
    screen.until("document.querySelector('.painter canvas').width === 384")
    screen.page.wait_for_timeout(500)
    screen.run()
    screen.page.evaluate(
        "() => scrollBy(0, document.querySelector('.output-card').getBoundingClientRect().top - 104)"
    )
    save(screen, "phone")


def shoot(browser: Any, url: str, view: Callable[[Screen], None], **options: Any) -> None:
    """One view in a context of its own."""
    context = browser.new_context(**{"viewport": WIDE, "color_scheme": "light", **options})
    context.grant_permissions(["camera"])
    view(Screen(context, url, expects_errors=True))
    context.close()


def main() -> None:
    """Take all pictures."""
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        with serve(TOUR, "--gpus", "none", "--cpu-workers", "2") as tour:
            shoot(browser, tour.url, setup, viewport=LOW)
            for view in (landscape, bloom, look, api):
                shoot(browser, tour.url, view)
            for view in (camera, etch):
                shoot(browser, tour.url, view, color_scheme="dark")
            shoot(browser, tour.url, failure, color_scheme="dark", viewport=LOW)
            shoot(browser, tour.url, phone, viewport=PHONE)
        with serve(UPSCALE, "--gpus", "none") as server:
            shoot(browser, server.url, upscale, color_scheme="dark")
        browser.close()


if __name__ == "__main__":
    main()
