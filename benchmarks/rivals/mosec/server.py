"""mosec: https://mosecorg.github.io/mosec/reference/interface.html (append_worker, register_runtime, Runtime).

Batches by `max_batch_size` and `max_wait_time`, processes by `num`, the codec of the accelerated images in stages of
their own, as its documentation advises for work before and after the model.
"""

import sys

from mosec import Runtime, Server, Worker

from benchmarks.rivals.work import Job, knob, port, served

NAME, WORKLOAD = served()
COMMAND = WORKLOAD.commands[0]
CORES = 2


class Single(Worker):
    """Decodes, predicts and encodes one request."""

    command = COMMAND

    def __init__(self) -> None:
        self.job = Job(self.command)

    def forward(self, data: dict) -> dict:
        """The answer's body."""
        return self.job.encode(self.job.predict([self.job.decode(data)])[0])


class Echo(Single):
    """W7's small requests."""

    command = "echo"


class Invert(Single):
    """W7's large requests."""

    command = "invert"


class Batched(Worker):
    """Decodes, predicts and encodes a batch: mosec hands a list where max_batch_size is above 1."""

    def __init__(self) -> None:
        self.job = Job(COMMAND)

    def forward(self, data: list) -> list:
        """One answer's body a request."""
        results = self.job.predict([self.job.decode(body) for body in data])
        return [self.job.encode(result) for result in results]


class Decode(Worker):
    """First stage: the request's pixels."""

    def __init__(self) -> None:
        self.job = Job("invert")

    def forward(self, data: dict) -> object:
        """Pixels, pickled to the next stage."""
        return self.job.decode(data)


class Predict(Worker):
    """Middle stage: the accelerator."""

    def __init__(self) -> None:
        self.job = Job(COMMAND)

    def forward(self, data: list) -> list:
        """One array of pixels an item."""
        return self.job.predict(data)


class Encode(Worker):
    """Last stage: the answer's image."""

    def __init__(self) -> None:
        self.job = Job("invert")

    def forward(self, data: object) -> dict:
        """The answer's body."""
        return self.job.encode(data)


def main() -> None:
    """Serve the workload of the environment."""
    sys.argv = [sys.argv[0], "--port", str(port()), "--address", "127.0.0.1"]
    sys.argv += ["--capacity", "4096", "--timeout", "60000", "--log-level", "error"]
    server = Server()
    # tune.py: a wait of 1 ms is better for the echo, 5 ms for what takes longer; two processes, except where
    # there are as many devices
    wait_ms = knob("max_wait_time", 1 if COMMAND == "echo" else 5)
    processes = knob("num", WORKLOAD.devices if COMMAND == "accelerate" else CORES)
    batch = {"max_batch_size": WORKLOAD.max_batch_size, "max_wait_time": wait_ms}
    if NAME == "W7":
        echo = Runtime(Echo, num=1)
        image = Runtime(Invert, num=processes)
        server.register_runtime({"/echo": [echo], "/invert": [image]})
    elif NAME == "W3s" and knob("stages", True):
        server.append_worker(Decode, num=processes, route=f"/{COMMAND}")
        server.append_worker(Predict, num=1, **batch, route=f"/{COMMAND}")
        server.append_worker(Encode, num=processes, route=f"/{COMMAND}")
    elif WORKLOAD.is_batched:
        server.append_worker(Batched, num=processes, **batch, route=f"/{COMMAND}")
    else:
        server.append_worker(Single, num=processes, route=f"/{COMMAND}")
    server.run()


if __name__ == "__main__":
    main()
