"""LitServe: https://lightning.ai/docs/litserve/features/batching and .../api-reference/litserver.

Batches by `max_batch_size` and `batch_timeout`, processes by `workers_per_device`, messages between them by
`fast_queue` (ZeroMQ). Decoding and encoding stand in `decode_request` and `encode_response`.
"""

import litserve

from benchmarks.rivals.work import Job, knob, port, served

NAME, WORKLOAD = served()
CORES = 2


class Api(litserve.LitAPI):
    """One command; LitServe hands a list where max_batch_size is above 1."""

    def __init__(self, command: str) -> None:
        timeout_s = knob("batch_timeout", 0.005) if WORKLOAD.is_batched else 0.0
        super().__init__(
            max_batch_size=WORKLOAD.max_batch_size, batch_timeout=timeout_s, api_path=f"/{command}"
        )
        self.command = command

    def setup(self, device: str) -> None:
        """In the worker process."""
        self.job = Job(self.command)

    def decode_request(self, request: dict) -> object:
        """The item of one request."""
        return self.job.decode(request)

    def batch(self, inputs: list) -> list:
        """The items as they are, instead of a stacked array."""
        return list(inputs)

    def predict(self, inputs: object) -> object:
        """A list for a list, one result for one item."""
        return self.job.predict(inputs) if WORKLOAD.is_batched else self.job.predict([inputs])[0]

    def unbatch(self, output: list) -> list:
        """One result a request."""
        return output

    def encode_response(self, output: object) -> dict:
        """The answer's body."""
        return self.job.encode(output)


if __name__ == "__main__":
    workers = knob("workers_per_device", CORES if WORKLOAD.has_images else WORKLOAD.devices)
    server = litserve.LitServer(
        [Api(command) for command in WORKLOAD.commands],
        accelerator="cpu",
        workers_per_device=workers,
        fast_queue=knob("fast_queue", True),
        timeout=60,
    )
    server.run(
        host="127.0.0.1",
        port=port(),
        num_api_servers=knob("num_api_servers", 1),
        log_level="error",
        generate_client_file=False,
        access_log=False,
    )
