"""Files that the page makes, opened and looked at."""

from __future__ import annotations

import base64
import csv
import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def drawn(open_screen):
    """Six results of a walk, each with a picture of 64 x 64."""
    screen = open_screen("draw")
    screen.source("walk")
    field = screen.page.get_by_label("Steps in all")
    field.fill("6")
    field.press("Tab")
    screen.page.get_by_role("button", name="Walk").click()
    screen.until("document.querySelectorAll('.tile').length === 6")
    screen.wait_idle()
    return screen


def expected_picture(z) -> np.ndarray:
    y, x = np.mgrid[0:64, 0:64] / 64
    waves = [
        np.sin(6 * (z[3 * c % 8] * x + z[(3 * c + 1) % 8] * y) + z[(3 * c + 2) % 8])
        for c in range(3)
    ]
    return (127 + 120 * np.stack(waves, -1)).astype(np.uint8)


def test_a_single_picture(drawn):
    z = drawn.export("json", scope="shown")[0]["inputs"]["z"]
    picture = Image.open(io.BytesIO(drawn.download("Picture", "shown")))

    assert picture.format == "PNG"
    assert np.array_equal(np.asarray(picture.convert("RGB")), expected_picture(z))


def test_an_image_sequence(drawn):
    results = drawn.export("json", scope="history")
    archive = zipfile.ZipFile(io.BytesIO(drawn.download("Image sequence", "history")))

    assert archive.testzip() is None
    assert archive.namelist() == [f"image-{index:04d}.png" for index in range(1, 7)]
    for name, result in zip(archive.namelist(), results, strict=True):
        pixels = np.asarray(Image.open(archive.open(name)).convert("RGB"))
        assert np.array_equal(pixels, expected_picture(result["inputs"]["z"]))


def test_csv_has_a_row_for_each_result(drawn):
    results = drawn.export("json", scope="history")
    rows = list(csv.DictReader(io.StringIO(drawn.download("CSV", "history").decode())))

    assert len(rows) == 6
    assert [row["label"] for row in rows] == [f"step {index}" for index in range(1, 7)]
    assert [json.loads(row["inputs.z"]) for row in rows] == [one["inputs"]["z"] for one in results]
    assert rows[2]["outputs.image"] == "image-0003.png"


def test_json_of_this_page_can_be_run_again(drawn):
    exported = drawn.download("JSON", "history")
    drawn.source("batch")
    drawn.upload("batch", {"name": "a.json", "mimeType": "application/json", "buffer": exported})

    drawn.page.get_by_text("6 runs ready").wait_for()


@pytest.mark.parametrize("kind, magic, at", [("webm", b"\x1a\x45\xdf\xa3", 0), ("mp4", b"ftyp", 4)])
def test_a_video(drawn, browser, kind, magic, at):
    option = drawn.page.evaluate(
        "kind => MediaRecorder.isTypeSupported({mp4: 'video/mp4;codecs=avc1.42E01F', webm: 'video/webm'}[kind])",
        kind,
    )
    if not option:
        pytest.skip(f"this Chromium does not record {kind}")
    content = drawn.download(f"Video, {kind}", "history", fps="4")

    assert content[at : at + len(magic)] == magic
    page = browser.new_page()
    length, width, height = page.evaluate(
        """async (uri) => {
          const video = document.createElement('video');
          video.muted = true;
          video.src = uri;
          await new Promise((resolve, reject) => { video.onloadedmetadata = resolve; video.onerror = reject; });
          if (!Number.isFinite(video.duration)) {
            await new Promise((resolve) => { video.onseeked = resolve; video.currentTime = 1e7; });
          }
          const length = Number.isFinite(video.duration) ? video.duration : video.currentTime;
          return [length, video.videoWidth, video.videoHeight];
        }""",
        f"data:video/{kind};base64,{base64.b64encode(content).decode()}",
    )
    page.close()
    assert (width, height) == (64, 64)
    assert 1.0 < length < 4.0  # six pictures, four a second, on a machine that may be busy


def test_a_recording_of_results_as_they_come(open_screen):
    screen = open_screen("invert")
    screen.source("camera")
    screen.page.click("text=Record")
    screen.page.click("text=Start live")
    screen.until("document.querySelectorAll('.tile').length >= 10")
    screen.page.locator(".camera-source .stop").click()
    screen.wait_idle()
    with screen.page.expect_download() as waiting:
        screen.page.click("text=Stop and save")

    content = Path(waiting.value.path()).read_bytes()
    assert waiting.value.suggested_filename.startswith("invert-live.")
    assert len(content) > 2_000
    assert content[:4] == b"\x1a\x45\xdf\xa3" or content[4:8] == b"ftyp"


def test_a_picture_is_copied(drawn):
    z = drawn.export("json", scope="shown")[0]["inputs"]["z"]
    drawn.download_nothing("Copy")
    uri = drawn.page.evaluate(
        """async () => {
          const [item] = await navigator.clipboard.read();
          const blob = await item.getType('image/png');
          const reader = new FileReader();
          return new Promise((resolve) => {
            reader.onload = () => resolve(reader.result);
            reader.readAsDataURL(blob);
          });
        }"""
    )

    pixels = np.asarray(
        Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))).convert("RGB")
    )
    assert np.array_equal(pixels, expected_picture(z))


def test_the_steps_of_a_stream_can_be_exported(open_screen):
    screen = open_screen("count")
    screen.run()

    steps = screen.export("json", scope="frames")
    assert [step["outputs"]["step"] for step in steps] == [1, 2, 3, 4, 5]


def code(screen, language) -> str:
    if screen.page.locator(".api-panel").get_attribute("open") is None:
        screen.page.locator(".api-panel summary").click()
    screen.page.check(f'input[name="language"][value="{language}"]', force=True)
    screen.page.locator(".api-panel .icon-button").click()
    screen.page.wait_for_selector(".api-panel .is-done")
    return screen.page.evaluate("() => navigator.clipboard.readText()")


@pytest.mark.parametrize("language", ["curl", "Python", "JavaScript"])
def test_the_code_of_the_api_panel_runs_as_it_is(open_screen, language):
    screen = open_screen("speak")
    screen.page.fill("#input-prompt", 'it\'s "quoted" $HOME \\n `x` é\nnew line')
    commands = {
        "curl": ["bash", "-c"],
        "Python": [sys.executable, "-c"],
        "JavaScript": ["node", "--input-type=module", "-e"],
    }
    program = code(screen, language)
    try:
        run = subprocess.run(
            [*commands[language], program], capture_output=True, text=True, timeout=60, check=False
        )
    except FileNotFoundError as error:
        pytest.skip(f"cannot run {language} here: {error}")
    if language == "curl" and run.returncode == 127:
        pytest.skip("cannot run curl here")

    assert run.returncode == 0, run.stderr
    assert '"QUOTED" $HOME' in run.stdout.replace('\\"', '"')
    assert "NEW LINE" in run.stdout


def test_manifest_and_openapi_are_linked(open_screen, model):
    screen = open_screen("speak")
    screen.page.locator(".api-panel summary").click()

    links = [("Manifest", "meta", "modelSDKVersion"), ("OpenAPI", "openapi.json", "openapi")]
    for name, path, key in links:
        address = screen.page.get_by_role("link", name=name).get_attribute("href")
        assert address == f"{model.url}/{path}"
        assert key in model.get(f"/{path}").json()
