"""Threads for what may take as long as a sound server hangs."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


def in_a_thread(do: Callable[[], T]) -> Future[T]:
    """Do something in a thread of its own, whose end nobody has to wait for, not even that of the program."""
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(do())
        except Exception as error:
            future.set_exception(error)

    threading.Thread(target=run, name="sound server", daemon=True).start()
    return future
