import av
import numpy as np
import pytest

from media import measure
from media.audio import FRAME_SAMPLES, FRAME_SECONDS, SAMPLE_RATE
from media.source import ToneSource
from media.speech import speech

pytestmark = pytest.mark.shell

SENTENCES = {name: speech(name) for name in ("alice", "bob", "carol")}


def through_opus(samples: np.ndarray, bit_rate: int = 32_000, lost: float = 0.0) -> np.ndarray:
    """Return what a call makes of the samples: Opus, and silence for lost packets."""
    encoder = av.CodecContext.create("libopus", "w")
    encoder.sample_rate, encoder.layout, encoder.format = SAMPLE_RATE, "mono", "s16"
    encoder.bit_rate, encoder.options = bit_rate, {"application": "voip"}
    decoder = av.CodecContext.create("libopus", "r")
    decoder.sample_rate, decoder.layout = SAMPLE_RATE, "mono"
    resampler = av.AudioResampler("s16", "mono", SAMPLE_RATE)
    chance = np.random.default_rng(1)
    packets = []
    for at in range(0, len(samples) - FRAME_SAMPLES + 1, FRAME_SAMPLES):
        block = np.ascontiguousarray(samples[None, at : at + FRAME_SAMPLES])
        frame = av.AudioFrame.from_ndarray(block, format="s16", layout="mono")
        frame.sample_rate, frame.pts = SAMPLE_RATE, at
        packets += encoder.encode(frame)
    heard = []
    for packet in packets:
        if chance.random() < lost:
            heard.append(np.zeros(FRAME_SAMPLES, np.int16))
            continue
        for decoded in decoder.decode(packet):
            heard += [chunk.to_ndarray()[0] for chunk in resampler.resample(decoded)]
    return np.concatenate(heard)


def noisy(samples: np.ndarray, level_dbfs: float) -> np.ndarray:
    noise = np.random.default_rng(2).normal(0, 32768 * 10 ** (level_dbfs / 20), len(samples))
    return np.clip(samples + noise, -32768, 32767).astype(np.int16)


@pytest.mark.parametrize("name", SENTENCES)
def test_a_sentence_is_known_again_after_opus_noise_and_delay(name: str) -> None:
    heard = through_opus(np.resize(SENTENCES[name], 12 * SAMPLE_RATE)[30_000:])
    heard = np.concatenate((np.zeros(7_777, np.int16), noisy(heard, -60.0)))
    scores = {other: measure.correlation(heard, said) for other, said in SENTENCES.items()}
    assert scores.pop(name) > 0.9
    assert max(scores.values()) < 0.4
    assert measure.who(heard, SENTENCES) == name


@pytest.mark.parametrize("name", SENTENCES)
def test_half_a_second_is_enough_to_know_who_speaks(name: str) -> None:
    heard = through_opus(SENTENCES[name])
    half = SAMPLE_RATE // 2
    for at in range(0, len(heard) - half, half):
        assert measure.who(heard[at : at + half], SENTENCES) == name


@pytest.mark.parametrize("name", SENTENCES)
def test_loss_low_rates_gain_and_drift_leave_it_the_same_sentence(name: str) -> None:
    said = SENTENCES[name]
    heard = through_opus(said)
    drifting = np.interp(np.arange(0, len(heard) - 1, 1.0001), np.arange(len(heard)), heard)
    for changed in (
        through_opus(said, lost=0.05),
        through_opus(said, bit_rate=12_000),
        heard // 8,
        drifting.astype(np.int16),
    ):
        assert measure.correlation(changed, said) > 0.85


def test_silence_noise_tones_and_snippets_are_nobody() -> None:
    nothing = np.zeros(SAMPLE_RATE, np.int16)
    tone = ToneSource(300.0)
    for heard in (
        nothing,
        nothing[:0],
        nothing[:1000],
        noisy(nothing, -30.0),
        np.concatenate([tone.read() for _ in range(100)]),
        SENTENCES["bob"][:2000],
    ):
        assert measure.who(heard, {"alice": SENTENCES["alice"], "carol": SENTENCES["carol"]}) is None
    assert measure.who(SENTENCES["bob"], {}) is None
    assert measure.correlation(SENTENCES["bob"], nothing) == 0.0


def test_the_louder_of_two_voices_is_who_speaks() -> None:
    both = SENTENCES["alice"][:300_000] + SENTENCES["bob"][:300_000] // 4
    assert measure.who(both, SENTENCES) == "alice"


def test_the_delay_is_found_to_the_sample_and_through_opus_to_its_look_ahead() -> None:
    said = SENTENCES["carol"]
    late = np.concatenate((np.zeros(4_800, np.int16), said))
    assert measure.delay_seconds(late, said) == pytest.approx(0.1, abs=1e-6)
    assert measure.delay_seconds(said[4_800:], said) == pytest.approx(-0.1, abs=1e-6)
    assert measure.delay_seconds(through_opus(late), said) == pytest.approx(0.1065, abs=0.001)


def test_levels() -> None:
    tone = ToneSource(1000.0, -23.0)
    assert measure.level_dbfs(np.concatenate([tone.read() for _ in range(10)])) == pytest.approx(
        -23, abs=0.05
    )
    assert measure.level_dbfs(np.zeros(0, np.int16)) == measure.level_dbfs(np.zeros(5, np.int16)) == -96.0


def test_a_hole_is_measured_where_it_is_looked_for() -> None:
    sound = SENTENCES["alice"][: 4 * SAMPLE_RATE].copy()
    assert measure.longest_silence(sound) < 0.045
    sound[48_000:52_800] = 0
    sound[144_000:146_400] = 0
    assert measure.longest_silence(sound) == pytest.approx(0.1, abs=0.045)
    assert measure.longest_silence(through_opus(sound)) == pytest.approx(0.1, abs=0.045)
    assert measure.longest_silence(sound, within=(2.0, 4.0)) == pytest.approx(0.05, abs=0.045)
    assert measure.longest_silence(sound, within=(1.2, 2.8)) < 0.045
    assert measure.longest_silence(np.zeros(SAMPLE_RATE, np.int16)) == pytest.approx(1.0, abs=0.001)
    assert measure.longest_silence(sound, within=(9.0, 10.0)) == measure.longest_silence(sound[:5]) == 0.0


def test_time_without_frames_is_silence() -> None:
    tone, step = ToneSource(440.0), FRAME_SECONDS
    heard = [(7 + i * step, tone.read()) for i in range(200) if not 50 <= i < 100]
    times, frames = zip(*heard, strict=True)
    for start, end, silence in ((7.0, 11.0, 1.0), (7.0, 8.5, 0.5), (8.5, 10.0, 0.5), (8.2, 8.8, 0.6)):
        whole = measure.timeline(times, frames, start, end)
        assert len(whole) / SAMPLE_RATE == pytest.approx(end - start, abs=step)
        assert measure.longest_silence(whole) == pytest.approx(silence, abs=0.04)
    late = [at + 0.9 * step * (i % 2) for i, at in enumerate(times[:50])]
    assert measure.longest_silence(measure.timeline(late, frames[:50], 7.0, 8.0)) == 0.0


def test_the_first_sound_is_found() -> None:
    sound = np.concatenate((np.zeros(24_000, np.int16), SENTENCES["bob"]))
    found = measure.first_sound(sound)
    assert found is not None and found == pytest.approx(0.5, abs=0.02)
    assert measure.first_sound(noisy(np.zeros(SAMPLE_RATE, np.int16), -70.0)) is None
    assert measure.first_sound(sound[:0]) is None
