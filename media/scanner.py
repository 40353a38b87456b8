"""Ask a sound server what it has, in threads of their own: one that hangs does not answer."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from media.cards import AudioDevice, cards

PATIENCE_SECONDS = 0.5

T = TypeVar("T")


def errand(do: Callable[[], T]) -> Future[T]:
    """Do something in a thread of its own, whose end nobody has to wait for, not even that of the program."""
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(do())
        except Exception as error:
            future.set_exception(error)

    threading.Thread(target=run, name="sound server", daemon=True).start()
    return future


class Scanner:
    """Look for microphones and speakers; may be asked by several threads, and does so once for all."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._scan: Future[list[AudioDevice]] | None = None
        self._begun = 0.0

    def scan(self) -> list[AudioDevice] | None:
        """Return what there is now, in milliseconds; None where no sound server answers within 0.5 s."""
        with self._lock:
            if self._scan is None or self._scan.done():
                self._scan, self._begun = errand(cards), time.monotonic()
            scan, patience = self._scan, self._begun + PATIENCE_SECONDS - time.monotonic()
        try:
            return scan.result(max(0.0, patience))
        except TimeoutError:
            return None
