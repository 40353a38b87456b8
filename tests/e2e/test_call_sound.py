"""What belongs to the sound of a call besides the voices: keypad, hold audio, volume, meters, who talks."""

import asyncio
import time
from typing import Any

import numpy as np
import pytest

from media.measure import SAME, correlation, level_dbfs
from media.tones import hold_music
from node import CallClientOptions, CallState, comfort_tone, music_on_hold
from node.call import DtmfReceived, LevelChanged
from node.errors import CallingError
from node.events import Events
from tests.e2e.media_pair import tone_dbfs
from tests.e2e.people import PATIENCE, People, Person, connect, eventually, until

pytestmark = pytest.mark.e2e


def noted(on: Events, event: str) -> list[Any]:
    """Return a list to which each event of a name is added as it comes."""
    events: list[Any] = []
    on.on(event, events.append)
    return events


async def test_keys_go_both_ways_and_are_not_heard(people: People) -> None:
    alice, bob = await people.join("alice"), await people.join("bob")
    out, inbound = await connect(alice, bob)
    at_alice, at_bob = noted(out, "dtmf_received"), noted(inbound, "dtmf_received")
    start = time.monotonic()
    await out.send_dtmf("12#d")
    await inbound.send_dtmf("*0")
    await eventually(lambda: len(at_bob) == 4 and len(at_alice) == 2)
    assert all(isinstance(event, DtmfReceived) and 0.05 < event.duration < 0.2 for event in at_bob)
    assert "".join(event.digit for event in at_bob) == "12#D"
    assert "".join(event.digit for event in at_alice) == "*0"
    for person, other in ((alice, "bob"), (bob, "alice")):
        await person.hears(other)
        heard = await person.listen(start, 1.5)
        assert not any(
            min(tone_dbfs(frame, 697), tone_dbfs(frame, 1336)) > -25 for _, frame in heard
        )  # key 2
    with pytest.raises(CallingError, match="keypad"):
        await out.send_dtmf("1x")
    await out.hold()
    await until(out, CallState.LOCAL_HOLD)
    with pytest.raises(CallingError, match="not connected"):
        await out.send_dtmf("1")


async def hears_beeps(person: Person) -> None:
    """Wait until a person hears the comfort tone, and assert that there are pauses in it."""
    async with asyncio.timeout(PATIENCE):
        beeps: list[bool] = []
        while not any(beeps):
            frames = await person.listen(time.monotonic(), 0.5)
            beeps = [tone_dbfs(frame, 425) > -25 for _, frame in frames]
    assert not all(beeps)


async def hears_music(person: Person) -> None:
    async with asyncio.timeout(PATIENCE):
        heard = np.zeros(0, np.int16)
        while await asyncio.to_thread(correlation, heard, hold_music()) < SAME:
            frames = await person.listen(time.monotonic(), 1.5)
            heard = np.concatenate([np.zeros(0, np.int16), *(frame for _, frame in frames)])
    assert -40 < level_dbfs(heard) < -20


@pytest.mark.parametrize("chosen", [None, comfort_tone, music_on_hold])
async def test_who_is_held_hears_what_the_holder_has_chosen(people: People, chosen: Any) -> None:
    alice = await people.join("alice", CallClientOptions(hold_audio=chosen))
    bob = await people.join("bob")
    out, inbound = await connect(alice, bob)
    await bob.hears("alice")
    await out.hold()
    await until(inbound, CallState.REMOTE_HOLD)
    if chosen is None:
        await bob.hears_nothing()
    else:
        await (hears_beeps if chosen is comfort_tone else hears_music)(bob)
    await alice.hears_nothing()
    await out.resume()
    await until(inbound, CallState.CONNECTED)
    await asyncio.gather(bob.hears("alice"), alice.hears("bob"))


async def test_talking_is_told_at_both_ends_and_who_is_muted_is_reminded(people: People) -> None:
    alice, bob = await people.join("alice"), await people.join("bob")
    out, inbound = await connect(alice, bob)
    talks, reminded = noted(inbound, "is_speaking_changed"), noted(out, "speaking_while_muted_changed")
    await eventually(lambda: inbound.remote_participants[0].is_speaking)
    assert not out.is_speaking_while_muted
    await out.mute()
    await eventually(lambda: out.is_speaking_while_muted)
    await eventually(lambda: not inbound.remote_participants[0].is_speaking)
    await out.unmute()
    await eventually(lambda: not out.is_speaking_while_muted)
    await eventually(lambda: inbound.remote_participants[0].is_speaking)
    assert (len(reminded), len(talks) >= 2) == (2, True)


async def test_levels_come_ten_times_a_second_and_follow_the_volume(people: People) -> None:
    alice, bob = await people.join("alice"), await people.join("bob")
    out, _ = await connect(alice, bob)
    levels: list[tuple[float, LevelChanged]] = []

    def told(event: LevelChanged) -> None:
        levels.append((time.monotonic(), event))

    out.on("level_changed", told)
    await eventually(lambda: len(levels) >= 21)
    took = levels[20][0] - levels[0][0]
    assert 1.9 < took < 4.0  # 2 s, on a machine that is not late
    assert max(event.outgoing for _, event in levels) > -30
    assert max(event.incoming for _, event in levels) > -30
    out.set_volume(incoming=0.0)
    levels.clear()
    await eventually(lambda: any(event.incoming < -90 for _, event in levels))
    await alice.hears_nothing()
    out.set_volume(incoming=1.0)
    await alice.hears("bob")
    out.off("level_changed", told)
    levels.clear()
    await alice.listen(time.monotonic(), 0.3)
    assert levels == []
    out.on("level_changed", told)
    await eventually(lambda: bool(levels))
    await out.hang_up()
    count = len(levels)
    await bob.agent.dispose()
    assert len(levels) == count
