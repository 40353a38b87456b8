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
        self._refill(now)
        if self._level < 1.0:
            return False
        self._level -= 1.0
        return True

    def full(self, now: float) -> bool:
        """Tell whether nothing is missing."""
        self._refill(now)
        return self._level >= self._burst

    def _refill(self, now: float) -> None:
        self._level = min(self._burst, self._level + max(0.0, now - self._at) * self._rate)
        self._at = max(self._at, now)


class Buckets:
    """A token bucket for each key; one that is full again is as good as none and may be forgotten."""

    def __init__(self, rate: float, burst: float) -> None:
        self._rate = rate
        self._burst = burst
        self._buckets: dict[str, TokenBucket] = {}
        self._sweep_at = 1024

    def take(self, key: str, now: float) -> bool:
        """Take one token of a key; return False if none is left."""
        if key not in self._buckets:
            self._sweep(now)
            self._buckets[key] = TokenBucket(self._rate, self._burst, now)
        return self._buckets[key].take(now)

    def __len__(self) -> int:
        return len(self._buckets)

    def _sweep(self, now: float) -> None:
        if len(self._buckets) >= self._sweep_at:
            self._buckets = {key: each for key, each in self._buckets.items() if not each.full(now)}
            self._sweep_at = max(1024, 2 * len(self._buckets))


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
