import os
import time

import numpy as np

import runway
from runway.data_types import any as anything
from runway.data_types import file, image, number, text


@runway.setup
def setup():
    return {"pid": os.getpid(), "runs": 0}


@runway.command("half", inputs={"x": number(min=0, max=100)}, outputs={"y": number})
def half(m, a):
    if a["x"] == 66:
        raise ValueError("unlucky")
    return {"y": a["x"] / 2}


@runway.command("say", inputs={"t": text(max_length=20)}, outputs={"t": text, "n": number})
def say(m, a):
    return {"t": a["t"], "n": len(a["t"])}


@runway.command("look", inputs={"i": image}, outputs={"r": anything})
def look(m, a):
    p = np.asarray(a["i"])
    return {"r": {"shape": list(p.shape), "first": p[0, 0].tolist(), "max": int(p.max())}}


@runway.command("nap", inputs={"s": number}, outputs={"pid": number})
def nap(m, a):
    time.sleep(a["s"])
    m["runs"] += 1
    return {"pid": os.getpid()}


@runway.command("odd", inputs={"what": text}, outputs={"r": anything})
def odd(m, a):
    return {
        "r": {
            "nan": float("nan"),
            "f32": np.float32(1.5),
            "i64": np.int64(2**40),
            "arr": np.arange(3),
        }[a["what"]]
    }


@runway.command("end", inputs={"why": text}, outputs={"r": text})
def end(m, a):
    os.kill(os.getpid(), 9)


@runway.command("read", inputs={"f": file}, outputs={"n": number})
def read(m, a):
    return {"n": os.path.getsize(a["f"])}


@runway.command("steps", inputs={"n": number}, outputs={"i": number})
def steps(m, a):
    for i in range(int(a["n"])):
        time.sleep(0.2)
        m["runs"] += 1
        yield {"i": i}, i / a["n"]


if __name__ == "__main__":
    runway.run()
