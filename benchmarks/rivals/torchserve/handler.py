"""TorchServe's custom handler for the common work, at module level as its documentation has it."""

from benchmarks.rivals.work import Job, served

_jobs: dict = {}


def handle(data: list, context: object) -> list | None:
    """One answer a request of the batch; None for the call by which TorchServe initializes a worker."""
    command = context.manifest["model"]["modelName"]
    if command not in _jobs:
        assert command in served()[1].commands
        _jobs[command] = Job(command)
    if not data:
        return None
    job = _jobs[command]
    results = job.predict([job.decode(row.get("body") or row.get("data")) for row in data])
    return [job.encode(result) for result in results]
