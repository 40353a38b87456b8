"""An endpoint in a process of its own: `python -m tests.bench.peer callnode|stock`.

It is told what to do by lines of JSON on its standard input, and answers each with one. wrtc/peer.mjs is the
same for libwebrtc.
"""

import asyncio
import cProfile
import io
import json
import os
import pstats
import sys
import time
from collections.abc import Iterable
from inspect import isawaitable
from pathlib import Path
from typing import Any

import numpy as np

from tests.bench.network import Fates, impaired
from tests.bench.parties import Callnode, Party, Stock, lateness
from tests.bench.recorders import Caller, StockRecorder, Voicemail

KINDS: dict[str, type[Party]] = {
    "callnode": Callnode,
    "stock": Stock,
    "caller": Caller,
    "voicemail": Voicemail,
    "stock-recorder": StockRecorder,
}
LINE_BYTES = 1 << 22


class Commands:
    """What a peer can be told; each command returns what is answered."""

    def __init__(self, party: Party, fates: Fates) -> None:
        self._party = party
        self._fates = fates
        self._profile: cProfile.Profile | None = None

    async def offer(self, call: str) -> dict[str, object]:
        at = time.monotonic()
        return {"sdp": await self._party.offer(call), "at": at}

    async def answer(self, call: str, sdp: str) -> dict[str, object]:
        return {"sdp": await self._party.answer(call, sdp)}

    async def apply(self, call: str, sdp: str) -> dict[str, object]:
        await self._party.apply(call, sdp)
        return {}

    async def heard(self, call: str) -> dict[str, object]:
        """Wait for sound; return when its first frame came."""
        ear = self._party.calls[call].ear
        await ear.sound.wait()
        return {"first": ear.first}

    async def hang_up(self, call: str) -> dict[str, object]:
        await self._party.hang_up(call)
        return {}

    async def say(self, pcm: str, loop: bool, fates: list[float] | None = None) -> dict[str, object]:
        """Say a file of samples into every call, through the network that these fates are."""
        samples = np.fromfile(pcm, np.int16)
        if fates is not None:
            self._fates.begin(fates)
        for call in self._party.calls.values():
            call.mouth.say(samples, loop=loop)
        return {}

    async def record(self, keep: bool) -> dict[str, object]:
        """Begin to note when frames come, and to keep them if asked."""
        for call in self._party.calls.values():
            del call.mouth.times[:], call.ear.times[:]
            call.ear.frames = [] if keep else None
        return {}

    def save(self, call: str, path: str) -> dict[str, object]:
        """Write what was recorded: the times of frames said and heard, and the frames heard."""
        one = self._party.calls[call]
        np.array(one.mouth.times).tofile(path + ".said")
        frames, one.ear.frames = one.ear.frames or [], None
        np.array(one.ear.times).tofile(path + ".times")
        np.concatenate([np.zeros(0, np.int16), *frames]).tofile(path + ".pcm")
        return {"met": self._fates.met, "lost": self._fates.lost, "late": self._late()["mouth"]}

    async def usage(self) -> dict[str, object]:
        """Return the processor time so far, and how late frames were since `record`."""
        return {"cpu": time.process_time(), "at": time.monotonic(), **self._late()}

    async def recorded(self) -> dict[str, object]:
        """End all recordings; return what is in them."""
        assert isinstance(self._party, Voicemail | StockRecorder)
        return dict(await self._party.recorded())

    def pin(self, core: int) -> dict[str, object]:
        """Run on one core alone."""
        for thread in Path("/proc/self/task").iterdir():
            os.sched_setaffinity(int(thread.name), {core})
        return {}

    def profile(self, path: str | None) -> dict[str, object]:
        """Begin to profile, or end it and write what took longest."""
        if path is None:
            self._profile = cProfile.Profile(time.thread_time)
            self._profile.enable()
        elif self._profile is not None:
            self._profile.disable()
            text = io.StringIO()
            pstats.Stats(self._profile, stream=text).sort_stats("tottime").print_stats(40)
            Path(path).write_text(text.getvalue(), encoding="utf-8")
        return {}

    def _late(self) -> dict[str, dict[str, float]]:
        calls = self._party.calls.values()
        return {
            "mouth": _summary(lateness(call.mouth.times) for call in calls)
            | {"frames": sum(len(call.mouth.times) for call in calls)},
            "ear": _summary(lateness(call.ear.times) for call in calls)
            | {"frames": sum(len(call.ear.times) for call in calls)},
        }


def _summary(found: Iterable[tuple[int, float]]) -> dict[str, float]:
    all_found = list(found)
    return {
        "late": sum(late for late, _ in all_found),
        "worst_ms": max((worst for _, worst in all_found), default=0.0) * 1000,
    }


async def serve(kind: str) -> None:
    reader = asyncio.StreamReader(limit=LINE_BYTES)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    party, fates = KINDS[kind](), Fates()
    commands = Commands(party, fates)
    with impaired(fates.of):
        while line := await reader.readline():
            request: dict[str, Any] = json.loads(line)
            try:
                answer = getattr(commands, request.pop("do"))(**request)
                if isawaitable(answer):
                    answer = await answer
            except Exception as error:
                answer = {"error": f"{type(error).__name__}: {error}"}
            print(json.dumps(answer), flush=True)
        await party.close()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1]))
