"""Ours: one script for all workloads, as a user would write it; `runway-serve` decodes, batches and encodes."""

import numpy as np

import runway
from benchmarks.rivals.work import MAX_BATCH_SIZE, VECTOR_LENGTH, Job, served

_, WORKLOAD = served()


@runway.setup
def setup() -> dict:
    """The jobs by command."""
    return {command: Job(command) for command in WORKLOAD.commands}


def register(command: str) -> None:
    """Offer one kind of work as a command."""
    takes_image = command.startswith("invert")
    is_network = command == "mlp"
    numbers = runway.vector(length=VECTOR_LENGTH)
    picture = runway.image(default_output_format=WORKLOAD.image_format.upper())
    source, target = ("image", "image") if takes_image else ("x", "y")
    inputs = {source: picture if takes_image else numbers}
    outputs = {target: picture if takes_image else runway.vector(length=10 if is_network else 128)}

    def item_of(values: dict) -> object:
        return np.asarray(values["image"]) if takes_image else values["x"]

    def one(jobs: dict, values: dict) -> dict:
        return {target: jobs[command].predict([item_of(values)])[0]}

    def many(jobs: dict, batch: list) -> list:
        results = jobs[command].predict([item_of(values) for values in batch])
        return [{target: result} for result in results]

    if WORKLOAD.is_batched:
        runway.command(
            command, inputs=inputs, outputs=outputs, batch=True, max_batch_size=MAX_BATCH_SIZE
        )(many)
    else:
        runway.command(command, inputs=inputs, outputs=outputs)(one)


for name in WORKLOAD.commands:
    register(name)

if __name__ == "__main__":
    runway.run()
