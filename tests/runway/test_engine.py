"""What an engine does with a call that it takes: its JSON is let go, as it may be large and the call wait for long."""

from __future__ import annotations

import json

import pytest
from websockets.sync.client import connect

from runway.data_types import text
from runway.engine import LocalEngine
from runway.exchange import Call
from runway.model import RunwayModel
from tests.serving import Served, run_script

# A server's own process runs its commands here, so that a command sees what is held while it runs.
LOOKS = """
import gc
import inspect

import runway
from runway.exchange import Call


def texts(value):
    if isinstance(value, dict):
        return [text for item in value.values() for text in texts(item)]
    return [value] if isinstance(value, (str, bytes)) else []


@runway.command("look", inputs={"word": runway.text}, outputs={"held": runway.text})
def look(model, inputs):
    found = gc.get_objects()
    calls = [item for item in found if type(item) is Call]
    assert calls
    held = [f"call.given {call.given}" for call in calls if call.given is not None]
    for item in found:
        if inspect.iscoroutine(item) and item.cr_frame is not None:
            for name, value in item.cr_frame.f_locals.items():
                if any(inputs["word"] in str(text) for text in texts(value)):
                    held.append(f"{item.__qualname__}: {name}")
    return ", ".join(held)


runway.run()
"""
INPUTS = {"word": "a picture would be large"}


def by_http(server: Served) -> str:
    return server.post("look", INPUTS).json()["held"]


def by_job(server: Served) -> str:
    headers = {"Prefer": "respond-async"}
    place = "/" + server.post("look", INPUTS, headers=headers).headers["Location"]
    with server.get(f"{place}/events", stream=True) as events:
        list(events.iter_lines())
    return server.get(place).json()["outputData"]["held"]


def by_websocket(server: Served) -> str:
    with connect(server.url.replace("http", "ws")) as socket:
        job = {"type": "submit", "id": "a", "command": "look", "inputData": INPUTS}
        socket.send(json.dumps(job))
        while True:
            message = json.loads(socket.recv(timeout=30))
            assert message["type"] in ("started", "output"), message
            if "outputData" in message:
                return message["outputData"]["held"]


@pytest.mark.parametrize("ask", [by_http, by_job, by_websocket])
def test_no_json_is_held_while_a_call_runs(tmp_path, ask):
    script = tmp_path / "looks.py"
    script.write_text(LOOKS)
    with run_script(script) as server:
        assert ask(server) == ""


def test_a_page_that_watches_is_shown_the_json():
    model = RunwayModel()
    word = {"word": text}
    model.command("shout", inputs=word, outputs=word)(lambda model, inputs: inputs)
    engine = LocalEngine(model)
    shown = []
    engine.watch = lambda call, outputs: shown.append((call.given, outputs))
    engine.note_command(Call(model.manifest.command("shout"), INPUTS, {}))
    assert shown == [(INPUTS, None)]
