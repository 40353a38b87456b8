"""Real Opus packets, handed to a recorder as a call would, on a clock that the test moves."""

from contextlib import closing
from pathlib import Path

import numpy as np

from media.audio import FRAME_SAMPLES, SAMPLE_RATE
from media.opus import Encoder
from media.recorder import OggRecorder


def encoded(samples: np.ndarray) -> list[bytes]:
    """Return the packets of 20 ms of some sound, one more than it is long: it ends in the last one."""
    whole = np.zeros((len(samples) // FRAME_SAMPLES + 1) * FRAME_SAMPLES, np.int16)
    whole[: len(samples) // FRAME_SAMPLES * FRAME_SAMPLES] = samples[: len(whole) - FRAME_SAMPLES]
    with closing(Encoder()) as encoder:
        return [encoder.encode(frame) for frame in whole.reshape(-1, FRAME_SAMPLES)]


class Feed:
    """A recorder, and the sender of a stream whose packets come as they are said."""

    def __init__(self, part: Path) -> None:
        self.now = 0.0  # seconds
        self.ssrc = 1
        self.sequence = 65_530
        self.timestamp = 2**32 - 20 * FRAME_SAMPLES
        self.recorder = OggRecorder(
            part, tags={"title": "message", "artist": "alice"}, clock=lambda: self.now
        )

    def give(self, *packets: bytes, samples: int = FRAME_SAMPLES) -> None:
        """Hand over the next packets, each `samples` long, when the last of them was said."""
        for packet in packets:
            self.skip(samples)
            self.repeat(packet, -samples)

    def skip(self, samples: int = FRAME_SAMPLES) -> None:
        """Let the time of a packet pass."""
        self.now += samples / SAMPLE_RATE
        self.sequence += 1
        self.timestamp += samples

    def repeat(self, packet: bytes, samples: int, back: int = 1) -> None:
        """Hand over the packet of a number and a time before the current ones, now."""
        sequence, timestamp = self.sequence - back, self.timestamp + samples
        self.recorder.packet(self.ssrc, sequence & 0xFFFF, timestamp & 0xFFFFFFFF, packet)


def record(part: Path, samples: np.ndarray) -> OggRecorder:
    """Return a recorder to which the packets of some sound were handed."""
    feed = Feed(part)
    feed.give(*encoded(samples))
    feed.recorder.stop()
    return feed.recorder
