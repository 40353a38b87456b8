"""How a transfer sounds at B's ear, to the sample: no click, no hole, no two at once, no word cut off."""

import asyncio
import itertools

import numpy as np
import pytest
from numpy.typing import NDArray

from media.audio import FRAME_SECONDS, SAMPLE_RATE, level_dbfs
from media.measure import longest_silence
from media.sink import NumpySink
from media.source import NumpySource, ToneSource
from node import AcceptCallOptions, AudioOptions, Call, CallState, Features, StartCallOptions, TransferState
from tests.e2e.media_pair import tone_dbfs
from tests.e2e.people import PATIENCE, People, Person, eventually, until

pytestmark = pytest.mark.e2e

A_TONE, C_TONE = 400.0, 700.0
STEEPEST = 1066  # the largest step between two samples of the tone of C, at -12 dBFS
LOOK_AHEAD = 312  # samples of the encoder
PART = 1200  # samples
PARTS = 12


async def meet(alice: Person, bob: Person, voice: NumpySource | ToneSource) -> tuple[Call, NumpySink]:
    """Let Alice call Bob and say something; return her call, and Bob's ear."""
    ear = NumpySink()
    out = alice.agent.start_call(["bob"], StartCallOptions(AudioOptions(voice, NumpySink())))
    incoming = await bob.ring()
    inbound = await incoming.accept(AcceptCallOptions(AudioOptions(NumpySource(bob.voice, loop=True), ear)))
    await until(out, CallState.CONNECTED)
    await until(inbound, CallState.CONNECTED)
    return out, ear


async def answer(carol: Person) -> None:
    incoming = await carol.ring()
    await incoming.accept(AcceptCallOptions(AudioOptions(ToneSource(C_TONE), NumpySink())))


def has(ear: NumpySink, hertz: float) -> bool:
    frames = [frame for _, frame in ear.frames[-25:]]
    return len(frames) == 25 and all(tone_dbfs(frame, hertz) > -15 for frame in frames)


async def test_the_ear_changes_over_without_click_or_hole(people: People) -> None:
    alice, bob, carol = [await people.join(name) for name in ("alice", "bob", "carol")]
    call, ear = await meet(alice, bob, ToneSource(A_TONE))
    await eventually(lambda: has(ear, A_TONE))
    transfer = call.feature(Features.TRANSFER).transfer(target_participant="carol")
    await answer(carol)
    async with asyncio.timeout(PATIENCE):
        assert await transfer.wait() is TransferState.TRANSFERRED
    await eventually(lambda: has(ear, C_TONE))
    await call.hang_up()
    frames = [frame for _, frame in ear.frames]
    of_a, of_c = ([tone_dbfs(frame, hertz) > -30 for frame in frames] for hertz in (A_TONE, C_TONE))
    first_of_c = of_c.index(True)
    last_of_a = max(itertools.compress(itertools.count(), of_a))
    assert 0 <= first_of_c - last_of_a <= 0.1 / FRAME_SECONDS, "in the frame of the cross-fade there are both"
    around = np.concatenate(frames[first_of_c - 10 : first_of_c + 10])
    assert np.abs(np.diff(around.astype(np.int32))).max() < 1.5 * STEEPEST
    assert longest_silence(around) <= 0.1


def word() -> NDArray[np.int16]:
    """Return a sound no two parts of which are alike: 300 Hz rising to 4.8 kHz."""
    time = np.arange(PARTS * PART + LOOK_AHEAD) / SAMPLE_RATE
    rising: NDArray[np.int16] = (8000 * np.sin(2 * np.pi * (300 + 7500 * time) * time)).astype(np.int16)
    return rising


def holds(sound: NDArray[np.int16], part: NDArray[np.int16]) -> bool:
    """Tell whether a part is somewhere in a sound, at its level."""
    size = len(sound) + len(part)
    product = np.fft.irfft(np.fft.rfft(sound, size) * np.conj(np.fft.rfft(part, size)), size)
    at = int(np.argmax(product[: len(sound) - len(part)]))
    found = sound[at : at + len(part)]
    likeness = product[at] / (np.linalg.norm(found.astype(float)) * np.linalg.norm(part.astype(float)) + 1)
    return bool(likeness > 0.9 and abs(level_dbfs(found) - level_dbfs(part)) < 3)


def assert_whole(sound: NDArray[np.int16]) -> None:
    """Assert that a word is heard to its end, but for a packet here and there that comes too late."""
    parts = word()[:-LOOK_AHEAD].reshape(-1, PART)
    heard = [holds(sound, part) for part in parts]
    assert any(heard[-2:]) and heard.count(True) >= 0.7 * len(parts), "".join("-+"[each] for each in heard)


async def test_who_leaves_with_the_last_word_is_heard_to_its_end(people: People) -> None:
    alice, bob, carol = [await people.join(name) for name in ("alice", "bob", "carol")]
    call, ear = await meet(alice, bob, ToneSource(A_TONE))
    await eventually(lambda: has(ear, A_TONE))
    transfer = call.feature(Features.TRANSFER).transfer(target_participant="carol")
    incoming = await carol.ring()
    gone: list[asyncio.Task[None]] = []
    last = NumpySource(word())
    last.on_finished = lambda: gone.append(asyncio.create_task(call.hang_up()))  # C still rings
    call.start_audio(last)
    await until(call, CallState.DISCONNECTED)
    await asyncio.gather(*gone)
    carol.rings.put_nowait(incoming)
    await answer(carol)
    await eventually(lambda: has(ear, C_TONE))
    assert transfer.state is not TransferState.FAILED
    assert_whole(ear.samples)


async def test_what_is_said_before_the_transfer_is_heard_before_the_next(people: People) -> None:
    alice, bob, carol = [await people.join(name) for name in ("alice", "bob", "carol")]
    call, ear = await meet(alice, bob, ToneSource(A_TONE))
    await eventually(lambda: has(ear, A_TONE))
    call.start_audio(last := NumpySource(word()))
    await eventually(lambda: last.finished)
    transfer = call.feature(Features.TRANSFER).transfer(
        target_participant="carol", hang_up_when_transferred=True
    )
    await answer(carol)
    async with asyncio.timeout(PATIENCE):
        assert await transfer.wait() is TransferState.TRANSFERRED
    await eventually(lambda: has(ear, C_TONE))
    frames = [frame for _, frame in ear.frames]
    first_of_c = next(at for at, frame in enumerate(frames) if tone_dbfs(frame, C_TONE) > -15)
    assert_whole(np.concatenate(frames[:first_of_c]))
