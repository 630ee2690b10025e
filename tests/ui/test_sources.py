"""Where inputs come from: video, walk, batch, network, clipboard, drop."""

from __future__ import annotations

import base64
import csv
import io
import json
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

from tests.ui.screen import picture_of


@pytest.fixture(scope="module")
def clip(browser, tmp_path_factory):
    """A webm of about 1.5 s, recorded by the browser: its left half is white in the second half of the time."""
    page = browser.new_page()
    uri = page.evaluate(
        """async () => {
          const canvas = Object.assign(document.createElement('canvas'), {width: 160, height: 120});
          const pen = canvas.getContext('2d');
          const draw = (colour) => { pen.fillStyle = colour; pen.fillRect(0, 0, 160, 120); };
          const recorder = new MediaRecorder(canvas.captureStream(25), {mimeType: 'video/webm;codecs=vp8'});
          const chunks = [];
          recorder.ondataavailable = ({data}) => chunks.push(data);
          recorder.start();
          const began = performance.now();
          await new Promise((resolve) => {
            const step = () => {
              const passed = performance.now() - began;
              draw(passed < 750 ? '#000' : '#fff');
              if (passed < 1500) setTimeout(step, 20);
              else resolve();
            };
            step();
          });
          await new Promise((resolve) => { recorder.onstop = resolve; recorder.stop(); });
          const reader = new FileReader();
          return new Promise((resolve) => {
            reader.onload = () => resolve(reader.result);
            reader.readAsDataURL(new Blob(chunks));
          });
        }"""
    )
    page.close()
    path = tmp_path_factory.mktemp("video") / "clip.webm"
    path.write_bytes(base64.b64decode(uri.partition(",")[2]))
    return path


def test_a_video_runs_frame_by_frame(open_screen, clip):
    screen = open_screen("invert")
    screen.source("video")
    screen.upload("video", clip)
    fps = screen.page.get_by_label("Frames a second")
    fps.fill("5")
    fps.press("Tab")
    run = screen.page.get_by_role("button", name="Run")
    run.first.wait_for()
    screen.until("/Run [5-9] frames/.test(document.querySelector('.video-source').textContent)")
    screen.page.locator(".video-source .primary").click()
    screen.page.wait_for_selector(".video-source progress")
    screen.wait_idle()
    results = screen.export("json", scope="history")

    assert [result["label"] for result in results[:2]] == ["frame 1", "frame 2"]
    assert len(results) >= 5
    means = [
        np.asarray(picture_of(result["inputs"]["image"]).convert("L")).mean() for result in results
    ]
    assert means[0] < 30  # black at first
    assert means[-1] > 225  # white at the end


def test_a_walk_takes_even_steps(open_screen):
    screen = open_screen("draw")
    screen.source("walk")
    for label, number in (("Steps between points", "4"), ("Steps in all", "9")):
        field = screen.page.get_by_label(label)
        field.fill(number)
        field.press("Tab")
    screen.page.get_by_role("button", name="Walk").click()
    screen.until("document.querySelectorAll('.tile').length === 9")
    screen.wait_idle()
    points = [np.array(one["inputs"]["z"]) for one in screen.export("json", scope="history")]

    steps = [np.linalg.norm(b - a) for a, b in pairwise(points)]
    assert all(step > 0 for step in steps)
    assert not np.allclose(points[0], points[4])


@pytest.fixture
def folder(tmp_path):
    for index in range(7):
        Image.new("RGB", (20 + index, 10), (index * 30, 0, 0)).save(tmp_path / f"p{index}.png")
    (tmp_path / "notes.md").write_text("not a picture")
    return tmp_path


def test_a_folder_is_a_batch(open_screen, folder):
    screen = open_screen("invert")
    screen.source("batch")
    screen.upload("batch-folder", folder)
    screen.page.get_by_text("7 runs ready").wait_for()
    screen.page.locator(".batch-source .primary").click()
    screen.page.get_by_text("7 of 7").wait_for()
    results = screen.export("json", scope="history")

    sizes = {
        result["label"].rpartition("/")[2]: picture_of(result["outputs"]["image"]).size
        for result in results
    }
    assert sizes == {f"p{index}.png": (20 + index, 10) for index in range(7)}


def test_a_bad_picture_of_a_batch_fails_alone(open_screen, folder):
    (folder / "p3.png").write_bytes(b"no picture")
    screen = open_screen("invert", expects_errors=True)
    screen.source("batch")
    screen.upload("batch-folder", folder)
    screen.page.get_by_text("7 runs ready").wait_for()
    screen.page.locator(".batch-source .primary").click()
    screen.page.get_by_text("6 of 7").wait_for()

    assert "p3.png" in screen.page.inner_text(".failures")
    assert screen.history_count() == 6


def test_rows_of_a_csv_are_a_batch(open_screen):
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerows(
        [["prompt", "unknown"], ["one, two", "x"], ['say "three"', ""], ["line\nbreak", ""]]
    )
    screen = open_screen("speak")
    screen.source("batch")
    file = {"name": "rows.csv", "mimeType": "text/csv", "buffer": text.getvalue().encode()}
    screen.upload("batch", file)
    screen.page.get_by_text("3 runs ready").wait_for()
    screen.page.locator(".batch-source .primary").click()
    screen.page.get_by_text("3 of 3").wait_for()

    answers = {one["outputs"]["text"] for one in screen.export("json", scope="history")}
    assert answers == {"ONE, TWO", 'SAY "THREE"', "LINE\nBREAK"}


def test_csv_cells_have_the_types_of_the_inputs(open_screen, photo):
    rows = "flag,choice,amount,words,z\nno,small,4.5," + '"[""a""]","' + str([0.5] * 16) + '"\n'
    screen = open_screen("everything")
    screen.give_picture("picture", photo)
    screen.field("anything").locator("textarea").fill("1")
    screen.source("batch")
    screen.upload("batch", {"name": "a.csv", "mimeType": "text/csv", "buffer": rows.encode()})
    screen.page.get_by_text("1 runs ready").wait_for()
    screen.page.locator(".batch-source .primary").click()
    screen.page.get_by_text("1 of 1").wait_for()
    outputs = screen.shown()

    assert (outputs["flag"], outputs["choice"], outputs["amount"]) == (False, "small", 4.5)
    assert outputs["words"] == ["a"]
    assert outputs["z"] == [0.5] * 16


def test_rows_of_json_are_a_batch(open_screen):
    rows = json.dumps([{"prompt": "a"}, {"inputs": {"prompt": "b"}}])
    screen = open_screen("speak")
    screen.source("batch")
    screen.upload(
        "batch", {"name": "a.json", "mimeType": "application/json", "buffer": rows.encode()}
    )
    screen.page.get_by_text("2 runs ready").wait_for()
    screen.page.locator(".batch-source .primary").click()
    screen.page.get_by_text("2 of 2").wait_for()

    assert {one["outputs"]["text"] for one in screen.export("json", scope="history")} == {"A", "B"}


def test_a_file_without_a_column_for_any_input_is_refused(open_screen):
    screen = open_screen("speak")
    screen.source("batch")
    screen.upload("batch", {"name": "a.csv", "mimeType": "text/csv", "buffer": b"nothing\n1\n"})

    assert "The inputs are prompt, fail" in screen.page.get_by_role("alert").inner_text()


def test_the_last_request_through_the_api_is_shown_live(open_screen, model):
    screen = open_screen("speak")
    screen.source("network")
    screen.page.get_by_text("Waiting for a request").wait_for()
    for word in ("first", "second"):
        assert model.post("speak", {"prompt": word}).json() == {"text": word.upper()}
        screen.until(
            "document.querySelector('[data-output=text] pre')?.textContent === arg", word.upper()
        )
        assert screen.page.input_value("#input-prompt") == word

    assert "2 requests seen" in screen.page.inner_text(".network-source")


def test_nothing_is_watched_once_no_page_listens(open_screen, model):
    screen = open_screen("speak")
    with screen.page.expect_websocket(lambda socket: "ui/watch" in socket.url) as listening:
        screen.source("network")
    screen.page.get_by_text("Waiting for a request").wait_for()
    with listening.value.expect_event("close"):
        screen.source("hand")
    model.post("speak", {"prompt": "unseen"})
    screen.source("network")
    screen.page.get_by_text("Waiting for a request").wait_for()

    assert screen.page.input_value("#input-prompt") != "unseen"


def paste(screen, path):
    """A paste event with a picture file, as Ctrl+V of a copied picture gives."""
    content = base64.b64encode(path.read_bytes()).decode()
    screen.page.evaluate(
        """async (content) => {
          const bytes = Uint8Array.from(atob(content), (sign) => sign.charCodeAt(0));
          const transfer = new DataTransfer();
          transfer.items.add(new File([bytes], 'pasted.png', {type: 'image/png'}));
          window.dispatchEvent(new ClipboardEvent('paste', {clipboardData: transfer, bubbles: true, cancelable: true}));
        }""",
        content,
    )


def test_a_picture_is_pasted_by_key(open_screen, photo):
    screen = open_screen("invert")
    paste(screen, photo)
    screen.page.wait_for_selector(".image-frame img")

    assert picture_of(screen.value("image")).size == (120, 80)


def test_a_picture_is_pasted_by_button(open_screen, photo):
    screen = open_screen("invert")
    screen.give_picture("image", photo)
    screen.run()
    screen.download_nothing("Copy")
    screen.page.click("text=Remove")
    screen.page.get_by_role("button", name="Paste").click()
    screen.page.wait_for_selector(".image-frame img")

    assert picture_of(screen.value("image")).getpixel((10, 10))[:3] == (
        5,
        255,
        255,
    )  # red, inverted


def test_a_picture_is_dropped(open_screen, photo):
    screen = open_screen("invert")
    content = base64.b64encode(photo.read_bytes()).decode()
    screen.page.evaluate(
        """(content) => {
          const bytes = Uint8Array.from(atob(content), (sign) => sign.charCodeAt(0));
          const transfer = new DataTransfer();
          transfer.items.add(new File([bytes], 'dropped.png', {type: 'image/png'}));
          document.querySelector('.image-control').dispatchEvent(
            new DragEvent('drop', {dataTransfer: transfer, bubbles: true, cancelable: true}));
        }""",
        content,
    )
    screen.page.wait_for_selector(".image-frame img")

    assert picture_of(screen.value("image")).size == (120, 80)
