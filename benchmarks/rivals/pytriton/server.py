"""Triton by PyTriton: https://triton-inference-server.github.io/pytriton/latest/binding_configuration/.

Batches by `DynamicBatcher`, one inference function an instance. It speaks the Open Inference Protocol.
"""

import os
import sys

import numpy as np
from pytriton.decorators import batch
from pytriton.model_config import DynamicBatcher, ModelConfig, Tensor
from pytriton.triton import Triton, TritonConfig

from benchmarks.rivals.work import VECTOR_LENGTH, Job, free_port, knob, port, served

NAME, WORKLOAD = served()
CORES = 2
ATTEMPTS = 4
RESULT_LENGTH = {"mlp": 10}


def instance(command: str) -> object:
    """An inference function with a job of its own."""
    job = Job(command)

    def answers(images: np.ndarray) -> np.ndarray:
        items = [job.decode({"image": bytes(uri[0]).decode()}) for uri in images]
        encoded = [job.encode(result)["image"].encode() for result in job.predict(items)]
        return np.array([[text] for text in encoded], np.object_)

    @batch
    def vectors(x: np.ndarray) -> dict:
        return {"y": np.asarray(job.predict(list(x)), np.float32)}

    @batch
    def pictures(image: np.ndarray) -> dict:
        return {"image": answers(image)}

    return pictures if job.takes_image else vectors


def bind(triton: Triton, command: str) -> None:
    """Offer one command as a model."""
    instances = knob("instances", CORES if WORKLOAD.has_images else WORKLOAD.devices)
    takes_image = command.startswith("invert")
    length = RESULT_LENGTH.get(command, VECTOR_LENGTH)
    delay_us = knob("max_queue_delay_microseconds", 5000 if WORKLOAD.is_batched else 0)
    triton.bind(
        model_name=command,
        infer_func=[instance(command) for _ in range(instances)],
        inputs=[
            Tensor(name="image", dtype=np.bytes_, shape=(1,))
            if takes_image
            else Tensor(name="x", dtype=np.float32, shape=(VECTOR_LENGTH,))
        ],
        outputs=[
            Tensor(name="image", dtype=np.bytes_, shape=(1,))
            if takes_image
            else Tensor(name="y", dtype=np.float32, shape=(length,))
        ],
        config=ModelConfig(
            max_batch_size=WORKLOAD.max_batch_size,
            batcher=DynamicBatcher(max_queue_delay_microseconds=delay_us),
        ),
        strict=False,
    )


def serve() -> None:
    """Serve until SIGTERM."""
    settings = TritonConfig(
        http_address="127.0.0.1",
        http_port=port(),
        grpc_address="127.0.0.1",
        grpc_port=free_port(),
        allow_metrics=False,
    )
    with Triton(config=settings) as triton:
        for name in WORKLOAD.commands:
            bind(triton, name)
        triton.serve()


if __name__ == "__main__":
    attempt = int(os.environ.get("RIVAL_ATTEMPT", "1"))
    try:
        serve()
    except Exception:
        # On a busy machine one of two instances may look for the tensor store before the other has opened it.
        if attempt == ATTEMPTS:
            raise
        os.environ["RIVAL_ATTEMPT"] = str(attempt + 1)
        os.execv(sys.executable, [sys.executable, *sys.argv])
