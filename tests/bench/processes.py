"""Peers in processes of their own, and the calls between them."""

import asyncio
import json
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray
from platformdirs import user_cache_path

from tests.bench.peer import KINDS, LINE_BYTES
from tests.bench.report import console

WRTC = "libwebrtc"
DEADLINE = 30.0  # seconds for any one answer
INSTALL = ("npm", "install", "--no-audit", "--no-fund", "--loglevel=error", "--fetch-retries=1")
INSTALL_SECONDS = 300
LOAD = ("node", "--eval", "require('@roamhq/wrtc')")


class Peer:
    """A process that is told what to do, one line of JSON after another."""

    def __init__(self, kind: str, process: asyncio.subprocess.Process) -> None:
        self.kind = kind
        self._process = process

    async def ask(self, do: str, **arguments: object) -> dict[str, Any]:
        """Return the answer to a command; raises RuntimeError when it fails there, TimeoutError."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps({"do": do, **arguments}).encode() + b"\n")
        try:
            async with asyncio.timeout(DEADLINE):
                line = await self._process.stdout.readline() or b'{"error": "it died"}'
        except TimeoutError:
            raise TimeoutError(f"{self.kind}: {do}: no answer within {DEADLINE:.0f} s") from None
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise RuntimeError(f"{self.kind}: {do}: {answer['error']}")
        return answer


@asynccontextmanager
async def peer(kind: str) -> AsyncIterator[Peer]:
    """Start a peer: callnode, stock, or libwebrtc, which must be there (see `wrtc_folder`)."""
    if kind in KINDS:
        command = [sys.executable, "-m", "tests.bench.peer", kind]
    else:
        command = ["node", str(Path(__file__).with_name("wrtc") / "peer.mjs"), str(wrtc_folder())]
    process = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=LINE_BYTES
    )
    assert process.stdin is not None
    try:
        yield Peer(kind, process)
    finally:
        process.stdin.close()
        try:
            async with asyncio.timeout(DEADLINE):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


@asynccontextmanager
async def pair(caller: str, callee: str) -> AsyncIterator[tuple[Peer, Peer]]:
    """Start two peers."""
    async with peer(caller) as a, peer(callee) as b:
        yield a, b


async def connect(caller: Peer, callee: Peer, call: str) -> float:
    """Connect two peers; return the ms from the offer asked for to sound heard at both ends."""
    offer = await caller.ask("offer", call=call)
    answer = await callee.ask("answer", call=call, sdp=offer["sdp"])
    await caller.ask("apply", call=call, sdp=answer["sdp"])
    heard = await asyncio.gather(caller.ask("heard", call=call), callee.ask("heard", call=call))
    return (max(float(one["first"]) for one in heard) - float(offer["at"])) * 1000


class Heard(Struct, frozen=True):
    """What became of samples said into a call: when each frame was handed over; when and what was heard."""

    said_times: NDArray[np.float64]
    times: NDArray[np.float64]
    samples: NDArray[np.int16]
    packets: int  # that met their fate
    lost: int
    late_frames: int  # of what was said, at either end: a sign that the machine was disturbed
    worst_ms: float

    @property
    def disturbed(self) -> bool:
        """Return whether the machine kept the speaker waiting, so that the figures are not the receiver's."""
        return self.late_frames > 0.01 * len(self.said_times) or self.worst_ms > 40


async def converse(
    caller: str,
    callee: str,
    said: NDArray[np.int16],
    folder: Path,
    fates: list[float],
    ready: asyncio.Barrier,
) -> Heard:
    """Say samples into a fresh call through a network, once all are ready, and return what is heard."""
    said.tofile(folder / "said.pcm")
    async with pair(caller, callee) as (a, b):
        await connect(a, b, "x")
        await ready.wait()
        await asyncio.gather(a.ask("record", keep=False), b.ask("record", keep=True))
        await a.ask("say", pcm=str(folder / "said.pcm"), loop=False, fates=fates)
        await asyncio.sleep(len(said) / 48_000 + 1.5)
        sent, got = await asyncio.gather(
            a.ask("save", call="x", path=str(folder / "a")), b.ask("save", call="x", path=str(folder / "b"))
        )
    return Heard(
        said_times=np.fromfile(folder / "a.said"),
        times=np.fromfile(folder / "b.times"),
        samples=np.fromfile(folder / "b.pcm", np.int16),
        packets=sent["met"],
        lost=sent["lost"],
        late_frames=sent["late"]["late"] + got["late"]["late"],
        worst_ms=max(sent["late"]["worst_ms"], got["late"]["worst_ms"]),
    )


async def converse_at_once(
    pairs: Sequence[tuple[str, str, list[float]]], said: NDArray[np.int16]
) -> list[Heard]:
    """Say the same into several calls at once: (caller, callee, fates) of each."""
    if not pairs:
        return []
    ready = asyncio.Barrier(len(pairs))
    with TemporaryDirectory(prefix="callnode-bench-") as folder:
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(converse(caller, callee, said, Path(mkdtemp(dir=folder)), fates, ready))
                for caller, callee, fates in pairs
            ]
    return [task.result() for task in tasks]


@cache
def wrtc_folder() -> Path | None:
    """Return the folder with libwebrtc for Node, installed there once, or None, told, if that cannot be."""
    folder = user_cache_path("callnode-bench") / "wrtc"
    if not shutil.which("node") or not shutil.which("npm"):
        console.print("[yellow]no node and npm here: the libwebrtc column stays empty")
        return None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if _run(folder, *LOAD).returncode != 0:
            console.print(f"installing libwebrtc for Node into {folder}, once")
            shutil.copy(Path(__file__).with_name("wrtc") / "package.json", folder)
            _run(folder, *INSTALL).check_returncode()
            _run(folder, *LOAD).check_returncode()
    except (OSError, subprocess.SubprocessError) as error:
        why = (getattr(error, "stderr", None) or str(error)).splitlines()[:1]
        console.print("[yellow]libwebrtc cannot be used here, its column stays empty:", *why)
        return None
    return folder


def _run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False
    )


def kinds(*wanted: str) -> list[str]:
    """Return the wanted kinds of peer that can run here."""
    return [kind for kind in wanted if kind != WRTC or wrtc_folder() is not None]
