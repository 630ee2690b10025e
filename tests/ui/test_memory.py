"""A minute of camera: what the page holds must not grow with the frames it has seen."""

from __future__ import annotations

import statistics
import time

import pytest

LOOP_S = 60.0
EVERY_S = 3.0
SETTLED_S = 20.0  # until then the history of 100 results fills up


def heap_bytes(session) -> int:
    """Size of what the page's script still reaches."""
    session.send("HeapProfiler.collectGarbage")
    metrics = session.send("Performance.getMetrics")["metrics"]
    return next(one["value"] for one in metrics if one["name"] == "JSHeapUsedSize")


def node_count(session) -> int:
    metrics = session.send("Performance.getMetrics")["metrics"]
    return next(one["value"] for one in metrics if one["name"] == "Nodes")


@pytest.mark.timeout(240)
def test_a_minute_of_camera_does_not_grow_the_page(open_screen):
    screen = open_screen("invert")
    session = screen.page.context.new_cdp_session(screen.page)
    session.send("Performance.enable")
    screen.source("camera")
    screen.page.get_by_label("Longer side").select_option("256")
    screen.page.click("text=Start live")
    began = time.monotonic()
    heaps, nodes = [], []
    while (passed := time.monotonic() - began) < LOOP_S:
        screen.page.wait_for_timeout(EVERY_S * 1000)
        if passed >= SETTLED_S:
            heaps.append(heap_bytes(session))
            nodes.append(node_count(session))
    done = screen.page.evaluate("() => document.querySelector('.history .muted').textContent")
    latest = screen.page.locator(".tile").first.get_attribute("aria-label")
    screen.page.locator(".camera-source .stop").click()

    assert done.startswith("100"), "the loop was too slow to fill the history"
    assert "camera" in latest
    third = len(heaps) // 3
    early, late = statistics.median(heaps[:third]), statistics.median(heaps[-third:])
    noise = max(heaps[:third]) - min(heaps[:third])
    # frames are of different sizes as JPEG and PNG, so the history's weight goes up and down by itself
    assert late - early < max(3 * noise, 3_000_000), f"heap in bytes: {heaps}"
    assert statistics.median(nodes[-third:]) < statistics.median(nodes[:third]) + 200, (
        f"nodes: {nodes}"
    )
