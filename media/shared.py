"""One sound for several paths: each reads all of it, and whoever is first lets it go on. Pure."""

from collections import deque
from collections.abc import Callable

from media.audio import Frame

_KEPT = 3  # frames for those who read a little later; who is later still misses some


class Shared:
    """What `read` returns, for any number of readers at the same pace."""

    def __init__(self, read: Callable[[], Frame]) -> None:
        self._read = read
        self._frames: deque[Frame] = deque(maxlen=_KEPT)
        self._count = 0

    def reader(self) -> Callable[[], Frame]:
        """Return what reads the sound, 20 ms at a time, from the newest frame on when it first does."""
        at, begun = self._count, False

        def read() -> Frame:
            nonlocal at, begun
            if at == self._count:
                self._frames.append(self._read())
                self._count += 1
            kept = len(self._frames) if begun else 1
            at, begun = max(at + 1, self._count - kept + 1), True
            return self._frames[at - self._count - 1]

        return read
