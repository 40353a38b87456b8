"""Whether somebody talks, from the level of each frame against the noise around it. Pure."""

import math

import numpy as np

from media.audio import Frame

_QUIETEST, _NOISIEST = -75.0, -40.0  # dBFS, between which the noise is looked for
_NOISE_FALL, _NOISE_RISE = 0.2, 0.06  # of the way down, and dB up, in a frame: 3 dB a second
_TALK_ABOVE, _PAUSE_ABOVE = 12.0, 6.0  # dB over the noise
_TALK_AT_LEAST = -50.0  # dBFS
_TALK_FRAMES = 3  # in a row: a click is none
_HANG_FRAMES = 25  # 0.5 s from the last sound to the end of talking


class Talking:
    """Hear frames, and know whether there is talk in them."""

    def __init__(self) -> None:
        self.speaking = False
        self._noise: float | None = None
        self._loud = 0
        self._hang = 0

    def hear(self, frame: Frame) -> bool:
        """Take the next frame; return whether `speaking` has changed with it."""
        sound = frame.astype(np.float32)
        power = float(np.dot(sound, sound)) / len(sound) / 32768.0**2
        level = 10.0 * math.log10(power + 1e-9)
        noise = level if self._noise is None else self._noise
        noise += (level - noise) * _NOISE_FALL if level < noise else _NOISE_RISE
        self._noise = noise = min(max(noise, _QUIETEST), _NOISIEST)
        start = max(noise + _TALK_ABOVE, _TALK_AT_LEAST)
        self._loud = self._loud + 1 if level > start else 0
        if self._loud >= _TALK_FRAMES or (self._hang and level > start - (_TALK_ABOVE - _PAUSE_ABOVE)):
            self._hang = _HANG_FRAMES
        else:
            self._hang = max(0, self._hang - 1)
        return self._set(self._hang > 0)

    def rest(self) -> bool:
        """Note that nothing is listened to now; return whether `speaking` has changed with it."""
        self._loud = self._hang = 0
        return self._set(False)

    def _set(self, speaking: bool) -> bool:
        changed, self.speaking = speaking is not self.speaking, speaking
        return changed
