"""A model that naps, fails, streams and dies on request."""

import os
import sys
import time

import runway
from runway.data_types import any as anything
from runway.data_types import number, text


@runway.setup(options={"tag": text(default="first"), "delay": number(default=0)})
def setup(options):
    time.sleep(options["delay"])
    if options["tag"] == "explode":
        raise RuntimeError("no weights")
    return {"tag": options["tag"], "runs": 0}


@runway.command("half", inputs={"x": number(min=0, max=100)}, outputs={"y": number})
def half(model, inputs):
    if inputs["x"] == 66:
        raise ValueError("unlucky")
    return inputs["x"] / 2


@runway.command("nap", inputs={"s": number}, outputs={"pid": number, "tag": text})
def nap(model, inputs):
    time.sleep(inputs["s"])
    return {"pid": os.getpid(), "tag": model["tag"]}


@runway.command("end", inputs={"how": text}, outputs={"r": text})
def end(model, inputs):
    if inputs["how"] == "exit":
        sys.exit(3)
    os.kill(os.getpid(), int(inputs["how"]))


@runway.command("steps", inputs={"n": number, "log": text}, outputs={"i": number, "pid": number})
def steps(model, inputs):
    try:
        for i in range(int(inputs["n"])):
            time.sleep(0.1)
            yield {"i": i, "pid": os.getpid()}, i / inputs["n"]
    finally:
        if inputs["log"]:
            with open(inputs["log"], "a") as file:
                file.write("closed\n")


@runway.command("double", inputs={"x": number}, outputs={"y": number, "size": number}, batch=True)
def double(model, batch):
    time.sleep(0.05)
    if any(item["x"] == 13 for item in batch):
        raise ValueError("thirteen")
    results = [{"y": item["x"] * 2, "size": len(batch)} for item in batch]
    return results[:-1] if batch[0]["x"] == 99 else results


@runway.command("environment", inputs={"name": text}, outputs={"value": anything})
def environment(model, inputs):
    return {"value": os.environ.get(inputs["name"])}


if __name__ == "__main__":
    runway.run(port=5133)
