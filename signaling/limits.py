"""Token buckets and quotas. Pure: the time comes in as an argument."""

from collections import Counter


class TokenBucket:
    """Allow `rate` events a second on average, and `burst` at once."""

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self._rate = rate
        self._burst = burst
        self._level = burst
        self._at = now

    def take(self, now: float) -> bool:
        """Take one token; return False if none is left. A clock that goes back adds none."""
        self._level = min(self._burst, self._level + max(0.0, now - self._at) * self._rate)
        self._at = max(self._at, now)
        if self._level < 1.0:
            return False
        self._level -= 1.0
        return True


class Quota:
    """Allow at most `limit` things at a time for each key."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held: Counter[str] = Counter()

    def take(self, key: str) -> bool:
        """Take one place; return False if all are held."""
        if self._held[key] >= self._limit:
            return False
        self._held[key] += 1
        return True

    def give_back(self, key: str) -> None:
        """Give one place back; keys that hold nothing are forgotten."""
        self._held[key] -= 1
        if self._held[key] <= 0:
            del self._held[key]

    def __len__(self) -> int:
        return self._held.total()
