"""Figures of a running call, named as in W3C webrtc-stats. Pure."""

from typing import Any

from msgspec import Struct
from msgspec.structs import replace

_SUMS = (
    "packets_received",
    "bytes_received",
    "packets_lost",
    "packets_discarded",
    "jitter_buffer_delay",
    "jitter_buffer_target_delay",
    "jitter_buffer_emitted_count",
    "total_samples_received",
    "concealed_samples",
    "silent_concealed_samples",
    "concealment_events",
    "inserted_samples_for_deceleration",
    "removed_samples_for_acceleration",
    "fec_packets_received",
    "fec_packets_discarded",
    "packets_sent",
    "bytes_sent",
    "retransmitted_packets_sent",
    "remote_packets_lost",
    "frames_late",
    "unknown_packets",
)


class Stats(Struct, frozen=True):
    """What a call has sent and received so far; times in seconds, levels in dBFS of the last frame.

    Sums are over the whole call, whatever paths it takes. The mean delay of the jitter buffer is
    `jitter_buffer_delay` by `jitter_buffer_emitted_count`, its target is `jitter_buffer_target_delay` by
    the same.
    """

    # inbound-rtp
    packets_received: int = 0
    bytes_received: int = 0
    packets_lost: int = 0  # that have not come, RFC 3550 §6.4.1
    packets_discarded: int = 0  # late or dropped to catch up
    jitter: float = 0.0
    jitter_buffer_delay: float = 0.0
    jitter_buffer_target_delay: float = 0.0
    jitter_buffer_emitted_count: int = 0
    total_samples_received: int = 0
    concealed_samples: int = 0
    silent_concealed_samples: int = 0  # pauses, and what has faded; in concealed_samples, too
    concealment_events: int = 0
    inserted_samples_for_deceleration: int = 0
    removed_samples_for_acceleration: int = 0
    fec_packets_received: int = 0  # with the sound of the one before a second time
    fec_packets_discarded: int = 0  # of these, of which it was not needed

    # outbound-rtp
    packets_sent: int = 0
    bytes_sent: int = 0
    retransmitted_packets_sent: int = 0  # sent again unasked, in no other count
    target_bitrate: int = 0  # bit/s
    expected_loss: int = 0  # percent that the encoder is set for
    fec: bool = False  # whether it sends FEC

    # remote-inbound-rtp: what the other end says of our stream; none until it has said so
    remote_packets_lost: int | None = None
    remote_fraction_lost: float | None = None
    remote_jitter: float | None = None
    round_trip_time: float | None = None

    # candidate-pair, codec
    current_round_trip_time: float | None = None
    mime_type: str = "audio/opus"
    payload_type: int = 0
    clock_rate: int = 48_000
    channels: int = 1  # that are sent; Opus is always negotiated as 2, RFC 7587 §7

    # of callnode
    audio_level_in: float = -96.0
    audio_level_out: float = -96.0
    frames_late: int = 0  # 20 ms slots, of either direction, for which the event loop came too late
    unknown_packets: int = 0  # malformed, or of payload types that were not negotiated
    microphone_underruns: int = 0  # how often the card had nothing when sound was due; 0 without a card
    speaker_underruns: int = 0  # as media-playout's synthesizedSamplesEvents

    def after(self, former: "Stats") -> "Stats":
        """Return the figures of a call that had others on the path before."""
        sums: dict[str, Any] = {}
        for name in _SUMS:
            known = [value for value in (getattr(former, name), getattr(self, name)) if value is not None]
            sums[name] = sum(known) if known else None
        return replace(self, **sums)
