"""Continue a text, character by character: over a WebSocket each one is sent as soon as it is there."""

import os

import charrnn
import torch

import runway

HERE = os.path.dirname(os.path.abspath(__file__))

generate_inputs = {
    "prompt": runway.text(default="", description="How the text begins.", max_length=500),
    "temperature": runway.number(
        default=0.5,
        min=0,
        max=1.5,
        step=0.05,
        description="0 writes the likeliest; more is wilder.",
    ),
    "length": runway.number(
        default=120, min=1, max=500, step=1, description="Characters to write at most."
    ),
    "seed": runway.number(default=0, min=0, max=9999, step=1, description="Another text."),
}


@runway.setup
def setup():
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return charrnn.Writer(os.path.join(HERE, "weights"), device)


@runway.command(
    "generate",
    inputs=generate_inputs,
    outputs={"text": runway.text},
    description="Continue a text.",
)
def generate(model, inputs):
    text, length = inputs["prompt"], int(inputs["length"])
    characters = model.write(text, inputs["temperature"], length, int(inputs["seed"]))
    for count, character in enumerate(characters, start=1):
        text += character
        yield {"text": text}, count / length
    return {"text": text}


if __name__ == "__main__":
    runway.run()
