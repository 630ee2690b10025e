"""MLServer: https://docs.seldon.ai/mlserver/user-guide/adaptive-batching, .../parallel-inference and .../custom.

Batches by `max_batch_size` and `max_batch_time`, processes by `parallel_workers`. Its batching works in the Open
Inference Protocol, so that is what its clients send here.
"""

import json
import os
import sys
from pathlib import Path

from benchmarks.rivals.work import free_port, knob, port, served

NAME, WORKLOAD = served()
CORES = 2

if __name__ == "__main__":
    folder = Path(os.environ["HOME"], "models")
    # tune.py: without a process of its own (0) the echo takes a third of the time; the accelerator needs one
    processes = {"W1": 0, "W1b": 0, "W3": CORES, "W6": CORES, "W7": CORES}
    workers = knob("parallel_workers", processes.get(NAME, WORKLOAD.devices))
    server = {
        "host": "127.0.0.1",
        "http_port": port(),
        "grpc_port": free_port(),
        "metrics_endpoint": None,
        "parallel_workers": workers,
        "debug": False,
    }
    for command in WORKLOAD.commands:
        model = {"name": command, "implementation": "benchmarks.rivals.mlserver.runtime.Rival"}
        if WORKLOAD.is_batched:
            model["max_batch_size"] = WORKLOAD.max_batch_size
            model["max_batch_time"] = knob("max_batch_time", 0.005)
        (folder / command).mkdir(parents=True)
        (folder / command / "model-settings.json").write_text(json.dumps(model))
    (folder / "settings.json").write_text(json.dumps(server))
    os.chdir(folder)
    program = Path(sys.executable).with_name("mlserver")
    os.execv(program, [str(program), "start", "."])
