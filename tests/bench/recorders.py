"""Endpoints that record what they hear: callnode's way and aiortc's; and callers who cost next to nothing."""

import asyncio
import time
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import av
from aiortc.contrib.media import MediaRecorder
from aiortc.mediastreams import MediaStreamTrack
from av import AudioFrame

from media import sender
from media.audio import FRAME_SAMPLES, FRAME_SECONDS, Frame, level_dbfs
from media.opus import Encoder
from media.recorder import OggRecorder, profile
from media.source import SilenceSource
from node.voicemail.dialogue import Connected, Finished
from node.voicemail.script import Heard, Limits, Script
from signaling.mailboxes import Reception
from tests.bench.material import sentences
from tests.bench.parties import Call, Callnode, Ear, Stock

ENDLESS = Limits(silence=1e9, maximum=1e9)


def canned() -> list[bytes]:
    """Return 10 s of speech as Opus packets, as a caller's encoder makes them."""
    said = sentences(10.0).reshape(-1, FRAME_SAMPLES)
    with closing(Encoder()) as encoder:
        return [encoder.encode(frame) for frame in said]


class _Canned:
    """An encoder that has encoded everything before."""

    def __init__(self, packets: list[bytes]) -> None:
        self._packets = packets
        self._next = 0

    def encode(self, frame: Frame) -> bytes:
        self._next += 1
        return self._packets[self._next % len(self._packets)]

    def __getattr__(self, name: str) -> Any:
        return lambda *_, **__: None


class Caller(Callnode):
    """callnode's engine, saying packets that are encoded already: a caller's processor is not measured."""

    def __init__(self) -> None:
        super().__init__()
        packets = canned()
        setattr(sender, "Encoder", lambda: _Canned(packets))  # noqa: B010  mypy refuses to assign to it


class _Deposit(Ear):
    """The sink of a voicemail call: the level of frames for the script, packets for the recorder."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.recorder = OggRecorder(path)
        self._loop = asyncio.get_running_loop()
        self._script = Script(ENDLESS, Reception())
        for what in (Connected(), Finished(), Finished()):
            self._script.handle(what, self._loop.time())
        assert self._script.recording

    def write(self, frame: Frame) -> None:
        self._script.handle(Heard(level_dbfs(frame)), self._loop.time())
        super().write(frame)

    def packet(self, ssrc: int, sequence: int, timestamp: int, payload: bytes) -> None:
        self.recorder.packet(ssrc, sequence, timestamp, payload)


class Voicemail(Callnode):
    """callnode's engine with its recorder behind each call, as the voicemail service has it."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = TemporaryDirectory(prefix="callnode-bench-")
        self._deposits: list[_Deposit] = []

    def _open(self, call_id: str) -> None:
        super()._open(call_id)
        call, deposit = self.calls[call_id], _Deposit(Path(self._folder.name) / f"{call_id}.ogg")
        call.ear = deposit
        self._engine.set_source(call_id, SilenceSource())
        self._engine.set_sink(call_id, deposit)
        self._deposits.append(deposit)

    async def recorded(self) -> dict[str, object]:
        """End all recordings; return how many of the callers' packets are in them."""
        said = set(canned())
        for deposit in self._deposits:
            deposit.recorder.stop()
        count = 0
        for deposit in self._deposits:
            await asyncio.to_thread(deposit.recorder.close)
            with av.open(str(deposit.recorder.path), "r") as file:
                count += sum(bytes(packet) in said for packet in file.demux(audio=0))
        return {"packets": count}

    async def close(self) -> None:
        await super().close()
        self._folder.cleanup()


class _Passing(MediaStreamTrack):
    """A track that notes when its frames come."""

    kind = "audio"

    def __init__(self, track: MediaStreamTrack, call: Call) -> None:
        super().__init__()
        self._track = track
        self._call = call

    async def recv(self) -> AudioFrame:
        frame = await self._track.recv()
        assert isinstance(frame, AudioFrame)
        self._call.ear.times.append(time.monotonic())
        self._call.ear.sound.set()
        return frame


class StockRecorder(Stock):
    """aiortc with its MediaRecorder behind each call."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = TemporaryDirectory(prefix="callnode-bench-")
        self._recorders: list[tuple[Path, MediaRecorder]] = []

    async def answer(self, call_id: str, offer: str) -> str:
        sdp = await super().answer(call_id, offer)
        path = Path(self._folder.name) / f"{call_id}.ogg"
        recorder = MediaRecorder(str(path))
        [receiver] = self._connections[call_id].getReceivers()
        recorder.addTrack(_Passing(receiver.track, self.calls[call_id]))
        await recorder.start()
        self._recorders.append((path, recorder))
        return sdp

    def _heard(self, call_id: str, track: MediaStreamTrack) -> None:
        """Leave the track to the recorder."""

    async def recorded(self) -> dict[str, object]:
        """End all recordings; return how many packets' worth of sound is in them."""
        for _, recorder in self._recorders:
            await recorder.stop()
        return {"packets": sum(profile(path).duration for path, _ in self._recorders) / FRAME_SECONDS}

    async def close(self) -> None:
        await super().close()
        self._folder.cleanup()
