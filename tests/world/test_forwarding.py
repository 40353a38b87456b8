"""Forwarding and unanswered settings, rule by rule (spec §5): ann calls bob; cat, dan and eve are there."""

import pytest

from node.exchange import Accept, Dial, HangUp, Reject, RingOver
from signaling.call import CallRecord
from signaling.messages import CallEnd, TransferRequest
from signaling.parts import ParticipantTarget
from signaling.reasons import (
    ANSWERED_ELSEWHERE,
    BUSY,
    CANCELLED,
    DECLINED,
    DECLINED_ELSEWHERE,
    DO_NOT_DISTURB,
    HUNG_UP,
    NO_ANSWER,
    OFFLINE,
    TOO_MANY_HOPS,
    Reason,
)
from signaling.settings import Group, Settings, ToGroup, ToPerson, ToVoicemail
from tests.world.world import World

pytestmark = pytest.mark.world

NO_RULES = Settings(unanswered=None)
TEAM = Group(("cat", "dan", "eve"), delay=10)
IN_ORDER = Group(("cat", "dan", "eve"), "in_order", 10)


@pytest.fixture
def world() -> World:
    w = World()
    for name in ("ann", "bob", "cat", "dan", "eve"):
        w.user(name, NO_RULES)
        w.join(name)
    w.voicemail()
    return w


def dial(world: World, seconds: float = 1.0) -> None:
    world.do("ann", Dial("c1", "bob"))
    world.run(seconds)


def ringing(world: World) -> list[str]:
    """Return where a call rings now."""
    return [name for name, agent in world.agents.items() if agent.alive and agent.phone.ringing]


def over(world: World, who: str) -> list[Reason]:
    return [n.reason for n in world.agents[who].news if isinstance(n, RingOver)]


def outcome(world: World) -> tuple[str, str, tuple[str, ...]]:
    """Return what took the call, who that is, and over whom it came."""
    found = world.agents["ann"].phone.calls["c1"].outcome
    assert found is not None
    return found.kind, found.party.name, tuple(via.removeprefix("8:acs:") for via in found.via)


def record(world: World) -> CallRecord:
    [filed] = world.records
    return filed.record


def ends(world: World) -> dict[str, Reason | None]:
    """Return how the call ended for each user in it."""
    return {end.user.removeprefix("8:acs:"): end.reason for end in record(world).legs}


def hang_up(world: World) -> None:
    world.do("ann", HangUp("c1"))
    world.run(1)
    world.quiet()


# --- at once


@pytest.mark.parametrize("to", ["cat", "+4930123", "8:orgid:cat"])
def test_every_call_goes_on_at_once_to_a_person_or_number(world: World, to: str) -> None:
    world.user("cat", NO_RULES, ("4:+4930123", "8:orgid:cat"))
    world.user("bob", Settings(forwarding=ToPerson(to)))
    dial(world)
    assert ringing(world) == ["cat"]
    [call] = world.agents["cat"].rings()
    assert call.forwarded_from is not None and call.forwarded_from.name == "bob"
    assert call.caller is not None and call.caller.name == "ann"
    world.do("cat", Accept("c1"))
    world.run(1)
    assert world.talking("ann", "cat") and outcome(world) == ("forwarded", "cat", ("bob",))
    hang_up(world)
    assert ends(world) == {"ann": HUNG_UP, "bob": None, "cat": HUNG_UP}


def test_a_group_rings_together_and_one_answers(world: World) -> None:
    world.user("bob", Settings(forwarding=ToGroup(), group=TEAM))
    dial(world)
    assert ringing(world) == ["cat", "dan", "eve"]
    for name in ("eve", "cat"):
        world.do(name, Accept("c1"))
    world.run(1)
    winner, loser = ("eve", "cat") if world.agents["eve"].connected() else ("cat", "eve")
    assert world.talking("ann", winner) == "c1" and not world.agents[loser].connected()
    assert world.agents[loser].reasons() == {"c1": ANSWERED_ELSEWHERE}
    assert over(world, "dan") == [ANSWERED_ELSEWHERE]
    assert outcome(world) == ("forwarded", winner, ("bob",))
    hang_up(world)
    assert ends(world) == {
        "ann": HUNG_UP,
        "bob": None,
        winner: HUNG_UP,
        loser: ANSWERED_ELSEWHERE,
        "dan": ANSWERED_ELSEWHERE,
    }


def test_a_group_rings_in_order_then_voicemail_answers_for_its_owner(world: World) -> None:
    world.user("bob", Settings(forwarding=ToGroup(), group=IN_ORDER))
    dial(world)
    assert ringing(world) == ["cat"]
    world.run(10)
    assert ringing(world) == ["dan"]
    world.do("dan", Reject("c1"))
    world.run(1)
    assert ringing(world) == ["eve"]
    world.run(10)
    assert world.talking("ann", "vm") == "c1"
    assert outcome(world) == ("voicemail", "bob", ())
    hang_up(world)
    reasons = {"cat": NO_ANSWER, "dan": DECLINED, "eve": NO_ANSWER, "bob": None}
    assert ends(world) == {"ann": HUNG_UP, "vm": HUNG_UP, **reasons}


def test_a_group_has_a_name_and_a_number_of_its_own(world: World) -> None:
    """A user without devices is a hunt group: it forwards to its group, and has a mailbox."""
    world.user("sales", Settings(forwarding=ToGroup(), group=TEAM), ("4:+4930999",))
    world.do("ann", Dial("c1", "+4930999"))
    world.run(1)
    assert ringing(world) == ["cat", "dan", "eve"]
    world.run(10)
    assert outcome(world) == ("voicemail", "sales", ())


def test_the_group_of_another_can_be_named(world: World) -> None:
    world.user("sales", Settings(group=TEAM))
    world.user("bob", Settings(unanswered=ToGroup("sales"), unanswered_delay=10))
    dial(world)
    assert ringing(world) == ["bob"]
    world.run(10)
    assert ringing(world) == ["cat", "dan", "eve"]
    world.run(10)
    assert world.agents["ann"].reasons() == {"c1": NO_ANSWER}, "a group rings once for a call"


def test_members_who_cannot_are_left_out(world: World) -> None:
    world.user("cat", Settings(do_not_disturb=True))
    world.user("dan", Settings(call_waiting=False))
    world.call("dan", "eve", "c0")
    world.user("bob", Settings(forwarding=ToGroup(), group=TEAM))
    dial(world)
    assert ringing(world) == ["eve"]
    world.user("dan", NO_RULES)
    world.do("ann", HangUp("c1"))
    world.leave("eve")
    world.run(1)
    world.do("ann", Dial("c2", "bob"))
    world.run(1)
    assert ringing(world) == ["dan"]


# --- ringing along


def test_others_ring_along_and_the_first_answer_wins(world: World) -> None:
    world.join("bob", device="2")
    world.user("bob", Settings(simultaneous=ToPerson("cat")))
    dial(world)
    assert ringing(world) == ["bob", "cat", "bob2"]
    world.do("cat", Accept("c1"))
    world.run(1)
    assert world.talking("ann", "cat") == "c1" and outcome(world) == ("forwarded", "cat", ("bob",))
    assert over(world, "bob") == over(world, "bob2") == [ANSWERED_ELSEWHERE]
    assert [c.forwarded_from is None for c in world.agents["bob"].rings()] == [True]
    hang_up(world)


def test_a_whole_group_rings_along_whatever_its_order(world: World) -> None:
    world.user("bob", Settings(simultaneous=ToGroup(), group=IN_ORDER, unanswered_delay=30))
    dial(world)
    assert ringing(world) == ["bob", "cat", "dan", "eve"]
    world.do("cat", Reject("c1"))
    world.run(1)
    assert ringing(world) == ["bob", "dan", "eve"], "one who declines speaks for himself"
    world.run(25)
    assert ringing(world) == ["bob", "dan", "eve"]
    world.run(5)
    assert world.talking("ann", "vm") and outcome(world) == ("voicemail", "bob", ())


def test_who_is_called_declines_for_all(world: World) -> None:
    world.user("bob", Settings(simultaneous=ToPerson("cat")))
    dial(world)
    world.do("bob", Reject("c1"))
    world.run(1)
    assert over(world, "cat") == [DECLINED_ELSEWHERE]
    assert world.agents["ann"].reasons() == {"c1": DECLINED}
    world.quiet()


def test_others_ring_also_when_the_own_devices_are_gone(world: World) -> None:
    world.user("bob", Settings(simultaneous=ToPerson("cat")))
    dial(world)
    world.kill("bob")
    world.run(9)
    assert ringing(world) == ["cat"]
    world.do("ann", HangUp("c1"))
    world.run(1)
    assert over(world, "cat") == [CANCELLED]
    world.do("ann", Dial("c2", "bob"))
    world.run(1)
    world.do("cat", Accept("c2"))
    world.run(1)
    assert world.talking("ann", "cat") == "c2"


# --- do not disturb, busy


@pytest.mark.parametrize(
    ("rules", "where", "reason"),
    [
        ({}, "vm", None),
        ({"unanswered": None}, None, DO_NOT_DISTURB),
        ({"unanswered": ToPerson("dan")}, "dan", None),
        ({"do_not_disturb_to": ToPerson("cat")}, "cat", None),
        ({"do_not_disturb_to": None}, None, DO_NOT_DISTURB),
        ({"simultaneous": ToPerson("cat")}, "vm", None),
        ({"forwarding": ToPerson("cat")}, "cat", None),
    ],
)
def test_who_is_not_to_be_disturbed_does_not_ring(
    world: World, rules: dict[str, object], where: str | None, reason: Reason | None
) -> None:
    world.user("bob", Settings(do_not_disturb=True, **rules))  # type: ignore[arg-type]
    dial(world)
    assert not world.agents["bob"].rings()
    if where is None:
        assert world.agents["ann"].reasons() == {"c1": reason}
        assert (DO_NOT_DISTURB.code, DO_NOT_DISTURB.sub_code) == (BUSY.code, BUSY.sub_code)
    else:
        assert [name for name in ("cat", "dan", "vm") if world.agents[name].rings()] == [where]


def test_call_waiting_rings_a_second_call_and_without_it_one_is_busy(world: World) -> None:
    world.call("bob", "eve", "c0")
    dial(world)
    assert ringing(world) == ["bob"], "call waiting is on by default"
    world.do("ann", HangUp("c1"))
    world.user("bob", Settings(call_waiting=False))
    world.do("ann", Dial("c2", "bob"))
    world.run(1)
    assert world.agents["ann"].reasons()["c2"] == BUSY
    world.user("bob", Settings(call_waiting=False, busy=ToVoicemail()))
    world.do("ann", Dial("c3", "bob"))
    world.run(1)
    assert world.talking("ann", "vm") == "c3"
    assert world.talking("bob", "eve") == "c0"


def test_a_device_that_says_busy_follows_the_busy_rule(world: World) -> None:
    world.user("bob", Settings(busy=ToPerson("cat")))
    dial(world)
    world.send("bob", CallEnd("c1", "busy"))
    world.run(1)
    assert "cat" in ringing(world)


# --- loops


def test_a_circle_of_rules_is_cut_when_met(world: World) -> None:
    world.user("bob", Settings(unanswered=ToPerson("cat"), unanswered_delay=10))
    world.user("cat", Settings(busy=ToPerson("bob"), call_waiting=False))
    world.call("cat", "eve", "c0")
    dial(world)
    world.run(10)
    assert world.agents["ann"].reasons() == {"c1": TOO_MANY_HOPS}


def test_groups_in_a_circle_ring_each_once(world: World) -> None:
    world.user("bob", Settings(forwarding=ToGroup("sales"), unanswered=ToPerson("sales")))
    world.user("sales", Settings(forwarding=ToGroup(), unanswered=ToPerson("bob"), group=TEAM))
    dial(world)
    assert ringing(world) == ["cat", "dan", "eve"]
    world.run(30)
    assert not ringing(world) and world.agents["ann"].reasons()["c1"] in (OFFLINE, TOO_MANY_HOPS)
    world.quiet()


# --- and transfers


def transfer(world: World, *, direct: bool = False) -> None:
    """Let ann hand eve over to bob."""
    world.call("ann", "eve", "c1")
    request = TransferRequest("t1", "c1", ParticipantTarget("bob"), direct)
    world.hand_over("ann", request)
    world.run(1)


def test_a_transfer_follows_the_rules_of_its_target(world: World) -> None:
    world.user("bob", Settings(simultaneous=ToGroup(), group=Group(("cat", "eve"))))
    transfer(world)
    assert ringing(world) == ["bob", "cat"], "who is handed over does not ring"
    world.do("cat", Accept(world.agents["cat"].rings()[0].id))
    world.run(1)
    assert world.talking("eve", "cat")
    update = world.agents["ann"].transfer("t1")
    assert update.state == "Transferred" and update.outcome is not None
    assert (update.outcome.kind, update.outcome.party.name) == ("forwarded", "cat")
    assert update.outcome.via == ("8:acs:bob",)


@pytest.mark.parametrize(
    ("rules", "reason"),
    [
        ({"simultaneous": ToPerson("cat")}, NO_ANSWER),
        ({"do_not_disturb": True}, DO_NOT_DISTURB),
        ({"call_waiting": False, "busy": ToVoicemail()}, BUSY),
    ],
)
def test_a_transfer_that_disables_forwarding_has_none_of_it(
    world: World, rules: dict[str, object], reason: Reason
) -> None:
    world.user("bob", Settings(**rules))  # type: ignore[arg-type]
    world.call("bob", "dan", "c0")
    transfer(world, direct=True)
    world.run(25)
    assert not world.agents["cat"].rings() and not world.agents["vm"].rings()
    update = world.agents["ann"].transfer("t1")
    assert (update.state, update.error) == ("Failed", reason)
    assert world.talking("ann", "eve") == "c1"
