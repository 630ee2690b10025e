"""`Courier`: a second thread of a worker, which sends the answers of one batch and takes the next while the model runs.

It exists only where that was found to pay (`overlap.py`). It and the model's thread never share anything: between
`start` and `stop` the sockets, the packer and the inbox are the courier's, otherwise they are the model's thread's.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from time import perf_counter


class Courier:
    """Belongs to the model's thread, but for what it runs in its own.

    Args:
        receive: waits for a message, takes it and says whether there was one; may return without.
        interrupt: has a `receive` that waits return, whichever thread it is in.
    """

    def __init__(self, receive: Callable[[], bool], interrupt: Callable[[], None]) -> None:
        self._receive = receive
        self._interrupt = interrupt
        self._thread: threading.Thread | None = None
        self._begin, self._end = threading.Lock(), threading.Lock()  # released by the other thread
        self._begin.acquire()
        self._end.acquire()
        self._deliver: Callable[[], None] | None = None  # until it has begun
        self._is_out = self._is_called_back = False
        self._error: BaseException | None = None
        self.delivered_at = 0.0  # by `perf_counter`

    def start(self, deliver: Callable[[], None]) -> None:
        """Have it deliver answers, and then receive."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="courier", daemon=True)
            self._thread.start()
        self._deliver = deliver
        self._is_out, self._is_called_back = True, False
        self._begin.release()

    def stop(self) -> bool:
        """Wait until all is delivered, and have everything back; whether it had been started.

        Raises:
            BaseException: what its work raised.
        """
        if not self._is_out:
            return False
        self._is_called_back = True
        if not self._end.acquire(blocking=False):
            self._interrupt()
            self._end.acquire()
        self._is_out = False
        if self._error is not None:
            raise self._error
        return True

    def _work(self) -> None:
        while True:
            self._begin.acquire()
            try:
                deliver, self._deliver = self._deliver, None
                assert deliver is not None
                deliver()
                del deliver  # and all the batch with it, while the model runs
                self.delivered_at = perf_counter()
                while not self._is_called_back and not self._receive():
                    pass
            except BaseException as error:
                self._error = error
            self._end.release()
