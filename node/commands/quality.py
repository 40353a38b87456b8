"""How good the sound of a call is, over the last seconds, in a line."""

from collections import deque

from media.stats import Stats

SECONDS = 3.0


class Quality:
    """Compare the figures of a call with those of a few seconds before."""

    def __init__(self) -> None:
        self._taken: deque[tuple[float, Stats]] = deque()

    def line(self, stats: Stats, now: float) -> str:
        """Return loss, jitter, delay and round trip as of now, in seconds; empty before any sound came."""
        while self._taken and now - self._taken[0][0] > SECONDS:
            self._taken.popleft()
        self._taken.append((now, stats))
        before = self._taken[0][1]
        came = stats.packets_received - before.packets_received
        lost = max(0, stats.packets_lost - before.packets_lost)
        if not came:
            return ""
        words = [f"loss {100 * lost / (came + lost):.0f} %", f"jitter {1000 * stats.jitter:.0f} ms"]
        if played := stats.jitter_buffer_emitted_count - before.jitter_buffer_emitted_count:
            waited = stats.jitter_buffer_delay - before.jitter_buffer_delay
            words.append(f"buffer {1000 * waited / played:.0f} ms")
        if stats.round_trip_time is not None:
            words.append(f"round trip {1000 * stats.round_trip_time:.0f} ms")
        return " · ".join(words)
