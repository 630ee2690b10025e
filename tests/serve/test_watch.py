"""`ui/watch`: pages of the server itself see the last call of a command; nobody else does."""

from __future__ import annotations

import json

import pytest
import websocket

from tests.serving import run_script, serve

SCRIPT = """
import runway


@runway.command("shout", inputs={"x": runway.text}, outputs={"y": runway.text})
def shout(model, inputs):
    return inputs["x"].upper()


@runway.command("other", inputs={"x": runway.text}, outputs={"y": runway.text})
def other(model, inputs):
    return inputs["x"]


runway.run()
"""


@pytest.fixture(scope="module", params=["script", "server"])
def server(request, tmp_path_factory):
    script = tmp_path_factory.mktemp("watch") / "runway_model.py"
    script.write_text(SCRIPT)
    start = run_script(script) if request.param == "script" else serve(script, "--gpus", "none")
    with start as served:
        yield served


def listen(server, origin: str):
    address = f"ws://127.0.0.1:{server.port}/ui/watch?command=shout"
    return websocket.create_connection(address, origin=origin, timeout=10)


def until_answered(socket) -> dict:
    while "outputs" not in (message := json.loads(socket.recv())):
        socket.send("next")
    socket.send("next")
    return message


def test_a_page_sees_inputs_and_outputs_of_its_command(server):
    socket = listen(server, server.url)
    server.post("other", {"x": "not shown"})
    server.post("shout", {"x": "a"})
    first = until_answered(socket)
    server.post("shout", {"x": "b"})
    second = until_answered(socket)
    socket.close()

    assert (first["inputs"], first["outputs"]) == ({"x": "a"}, {"y": "A"})
    assert (second["inputs"], second["outputs"]) == ({"x": "b"}, {"y": "B"})
    assert second["number"] == first["number"] + 1


def test_no_call_is_told_twice(server):
    socket = listen(server, server.url)
    told = []
    for word in map(str, range(50)):
        server.post("shout", {"x": word})
        told.append(until_answered(socket)["inputs"]["x"])
    socket.close()

    assert told == list(map(str, range(50)))


def test_a_page_that_is_slow_gets_the_newest_call_only(server):
    socket = listen(server, server.url)
    server.post("shout", {"x": "first"})
    json.loads(socket.recv())
    for word in ("second", "third", "fourth"):
        server.post("shout", {"x": word})
    socket.send("next")
    message = until_answered(socket)
    socket.close()

    assert message["outputs"] == {"y": "FOURTH"}


@pytest.mark.parametrize("origin", ["http://example.com", "null"])
def test_pages_of_other_sites_hear_nothing(server, origin):
    with pytest.raises(websocket.WebSocketBadStatusException) as refused:
        listen(server, origin)

    assert refused.value.status_code == 403
