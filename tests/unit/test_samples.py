"""A second of a call, from the sums over the call."""

from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from media.stats import Stats
from node.samples import AudioStats, MediaStatsReportSample, sample, together

pytestmark = pytest.mark.unit

NOW = datetime(2026, 1, 1, tzinfo=UTC)
BEFORE = Stats(
    packets_received=100,
    bytes_received=10_000,
    packets_lost=2,
    jitter_buffer_delay=1.0,
    jitter_buffer_emitted_count=4_800,
    total_samples_received=96_000,
    concealed_samples=2_000,
    silent_concealed_samples=1_000,
    packets_sent=90,
    bytes_sent=9_000,
)
AFTER = Stats(
    packets_received=200,
    bytes_received=20_000,
    packets_lost=6,
    jitter=0.012,
    jitter_buffer_delay=1.0 + 0.03 * 96_000,
    jitter_buffer_emitted_count=4_800 + 96_000,
    total_samples_received=192_000,
    concealed_samples=12_600,
    silent_concealed_samples=2_000,
    packets_sent=190,
    bytes_sent=19_000,
    remote_packets_lost=8,
    remote_jitter=0.02,
    round_trip_time=0.05,
    current_round_trip_time=0.04,
    audio_level_in=-20.0,
    audio_level_out=-96.0,
)


def test_rates_are_of_the_time_between() -> None:
    taken = sample(AFTER, BEFORE, 2.0, NOW)
    [send], [receive], [transport] = taken.audio.send, taken.audio.receive, taken.transports
    assert taken.timestamp == NOW
    assert (send.codec_name, send.bitrate, send.packets, send.packets_per_second) == ("opus", 40_000, 190, 50)
    assert (send.packets_lost, send.packets_lost_per_second) == (8, 4)
    assert (send.jitter_in_ms, send.rtt_in_ms, send.audio_input_level) == (20, 50, 0)
    assert (receive.bitrate, receive.packets, receive.packets_per_second) == (40_000, 200, 50)
    assert (receive.packets_lost, receive.packets_lost_per_second, receive.jitter_in_ms) == (6, 2, 12)
    assert receive.jitter_buffer_delay_in_ms == pytest.approx(30)
    assert receive.audio_output_level == pytest.approx(6_553.6)
    assert receive.healed_ratio == pytest.approx(9_600 / 96_000)
    assert transport.rtt_in_ms == 40


def test_what_is_not_known_yet_is_none() -> None:
    taken = sample(Stats(), Stats(), 1.0, NOW)
    [send], [receive] = taken.audio.send, taken.audio.receive
    assert (send.jitter_in_ms, send.rtt_in_ms, receive.jitter_buffer_delay_in_ms) == (None, None, None)
    assert (receive.healed_ratio, taken.transports[0].rtt_in_ms) == (0, None)


def test_a_lost_packet_that_came_after_all_and_no_time_at_all() -> None:
    taken = sample(BEFORE, replace(BEFORE, packets_lost=3), 1.0, NOW)
    assert taken.audio.receive[0].packets_lost_per_second == 0
    assert sample(AFTER, BEFORE, 0.0, NOW).audio.send[0].bitrate == 0


def test_several_are_their_means_and_the_last_sums() -> None:
    first, last = sample(BEFORE, Stats(), 1.0, NOW), sample(AFTER, BEFORE, 1.0, NOW)
    both = together([first, last])
    [send], [receive] = both.audio.send, both.audio.receive
    assert (send.codec_name, send.packets, send.packets_per_second) == ("opus", 190, 95)
    assert (receive.packets_lost, receive.packets_lost_per_second) == (6, 3)
    assert (send.rtt_in_ms, receive.jitter_in_ms) == (50, 6)
    assert together([last]) == last
    assert together([MediaStatsReportSample(NOW, AudioStats(), ())]).audio.send == ()
