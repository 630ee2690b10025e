"""TorchServe: https://pytorch.org/serve/batch_inference_with_ts.html and .../configuration.html.

Batches by `batchSize` and `maxBatchDelay`, processes by `minWorkers`, in the model's configuration file.
"""

import os
import subprocess
import sys
from pathlib import Path

from benchmarks.rivals.work import free_port, knob, port, served

NAME, WORKLOAD = served()
CORES = 2
JOB_QUEUE_SIZE = 1000
# Warnings only, as in .../logging.html: by default each request is logged several times.
LOGGING = """\
<?xml version="1.0" encoding="UTF-8"?>
<Configuration>
  <Appenders><Console name="STDOUT"><PatternLayout pattern="%p %c %m%n"/></Console></Appenders>
  <Loggers><Root level="warn"><AppenderRef ref="STDOUT"/></Root></Loggers>
</Configuration>
"""


def archive(store: Path, command: str) -> None:
    """Put one command's model into the store."""
    workers = knob("workers", CORES if WORKLOAD.has_images else WORKLOAD.devices)
    settings = store.parent / f"{command}.yaml"
    lines = [f"minWorkers: {workers}", f"maxWorkers: {workers}", "responseTimeout: 60"]
    lines += [f"batchSize: {WORKLOAD.max_batch_size}"]
    lines += [f"maxBatchDelay: {knob('max_batch_delay', 5 if WORKLOAD.is_batched else 0)}"]
    settings.write_text("\n".join(lines) + "\n")
    program = Path(sys.executable).with_name("torch-model-archiver")
    handler = Path(__file__).with_name("handler.py")
    options = ["--model-name", command, "--version", "1.0", "--handler", str(handler)]
    options += ["--config-file", str(settings), "--archive-format", "no-archive"]
    subprocess.run([str(program), *options, "--export-path", str(store)], check=True)


if __name__ == "__main__":
    home = Path(os.environ["HOME"])
    store = home / "store"
    store.mkdir()
    for command in WORKLOAD.commands:
        archive(store, command)
    address = "http://127.0.0.1"
    configuration = home / "config.properties"
    configuration.write_text(
        f"inference_address={address}:{port()}\n"
        f"management_address={address}:{free_port()}\n"
        f"metrics_address={address}:{free_port()}\n"
        f"grpc_inference_port={free_port()}\n"
        f"grpc_management_port={free_port()}\n"
        f"model_store={store}\nload_models=all\n"
        f"job_queue_size={JOB_QUEUE_SIZE}\n"
        "async_logging=true\ndisable_token_authorization=true\n"
    )
    logging = home / "log4j2.xml"
    logging.write_text(LOGGING)
    os.environ["TEMP"] = str(home)  # where it puts its inner sockets
    os.environ |= {"LOG_LOCATION": str(home), "METRICS_LOCATION": str(home)}
    # its launcher and its workers look for programs of the environment in the path
    os.environ["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    program = str(Path(sys.executable).with_name("torchserve"))
    flags = ["--start", "--foreground", "--no-config-snapshots", "--ts-config", str(configuration)]
    flags += ["--log-config", str(logging)]
    os.execv(program, [program, *flags])
