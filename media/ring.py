"""A bounded ring of samples between the sound card's thread and the event loop. Pure.

One thread writes and one reads, without a lock: each side moves only its own count of samples, and the
store is twice the capacity, so that what is being read is never what is being overwritten.
"""

import numpy as np
from numpy.typing import NDArray

from media.audio import Frame


class Ring:
    """Hold the newest samples; when more than `capacity` wait, the oldest go until half of it is left.

    `dropped` counts samples that went unread, `underruns` how often the ring ran dry.
    Raises ValueError for a capacity below 2.
    """

    def __init__(self, capacity: int) -> None:
        if capacity < 2:
            raise ValueError(f"a ring needs a capacity of at least 2, not {capacity}")
        self.dropped = 0
        self.underruns = 0
        self.flowing = False  # from the first read that was served until the ring runs dry
        self._capacity = capacity
        self._store: NDArray[np.int16] = np.zeros(2 * capacity, np.int16)
        self._written = 0
        self._read = 0

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

    def read(self, count: int, prefill: int = 0) -> Frame:
        """Return `count` samples, silence where there are too few; called by the reading side only.

        At first and after running dry, sound starts once `prefill` samples wait: the newest ones.
        """
        waiting = self._waiting()
        enough = count if self.flowing else max(count, prefill)
        if waiting < enough:
            self.underruns += self.flowing
            self.flowing = False
            return np.zeros(count, np.int16)
        if prefill and not self.flowing:
            self._read += waiting - enough  # not heard yet, so nothing is lost but delay
        self.flowing = True
        size = len(self._store)
        start = self._read % size
        first = min(count, size - start)
        self._read += count
        return np.concatenate((self._store[start : start + first], self._store[: count - first]))

    def keep(self, count: int) -> None:
        """Let go of all but the newest `count` samples; called by the reading side only."""
        gone = max(0, self._waiting() - count)
        self.dropped += gone
        self._read += gone

    def _waiting(self) -> int:
        written = self._written
        if written - self._read > self._capacity:
            newest = written - self._capacity // 2
            self.dropped += newest - self._read
            self._read = newest
        return written - self._read
