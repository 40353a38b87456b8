"""How much to send, and how well protected, by what the other end reports (RFC 3550 §6.4). Pure.

Loss alone is answered with FEC, not with fewer bits: what a radio link loses does not come back for being
sent less, and FEC needs the bits. A path that does not fill up carries each packet twice, 20 ms apart: then
bursts of two are made good. Only loss beyond that, or a path that fills up, cuts the bitrate.
"""

from math import ceil

from msgspec import Struct

MIN_BITRATE = 16_000
MAX_BITRATE = 64_000

_LEAST_EXPECTED, _MOST_EXPECTED = 10, 20  # percent; libopus leaves FEC out at low bitrates if it expects less
_RELEASE_SECONDS = 10.0  # without loss, until FEC goes
_REPEATED_RELEASE_SECONDS = 30.0  # most loss is made good then, and not reported
_MOST_REPEATED = 0.1  # of loss, from which on it is not tried, or no help
_MOST_JITTER = 0.010  # seconds, with which a repetition is as likely to be late as in time
_LOSS_SECONDS = 3.0  # over which loss is averaged: one report covers too few packets
_TOO_LOSSY = 0.2  # of a path that loses 12 % by chance, 3 s show less, all but once in a thousand
_BROKEN = 0.5  # in one report
_QUEUED_SECONDS = 0.15  # of round trip above its base
_QUEUED_AND_LOSSY_SECONDS = 0.08
_BASE_RISE = 0.005  # seconds a second, so that a longer path becomes the base
_CUT = 0.7
_HOLD_SECONDS = 5.0  # from a cut to the first rise
_RISE = 2_000  # bit/s a second


class Report(Struct, frozen=True):
    """What a receiver reports of our stream: shares from 0 to 1, times in seconds."""

    fraction_lost: float
    packets_lost: int
    jitter: float
    round_trip_time: float | None


class Target(Struct, frozen=True):
    """How to encode: bit/s, percent, and whether to send FEC, and each packet twice."""

    bitrate: int = MAX_BITRATE
    expected_loss: int = 0
    fec: bool = False
    repeat: bool = False


class Rate:
    """Turn the reports of a call into targets."""

    def __init__(self) -> None:
        self.target = Target()
        self._bitrate = float(MAX_BITRATE)
        self._loss = 0.0  # averaged
        self._protected = 0.0  # the loss FEC is made for: rises at once, falls slowly
        self._last: float | None = None
        self._lost_at: float | None = None
        self._cut_at: float | None = None
        self._base: float | None = None
        self._round_trip = 0.0

    def report(self, report: Report, now: float) -> Target:
        """Take a report, at `now` seconds; return the target from now on."""
        elapsed = min(_LOSS_SECONDS, now - self._last) if self._last is not None else 0.0
        self._last = now
        self._loss += (report.fraction_lost - self._loss) * elapsed / _LOSS_SECONDS
        fallen = self._protected * (1 - elapsed / _RELEASE_SECONDS)
        self._protected = max(report.fraction_lost, self._loss, fallen)
        if report.fraction_lost > 0:
            self._lost_at = now
        queued = self._queued(report.round_trip_time, elapsed)
        self._adapt(report.fraction_lost, queued, elapsed, now)
        release = _REPEATED_RELEASE_SECONDS if self.target.repeat else _RELEASE_SECONDS
        fec = self._lost_at is not None and now - self._lost_at < release
        steady = self._bitrate == MAX_BITRATE and report.jitter <= _MOST_JITTER
        repeat = fec and steady and self._loss <= _MOST_REPEATED
        expected = min(_MOST_EXPECTED, max(_LEAST_EXPECTED, ceil(100 * self._protected))) if fec else 0
        self.target = Target(round(self._bitrate), expected, fec, repeat)
        return self.target

    def _adapt(self, lost: float, queued: float, elapsed: float, now: float) -> None:
        if (
            self._loss > _TOO_LOSSY
            or lost > _BROKEN
            or queued > _QUEUED_SECONDS
            or (lost > 0 and queued > _QUEUED_AND_LOSSY_SECONDS)
        ):
            self._bitrate = max(MIN_BITRATE, self._bitrate * _CUT)
            self._cut_at = now
        elif self._cut_at is None or now - self._cut_at >= _HOLD_SECONDS:
            self._bitrate = min(MAX_BITRATE, self._bitrate + _RISE * elapsed)

    def _queued(self, round_trip: float | None, elapsed: float) -> float:
        """Return how far the round trip is above its base, smoothed over two reports."""
        if round_trip is None:
            return 0.0
        if self._base is None:
            self._base = self._round_trip = round_trip
        self._base = min(round_trip, self._base + _BASE_RISE * elapsed)
        self._round_trip += (round_trip - self._round_trip) / 2
        return self._round_trip - self._base
