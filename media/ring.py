"""A bounded ring of samples between the sound card's thread and the event loop. Pure.

One thread writes and one reads, without a lock: each side moves only its own count of samples, and the
store is twice the capacity, so that what is being read is never what is being overwritten.
"""

import numpy as np
from numpy.typing import NDArray

from media.audio import Frame


class Ring:
    """Hold the newest samples; when more than `capacity` wait, the oldest go until half of it is left.

    `prefill` samples must gather before sound starts, at first and after the ring ran dry: they absorb the
    jitter of both sides. `dropped` counts samples that went unread, `underruns` how often the ring ran dry.
    Raises ValueError unless 0 <= prefill <= capacity and capacity >= 2.
    """

    def __init__(self, capacity: int, prefill: int = 0) -> None:
        if capacity < 2 or not 0 <= prefill <= capacity:
            raise ValueError(
                f"a ring needs 0 <= prefill <= capacity and capacity >= 2: {prefill}, {capacity}"
            )
        self.dropped = 0
        self.underruns = 0
        self._capacity = capacity
        self._prefill = prefill
        self._store: NDArray[np.int16] = np.zeros(2 * capacity, np.int16)
        self._written = 0
        self._read = 0
        self._dry = True

    def __len__(self) -> int:
        """Return how many samples wait to be read."""
        return min(self._written - self._read, self._capacity)

    def write(self, samples: NDArray[np.int16]) -> None:
        """Append int16 samples; called by the writing side only."""
        count = len(samples)
        skipped = max(0, count - self._capacity)
        size = len(self._store)
        start = (self._written + skipped) % size
        first = min(count - skipped, size - start)
        self._store[start : start + first] = samples[skipped : skipped + first]
        self._store[: count - skipped - first] = samples[skipped + first :]
        self._written += count

    def read(self, count: int) -> Frame:
        """Return `count` samples, silence where there are too few; called by the reading side only."""
        written = self._written
        if written - self._read > self._capacity:
            newest = written - self._capacity // 2
            self.dropped += newest - self._read
            self._read = newest
        waiting = written - self._read
        if waiting < count or (self._dry and waiting < self._prefill):
            self.underruns += not self._dry
            self._dry = True
            return np.zeros(count, np.int16)
        self._dry = False
        size = len(self._store)
        start = self._read % size
        first = min(count, size - start)
        self._read += count
        return np.concatenate((self._store[start : start + first], self._store[: count - first]))
