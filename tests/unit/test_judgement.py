"""What is said of a call by what was seen of it."""

from datetime import UTC, datetime

import pytest

from media.stats import Stats
from node.judgement import Device, DiagnosticQuality, Observed, media, network
from node.samples import AudioStats, MediaStatsReportSample, sample

pytestmark = pytest.mark.unit

GOOD, POOR, BAD = DiagnosticQuality.GOOD, DiagnosticQuality.POOR, DiagnosticQuality.BAD
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def seen(**figures: float) -> MediaStatsReportSample:
    """Return a second with 50 packets each way, but for what is given."""
    return sample(Stats(**({"packets_received": 50, "packets_sent": 50} | figures)), Stats(), 1.0, NOW)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "figures, receive, send",
    [
        ({}, GOOD, GOOD),
        ({"packets_lost": 1}, GOOD, GOOD),
        ({"packets_lost": 3}, POOR, GOOD),
        ({"packets_lost": 9}, BAD, GOOD),
        ({"jitter": 0.05}, POOR, GOOD),
        ({"jitter": 0.11}, BAD, GOOD),
        ({"remote_jitter": 0.05}, GOOD, POOR),
        ({"remote_jitter": 0.11}, GOOD, BAD),
        ({"round_trip_time": 0.5}, GOOD, POOR),
        ({"round_trip_time": 1.1}, GOOD, BAD),
        ({"packets_received": 3, "packets_lost": 2}, GOOD, GOOD),  # the other end pauses
    ],
)
def test_the_network_by_figures(
    figures: dict[str, float], receive: DiagnosticQuality, send: DiagnosticQuality
) -> None:
    said = network(Observed(connected=True, recent=seen(**figures)))
    assert (said["networkReceiveQuality"], said["networkSendQuality"]) == (receive, send)
    assert (said["networkReconnect"], said["noNetwork"]) == (GOOD, False)


def test_what_the_other_end_misses() -> None:
    missed = Observed(connected=True, recent=seen(), fraction_lost=0.2)
    assert network(missed)["networkSendQuality"] is BAD
    pauses = Observed(connected=True, recent=seen(packets_sent=3), fraction_lost=0.5)
    assert network(pauses)["networkSendQuality"] is GOOD


def test_a_lost_path_and_no_network_at_all() -> None:
    lost = network(Observed(connected=True, reconnecting=True, recent=seen()))
    assert (lost["networkReconnect"], lost["networkReceiveQuality"], lost["noNetwork"]) == (BAD, BAD, False)
    assert network(Observed(reconnecting=True, linked=False))["noNetwork"] is True
    assert network(Observed(linked=False))["noNetwork"] is False


def test_nothing_is_said_of_a_call_that_is_held_or_has_no_figures() -> None:
    for one in (Observed(recent=seen()), Observed(connected=True)):
        assert set(network(one)) == {"networkReconnect", "noNetwork"}
    empty = MediaStatsReportSample(NOW, AudioStats(), ())
    assert set(network(Observed(connected=True, recent=empty))) == {"networkReconnect", "noNetwork"}


@pytest.mark.parametrize(
    "microphone, said",
    [
        (None, None),
        ("works", None),
        ("none", "noMicrophoneDevicesEnumerated"),
        ("does not open", "microphoneNotFunctioning"),
        ("silent", "microphoneNotFunctioning"),
        ("fell silent", "microphoneMuteUnexpectedly"),
    ],
)
def test_the_microphone(microphone: Device | None, said: str | None) -> None:
    wrong = [name for name, value in media(Observed(microphone=microphone)).items() if value]
    assert wrong == ([] if said is None else [said])


def test_the_speaker_and_speaking_while_muted() -> None:
    assert media(Observed(speaker="none"))["noSpeakerDevicesEnumerated"]
    assert media(Observed(speaker="does not open"))["speakerNotFunctioning"]
    assert media(Observed(speaking_while_muted=True))["speakingWhileMicrophoneIsMuted"]
    assert not any(media(Observed(speaker="works")).values())
