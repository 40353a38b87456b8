"""Two people dial each other: one call, in which both hear the other with what each dialled with."""

import asyncio

import pytest

from node import Call, CallState
from signaling.reasons import GLARE
from tests.e2e.people import People, Person, eventually

pytestmark = pytest.mark.e2e


async def test_both_dial_at_once(people: People) -> None:
    alice, bob = await people.join("alice"), await people.join("bob")
    dialled = [alice.dial("bob"), bob.dial("alice")]
    await one_call(alice, bob, dialled)


async def test_who_is_called_dials_back_instead_of_answering(people: People) -> None:
    alice, bob = await people.join("alice"), await people.join("bob")
    out = alice.dial("bob")
    incoming = await bob.ring()
    added: list[Call] = []
    bob.agent.on("calls_updated", lambda event: added.extend(event.added))
    back = bob.dial("alice")
    await one_call(alice, bob, [out, back])
    assert back.call_end_reason is not None
    assert (back.call_end_reason.code, back.call_end_reason.sub_code) == (GLARE.code, GLARE.sub_code)
    assert [call.id for call in added] == [back.id, out.id] and incoming.id == out.id
    assert alice.rings.empty()


async def one_call(alice: Person, bob: Person, dialled: list[Call]) -> None:
    def joined() -> bool:
        calls = [call for person in (alice, bob) for call in person.agent.calls]
        return len(calls) == 2 and all(call.state is CallState.CONNECTED for call in calls)

    await eventually(joined)
    await asyncio.gather(alice.hears("bob"), bob.hears("alice"))
    [mine], [theirs] = alice.agent.calls, bob.agent.calls
    assert mine.id == theirs.id and mine.id in {call.id for call in dialled}
    assert [call.state for call in dialled].count(CallState.CONNECTED) == 1
    await mine.hang_up()
    await eventually(lambda: not bob.agent.calls)
    assert theirs.call_end_reason is not None and theirs.call_end_reason.code == 0
