"""The sounds a telephone makes by itself, each as samples to be said in a loop or once. Pure.

Call-progress tones are those of the country (ITU-T E.180 and its supplement 2), in the notation of such
plans: `480+620/500,0/500` is two frequencies together for 500 ms, then as much silence, over and over;
`400*16` is 400 Hz swelling at 16 Hz; without a length a tone goes on. Samples are int16, mono, 48 kHz.
"""

from enum import StrEnum
from functools import cache

import numpy as np
from numpy.typing import NDArray

from media.audio import SAMPLE_RATE
from media.dtmf import parse_digits

Samples = NDArray[np.int16]

TONE_DBFS = -20.0  # RMS, as loud as speech
MUSIC_DBFS = -28.0
RING_DBFS = -18.0

_EDGE_SECONDS = 0.005
_SWELL = 0.9
_MUSIC_RATE = 6_000  # twice the highest partial
_DIGIT_MS, _PAUSE_MS = 100, 60
_ROWS, _COLUMNS = (697, 770, 852, 941), (1209, 1336, 1477, 1633)  # ITU-T Q.23
_KEYS = "123A456B789C*0#D"


class Tone(StrEnum):
    """What a tone says to whom hears it."""

    DIAL = "dial"
    RINGBACK = "ringback"
    BUSY = "busy"
    CONGESTION = "congestion"
    CALL_WAITING = "call-waiting"
    INFORMATION = "information"  # the call cannot be put through
    END = "end"  # the other end has gone
    HOLD = "hold"  # comfort tone for whoever is held


_EVERYWHERE = {
    Tone.INFORMATION: "950/330,1400/330,1800/330,0/1000",
    Tone.END: "480/120,0/80,400/180,0/20",
    Tone.HOLD: "425/120,0/120,425/120,0/9640",
}

# dial, ringback, busy, congestion, call waiting
_PLANS = {
    "at": ("420", "420/1000,0/5000", "420/400,0/400", "420/200,0/200", "420/40,0/1960"),
    "au": (
        "413+438",
        "413+438/400,0/200,413+438/400,0/2000",
        "425/375,0/375",
        "425/375,0/375,420/375,0/375",
        "425/200,0/200,425/200,0/4400",
    ),
    "be": ("425", "425/1000,0/3000", "425/500,0/500", "425/167,0/167", "1400/175,0/175,1400/175,0/3500"),
    "br": ("425", "425/1000,0/4000", "425/250,0/250", "425/250,0/250,425/750,0/250", "425/50,0/1000"),
    "ch": ("425", "425/1000,0/4000", "425/500,0/500", "425/200,0/200", "425/200,0/200,425/200,0/4000"),
    "cn": ("450", "450/1000,0/4000", "450/350,0/350", "450/700,0/700", "450/400,0/4000"),
    "cz": (
        "425/330,0/330,425/660,0/660",
        "425/1000,0/4000",
        "425/330,0/330",
        "425/165,0/165",
        "425/330,0/9000",
    ),
    "de": ("425", "425/1000,0/4000", "425/480,0/480", "425/240,0/240", "425/200,0/200,425/200,0/5000"),
    "dk": ("425", "425/1000,0/4000", "425/500,0/500", "425/200,0/200", "425/200,0/600,425/200,0/3000"),
    "es": (
        "425",
        "425/1500,0/3000",
        "425/200,0/200",
        "425/200,0/200,425/200,0/200,425/200,0/600",
        "425/175,0/175,425/175,0/3500",
    ),
    "fi": ("425", "425/1000,0/4000", "425/300,0/300", "425/200,0/200", "425/150,0/150,425/150,0/8000"),
    "fr": ("440", "440/1500,0/3500", "440/500,0/500", "440/250,0/250", "440/300,0/10000"),
    "gb": (
        "350+440",
        "400+450/400,0/200,400+450/400,0/2000",
        "400/375,0/375",
        "400/400,0/350,400/225,0/525",
        "400/100,0/4000",
    ),
    "gr": (
        "425/200,0/300,425/700,0/800",
        "425/1000,0/4000",
        "425/300,0/300",
        "425/200,0/200",
        "425/150,0/150,425/150,0/8000",
    ),
    "hu": ("425", "425/1250,0/3750", "425/300,0/300", "425/300,0/300", "425/40,0/1960"),
    "in": (
        "400*25",
        "400*25/400,0/200,400*25/400,0/2000",
        "400/750,0/750",
        "400/250,0/250",
        "400/200,0/100,400/200,0/7500",
    ),
    "it": (
        "425/200,0/200,425/600,0/1000",
        "425/1000,0/4000",
        "425/500,0/500",
        "425/200,0/200",
        "425/400,0/100,425/250,0/100,425/150,0/14000",
    ),
    "jp": ("400", "400*16/1000,0/2000", "400/500,0/500", "400/500,0/500", "400*16/500,0/8000"),
    "mx": ("425", "425/1000,0/4000", "425/250,0/250", "425/250,0/250", "425/200,0/600,425/200,0/10000"),
    "nl": ("425", "425/1000,0/4000", "425/500,0/500", "425/250,0/250", "425/500,0/9500"),
    "no": ("425", "425/1000,0/4000", "425/500,0/500", "425/200,0/200", "425/200,0/600,425/200,0/10000"),
    "nz": (
        "400",
        "400+450/400,0/200,400+450/400,0/2000",
        "400/500,0/500",
        "400/250,0/250",
        "400/200,0/3000",
    ),
    "pl": ("425", "425/1000,0/4000", "425/500,0/500", "425/500,0/500", "425/150,0/150,425/150,0/4000"),
    "pt": ("425", "425/1000,0/5000", "425/500,0/500", "425/200,0/200", "440/300,0/10000"),
    "se": ("425", "425/1000,0/5000", "425/250,0/250", "425/250,0/750", "425/200,0/500,425/200,0/9100"),
    "us": ("350+440", "440+480/2000,0/4000", "480+620/500,0/500", "480+620/250,0/250", "440/300,0/10000"),
}
_ALIASES = {"uk": "gb", "ca": "us"}

COUNTRIES = tuple(sorted({*_PLANS, *_ALIASES}))


def check_country(code: str) -> str:
    """Return a country code (ISO 3166-1, `uk` too) in small letters; raises ValueError with the choices."""
    if code.lower() not in COUNTRIES:
        raise ValueError(f"there are no tones of {code!r}; there are those of {', '.join(COUNTRIES)}")
    return code.lower()


@cache
def tone(which: Tone, country: str = "us") -> Samples:
    """Return one turn of a tone of a country, read-only; raises ValueError for an unknown country."""
    if (notation := _EVERYWHERE.get(which)) is None:
        code = check_country(country)
        notation = _PLANS[_ALIASES.get(code, code)][tuple(Tone).index(which)]
    samples = cadence(notation)
    samples.flags.writeable = False
    return samples


def cadence(notation: str, level_dbfs: float = TONE_DBFS) -> Samples:
    """Return one turn of a cadence, which can follow itself without a break; the level is RMS in dBFS.

    What has a length begins and ends over 5 ms.
    """
    return np.concatenate([_part(*part.partition("/"), level_dbfs) for part in notation.split(",")])


def dtmf_tone(digits: str, level_dbfs: float = TONE_DBFS) -> Samples:
    """Return keypad digits as they sound (ITU-T Q.23); raises ValueError as `parse_digits` does."""
    places = [divmod(_KEYS.index(digit), 4) for digit in parse_digits(digits)]
    parts = [f"{_ROWS[row]}+{_COLUMNS[column]}/{_DIGIT_MS},0/{_PAUSE_MS}" for row, column in places]
    return cadence(",".join(parts), level_dbfs)


@cache
def ring() -> Samples:
    """Return one turn of what rings for an incoming call, read-only: two rising figures, then a rest."""
    figure = [
        (start, note, 1.2) for start, note in zip((0.0, 0.14, 0.28, 0.42), (76, 79, 84, 88), strict=True)
    ]
    again = [(0.8 + start, note, seconds) for start, note, seconds in figure]
    return _music([*figure, *again], 3.5, 4.0, RING_DBFS)


@cache
def hold_music() -> Samples:
    """Return one turn (19.2 s) of a soft piece for whoever is held, read-only: four broken chords."""
    chords = ((48, 55, 64, 67, 71), (45, 52, 60, 64, 67), (41, 53, 60, 64, 69), (43, 50, 59, 65, 69))
    order = (0, 1, 2, 3, 4, 3, 2, 3)
    score = [
        (4.8 * bar + 0.6 * beat, chord[voice], 3.0)
        for bar, chord in enumerate(chords)
        for beat, voice in enumerate(order)
    ]
    return _music(score, 19.2, 2.0, MUSIC_DBFS)


def _part(frequencies: str, _: str, milliseconds: str, level_dbfs: float) -> Samples:
    # A tone without a length is a second long: any whole number of hertz fits into it.
    count = int(milliseconds) * SAMPLE_RATE // 1000 if milliseconds else SAMPLE_RATE
    if frequencies == "0":
        return np.zeros(count, np.int16)
    time = np.arange(count) / SAMPLE_RATE
    carrier, _, swell = frequencies.partition("*")
    wave = np.sum([np.sin(2 * np.pi * float(hertz) * time) for hertz in carrier.split("+")], axis=0)
    if swell:
        wave *= 1 + _SWELL * np.sin(2 * np.pi * float(swell) * time)
    wave *= _gain(wave, level_dbfs)
    if milliseconds:
        wave *= np.clip(np.minimum(time, time[::-1]) / _EDGE_SECONDS, 0, 1)
    samples: Samples = np.rint(wave).astype(np.int16)
    return samples


def _music(score: list[tuple[float, int, float]], seconds: float, decay: float, level_dbfs: float) -> Samples:
    """Return notes (start, MIDI number, length in seconds) as a soft struck bar; tails go round."""
    turn = round(seconds * _MUSIC_RATE)
    sound = np.zeros(turn)
    for start, note, length in score:
        time = np.arange(round(length * _MUSIC_RATE)) / _MUSIC_RATE
        phase = 2 * np.pi * 440 * 2 ** ((note - 69) / 12) * time
        wave = np.sin(phase) + 0.3 * np.sin(2 * phase) * np.exp(-3 * time)
        wave *= np.exp(-decay * time) * np.minimum(time / 0.01, 1) * np.minimum((length - time) / 0.1, 1)
        sound[(round(start * _MUSIC_RATE) + np.arange(len(time))) % turn] += wave
    # Made at a low rate, for it is made while calls go on; a turn is periodic, so its spectrum is exact.
    full = np.fft.irfft(np.fft.rfft(sound), turn * SAMPLE_RATE // _MUSIC_RATE)
    samples: Samples = np.rint(full * _gain(full, level_dbfs)).astype(np.int16)
    samples.flags.writeable = False
    return samples


def _gain(wave: NDArray[np.float64], level_dbfs: float) -> float:
    return 32768 * 10 ** (level_dbfs / 20) / float(np.sqrt(np.mean(wave**2)))
