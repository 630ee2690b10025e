"""Prints and logs in its commands, each line with the word it was given."""

import logging
import os
import sys

import runway
from runway.data_types import text

logging.basicConfig(level=logging.INFO)


@runway.command("say", inputs={"word": text}, outputs={"word": text})
def say(model, inputs):
    print("printed", inputs["word"])
    print("two\nlines", inputs["word"], file=sys.stderr)
    logging.info("logged %s", inputs["word"])
    return inputs["word"]


@runway.command("all", inputs={"word": text}, outputs={"word": text}, batch=True)
def say_all(model, batch):
    print("batch of", *(item["word"] for item in batch))
    return [item["word"] for item in batch]


@runway.command("die", inputs={"word": text}, outputs={"word": text})
def die(model, inputs):
    print("last", inputs["word"])
    os._exit(3)


print("loading")
runway.run()
