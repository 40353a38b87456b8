"""The whole path, hub included: answer to sound, and silence at B's ear in a transfer, beside bare aiortc.

Everybody says a tone without end, so that silence is what the change-over costs and no pause of speech.
Bare aiortc has no transfer: what stands beside ours is letting one peer connection go and opening the next.
`python -m tests.bench.call_bench` prints the rows as JSON; it takes some 30 s.
"""

import asyncio
import json
import tempfile
import time
from pathlib import Path
from statistics import median

import aiohttp
import numpy as np

from media.audio import FRAME_SAMPLES
from media.measure import level_dbfs, longest_silence, timeline
from media.sink import NumpySink
from media.source import ToneSource
from node import CallState, Features, TransferState
from signaling.config import load_config
from signaling.server import HubServer
from tests.bench.media_bench import Call as BareCall
from tests.bench.media_bench import Row, aiortc_call, setup_ms
from tests.e2e.people import PATIENCE, People, Person, connect, until

ROUNDS = 7
SETTLING = 0.5  # seconds of sound before and after
BEFORE = 0.1
SOUND_DBFS = -50.0
WINDOW = 2 * FRAME_SAMPLES


async def answer_to_sound(caller: Person, callee: Person) -> float:
    """Return the ms from the answer to the first frame with sound at the caller's ear."""
    call = caller.dial(callee.name)
    async with asyncio.timeout(PATIENCE):
        incoming = await callee.rings.get()
    callee.rings.put_nowait(incoming)
    answered = time.monotonic()
    await callee.pick_up()
    await until(call, CallState.CONNECTED)
    await asyncio.sleep(SETTLING)
    first = next(at for at, frame in caller.ear.frames if level_dbfs(frame) > SOUND_DBFS)
    await call.hang_up()
    return (first - answered) * 1000


async def silence_in_transfer(alice: Person, bob: Person, carol: Person) -> float:
    """Return the longest silence in ms at B's ear while B is transferred from A's tone to C's."""
    call, _ = await connect(alice, bob)
    await asyncio.sleep(SETTLING)
    start = time.monotonic() - BEFORE
    transfer = call.feature(Features.TRANSFER).transfer(
        target_participant="carol", hang_up_when_transferred=True
    )
    at_carol = await carol.pick_up()
    async with asyncio.timeout(PATIENCE):
        assert await transfer.wait() is TransferState.TRANSFERRED
    await asyncio.sleep(SETTLING)
    silence = silence_ms(bob.ear, start)
    await at_carol.hang_up()
    return silence


async def bare_silence() -> float:
    """Return the longest silence in ms when one bare aiortc call is let go and the next one is opened."""
    ear = NumpySink()
    async with aiortc_call(steady_call(ear)):
        await asyncio.sleep(SETTLING)
        start = time.monotonic() - BEFORE
    async with aiortc_call(steady_call(ear)):
        await asyncio.sleep(SETTLING)
    return silence_ms(ear, start)


def steady_call(ear: NumpySink) -> BareCall:
    """Return a bare call, still to be opened, whose first end says a tone without end."""
    call = BareCall()
    call.beeper.steady, call.ear.heard = True, ear
    return call


def silence_ms(ear: NumpySink, start: float) -> float:
    """Return the longest time in ms without sound at an ear since a moment; no frame is no sound."""
    times, frames = zip(*ear.frames, strict=True)
    heard = timeline(times, frames, start, times[-1])
    assert level_dbfs(heard[:WINDOW]) > SOUND_DBFS and level_dbfs(heard[-WINDOW:]) > SOUND_DBFS
    return longest_silence(heard, SOUND_DBFS, window=0.010) * 1000


async def rows() -> list[Row]:
    """Measure everything, callnode and bare aiortc by turns."""
    pairs: dict[str, list[tuple[float, float]]] = {"set-up": [], "silence": []}
    with tempfile.TemporaryDirectory(prefix="callnode-bench-") as folder:
        async with HubServer(load_config(Path(folder), environ={})) as hub, aiohttp.ClientSession() as http:
            people = People(hub, http)
            alice, bob, carol = [await people.join(name) for name in ("alice", "bob", "carol")]
            for person, hertz in ((alice, 440.0), (bob, 700.0), (carol, 1000.0)):
                tone = ToneSource(hertz)
                person.voice = np.concatenate([tone.read() for _ in range(50)])  # whole waves: it loops
            for _ in range(ROUNDS):
                pairs["set-up"].append((await answer_to_sound(alice, bob), await setup_ms(aiortc_call)))
                pairs["silence"].append((await silence_in_transfer(alice, bob, carol), await bare_silence()))
            await people.close()
    names = {
        "set-up": "call: answer to first sound at the far end, through the hub",
        "silence": "transfer: longest silence at B's ear",
    }
    result = []
    for key, name in names.items():
        value, baseline = (median(column) for column in zip(*pairs[key], strict=True))
        result.append(
            Row(
                name=name,
                value=round(value, 2),
                unit="ms",
                baseline=round(baseline, 2),
                ratio=round(value / baseline, 3),
                higher_is_better=False,
            )
        )
    return result


if __name__ == "__main__":
    print(json.dumps(asyncio.run(rows()), indent=2))
