"""Several devices, groups, waiting calls: who answers is heard, and nobody else."""

import asyncio
from typing import Any

import pytest

from node import (
    CallState,
    CommunicationTokenCredential,
    Group,
    IncomingCall,
    Settings,
    ToGroup,
    ToPerson,
    UserSettings,
)
from signaling.reasons import ANSWERED_ELSEWHERE, DECLINED_ELSEWHERE, Reason
from tests.e2e.people import People, connect, eventually, until

pytestmark = pytest.mark.e2e


async def stops(incoming: IncomingCall, reason: Reason) -> None:
    await eventually(lambda: incoming.call_end_reason is not None)
    said = incoming.call_end_reason
    assert said is not None and (said.code, said.sub_code) == (reason.code, reason.sub_code)


async def rules(people: People, name: str, **wanted: Any) -> None:
    """Let a user write their settings, through the client API."""
    _, token = await people.client.token(name)
    settings = UserSettings(people.client.hub.url, CommunicationTokenCredential(token))
    assert await settings.set(Settings(**wanted)) == await settings.get()


async def test_every_device_rings_and_the_first_to_answer_is_heard(people: People) -> None:
    alice, bob, at_home = [await people.join(name) for name in ("alice", "bob", "bob")]
    call = alice.dial("bob")
    ringing = await at_home.ring()
    answered = await bob.pick_up()
    await stops(ringing, ANSWERED_ELSEWHERE)
    await until(call, CallState.CONNECTED)
    await asyncio.gather(alice.hears("bob"), bob.hears("alice"))
    assert at_home.agent.calls == [] and answered.id == call.id


async def test_who_answers_second_has_lost(people: People) -> None:
    """Both press answer at the same moment: one talks, the other is told."""
    alice, bob, at_home = [await people.join(name) for name in ("alice", "bob", "bob")]
    call = alice.dial("bob")
    await asyncio.gather(bob.pick_up(), at_home.pick_up())
    await until(call, CallState.CONNECTED)
    await eventually(lambda: len(bob.agent.calls) + len(at_home.agent.calls) == 1)
    winner = bob if bob.agent.calls else at_home
    await asyncio.gather(alice.hears("bob"), winner.hears("alice"))


async def test_declined_on_one_device_rings_on_none(people: People) -> None:
    alice, bob, at_home = [await people.join(name) for name in ("alice", "bob", "bob")]
    call = alice.dial("bob")
    ringing = await at_home.ring()
    await (await bob.ring()).reject()
    await stops(ringing, DECLINED_ELSEWHERE)
    await until(call, CallState.DISCONNECTED)
    assert call.call_end_reason is not None and call.call_end_reason.code == 603


async def test_a_member_of_the_group_answers(people: People) -> None:
    alice, bob, carol = [await people.join(name) for name in ("alice", "bob", "carol")]
    await rules(people, "bob", simultaneous=ToGroup(), group=Group(("carol",)))
    call = alice.dial("bob")
    ringing = await bob.ring()
    answered = await carol.pick_up()
    await stops(ringing, ANSWERED_ELSEWHERE)
    await until(call, CallState.CONNECTED)
    await asyncio.gather(alice.hears("carol"), carol.hears("alice"))
    assert answered.caller_info.name == "alice"
    assert call.outcome is not None and call.outcome.kind == "forwarded"
    assert [each.identifier.name for each in call.remote_participants] == ["carol"]


async def test_what_is_forwarded_says_from_whom(people: People) -> None:
    alice, _, carol = [await people.join(name) for name in ("alice", "bob", "carol")]
    await rules(people, "bob", do_not_disturb=True, do_not_disturb_to=ToPerson("carol"))
    call = alice.dial("bob")
    ringing = await carol.ring()
    assert ringing.forwarded_from is not None and ringing.forwarded_from.name == "bob"
    carol.rings.put_nowait(ringing)
    await carol.pick_up()
    await until(call, CallState.CONNECTED)
    await asyncio.gather(alice.hears("carol"), carol.hears("alice"))


async def test_a_waiting_call_is_accepted_and_the_first_is_held(people: People) -> None:
    alice, bob, carol = [await people.join(name) for name in ("alice", "bob", "carol")]
    first, at_bob = await connect(alice, bob)
    second = carol.dial("bob")
    await bob.pick_up()
    await until(second, CallState.CONNECTED)
    await until(at_bob, CallState.LOCAL_HOLD)
    await until(first, CallState.REMOTE_HOLD)
    await asyncio.gather(carol.hears("bob"), bob.hears("carol"), alice.hears_nothing())
    await second.hang_up()
    await at_bob.resume()
    await until(first, CallState.CONNECTED)
    await alice.hears("bob")
