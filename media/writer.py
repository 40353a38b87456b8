"""A thread that writes, so that a slow disk holds nobody up."""

import logging
from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread
from typing import Generic, TypeVar

_log = logging.getLogger("callnode.media.writer")

_MOST_WAITING = 300

Item = TypeVar("Item")


class Writer(Generic[Item]):
    """Have a thread of its own call `write` with each item, and `close` after the last.

    The first OSError of either is `error`, and so are 300 items that wait. What follows is let go.
    """

    def __init__(self, name: str, write: Callable[[Item], None], close: Callable[[], None]) -> None:
        self.error: OSError | None = None
        self._name = name
        self._write = write
        self._close = close
        self._queue: SimpleQueue[Item | None] = SimpleQueue()
        self._ended = False
        self._thread = Thread(target=self._run, name=f"write {name}", daemon=True)
        self._thread.start()

    def put(self, item: Item) -> None:
        """Have an item written; returns at once."""
        if self._queue.qsize() > _MOST_WAITING:
            self._fail(OSError("cannot write sound: the disk takes none for a minute"))
        else:
            self._queue.put(item)

    def end(self) -> None:
        """Let nothing follow what was put; returns at once, may be called more than once."""
        if not self._ended:
            self._ended = True
            self._queue.put(None)

    def close(self) -> None:
        """End, and wait until all is written."""
        self.end()
        self._thread.join()

    def _run(self) -> None:
        try:
            while (item := self._queue.get()) is not None:
                if self.error is None:
                    self._write(item)
        except OSError as error:
            self._fail(error)
        try:
            self._close()
        except OSError as error:
            self._fail(error)

    def _fail(self, error: OSError) -> None:
        if self.error is None:
            self.error = error
            _log.error("%s is written no further: %s", self._name, error)
