"""A model that raises and returns what nobody expects, in every kind of command; `oddities.py` has it by name."""

from __future__ import annotations

from oddities import ERRORS, PROGRESSES, TYPES, VALUES

import runway
from runway.exceptions import RunwayError

NAMED = {"name": runway.text}


@runway.setup(options={"error": runway.text(default="")})
def setup(options):
    if options["error"] == "exit":
        raise SystemExit(3)
    if options["error"]:
        raise ERRORS[options["error"]][0]()


@runway.command("fail", inputs=NAMED, outputs={"y": runway.text})
def fail(model, inputs):
    raise ERRORS[inputs["name"]][0]()


@runway.command("fail_late", inputs=NAMED, outputs={"y": runway.text})
def fail_late(model, inputs):
    yield "first"
    raise ERRORS[inputs["name"]][0]()


@runway.command("fail_batch", inputs=NAMED, outputs={"y": runway.text}, batch=True)
def fail_batch(model, items):
    raise ERRORS[items[0]["name"]][0]()


@runway.command("hand_back", inputs=NAMED, outputs={"y": runway.text}, batch=True)
def hand_back(model, items):
    """Returns errors instead of raising them."""
    return [
        error if isinstance(error, RunwayError) else {"y": "another kind"}
        for error in (ERRORS[item["name"]][0]() for item in items)
    ]


@runway.command("progress", inputs=NAMED, outputs={"y": runway.text})
def progress(model, inputs):
    yield "out", PROGRESSES[inputs["name"]][0]


@runway.command("stubborn", inputs=NAMED, outputs={"y": runway.number})
def stubborn(model, inputs):
    """A generator that cannot be closed."""
    step = 0
    while True:
        step += 1
        try:
            yield step
        except:  # noqa: E722 - this is what people write
            print("something went wrong")


@runway.command("clumsy", inputs=NAMED, outputs={"y": runway.number})
def clumsy(model, inputs):
    """A generator that fails as it is closed."""
    try:
        step = 0
        while True:
            step += 1
            yield step
    finally:
        raise ValueError("it was open")


def value_commands(name, of_type):
    @runway.command(name, inputs=NAMED, outputs={"y": of_type})
    def single(model, inputs):
        return {"y": VALUES[inputs["name"]]}

    @runway.command(f"{name}_bare", inputs=NAMED, outputs={"y": of_type})
    def bare(model, inputs):
        return VALUES[inputs["name"]]

    @runway.command(f"{name}_batch", inputs=NAMED, outputs={"y": of_type}, batch=True)
    def batch(model, items):
        return [{"y": VALUES[item["name"]]} for item in items]


for name, of_type in TYPES.items():
    value_commands(name, of_type)

if __name__ == "__main__":
    runway.run()
