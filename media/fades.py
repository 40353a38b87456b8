"""Sounds put together of several origins, without a step or a thump where they meet. Pure."""

from collections import deque

import numpy as np

from media.audio import SILENCE, Frame, level_dbfs

FADE_SAMPLES = 240  # 5 ms

_EVEN_SAMPLES = 48  # 1 ms
_METER_FRAMES = 5  # 100 ms, so that a meter at 10 Hz misses nothing
_FALL = 1 - np.arange(_EVEN_SAMPLES, dtype=np.float32) / _EVEN_SAMPLES
_RISE = np.arange(FADE_SAMPLES, dtype=np.float32) / FADE_SAMPLES


class Joined:
    """Join frames; where the origin changes, the sound before it goes on and is faded over 5 ms."""

    def __init__(self) -> None:
        self._origin: object = None
        self._frames: deque[Frame] = deque([SILENCE], _METER_FRAMES)

    @property
    def level(self) -> float:
        """Return the RMS level of the last 100 ms in dBFS, -96.0 for silence."""
        return level_dbfs(np.concatenate(self._frames))

    def join(self, origin: object, frame: Frame) -> Frame:
        """Return the frame, faded in if it is the first of its origin; an origin is known by identity."""
        if origin is not self._origin:
            self._origin = origin
            frame = faded(frame, continued(self._frames[-1]))
        self._frames.append(frame)
        return frame


def faded(frame: Frame, tail: Frame) -> Frame:
    """Return a frame whose first 5 ms come out of `tail`, what would have been heard there otherwise."""
    joined = frame.copy()
    joined[:FADE_SAMPLES] = frame[:FADE_SAMPLES] * _RISE + tail[:FADE_SAMPLES] * (1 - _RISE)
    return joined


def continued(frame: Frame) -> Frame:
    """Return 5 ms that a frame could go on with: what came after its own past where that was most alike.

    What these places differ by is evened out over 1 ms: no step, and no thump.
    """
    sound = frame.astype(np.float32)
    windows = np.lib.stride_tricks.sliding_window_view(sound[:-FADE_SAMPLES], FADE_SAMPLES)
    alike = np.einsum("ij,ij->i", windows, windows) - 2 * (windows @ sound[-FADE_SAMPLES:])
    start = int(np.argmin(alike)) + FADE_SAMPLES
    return met(frame[start : start + FADE_SAMPLES], int(frame[-1]) - int(frame[start - 1]))


def met(sound: Frame, step: int) -> Frame:
    """Return a sound, of 1 ms or more, raised by `step` at its first sample and as it is after 1 ms."""
    raised = sound[:_EVEN_SAMPLES] + step * _FALL
    return np.concatenate((np.clip(raised, -32768, 32767).astype(np.int16), sound[_EVEN_SAMPLES:]))
