import itertools
import time

import runway

calls = itertools.count(1)


@runway.command("add", inputs={"fail_each": runway.number}, outputs={"calls": runway.number})
def add(model, inputs):
    call = next(calls)
    assert not inputs["fail_each"] or call % inputs["fail_each"], f"call {call} fails"
    return call


@runway.command("nap", inputs={"s": runway.number}, outputs={"slept": runway.any})
def nap(model, inputs):
    return time.sleep(inputs["s"])


@runway.command("look", inputs={"picture": runway.image}, outputs={"width": runway.number})
def look(model, inputs):
    return inputs["picture"].width


runway.run()
