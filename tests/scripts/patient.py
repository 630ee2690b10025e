"""A model whose calls take their time; one of its commands is called jobs."""

import time
from pathlib import Path

import runway
from runway.data_types import number, text
from runway.exceptions import InferenceError


@runway.command("jobs", inputs={"x": number}, outputs={"y": number})
def jobs(model, inputs):
    return inputs["x"] + 1


@runway.command("steps", inputs={"n": number, "gate": text}, outputs={"i": number})
def steps(model, inputs):
    for i in range(int(inputs["n"])):
        yield i, i / inputs["n"]
    while inputs["gate"] and Path(inputs["gate"]).read_text() == "closed":
        time.sleep(0.01)
        yield i, 1.0


@runway.command("repeat", inputs={"text": text, "times": number}, outputs={"text": text})
def repeat(model, inputs):
    return inputs["text"] * int(inputs["times"])


@runway.command("fail", inputs={"why": text}, outputs={"r": text})
def fail(model, inputs):
    raise InferenceError(inputs["why"])


runway.run()
