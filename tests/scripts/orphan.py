"""Dies and leaves a child behind."""

import multiprocessing
import os
import signal
import time

import runway
from runway.data_types import number


@runway.command("die", inputs={"x": number}, outputs={"pid": number})
def die(model, inputs):
    child = multiprocessing.get_context("fork").Process(target=time.sleep, args=(60,))
    child.start()
    print("child", child.pid)
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    runway.run()
