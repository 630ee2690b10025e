"""A model for tests of HTTP itself: it gives back what it got, naps, and counts its calls."""

import time

import runway
from runway.data_types import any as anything
from runway.data_types import number, text


@runway.setup
def setup():
    return {"naps": 0}


@runway.command("echo", inputs={"value": anything}, outputs={"value": anything})
def echo(model, inputs):
    return inputs["value"]


@runway.command("two words", inputs={"value": text}, outputs={"value": text})
def two_words(model, inputs):
    return inputs["value"]


@runway.command("nap", inputs={"s": number}, outputs={"naps": number})
def nap(model, inputs):
    model["naps"] += 1
    time.sleep(inputs["s"])
    return model["naps"]


runway.run()
