"""What is wrong with a call, as its user would say it, from what was observed of it. Pure."""

from enum import IntEnum
from typing import Literal

from msgspec import Struct

from node.samples import MediaStatsReportSample

DiagnosticName = Literal[
    "noNetwork",
    "networkReconnect",
    "networkReceiveQuality",
    "networkSendQuality",
    "speakingWhileMicrophoneIsMuted",
    "noMicrophoneDevicesEnumerated",
    "microphoneNotFunctioning",
    "microphoneMuteUnexpectedly",
    "noSpeakerDevicesEnumerated",
    "speakerNotFunctioning",
]
Device = Literal["works", "none", "does not open", "silent", "fell silent"]

FEW_PACKETS = 10.0  # a second, below which the end that sends pauses (DTX): a share of them says nothing
_POOR_LOSS, _BAD_LOSS = 0.03, 0.1
_POOR_JITTER, _BAD_JITTER = 40.0, 100.0  # ms
_POOR_ROUND_TRIP, _BAD_ROUND_TRIP = 400.0, 1000.0  # ms


class DiagnosticQuality(IntEnum):
    """How good something is (ACS DiagnosticQuality)."""

    GOOD = 1
    POOR = 2
    BAD = 3


Said = dict[DiagnosticName, bool | DiagnosticQuality]


class Observed(Struct, frozen=True):
    """What was seen of a call: `recent` are the figures of the last seconds, if there are any.

    `microphone` and `speaker` are None where the call uses something else. `linked` is whether the hub is
    there, `fraction_lost` what the other end says that it has missed of late.
    """

    connected: bool = False
    reconnecting: bool = False
    linked: bool = True
    speaking_while_muted: bool = False
    recent: MediaStatsReportSample | None = None
    fraction_lost: float | None = None
    microphone: Device | None = None
    speaker: Device | None = None


def network(seen: Observed) -> Said:
    """Return what can be said of the network; what is not in it stays as it was.

    Nothing can be said of a call that is not connected: on hold there is little to measure.
    """
    lost = DiagnosticQuality.BAD if seen.reconnecting else DiagnosticQuality.GOOD
    said: Said = {
        "networkReconnect": lost,
        "noNetwork": seen.reconnecting and not seen.linked,
    }
    if seen.recent is None or not seen.connected:
        return said
    for stream in seen.recent.audio.receive:
        expected = stream.packets_per_second + stream.packets_lost_per_second
        share = stream.packets_lost_per_second / expected if expected >= FEW_PACKETS else 0.0
        said["networkReceiveQuality"] = max(_quality(share, stream.jitter_in_ms), lost)
    for sent in seen.recent.audio.send:
        share = (seen.fraction_lost or 0.0) if sent.packets_per_second >= FEW_PACKETS else 0.0
        said["networkSendQuality"] = _quality(share, sent.jitter_in_ms or 0.0, sent.rtt_in_ms or 0.0)
    return said


def media(seen: Observed) -> Said:
    """Return what is to be said of microphone and speaker."""
    return {
        "speakingWhileMicrophoneIsMuted": seen.speaking_while_muted,
        "noMicrophoneDevicesEnumerated": seen.microphone == "none",
        "microphoneNotFunctioning": seen.microphone in ("does not open", "silent"),
        "microphoneMuteUnexpectedly": seen.microphone == "fell silent",
        "noSpeakerDevicesEnumerated": seen.speaker == "none",
        "speakerNotFunctioning": seen.speaker == "does not open",
    }


def _quality(share_lost: float, jitter: float, round_trip: float = 0.0) -> DiagnosticQuality:
    if share_lost > _BAD_LOSS or jitter > _BAD_JITTER or round_trip > _BAD_ROUND_TRIP:
        return DiagnosticQuality.BAD
    if share_lost > _POOR_LOSS or jitter > _POOR_JITTER or round_trip > _POOR_ROUND_TRIP:
        return DiagnosticQuality.POOR
    return DiagnosticQuality.GOOD
