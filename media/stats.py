"""Figures of a running call, named as in W3C webrtc-stats."""

from msgspec import Struct


class Stats(Struct, frozen=True):
    """What a call has sent and received so far; times in seconds, levels in dBFS of the last frame."""

    packets_sent: int = 0
    bytes_sent: int = 0
    packets_received: int = 0
    bytes_received: int = 0
    packets_lost: int = 0
    packets_discarded: int = 0  # late, duplicate or dropped to catch up
    jitter: float = 0.0
    round_trip_time: float | None = None  # none until the first RTCP report
    jitter_buffer_delay: float = 0.0
    concealed_samples: int = 0
    fec_packets_received: int = 0
    audio_level_in: float = -96.0
    audio_level_out: float = -96.0
    frames_late: int = 0  # 20 ms slots, of either direction, for which the event loop came too late
