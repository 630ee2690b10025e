"""BentoML: https://docs.bentoml.com/en/latest/get-started/adaptive-batching.html.

Workers as in https://docs.bentoml.com/en/latest/build-with-bentoml/parallelize-requests.html.
A batchable API takes a list along its first dimension; `max_batch_size` and `max_latency_ms` bound the dispatcher, and
`workers` are processes. Its dispatcher belongs to one worker, so a batched service has as many as there are devices.
"""

import bentoml

from benchmarks.rivals.work import Job, knob, served

NAME, WORKLOAD = served()
COMMAND = WORKLOAD.commands[0]
CORES = 2
is_image = WORKLOAD.has_images
settings = {
    "workers": knob("workers", WORKLOAD.devices if WORKLOAD.is_batched and not is_image else CORES),
    "traffic": {"timeout": 60},
    "logging": {"access": {"enabled": False}},
    "metrics": {"enabled": knob("metrics", False)},
}
batch = {
    "batchable": True,
    "max_batch_size": WORKLOAD.max_batch_size,
    "max_latency_ms": knob("max_latency_ms", 60000),
}


class Jobs:
    """The jobs of a worker process."""

    def __init__(self) -> None:
        self.jobs = {command: Job(command) for command in WORKLOAD.commands}

    def one(self, command: str, body: dict) -> dict:
        """The answer to one body."""
        job = self.jobs[command]
        return job.encode(job.predict([job.decode(body)])[0])

    def many(self, field: str, values: list) -> list:
        """One encoded result a value of `field`."""
        job = self.jobs[COMMAND]
        results = job.predict([job.decode({field: value}) for value in values])
        return [job.encode(result) for result in results]


if WORKLOAD.is_batched and is_image:

    @bentoml.service(**settings)
    class Rival(Jobs):
        """Images in batches."""

        @bentoml.api(route=f"/{COMMAND}", **batch)
        def run(self, image: list[str]) -> list[dict]:
            """One answer an image."""
            return self.many("image", image)

elif WORKLOAD.is_batched:

    @bentoml.service(**settings)
    class Rival(Jobs):
        """Vectors in batches."""

        @bentoml.api(route=f"/{COMMAND}", **batch)
        def run(self, x: list[list[float]]) -> list[dict]:
            """One answer a vector."""
            return self.many("x", x)

else:

    @bentoml.service(**settings)
    class Rival(Jobs):
        """One call at a time."""

        @bentoml.api(route="/echo")
        def echo(self, x: list[float]) -> dict:
            """The same vector."""
            return self.one("echo", {"x": x})

        @bentoml.api(route="/invert")
        def invert(self, image: str) -> dict:
            """The negative."""
            return self.one("invert", {"image": image})
