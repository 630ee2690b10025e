"""Tells what it found around it when it was imported; prints long lines without an end."""

import os
import sys

import runway
from runway.data_types import any as anything

print("imported by", os.getpid())
FOUND = {"argv": sys.argv, "cwd": os.getcwd(), "path": sys.path[0], "stdin": sys.stdin.read()}


@runway.setup
def setup():
    print("s" * 1_000_000, end="")


@runway.command("around", inputs={"letters": anything}, outputs={"found": anything})
def around(model, inputs):
    print("q" * inputs["letters"], end="")
    return {"found": FOUND}


runway.run()
