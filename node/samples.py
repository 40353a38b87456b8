"""A second of a call in figures, named as in ACS MediaStats, from the figures of the whole call. Pure."""

from collections.abc import Sequence
from datetime import datetime
from typing import TypeVar

from msgspec import Struct
from msgspec.structs import replace

from media.stats import Stats

T = TypeVar("T", bound=Struct)

LEVEL = 65_536
_SILENT_DBFS = -96.0


class AudioSendStats(Struct, frozen=True):
    """What was sent; lost packets, jitter and round trip as the other end reports them (RTCP).

    `packets` and `packets_lost` are sums over the call, all else is of the time since the sample before.
    Levels go from 0 to 65536, full scale; None is not known yet.
    """

    codec_name: str
    bitrate: float
    packets: int
    packets_per_second: float
    packets_lost: int
    packets_lost_per_second: float
    jitter_in_ms: float | None
    rtt_in_ms: float | None
    audio_input_level: float


class AudioReceiveStats(Struct, frozen=True):
    """What was received, as in AudioSendStats; `healed_ratio` is the share of sound that was made up."""

    codec_name: str
    bitrate: float
    packets: int
    packets_per_second: float
    packets_lost: int
    packets_lost_per_second: float
    jitter_in_ms: float
    jitter_buffer_delay_in_ms: float | None
    audio_output_level: float
    healed_ratio: float


class TransportStats(Struct, frozen=True):
    """The path: how long a packet and its answer take together."""

    rtt_in_ms: float | None


class AudioStats(Struct, frozen=True):
    """The streams of a call: one each way."""

    send: tuple[AudioSendStats, ...] = ()
    receive: tuple[AudioReceiveStats, ...] = ()


class MediaStatsReportSample(Struct, frozen=True):
    """The event `sample_reported`: the figures of one second, or their means over several."""

    timestamp: datetime
    audio: AudioStats
    transports: tuple[TransportStats, ...]


def sample(now: Stats, before: Stats, seconds: float, timestamp: datetime) -> MediaStatsReportSample:
    """Return what has happened between two looks at a call, so many seconds apart."""
    codec = now.mime_type.partition("/")[2]
    round_trip = _milliseconds(now.round_trip_time)
    emitted = now.jitter_buffer_emitted_count - before.jitter_buffer_emitted_count
    waited = now.jitter_buffer_delay - before.jitter_buffer_delay
    samples = now.total_samples_received - before.total_samples_received
    healed = now.concealed_samples - now.silent_concealed_samples
    healed -= before.concealed_samples - before.silent_concealed_samples
    lost_there = now.remote_packets_lost or 0
    send = AudioSendStats(
        codec_name=codec,
        bitrate=_rate(8 * now.bytes_sent, 8 * before.bytes_sent, seconds),
        packets=now.packets_sent,
        packets_per_second=_rate(now.packets_sent, before.packets_sent, seconds),
        packets_lost=lost_there,
        packets_lost_per_second=_rate(lost_there, before.remote_packets_lost or 0, seconds),
        jitter_in_ms=_milliseconds(now.remote_jitter),
        rtt_in_ms=round_trip,
        audio_input_level=_level(now.audio_level_out),
    )
    receive = AudioReceiveStats(
        codec_name=codec,
        bitrate=_rate(8 * now.bytes_received, 8 * before.bytes_received, seconds),
        packets=now.packets_received,
        packets_per_second=_rate(now.packets_received, before.packets_received, seconds),
        packets_lost=now.packets_lost,
        packets_lost_per_second=_rate(now.packets_lost, before.packets_lost, seconds),
        jitter_in_ms=1000 * now.jitter,
        jitter_buffer_delay_in_ms=1000 * waited / emitted if emitted > 0 else None,
        audio_output_level=_level(now.audio_level_in),
        healed_ratio=min(1.0, healed / samples) if samples > 0 else 0.0,
    )
    transport = TransportStats(_milliseconds(now.current_round_trip_time))
    return MediaStatsReportSample(timestamp, AudioStats((send,), (receive,)), (transport,))


def together(samples: Sequence[MediaStatsReportSample]) -> MediaStatsReportSample:
    """Return one sample for several: sums, names and time of the last, means of all else."""
    last = samples[-1]
    audio = AudioStats(
        _each([one.audio.send for one in samples]), _each([one.audio.receive for one in samples])
    )
    return MediaStatsReportSample(last.timestamp, audio, _each([one.transports for one in samples]))


def _each(streams: Sequence[tuple[T, ...]]) -> tuple[T, ...]:
    return tuple(_mean(stream) for stream in zip(*streams, strict=True))


def _mean(parts: Sequence[T]) -> T:
    last = parts[-1]
    means = {}
    for name in last.__struct_fields__:
        values = [value for part in parts if isinstance(value := getattr(part, name), float)]
        if values:
            means[name] = sum(values) / len(values)
    return replace(last, **means)


def _rate(now: float, before: float, seconds: float) -> float:
    # Lost packets become less when one comes after all.
    return max(0.0, now - before) / seconds if seconds > 0 else 0.0


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else 1000 * seconds


def _level(dbfs: float) -> float:
    return LEVEL * 10 ** (dbfs / 20) if dbfs > _SILENT_DBFS else 0.0
