"""From packets to frames, in virtual time: what is heard of speech over networks good and bad."""

import random

import numpy as np
import pytest
from numpy.typing import NDArray

from media.audio import FRAME_SAMPLES, FRAME_SECONDS, SAMPLE_RATE, level_dbfs
from media.measure import correlation
from media.opus import Encoder
from media.playout import Counters, Playout
from media.speech import speech
from tests.e2e.media_pair import LOUD, Tone, hostile_packet, tone_dbfs
from tests.network import Heard, Network, latencies, listen, packets_of

pytestmark = pytest.mark.shell


def said(seconds: float) -> NDArray[np.int16]:
    sentence = speech("alice")
    return np.resize(sentence, round(seconds * SAMPLE_RATE))


def carried(
    seconds: float, network: Network, *, expected_loss: int = 0, lag: float = 0.0005
) -> tuple[Heard, Counters]:
    playout = Playout()
    heard = listen(playout, network.carry(packets_of(said(seconds), expected_loss)), lag)
    counters = playout.counters
    playout.close()
    playout.close()
    return heard, counters


def lost(seconds: float, network: Network) -> int:
    """Return how many of its packets a network loses."""
    sent = [b"packet"] * round(seconds / FRAME_SECONDS)
    return len(sent) - len(network.carry(sent))


@pytest.mark.parametrize("lag", [0.0005, 0.002])
def test_a_good_network_changes_nothing(lag: float) -> None:
    heard, counters = carried(10, Network(), lag=lag)
    assert correlation(heard.sound, said(10)) > 0.95
    assert counters.concealed_samples == 0
    assert counters.removed_samples_for_acceleration + counters.inserted_samples_for_deceleration < 2000
    assert counters.packets_discarded == 0
    assert counters.total_samples_received == len(heard.frames) * FRAME_SAMPLES
    assert counters.jitter_buffer_emitted_count >= counters.total_samples_received - 4 * FRAME_SAMPLES
    delay = counters.jitter_buffer_delay / counters.jitter_buffer_emitted_count
    target = counters.jitter_buffer_target_delay / counters.jitter_buffer_emitted_count
    assert 0 < target <= 0.011
    assert target - 0.005 < delay < target + 0.022


def test_a_loop_that_is_late_now_and_then_is_not_a_bad_network(seed: int) -> None:
    playout, chance = Playout(), random.Random(seed)
    arrivals = Network().carry(packets_of(said(20), 0))
    frames, due, coming = [], 0.0115, 0
    while coming < len(arrivals):
        late = 0.015 if chance.random() < 0.02 else chance.uniform(0, 0.001)
        while coming < len(arrivals) and arrivals[coming].time <= due + late:
            one = arrivals[coming]
            playout.put(1, one.sequence, one.timestamp, one.payload, one.time)
            coming += 1
        frames.append(playout.frame(due + late))
        due += 0.02 + playout.shift()
    counters = playout.counters
    playout.close()
    assert counters.concealed_samples < 5 * FRAME_SAMPLES
    assert counters.removed_samples_for_acceleration + counters.inserted_samples_for_deceleration < 5000
    assert correlation(np.concatenate(frames), said(20)) > 0.9


def test_losses_are_made_good_by_the_packet_after() -> None:
    network = Network(loss=0.05)
    heard, counters = carried(20, network, expected_loss=10)
    assert lost(20, network) > 30
    assert counters.fec_packets_received > 500
    assert counters.fec_packets_received - counters.fec_packets_discarded > 0.75 * lost(20, network)
    assert counters.concealed_samples < 0.5 * lost(20, network) * FRAME_SAMPLES
    assert counters.concealment_events > 0
    assert correlation(heard.sound, said(20)) > 0.8


def test_without_a_second_copy_losses_are_concealed() -> None:
    network = Network(loss=0.05)
    _, counters = carried(10, network)
    assert counters.fec_packets_received == 0
    assert counters.concealed_samples >= lost(10, network) * FRAME_SAMPLES > 0
    assert 0 < counters.concealment_events <= lost(10, network)


def test_the_delay_follows_the_jitter_and_comes_back() -> None:
    heard, counters = carried(30, Network(jitter=0.05, jitter_until=15.0))
    found = latencies(heard, said(30))
    rough = [latency for time, latency in found if 5 < time < 15]
    smooth = [latency for time, latency in found if time > 20]
    assert np.median(rough) < 0.085
    assert np.median(smooth) < 0.040
    assert counters.removed_samples_for_acceleration > 0


def test_order_and_duplicates_are_no_matter() -> None:
    heard, counters = carried(10, Network(jitter=0.03, duplicates=0.3))
    assert counters.packets_discarded < 10
    assert counters.concealed_samples < 20 * FRAME_SAMPLES
    assert correlation(heard.sound, said(10)) > 0.8


def test_a_stall_of_the_network_is_caught_up_with() -> None:
    heard, counters = carried(20, Network(stalls=((5.0, 5.3),)))
    assert counters.concealed_samples > 5 * FRAME_SAMPLES
    assert (
        0 < counters.silent_concealed_samples == counters.concealed_samples - 5 * FRAME_SAMPLES
    )  # has faded
    assert np.median([latency for time, latency in latencies(heard, said(20)) if time > 12]) < 0.040


def test_a_bad_network_makes_no_clicks() -> None:
    good, _ = carried(15, Network(), expected_loss=10)
    bad, counters = carried(15, Network(loss=0.1, jitter=0.03), expected_loss=10)
    assert counters.concealment_events > 10
    # The fourth difference of a step is three times as high as it is, that of a voice is small.
    clicks = [int(np.abs(np.diff(heard.sound.astype(np.int32), 4)).max()) for heard in (good, bad)]
    assert clicks[1] < 1.2 * clicks[0]


@pytest.mark.parametrize("ppm", [200.0, -200.0])
def test_clocks_apart_stay_together(ppm: float) -> None:
    heard, counters = carried(100, Network(drift_ppm=ppm))
    found = [(time, latency + time * ppm * 1e-6) for time, latency in latencies(heard, said(100))]
    assert max(latency for time, latency in found if time > 5) < 0.035
    assert counters.packets_discarded == 0
    assert counters.concealed_samples == 0
    # 100 s at 200 ppm are 20 ms, of which 10 go into when the frames are played.
    assert counters.inserted_samples_for_deceleration + counters.removed_samples_for_acceleration < 5000


def test_a_pause_is_comfort_noise_and_counted_as_silent() -> None:
    playout, encoder, tone = Playout(), Encoder(), Tone(500.0)
    encoder.set_dtx(True)
    for index in range(10):
        playout.put(1, index, 960 * index, encoder.encode(tone.read()), 0.02 * index)
        playout.frame(0.02 * index + 0.012)
    before = playout.counters.concealed_samples
    playout.put(1, 10, 9600, b"\x78", 0.2)
    frames = [playout.frame(0.212 + 0.02 * step) for step in range(20)]
    assert level_dbfs(frames[-1]) < -40
    assert playout.counters.silent_concealed_samples > 15 * FRAME_SAMPLES
    assert playout.counters.concealed_samples > before
    playout.close()
    encoder.close()


def test_a_keypad_digit_is_a_pause() -> None:
    playout, encoder, tone, frames = Playout(), Encoder(), Tone(500.0), []
    for index in range(100):
        if index % 25 in range(20, 24):
            playout.pass_over(1, index)
        else:
            playout.put(1, index, 960 * index, encoder.encode(tone.read()), 0.02 * index)
        frames.append(playout.frame(0.02 * index + 0.012))
    counters = playout.counters
    assert counters.concealed_samples == counters.silent_concealed_samples == 16 * FRAME_SAMPLES
    assert counters.jitter_buffer_emitted_count == 84 * FRAME_SAMPLES
    assert tone_dbfs(np.concatenate(frames[75:95]), 500.0) > LOUD
    playout.close()
    encoder.close()


def test_what_is_held_is_played_at_the_end() -> None:
    playout, encoder, tone = Playout(), Encoder(), Tone(500.0)
    frames = []
    for index in range(20):
        playout.put(1, index, 960 * index, encoder.encode(tone.read()), 0.02 * index)
        if index < 16:
            frames.append(playout.frame(0.02 * index + 0.012))
    frames += playout.drain(0.4)
    assert len(frames) >= 20
    assert tone_dbfs(np.concatenate(frames[16:20]), 500.0) > LOUD
    assert all(len(frame) == FRAME_SAMPLES for frame in frames)
    assert playout.drain(0.4) == []
    playout.close()
    encoder.close()


def test_thousands_of_hostile_packets_end_nothing(seed: int, caplog: pytest.LogCaptureFixture) -> None:
    chance, encoder, tone, playout = random.Random(seed), Encoder(), Tone(500.0), Playout()
    frames, number = [], 0
    for index in range(4200):
        number += 1 if chance.random() < 0.9 or index > 4000 else 2
        good = encoder.encode(tone.read())
        stamp = 960 * number if index > 4000 or chance.random() < 0.9 else chance.randrange(2**32)
        payload = hostile_packet(good, chance) if index < 4000 else good
        playout.put(1, number & 0xFFFF, stamp & 0xFFFFFFFF, payload, 0.02 * number)
        frames.append(playout.frame(0.02 * number + 0.012))
    assert tone_dbfs(np.concatenate(frames[4100:]), 500.0) > LOUD
    assert sum("not Opus" in record.getMessage() for record in caplog.records) == 1
    playout.close()
    encoder.close()
