"""The camera as the source of an input: live, one call at a time, let go, and explained where it is barred."""

from __future__ import annotations

import numpy as np

from tests.ui.screen import picture_of


def test_the_camera_runs_live_until_it_is_stopped(open_screen):
    screen = open_screen("invert")
    screen.source("camera")
    screen.page.click("text=Start live")
    screen.until("document.querySelectorAll('.tile').length >= 8")
    assert float(screen.page.locator(".fps").get_attribute("data-fps")) > 0
    screen.page.locator(".camera-source .stop").click()
    screen.wait_idle()
    count = screen.history_count()
    results = screen.export("json", scope="history")

    assert len(results) == count == screen.history_count()
    frames = [picture_of(result["inputs"]["image"]) for result in results]
    assert frames[0].size == (640, 480)
    assert len({frame.tobytes() for frame in frames}) > 1  # the picture moves
    red, green, _ = np.asarray(frames[0].convert("RGB"))[200, 40]
    assert red < 60 < green


def test_one_call_is_in_flight_at_a_time(open_screen):
    screen = open_screen("invert")
    flying, most = 0, 0

    def note(change):
        def count(request):
            nonlocal flying, most
            if request.method == "POST" and request.url.endswith("/invert"):
                flying += change
                most = max(most, flying)

        return count

    screen.page.on("request", note(1))
    screen.page.on("requestfinished", note(-1))
    screen.source("camera")
    screen.page.click("text=Start live")
    screen.until("document.querySelectorAll('.tile').length >= 10")
    screen.page.locator(".camera-source .stop").click()

    assert most == 1


def test_the_size_of_camera_frames_can_be_chosen(open_screen):
    screen = open_screen("invert")
    screen.source("camera")
    screen.page.get_by_label("Longer side").select_option("256")
    screen.page.click("text=Take picture")
    screen.page.wait_for_selector(".image-frame img")

    assert picture_of(screen.value("image")).size == (256, 192)


def test_the_camera_is_let_go_when_another_source_is_chosen(open_screen):
    screen = open_screen("invert")
    screen.page.evaluate(
        """() => {
          const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
          window.tracks = [];
          navigator.mediaDevices.getUserMedia = async (wanted) => {
            const stream = await open(wanted);
            window.tracks.push(...stream.getTracks());
            return stream;
          };
        }"""
    )
    screen.source("camera")
    screen.until("window.tracks.length === 1")
    screen.source("hand")

    screen.until("window.tracks[0].readyState === 'ended'")


def test_a_barred_camera_is_explained(open_screen):
    screen = open_screen()
    screen.page.add_init_script(
        "Object.defineProperty(navigator, 'mediaDevices', {value: undefined})"
    )
    screen.open("#/run%2Finvert")
    screen.page.reload()
    screen.source("camera")

    notice = screen.page.get_by_role("alert").inner_text()
    assert "https://" in notice
    assert "localhost" in notice


def test_a_refused_camera_is_explained(open_screen):
    screen = open_screen("invert")
    screen.page.evaluate(
        "() => { navigator.mediaDevices.getUserMedia = () =>"
        " Promise.reject(new DOMException('no', 'NotAllowedError')); }"
    )
    screen.source("camera")

    assert "not allowed" in screen.page.get_by_role("alert").inner_text()
