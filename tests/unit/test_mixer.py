"""Mixes: what each party of a group hears, sample by sample, and that nobody who comes or goes clicks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.audio import FRAME_SAMPLES, SAMPLE_RATE, Frame
from media.fades import FADE_SAMPLES
from media.measure import level_dbfs
from media.mixer import Gain, Mixer, Party, mix, soft_clip
from media.speech import speech

pytestmark = pytest.mark.unit

TONES = (440.0, 700.0, 1000.0)


class Voice:
    """Say a tone into a party, and keep what it hears."""

    def __init__(self, party: Party, hertz: float = 440.0, amplitude: int = 6000) -> None:
        self.party = party
        self.heard: list[Frame] = []
        self._hertz = hertz
        self._amplitude = amplitude
        self._at = 0

    def say(self, count: int = 1) -> None:
        for _ in range(count):
            time = (self._at + np.arange(FRAME_SAMPLES)) / SAMPLE_RATE
            self.party.sink.write((self._amplitude * np.sin(2 * np.pi * self._hertz * time)).astype(np.int16))
            self._at += FRAME_SAMPLES

    def hear(self) -> Frame:
        self.heard.append(self.party.source.read())
        return self.heard[-1]


def talk(voices: list[Voice], slots: int) -> None:
    for _ in range(slots):
        for voice in voices:
            voice.say()
        for voice in voices:
            voice.hear()


def has(sound: Frame, hertz: float) -> bool:
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound))))
    at = round(hertz * len(sound) / SAMPLE_RATE)
    return bool(spectrum[at - 2 : at + 3].max() > 100 * len(sound))


def steepest(frames: list[Frame]) -> int:
    return int(np.abs(np.diff(np.concatenate(frames).astype(np.int32))).max())


def slope(*tones: tuple[float, int]) -> float:
    """Return the steepest step that the sum of tones (hertz, amplitude) has by itself, and a fade's."""
    return 1.3 * sum(
        amplitude * (2 * np.pi * hertz / SAMPLE_RATE + 2 / FADE_SAMPLES) for hertz, amplitude in tones
    )


def test_each_hears_the_others_and_not_itself() -> None:
    mixer = Mixer()
    voices = [Voice(mixer.join(), hertz) for hertz in TONES]
    talk(voices, 30)
    for at, voice in enumerate(voices):
        sound = np.concatenate(voice.heard[5:])
        assert [has(sound, hertz) for hertz in TONES] == [other != at for other in range(3)]
    one, two, three = (np.concatenate(voice.heard).astype(np.int32) for voice in voices)
    # 1+2, 2+3 and 1+3: each twice, so the sum of two less the third is twice one voice.
    own = (two + three - one) // 2
    time = np.arange(len(own)) / SAMPLE_RATE
    said = 6000 * np.sin(2 * np.pi * TONES[0] * time)
    assert np.abs(own - said)[FADE_SAMPLES:].max() <= 2


def test_alone_there_is_silence() -> None:
    voice = Voice(Mixer().join())
    talk([voice], 3)
    assert not np.concatenate(voice.heard).any()


def test_coming_and_going_does_not_click() -> None:
    mixer = Mixer()
    ear = Voice(mixer.join(), amplitude=0)
    others = [Voice(mixer.join(), hertz) for hertz in TONES[:2]]
    talk([ear, others[0]], 5)
    talk([ear, *others], 5)
    others[0].party.leave()
    others[0].party.leave()
    talk([ear, others[1]], 5)
    assert not others[0].party.source.read().any()
    others[0].say()
    talk([ear, others[1]], 5)
    assert mixer.parties == (ear.party, others[1].party)
    heard = [np.concatenate(ear.heard[start : start + 4]) for start in (1, 6, 12)]
    assert [[has(sound, hertz) for hertz in TONES[:2]] for sound in heard] == [
        [True, False],
        [True, True],
        [False, True],
    ]
    assert steepest(ear.heard) <= slope(*((hertz, 6000) for hertz in TONES[:2]))


def test_what_was_said_before_leaving_is_heard() -> None:
    mixer = Mixer()
    ear, voice = Voice(mixer.join(), amplitude=0), Voice(mixer.join())
    voice.say(4)
    voice.party.leave()
    talk([ear], 6)
    loud = [level_dbfs(frame) > -40 for frame in ear.heard]
    assert loud[:4] == [True] * 4 and not np.any(ear.heard[5])
    assert mixer.parties == (ear.party,)


def test_a_listener_hears_all() -> None:
    mixer = Mixer()
    ear, voice = mixer.join(), Voice(mixer.join())
    ear.sink.close()
    voice.say()
    assert ear.source.read().any() and not voice.hear().any()


def test_late_frames_do_not_click_and_then_are_awaited() -> None:
    mixer = Mixer()
    ear, voice = Voice(mixer.join(), amplitude=0), Voice(mixer.join(), 700.0)
    talk([ear, voice], 5)
    ear.say()
    ear.hear()  # the frame of the other is late
    voice.say()
    talk([ear, voice], 5)
    loud = [level_dbfs(frame) > -20 for frame in ear.heard]
    assert loud == [True] * 5 + [False] + [True] * 5
    assert steepest(ear.heard) <= slope((700.0, 6000))
    ear.hear()  # late again, and now there is one to spare
    assert level_dbfs(ear.heard[-1]) > -20


def test_what_waits_needlessly_is_let_go_softly() -> None:
    mixer = Mixer()
    ear, voice = Voice(mixer.join(), amplitude=0), Voice(mixer.join(), 700.0)
    voice.say(6)
    talk([ear, voice], 100)
    assert len(voice.party._waiting) == 2 - 1
    assert steepest(ear.heard) <= slope((700.0, 6000))
    voice.say(30)
    assert len(voice.party._waiting) <= 10
    talk([ear, voice], 5)
    assert steepest(ear.heard) <= slope((700.0, 6000))


def test_a_reader_that_comes_later_hears_every_slot_and_one_that_misses_some_goes_on_softly() -> None:
    mixer = Mixer()
    ear, voice, late = Voice(mixer.join(), amplitude=0), Voice(mixer.join()), Voice(mixer.join(), amplitude=0)
    for slot in range(30):
        voice.say()
        ear.hear()
        if slot > 0 and slot not in (10, 20, 21, 22):
            late.hear()
        if slot == 10 + 1:
            late.hear()  # both: the one it missed too
    begun, same = np.concatenate(late.heard[:18]), np.concatenate(ear.heard[1:19])
    assert np.array_equal(begun[FADE_SAMPLES:], same[FADE_SAMPLES:])
    assert len(late.heard) == 26
    assert steepest(late.heard) <= slope((440.0, 6000))
    assert np.array_equal(late.heard[-1], ear.heard[-1])


def test_the_active_speaker_is_who_talks_loudest_for_a_while() -> None:
    mixer = Mixer()
    parties = [mixer.join() for _ in range(3)]
    sounds = [speech(name).reshape(-1)[: 150 * FRAME_SAMPLES] for name in ("alice", "bob", "carol")]
    frames = [sound.reshape(-1, FRAME_SAMPLES) for sound in sounds]

    def slots(count: int, *loudness: float) -> None:
        for slot in range(count):
            for party, said, loud in zip(parties, frames, loudness, strict=True):
                party.sink.write((said[slot] * loud).astype(np.int16))
            parties[0].source.read()

    slots(5, 0, 0, 0)
    assert mixer.active_speaker is None
    slots(50, 0, 1, 0)
    assert mixer.active_speaker is parties[1] and parties[1].speaking and parties[1].level > -30
    slots(50, 0.05, 1, 0)
    assert mixer.active_speaker is parties[1]
    slots(50, 0, 0, 1)
    assert mixer.active_speaker is parties[2]
    slots(60, 0, 0, 0)
    assert mixer.active_speaker is None
    slots(50, 1, 0.01, 0)
    assert mixer.active_speaker is parties[0] and parties[1].level == pytest.approx(-60, abs=6)


def test_loud_voices_bend_and_keep_their_place() -> None:
    loud = np.full(FRAME_SAMPLES, 30_000, np.int16)
    soft = np.full(FRAME_SAMPLES, 5_000, np.int16)
    assert np.array_equal(mix([soft, soft, soft], FRAME_SAMPLES), 3 * soft)
    both = int(mix([loud, loud], FRAME_SAMPLES)[0])
    assert 30_000 < both <= 32_767
    assert int(mix([-loud, -loud], FRAME_SAMPLES)[0]) == -both
    assert mix([loud], FRAME_SAMPLES) is loud
    assert not mix([], 480).any()


@given(st.lists(st.integers(-(2**20), 2**20), min_size=1, max_size=50))
def test_bending_keeps_the_order_and_the_range(samples: list[int]) -> None:
    sound = np.array(sorted(samples), np.int32)
    bent = soft_clip(sound).astype(np.int32)
    assert np.all(np.diff(bent) >= 0) and np.all(np.abs(bent) <= 32_767)
    assert np.all(np.abs(bent) <= np.abs(sound)) and np.all(np.sign(bent) == np.sign(sound))


def test_a_gain_changes_without_a_click() -> None:
    gain = Gain()
    frame = np.full(FRAME_SAMPLES, 8_000, np.int16)
    assert gain.apply(frame) is frame
    heard = [frame]
    for volume in (0.5, 0.5, 0.0, 0.0, 2.0, 1.0, 1.0):
        gain.volume = volume
        assert gain.volume == volume
        heard.append(gain.apply(frame))
    assert [int(one[-1]) for one in heard] == [8000, 4000, 4000, 0, 0, 16_000, 8000, 8000]
    assert steepest(heard) <= 16_000 // FADE_SAMPLES + 2
    assert heard[-1] is frame
    gain.volume = 4.0
    assert 23_000 < int(gain.apply(frame)[-1]) <= 32_767
    for wrong in (-0.1, 4.1, float("nan")):
        with pytest.raises(ValueError, match="from 0 "):
            gain.volume = wrong


def test_a_gain_changes_within_a_block_shorter_than_a_fade() -> None:
    gain = Gain()
    gain.volume = 0.5
    heard = gain.apply(np.full(100, 8_000, np.int16))
    assert [len(heard), int(heard[0]), int(heard[-1])] == [100, 8_000, 4_000]
    assert int(gain.apply(np.full(100, 8_000, np.int16))[0]) == 4_000


def test_who_talks_is_told_the_dominant_one_first() -> None:
    told: list[int] = []
    mixer = Mixer(lambda: told.append(len(mixer.speakers)))
    loud, soft, still = mixer.join(), mixer.join(), mixer.join()
    voice = speech("alice")
    for at in range(0, len(voice) - 960, 960):
        frame = voice[at : at + 960]
        loud.sink.write(frame)
        soft.sink.write((frame // 4).astype(np.int16))
        still.sink.write(np.zeros(960, np.int16))
        for party in (loud, soft, still):
            party.source.read()
        if mixer.speakers == (loud, soft):
            break
    assert mixer.speakers == (loud, soft), told
    assert told[-1] == 2
