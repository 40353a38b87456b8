"""Calls as people make them: who rings, who answers, why it ended."""

import pytest

from node.exchange import Accept, Cut, Dial, HangUp, Hold, Refused, Reject, RingOver
from node.session import CallState
from signaling.messages import CallEnd
from signaling.reasons import (
    ANSWERED_ELSEWHERE,
    CANCELLED,
    DECLINED,
    DECLINED_ELSEWHERE,
    HUNG_UP,
    MEDIA_LOST,
    NETWORK,
    NO_ANSWER,
    NOT_PERMITTED,
    OFFLINE,
    TOO_MANY_HOPS,
    UNKNOWN_USER,
)
from signaling.settings import Settings, ToPerson, ToVoicemail
from tests.world.world import World

pytestmark = pytest.mark.world

NO_RULES = Settings(unanswered=None)


@pytest.fixture
def world() -> World:
    w = World()
    for name in ("ann", "bob", "cat"):
        w.user(name, NO_RULES)
        w.join(name)
    return w


def ring_over(world: World, who: str) -> list[object]:
    return [n.reason for n in world.agents[who].news if isinstance(n, RingOver)]


def test_two_people_talk_and_one_hangs_up(world: World) -> None:
    world.call("ann", "bob", "c1")
    assert world.talking("ann", "bob") == "c1"
    assert world.agents["ann"].states("c1") == [
        CallState.CONNECTING,
        CallState.RINGING,
        CallState.CONNECTING,
        CallState.CONNECTED,
    ]
    world.do("bob", HangUp("c1"))
    world.run(1)
    assert world.agents["ann"].reasons() == world.agents["bob"].reasons() == {"c1": HUNG_UP}
    world.quiet()
    assert len(world.records) == 1


def test_caller_gives_up(world: World) -> None:
    world.do("ann", Dial("c1", "bob"))
    world.run(1)
    world.do("ann", HangUp("c1"))
    world.run(1)
    assert world.agents["ann"].reasons() == {"c1": CANCELLED}
    assert ring_over(world, "bob") == [CANCELLED]
    world.quiet()


def test_callee_declines(world: World) -> None:
    world.do("ann", Dial("c1", "bob"))
    world.run(1)
    world.do("bob", Reject("c1"))
    world.run(1)
    assert world.agents["ann"].reasons() == {"c1": DECLINED}
    world.quiet()


def test_nobody_answers_and_no_rule(world: World) -> None:
    world.do("ann", Dial("c1", "bob"))
    world.run(59)
    assert world.agents["bob"].phone.ringing
    world.run(2)
    assert world.agents["ann"].reasons() == {"c1": NO_ANSWER}
    assert ring_over(world, "bob") == [NO_ANSWER]
    world.quiet()


@pytest.mark.parametrize(("target", "reason"), [("nobody", UNKNOWN_USER), ("+4930123", UNKNOWN_USER)])
def test_unknown_target(world: World, target: str, reason: object) -> None:
    world.do("ann", Dial("c1", target))
    world.run(1)
    assert world.agents["ann"].reasons() == {"c1": reason}
    world.quiet()


def test_by_alias_and_raw_id(world: World) -> None:
    world.user("bob", NO_RULES, ("4:+4930123", "8:orgid:bob"))
    for i, target in enumerate(("+4930123", "8:orgid:bob", "8:acs:bob", "Bob")):
        world.call("ann", "bob", f"c{i}") if target == "bob" else world.do("ann", Dial(f"c{i}", target))
        world.run(0.5)
        assert [c.id for c in world.agents["bob"].rings()][-1] == f"c{i}"
        world.do("ann", HangUp(f"c{i}"))
        world.run(0.5)
    world.quiet()


def test_all_devices_ring_and_one_wins(world: World) -> None:
    world.join("bob", device="2")
    world.do("ann", Dial("c1", "bob"))
    world.run(1)
    world.do("bob", Accept("c1"))
    world.do("bob2", Accept("c1"))
    world.run(1)
    winner, loser = ("bob", "bob2") if world.agents["bob"].connected() else ("bob2", "bob")
    assert world.talking("ann", winner) == "c1"
    assert world.agents[loser].reasons() == {"c1": ANSWERED_ELSEWHERE}
    world.do("ann", HangUp("c1"))
    world.run(1)
    world.quiet()


def test_declining_stops_all_devices(world: World) -> None:
    world.join("bob", device="2")
    world.do("ann", Dial("c1", "bob"))
    world.run(1)
    world.do("bob2", Reject("c1"))
    world.run(1)
    assert ring_over(world, "bob") == [DECLINED_ELSEWHERE]
    assert world.agents["ann"].reasons() == {"c1": DECLINED}
    world.quiet()


def test_unanswered_goes_to_voicemail_after_its_delay(world: World) -> None:
    world.voicemail()
    world.user("bob", Settings(unanswered_delay=10))
    world.do("ann", Dial("c1", "bob"))
    world.run(9.5)
    assert not world.agents["vm"].rings()
    world.run(2)
    assert world.talking("ann", "vm") == "c1"
    mailbox = world.agents["vm"].rings()[0].mailbox
    assert mailbox is not None and mailbox.name == "bob"
    outcome = world.agents["ann"].phone.calls["c1"].outcome
    assert outcome is not None and outcome.kind == "voicemail" and outcome.party.name == "bob"
    world.do("ann", HangUp("c1"))
    world.run(1)
    world.quiet()


def test_offline_counts_as_unanswered_at_once(world: World) -> None:
    world.voicemail()
    world.user("dan")
    world.do("ann", Dial("c1", "dan"))
    world.run(1)
    assert world.talking("ann", "vm") == "c1"


def test_offline_without_rule_or_service(world: World) -> None:
    world.user("dan")
    world.do("ann", Dial("c1", "dan"))
    world.run(1)
    assert world.agents["ann"].reasons() == {"c1": OFFLINE}
    world.quiet()


def test_declined_rule(world: World) -> None:
    world.user("bob", Settings(declined=ToPerson("cat")))
    world.do("ann", Dial("c1", "bob"))
    world.run(1)
    world.do("bob", Reject("c1"))
    world.run(1)
    forwarded = world.agents["cat"].rings()[0]
    assert forwarded.forwarded_from is not None and forwarded.forwarded_from.name == "bob"
    world.do("cat", Accept("c1"))
    world.run(1)
    assert world.talking("ann", "cat") == "c1"
    outcome = world.agents["ann"].phone.calls["c1"].outcome
    assert outcome is not None and (outcome.kind, outcome.via) == ("forwarded", ("8:acs:bob",))


def test_forwarding_loops_are_cut(world: World) -> None:
    world.user("bob", Settings(forwarding=ToPerson("cat")))
    world.user("cat", Settings(forwarding=ToPerson("bob")))
    world.do("ann", Dial("c1", "bob"))
    world.run(1)
    assert world.agents["ann"].reasons() == {"c1": TOO_MANY_HOPS}
    world.quiet()


def test_forwarding_to_own_voicemail(world: World) -> None:
    world.voicemail()
    world.user("bob", Settings(forwarding=ToVoicemail()))
    world.do("ann", Dial("c1", "bob"))
    world.run(1)
    assert world.talking("ann", "vm") == "c1" and not world.agents["bob"].rings()


def states(world: World) -> dict[str, CallState]:
    return {name: world.agents[name].phone.calls["c1"].state for name in ("ann", "bob")}


def test_hold_from_both_sides(world: World) -> None:
    world.call("ann", "bob", "c1")
    world.do("bob", Hold("c1", True))
    world.run(1)
    assert states(world) == {"bob": CallState.LOCAL_HOLD, "ann": CallState.REMOTE_HOLD}
    world.do("ann", Hold("c1", True))
    world.run(1)
    world.do("bob", Hold("c1", False))
    world.run(1)
    assert states(world) == {"bob": CallState.REMOTE_HOLD, "ann": CallState.LOCAL_HOLD}
    world.do("ann", Hold("c1", False))
    world.run(1)
    assert world.talking("ann", "bob") == "c1"


def test_hold_at_the_same_moment(world: World) -> None:
    world.call("ann", "bob", "c1")
    for on in (True, False):
        world.do("ann", Hold("c1", on))
        world.do("bob", Hold("c1", on))
        world.run(1)
    assert world.talking("ann", "bob") == "c1"
    assert not world.agents["ann"].phone.calls["c1"].renegotiating


def test_a_killed_peer_is_noticed(world: World) -> None:
    world.call("ann", "bob", "c1")
    world.kill("bob")
    world.run(10)
    assert world.agents["ann"].reasons()["c1"] in (NETWORK, MEDIA_LOST)
    world.quiet()


def test_a_call_survives_a_resumed_session(world: World) -> None:
    world.call("ann", "bob", "c1")
    world.cut("bob")
    world.run(3)
    world.do("ann", Hold("c1", True))
    world.run(1)
    world.resume("bob")
    world.run(1)
    assert world.agents["bob"].phone.calls["c1"].state is CallState.REMOTE_HOLD
    world.run(60)
    assert world.agents["ann"].connected() == ["c1"]


def test_a_lost_session_rings_for_no_new_call(world: World) -> None:
    world.cut("bob")
    world.run(1)
    world.do("ann", Dial("c1", "bob"))
    world.run(1)
    assert world.agents["ann"].reasons() == {"c1": OFFLINE}


def test_a_token_without_voip_places_no_call(world: World) -> None:
    world.join("eve", rights=frozenset({"voip.join"}))
    world.do("eve", Dial("c1", "bob"))
    world.run(1)
    assert world.agents["eve"].reasons() == {"c1": NOT_PERMITTED}


def test_strangers_cannot_touch_a_call(world: World) -> None:
    world.call("ann", "bob", "c1")
    world.join("eve")
    eve = world.agents["eve"]
    world.send("eve", CallEnd("c1"))
    world.send("eve", CallEnd("unknown"))
    world.run(1)
    refused = [n.error.reason for n in eve.news if isinstance(n, Refused)]
    assert len(refused) == 2 and refused[0] == refused[1]
    assert world.talking("ann", "bob") == "c1"


def test_hub_gone_ends_calls_here(world: World) -> None:
    world.call("ann", "bob", "c1")
    world.do("ann", Cut())
    world.run(1)
    assert world.agents["ann"].reasons() == {"c1": NETWORK}


def test_calls_go_on_when_the_hub_begins_anew(world: World) -> None:
    world.call("ann", "bob", "c1")
    world.do("bob", Hold("c1", True))
    world.run(0.5)
    world.restart_hub()
    world.run(60)
    ann, bob = world.agents["ann"], world.agents["bob"]
    assert ann.connected() == bob.connected() == ["c1"]
    assert ann.states("c1")[-1] is CallState.REMOTE_HOLD
    world.do("bob", Hold("c1", False))
    world.run(1)
    assert world.talking("ann", "bob") == "c1"
    world.do("ann", HangUp("c1"))
    world.run(1)
    assert ann.reasons() == bob.reasons() == {"c1": HUNG_UP}
    world.quiet()


def test_what_was_said_to_the_hub_that_is_gone_is_said_again(world: World) -> None:
    world.call("ann", "bob", "c1")
    world.restart_hub()
    world.do("ann", Hold("c1", True))
    world.do("bob", Hold("c1", True))
    world.run(20)
    assert world.agents["ann"].phone.calls["c1"].remote_hold
    assert world.agents["bob"].phone.calls["c1"].remote_hold
    for name in ("ann", "bob"):
        world.do(name, Hold("c1", False))
    world.run(1)
    assert world.talking("ann", "bob") == "c1"


def test_voicemail_goes_on_recording_when_the_hub_begins_anew(world: World) -> None:
    world.voicemail()
    world.user("bob", Settings(forwarding=ToVoicemail()))
    world.do("ann", Dial("c1", "bob"))
    world.run(1)
    assert world.agents["vm"].connected() == ["c1"]
    world.restart_hub()
    world.run(60)
    assert world.agents["vm"].connected() == world.agents["ann"].connected() == ["c1"]
    world.do("ann", HangUp("c1"))
    world.run(1)
    world.quiet()


def test_an_end_that_does_not_come_back_ends_the_call(world: World) -> None:
    world.call("ann", "bob", "c1")
    world.do("ann", Hold("c1", True))
    world.run(1)
    world.restart_hub()
    world.kill("bob")
    world.run(60)
    assert world.agents["ann"].reasons() == {"c1": NETWORK}
    world.quiet()


def test_hanging_up_before_the_other_end_is_back(world: World) -> None:
    world.call("ann", "bob", "c1")
    world.do("ann", Hold("c1", True))
    world.run(1)
    world.restart_hub()
    world.run(6)
    world.call("cat", "ann", "c2")
    world.do("ann", HangUp("c1"))
    world.run(60)
    assert world.agents["ann"].reasons()["c1"] == world.agents["bob"].reasons()["c1"] == HUNG_UP


@pytest.mark.parametrize("silent", [("ann",), ("bob",), ("ann", "bob")])
def test_a_lost_path_is_made_anew(world: World, silent: tuple[str, ...]) -> None:
    world.call("ann", "bob", "c1")
    world.lose_path("c1", *silent)
    world.run(5)
    assert not any(world.agents[name].peers["c1"].silent for name in ("ann", "bob"))
    assert world.talking("ann", "bob") == "c1"
    assert not world.agents["ann"].phone.calls["c1"].path_lost
    world.do("ann", HangUp("c1"))
    world.run(1)
    world.quiet()


@pytest.mark.parametrize("away", ["ann", "bob"])
def test_a_network_that_is_away_for_a_while_ends_no_call(world: World, away: str) -> None:
    world.call("ann", "bob", "c1")
    world.cut(away)
    world.lose_path("c1", "ann", "bob")
    world.run(6)
    assert all(world.agents[name].peers["c1"].silent for name in ("ann", "bob"))
    world.resume(away)
    world.run(3)
    assert not any(world.agents[name].peers["c1"].silent for name in ("ann", "bob"))
    assert world.talking("ann", "bob") == "c1"
    world.do("bob", HangUp("c1"))
    world.run(1)
    world.quiet()


def test_a_call_that_waits_is_accepted_and_the_first_is_held(world: World) -> None:
    world.call("ann", "bob", "c1")
    world.do("cat", Dial("c2", "bob"))
    world.run(1)
    assert world.talking("ann", "bob") == "c1", "while it rings nothing changes"
    world.do("bob", Accept("c2", hold_others=True))
    world.run(1)
    assert world.talking("cat", "bob") == "c2" and world.talking("ann", "bob") is None
    assert world.agents["ann"].states("c1")[-1] is CallState.REMOTE_HOLD
    world.do("cat", HangUp("c2"))
    world.run(1)
    assert world.agents["bob"].states("c1")[-1] is CallState.LOCAL_HOLD, "bob decides when to go on"
    world.do("bob", Hold("c1", False))
    world.run(1)
    assert world.talking("ann", "bob") == "c1"


def test_a_call_that_waits_no_more_leaves_the_first_as_it_is(world: World) -> None:
    world.call("ann", "bob", "c1")
    world.do("cat", Dial("c2", "bob"))
    world.run(1)
    world.do("cat", HangUp("c2"))
    world.run(1)
    world.do("bob", Accept("c2", hold_others=True))
    world.run(1)
    assert world.talking("ann", "bob") == "c1" and list(world.agents["bob"].phone.calls) == ["c1"]
