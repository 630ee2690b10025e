"""Ray Serve: https://docs.ray.io/en/latest/serve/advanced-guides/dyn-req-batch.html and .../performance.html.

Batches by `@serve.batch`; a plain Starlette request instead of FastAPI; `max_ongoing_requests` above the number of
clients, as batching needs it; RAY_SERVE_THROUGHPUT_OPTIMIZED=1 and RAY_SERVE_ENABLE_HA_PROXY=1 as in
https://docs.ray.io/en/master/kuberay/user-guides/serve-high-throughput.html.
"""

import os
import signal

from benchmarks.rivals.work import Job, free_port, knob, port, served

HOME = os.environ["HOME"]
os.environ |= {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_SERVE_THROUGHPUT_OPTIMIZED": str(knob("throughput_optimized", 1)),
    "RAY_SERVE_ENABLE_HA_PROXY": str(knob("ha_proxy", 1)),
    "RAY_SERVE_HAPROXY_CONFIG_FILE_LOC": f"{HOME}/ha/haproxy.cfg",
    "RAY_SERVE_HAPROXY_SOCKET_PATH": f"{HOME}/ha/admin.sock",
    "RAY_SERVE_HAPROXY_SERVER_STATE_BASE": f"{HOME}/ha",
    "RAY_SERVE_HAPROXY_SERVER_STATE_FILE": f"{HOME}/ha/server-state",
    "RAY_SERVE_HAPROXY_METRICS_PORT": str(free_port()),
    "RAY_SERVE_HAPROXY_STATS_PORT": str(free_port()),
}

import ray  # noqa: E402 (it reads the environment)
from ray import serve  # noqa: E402 (it reads the environment)
from starlette.requests import Request  # noqa: E402 (it reads the environment)
from starlette.responses import JSONResponse  # noqa: E402 (it reads the environment)

NAME, WORKLOAD = served()
CORES = 2
MAX_ONGOING_REQUESTS = 256
OBJECT_STORE_BYTES = 200_000_000


class One:
    """A replica that answers one request after another."""

    def __init__(self, command: str) -> None:
        self.job = Job(command)

    async def __call__(self, request: Request) -> JSONResponse:
        """The answer to one request."""
        item = self.job.decode(await request.json())
        return JSONResponse(self.job.encode(self.job.predict([item])[0]))


class Many:
    """A replica that runs what came meanwhile as one batch."""

    def __init__(self, command: str) -> None:
        self.job = Job(command)

    @serve.batch(
        max_batch_size=WORKLOAD.max_batch_size, batch_wait_timeout_s=knob("batch_wait_s", 0.005)
    )
    async def predict(self, items: list) -> list:
        """One result an item; the model blocks, as models do."""
        return self.job.predict(items)

    async def __call__(self, request: Request) -> JSONResponse:
        """The answer to one request."""
        result = await self.predict(self.job.decode(await request.json()))
        return JSONResponse(self.job.encode(result))


def main() -> None:
    """Serve until SIGTERM."""
    ray.init(
        num_cpus=CORES,
        include_dashboard=False,
        object_store_memory=OBJECT_STORE_BYTES,
        _temp_dir=HOME,
        logging_level="ERROR",
    )
    options = {"host": "127.0.0.1", "port": port(), "location": "HeadOnly"}
    serve.start(http_options=options, logging_config={"enable_access_log": False})
    replicas = knob("num_replicas", CORES if WORKLOAD.has_images else WORKLOAD.devices)
    for command in WORKLOAD.commands:
        kind = Many if WORKLOAD.is_batched else One
        deployment = serve.deployment(kind).options(
            num_replicas=replicas,
            max_ongoing_requests=MAX_ONGOING_REQUESTS,
            ray_actor_options={"num_cpus": 0},
            logging_config={"enable_access_log": False},
        )
        serve.run(deployment.bind(command), name=command, route_prefix=f"/{command}")
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    ray.shutdown()


if __name__ == "__main__":
    main()
