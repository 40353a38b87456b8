"""The tones of a telephone, judged by their spectrum, cadence and edges."""

import numpy as np
import pytest

from media.audio import SAMPLE_RATE
from media.dtmf import DIGITS
from media.measure import level_dbfs
from media.tones import (
    COUNTRIES,
    MUSIC_DBFS,
    RING_DBFS,
    TONE_DBFS,
    Samples,
    Tone,
    cadence,
    check_country,
    dtmf_tone,
    hold_music,
    ring,
    tone,
)

pytestmark = pytest.mark.unit

_SINE_STEP = 2 * np.pi / SAMPLE_RATE  # the steepest rise of a sine of amplitude 1 and 1 Hz


def peaks(samples: Samples, at_least: float = 0.1) -> list[int]:
    """Return the frequencies, to the hertz, that stand out of a second of sound."""
    spectrum = np.abs(np.fft.rfft(np.resize(samples, SAMPLE_RATE) * np.hanning(SAMPLE_RATE)))
    high = spectrum > at_least * spectrum.max()
    tops = high[1:-1] & (spectrum[1:-1] >= spectrum[:-2]) & (spectrum[1:-1] > spectrum[2:])
    return [int(at) + 1 for at in np.flatnonzero(tops)]


def bursts(samples: Samples) -> list[int]:
    """Return how many milliseconds of sound and silence follow each other."""
    loud = np.abs(samples.reshape(-1, SAMPLE_RATE // 1000)).max(axis=1) > 0
    edges = np.flatnonzero(np.diff(loud.astype(int))) + 1
    return [int(length) for length in np.diff([0, *edges, len(loud)])]


def steepest(samples: Samples) -> int:
    """Return the greatest step between samples, from the last one to the first too."""
    return int(np.abs(np.diff(np.append(samples, samples[0]).astype(np.int32))).max())


@pytest.mark.parametrize(
    ("country", "hertz", "rhythm"),
    [
        ("us", [440, 480], [2000, 4000]),
        ("gb", [400, 450], [400, 200, 400, 2000]),
        ("de", [425], [1000, 4000]),
        ("fr", [440], [1500, 3500]),
        ("jp", [384, 400, 416], [1000, 2000]),
    ],
)
def test_ringback_is_that_of_the_country(country: str, hertz: list[int], rhythm: list[int]) -> None:
    samples = tone(Tone.RINGBACK, country)
    assert bursts(samples) == rhythm
    assert peaks(samples[480 : rhythm[0] * 48 - 480]) == hertz
    assert level_dbfs(samples[480 : rhythm[0] * 48 - 480]) == pytest.approx(TONE_DBFS, abs=0.1)


def test_a_tone_without_an_end_is_a_seamless_second() -> None:
    samples = tone(Tone.DIAL, "us")
    assert len(samples) == SAMPLE_RATE
    assert peaks(samples) == [350, 440]
    assert level_dbfs(samples) == pytest.approx(TONE_DBFS, abs=0.01)


@pytest.mark.parametrize("country", COUNTRIES)
def test_no_tone_clicks(country: str) -> None:
    for which in Tone:
        samples = tone(which, country)
        amplitude = int(np.abs(samples.astype(np.int32)).max())
        assert 1000 < amplitude < 12_000, which
        assert steepest(samples) <= 1.05 * amplitude * 1850 * _SINE_STEP + 12, which
        quiet = samples[0] == 0 and abs(int(samples[-1])) < 1000
        assert quiet, which


def test_edges_rise_over_5_ms() -> None:
    samples = cadence("1000/100,0/100")
    size = np.abs(samples.astype(np.int32))
    top = size.max()
    assert size[:120].max() < 0.55 * top and size[4680:4800].max() < 0.55 * top
    assert size[240:4560].max() == top
    assert bursts(samples) == [100, 100]


def test_a_country_is_chosen_by_its_code() -> None:
    assert tone(Tone.BUSY, "UK") is not tone(Tone.BUSY, "us")
    assert np.array_equal(tone(Tone.BUSY, "uk"), tone(Tone.BUSY, "GB"))
    assert check_country("Us") == "us"
    for unknown in ("xx", ""):
        with pytest.raises(ValueError, match="those of at, au, be"):
            tone(Tone.BUSY, unknown)


def test_digits_sound_as_on_a_keypad() -> None:
    samples = dtmf_tone("".join(sorted(DIGITS)))
    assert bursts(samples) == [100, 60] * 16
    rows, columns = [697, 770, 852, 941], [1209, 1336, 1477, 1633]
    for at, digit in enumerate(sorted(DIGITS)):
        key = "123A456B789C*0#D".index(digit)
        burst = samples[at * 7680 + 480 : at * 7680 + 4320]
        # 80 ms tell frequencies 12.5 Hz apart.
        spectrum = np.abs(np.fft.rfft(burst * np.hanning(len(burst)), SAMPLE_RATE))
        assert abs(int(spectrum[:1000].argmax()) - rows[key // 4]) < 3
        assert abs(1000 + int(spectrum[1000:2000].argmax()) - columns[key % 4]) < 3
    with pytest.raises(ValueError, match="keypad"):
        dtmf_tone("1+2")


@pytest.mark.parametrize(("samples", "level"), [(ring(), RING_DBFS), (hold_music(), MUSIC_DBFS)])
def test_music_is_soft_and_goes_round(samples: Samples, level: float) -> None:
    assert level_dbfs(samples) == pytest.approx(level, abs=0.1)
    size = int(np.abs(samples.astype(np.int32)).max())
    assert size < 24_000
    assert steepest(samples) <= size * 2700 * _SINE_STEP
    assert not samples.flags.writeable
