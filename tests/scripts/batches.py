"""A batched model that writes down which calls it ran, before it runs them."""

import time

import runway
from runway.data_types import number, text


@runway.command(
    "work",
    inputs={"n": number, "s": number, "log": text},
    outputs={"n": number, "size": number},
    batch=True,
    max_batch_size=4,
)
def work(model, batch):
    with open(batch[0]["log"], "a") as log:
        log.writelines(f"{int(item['n'])}\n" for item in batch)
    time.sleep(max(item["s"] for item in batch))
    return [{"n": item["n"], "size": len(batch)} for item in batch]


runway.run()
