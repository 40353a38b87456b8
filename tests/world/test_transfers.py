"""Transfers, rule by rule (spec §4): ann is the transferor, bob the transferee, cat the target."""

import pytest

from node.exchange import (
    Accept,
    CancelTransfer,
    Consent,
    Dial,
    HangUp,
    Hold,
    Mute,
    Reject,
    TransferAsked,
    TransferNews,
    TransferTaken,
)
from node.session import CallState
from signaling.messages import TransferRequest
from signaling.parts import CallTarget, CustomContext, ParticipantTarget, Target, VoicemailTarget
from signaling.reasons import (
    BAD_ARGUMENT,
    CANCELLED,
    DECLINED,
    HUNG_UP,
    NO_ANSWER,
    NO_VOICEMAIL,
    NOT_PERMITTED,
    OFFLINE,
    REPLACED,
    TARGET_CALL_GONE,
    TIMED_OUT,
    TRANSFER_CONFLICT,
    UNKNOWN_CALL,
    UNKNOWN_USER,
    Reason,
)
from signaling.settings import Settings, ToPerson, ToVoicemail
from tests.world.agent import FULL
from tests.world.world import World

pytestmark = pytest.mark.world

NO_RULES = Settings(unanswered=None)


@pytest.fixture(params=["ann called bob", "bob called ann"])
def world(request: pytest.FixtureRequest) -> World:
    """Ann and bob talk, whoever called whom; cat is there."""
    w = World()
    for name in ("ann", "bob", "cat"):
        w.user(name, NO_RULES)
        w.join(name)
    caller, callee = ("ann", "bob") if request.param == "ann called bob" else ("bob", "ann")
    w.call(caller, callee, "c1")
    return w


def ask(
    world: World,
    target: Target,
    transfer_id: str = "t1",
    *,
    who: str = "ann",
    call: str = "c1",
    direct: bool = False,
    ring_target: bool = False,
    hang_up: bool = False,
) -> None:
    world.hand_over(who, TransferRequest(transfer_id, call, target, direct, ring_target, hang_up))


def states(world: World, transfer_id: str = "t1") -> list[str]:
    news = [n.update for n in world.agents["ann"].news if isinstance(n, TransferNews)]
    return [u.progress or u.state for u in news if u.transfer_id == transfer_id]


def undisturbed(world: World) -> None:
    """Ann and bob talk in the call they had, and nothing else is left."""
    assert world.talking("ann", "bob") == "c1"
    assert list(world.hub.calls.all) == ["c1"] and world.hub.transfers.all == {}
    assert all(list(world.agents[n].phone.calls) == ["c1"] for n in ("ann", "bob"))


def everyone_hangs_up(world: World) -> None:
    for agent in world.agents.values():
        for call_id in list(agent.phone.calls):
            world.do(agent.name, HangUp(call_id))
    world.run(1)
    world.quiet()


# --- to a participant


def test_to_a_participant(world: World) -> None:
    context = CustomContext("account 7", {"lang": "de"})
    world.hand_over("ann", TransferRequest("t1", "c1", ParticipantTarget("cat"), custom_context=context))
    world.run(1)
    rung = world.agents["cat"].rings()[0]
    assert (rung.caller and rung.caller.name, rung.transferor and rung.transferor.name) == ("bob", "ann")
    assert rung.custom_context == context
    assert world.talking("ann", "bob") == "c1", "B keeps hearing A while C rings"
    world.do("cat", Accept(rung.id))
    world.run(1)
    assert world.talking("bob", "cat") == rung.id
    assert states(world) == ["trying", "ringing", "Transferred"]
    final = world.agents["ann"].transfer("t1")
    assert final.new_call_id == rung.id
    assert final.outcome is not None and (final.outcome.kind, final.outcome.party.name) == (
        "participant",
        "cat",
    )
    assert world.agents["bob"].reasons() == {"c1": REPLACED}
    assert world.agents["bob"].taken == [("c1", rung.id)]
    assert any(isinstance(n, TransferTaken) for n in world.agents["bob"].news)
    assert world.agents["ann"].connected() == ["c1"], "A's application hangs up itself"
    world.do("ann", HangUp("c1"))
    world.run(1)
    assert world.agents["ann"].reasons() == {"c1": HUNG_UP}
    assert world.talking("bob", "cat") == rung.id
    everyone_hangs_up(world)


def test_hang_up_when_transferred(world: World) -> None:
    ask(world, ParticipantTarget("cat"), hang_up=True)
    world.run(1)
    world.do("cat", Accept("n5"))
    world.do("cat", Accept(world.agents["cat"].rings()[0].id))
    world.run(1)
    assert world.agents["ann"].reasons() == {"c1": REPLACED}
    everyone_hangs_up(world)


def test_a_transferor_that_forgets_to_hang_up_is_let_go(world: World) -> None:
    world.agents["cat"].on_ring = lambda c: world.do("cat", Accept(c.id))
    ask(world, ParticipantTarget("cat"))
    world.run(15)
    assert world.agents["ann"].reasons() == {"c1": REPLACED}


def test_nothing_rings_before_b_has_agreed(world: World) -> None:
    world.agents["bob"].phone.handovers.consent = True
    ask(world, ParticipantTarget("cat"))
    world.run(5)
    assert not world.agents["cat"].rings()
    asked = next(n for n in world.agents["bob"].news if isinstance(n, TransferAsked))
    assert asked.offer.target.name == "cat"
    world.do("bob", Consent(asked.offer.transfer_id, True))
    world.run(1)
    assert len(world.agents["cat"].rings()) == 1


def test_b_refuses(world: World) -> None:
    world.agents["bob"].phone.handovers.consent = True
    ask(world, ParticipantTarget("cat"))
    world.run(1)
    world.do("bob", Consent("t1", False))
    world.run(1)
    assert world.agents["ann"].transfer("t1").error == DECLINED
    assert not world.agents["cat"].rings()
    undisturbed(world)


def test_b_never_decides(world: World) -> None:
    world.agents["bob"].phone.handovers.consent = True
    ask(world, ParticipantTarget("cat"))
    world.run(31)
    assert world.agents["ann"].transfer("t1").error == TIMED_OUT
    world.do("bob", Consent("t1", True))
    world.run(1)
    undisturbed(world)


def test_c_declines(world: World) -> None:
    ask(world, ParticipantTarget("cat"))
    world.run(1)
    world.do("cat", Reject(world.agents["cat"].rings()[0].id))
    world.run(1)
    assert world.agents["ann"].transfer("t1").error == DECLINED
    undisturbed(world)


def test_a_failed_transfer_takes_b_off_hold(world: World) -> None:
    world.do("ann", Hold("c1", True))
    ask(world, ParticipantTarget("cat"))
    world.run(1)
    world.do("cat", Reject(world.agents["cat"].rings()[0].id))
    world.run(1)
    undisturbed(world)


def test_c_is_offline(world: World) -> None:
    world.leave("cat")
    ask(world, ParticipantTarget("cat"))
    world.run(1)
    assert world.agents["ann"].transfer("t1").error == OFFLINE
    undisturbed(world)


def test_c_is_killed_while_ringing(world: World) -> None:
    ask(world, ParticipantTarget("cat"))
    world.run(1)
    world.kill("cat")
    world.run(10)
    assert world.agents["ann"].transfer("t1").error == OFFLINE
    undisturbed(world)


def test_c_is_killed_after_answering(world: World) -> None:
    ask(world, ParticipantTarget("cat"))
    world.run(1)
    world.do("cat", Accept(world.agents["cat"].rings()[0].id))
    world.kill("cat")
    world.run(15)
    assert world.agents["ann"].transfer("t1").state == "Failed"
    undisturbed(world)


def test_unanswered_follows_the_rule_of_c(world: World) -> None:
    world.voicemail()
    world.user("cat", Settings(unanswered_delay=10))
    ask(world, ParticipantTarget("cat"))
    world.run(12)
    final = world.agents["ann"].transfer("t1")
    assert states(world) == ["trying", "ringing", "voicemail", "ringing", "Transferred"]
    assert final.outcome is not None and (final.outcome.kind, final.outcome.party.name) == (
        "voicemail",
        "cat",
    )
    assert world.talking("bob", "vm") == final.new_call_id


def test_forwarded_target_counts_with_its_way(world: World) -> None:
    world.join("dan")
    world.agents["dan"].on_ring = lambda c: world.do("dan", Accept(c.id))
    world.user("cat", Settings(forwarding=ToPerson("dan")))
    ask(world, ParticipantTarget("cat"))
    world.run(1)
    final = world.agents["ann"].transfer("t1")
    assert final.outcome is not None and final.outcome.kind == "forwarded"
    assert (final.outcome.party.name, final.outcome.via) == ("dan", ("8:acs:cat",))
    assert world.agents["dan"].rings()[0].transferor is not None


def test_disabled_forwarding_rings_c_itself_and_ends(world: World) -> None:
    world.voicemail()
    world.user("cat", Settings(forwarding=ToVoicemail(), unanswered_delay=10))
    ask(world, ParticipantTarget("cat"), direct=True)
    world.run(1)
    assert world.agents["cat"].rings()
    world.run(10)
    assert world.agents["ann"].transfer("t1").error == NO_ANSWER
    undisturbed(world)


def test_cancel(world: World) -> None:
    ask(world, ParticipantTarget("cat"))
    world.run(1)
    world.do("ann", CancelTransfer("t1"))
    world.run(1)
    assert world.agents["ann"].transfer("t1").error == CANCELLED
    undisturbed(world)


def test_b_gives_up_and_returns(world: World) -> None:
    ask(world, ParticipantTarget("cat"))
    world.run(1)
    world.do("bob", HangUp(world.agents["cat"].rings()[0].id))
    world.run(1)
    assert world.agents["ann"].transfer("t1").error == CANCELLED
    undisturbed(world)


def test_b_hangs_up_altogether(world: World) -> None:
    ask(world, ParticipantTarget("cat"))
    world.run(1)
    world.do("bob", HangUp("c1"))
    world.run(1)
    assert world.agents["ann"].transfer("t1").error == CANCELLED
    everyone_hangs_up(world)


def test_same_target_joins_another_conflicts(world: World) -> None:
    world.join("dan")
    ask(world, ParticipantTarget("cat"))
    ask(world, ParticipantTarget("cat"), "t2")
    ask(world, ParticipantTarget("dan"), "t3")
    ask(world, ParticipantTarget("cat"), "t4", who="bob")
    world.run(1)
    assert world.agents["ann"].transfer("t3").error == TRANSFER_CONFLICT
    assert world.agents["bob"].transfer("t4").error == TRANSFER_CONFLICT
    assert len(world.agents["cat"].rings()) == 1
    world.do("cat", Accept(world.agents["cat"].rings()[0].id))
    world.run(1)
    assert (
        world.agents["ann"].transfer("t1").state == world.agents["ann"].transfer("t2").state == "Transferred"
    )


def test_a_chain_of_transfers(world: World) -> None:
    for name in ("cat", "dan", "eve"):
        if name not in world.agents:
            world.join(name)
        world.agents[name].on_ring = lambda c, n=name: world.do(n, Accept(c.id))
    ask(world, ParticipantTarget("cat"))
    world.run(1)
    call = world.talking("bob", "cat")
    assert call is not None
    ask(world, ParticipantTarget("dan"), "t2", who="cat", call=call)
    world.run(1)
    call = world.talking("bob", "dan")
    assert call is not None
    ask(world, ParticipantTarget("eve"), "t3", who="bob", call=call)
    world.run(1)
    assert world.talking("dan", "eve")
    everyone_hangs_up(world)


def test_b_stays_muted(world: World) -> None:
    world.do("bob", Mute("c1", outgoing=True))
    world.agents["cat"].on_ring = lambda c: world.do("cat", Accept(c.id))
    ask(world, ParticipantTarget("cat"))
    world.run(1)
    assert all(c.muted for c in world.agents["bob"].phone.calls.values())


# --- refused at once


@pytest.mark.parametrize(
    ("target", "error"),
    [
        (ParticipantTarget("ann"), BAD_ARGUMENT),
        (ParticipantTarget("bob"), BAD_ARGUMENT),
        (ParticipantTarget("nobody"), UNKNOWN_USER),
        (VoicemailTarget("nobody"), UNKNOWN_USER),
        (VoicemailTarget("bob"), BAD_ARGUMENT),
        (VoicemailTarget("cat"), NO_VOICEMAIL),
        (CallTarget("c1"), BAD_ARGUMENT),
        (CallTarget("c9"), TARGET_CALL_GONE),
        (CallTarget("theirs"), TARGET_CALL_GONE),
    ],
)
def test_refused_at_once(world: World, target: Target, error: Reason) -> None:
    if target == VoicemailTarget("bob"):
        world.voicemail()
    for name in ("dan", "eve", "fay"):
        world.join(name)
    if target == CallTarget("theirs"):
        world.call("dan", "eve", "theirs")
    ask(world, target)
    world.run(1)
    refused = world.agents["ann"].transfer("t1").error
    assert refused is not None
    assert (refused.code, refused.sub_code) == (error.code, error.sub_code)
    assert not world.agents["cat"].rings()
    assert world.talking("ann", "bob") == "c1"
    assert world.hub.transfers.all == {}


def test_a_token_without_the_right(world: World) -> None:
    session = world.agents["ann"].session
    state = world.hub.presence.sessions[session]
    from msgspec.structs import replace

    world.hub.presence.sessions[session] = replace(state, rights=FULL - {"transfer"})
    ask(world, ParticipantTarget("cat"))
    world.run(1)
    assert world.agents["ann"].transfer("t1").error == NOT_PERMITTED
    undisturbed(world)


def test_a_stranger_asks(world: World) -> None:
    world.join("eve")
    world.send("eve", TransferRequest("t9", "c1", ParticipantTarget("cat")))
    world.run(1)
    assert not world.agents["cat"].rings()
    undisturbed(world)


def test_a_call_not_yet_up(world: World) -> None:
    world.do("ann", Dial("c2", "cat"))
    world.run(1)
    ask(world, ParticipantTarget("bob"), call="c2")
    world.run(1)
    assert world.agents["ann"].transfer("t1").error == UNKNOWN_CALL


# --- to another call


@pytest.fixture(params=["ann called cat", "cat called ann"])
def consulting(world: World, request: pytest.FixtureRequest) -> World:
    """Bob is on hold, ann consults cat, whoever called whom."""
    world.do("ann", Hold("c1", True))
    world.run(0.5)
    caller, callee = ("ann", "cat") if request.param == "ann called cat" else ("cat", "ann")
    world.call(caller, callee, "c2")
    return world


def test_to_a_call(consulting: World) -> None:
    world = consulting
    ask(world, CallTarget("c2"))
    world.run(1)
    final = world.agents["ann"].transfer("t1")
    assert final.state == "Transferred" and final.outcome is not None and final.outcome.kind == "call"
    assert world.talking("bob", "cat") == final.new_call_id
    assert world.agents["ann"].reasons() == {"c1": REPLACED, "c2": REPLACED}
    assert world.agents["bob"].reasons() == {"c1": REPLACED}
    assert world.agents["cat"].reasons() == {"c2": REPLACED}
    assert len(world.agents["cat"].rings()) <= 1, "C does not ring a second time"
    everyone_hangs_up(world)


def test_to_a_call_with_the_other_one_held(consulting: World) -> None:
    world = consulting
    world.do("ann", Hold("c2", True))
    world.do("ann", Hold("c1", False))
    world.run(0.5)
    ask(world, CallTarget("c2"))
    world.run(1)
    assert world.talking("bob", "cat")


def test_to_a_call_that_rings_by_option(consulting: World) -> None:
    world = consulting
    before = len(world.agents["cat"].rings())
    ask(world, CallTarget("c2"), ring_target=True)
    world.run(1)
    assert len(world.agents["cat"].rings()) == before + 1
    world.do("cat", Accept(world.agents["cat"].rings()[-1].id))
    world.run(1)
    assert world.talking("bob", "cat")
    assert world.agents["ann"].reasons() == {"c1": REPLACED, "c2": REPLACED}


def test_target_call_ends_in_the_middle(consulting: World) -> None:
    world = consulting
    world.agents["bob"].phone.handovers.consent = True
    ask(world, CallTarget("c2"))
    world.run(0.5)
    world.do("cat", HangUp("c2"))
    world.run(1)
    assert world.agents["ann"].transfer("t1").error == TARGET_CALL_GONE
    assert "c1" in world.agents["ann"].connected() and "c1" in world.agents["bob"].connected()


def test_refused_by_b_leaves_both_calls(consulting: World) -> None:
    world = consulting
    world.agents["bob"].phone.handovers.consent = True
    ask(world, CallTarget("c2"))
    world.run(0.5)
    world.do("bob", Consent("t1", False))
    world.run(1)
    assert world.talking("ann", "cat") == "c2"
    assert world.agents["ann"].phone.calls["c1"].state is CallState.LOCAL_HOLD


def test_a_quits_both_calls_right_after_asking(consulting: World) -> None:
    world = consulting
    ask(world, CallTarget("c2"))
    world.do("ann", HangUp("c1"))
    world.do("ann", HangUp("c2"))
    world.run(2)
    assert world.talking("bob", "cat")
    everyone_hangs_up(world)


# --- to voicemail


def test_to_voicemail(world: World) -> None:
    world.voicemail()
    world.leave("cat")
    ask(world, VoicemailTarget("cat"))
    world.run(1)
    final = world.agents["ann"].transfer("t1")
    assert final.outcome is not None and final.outcome.kind == "voicemail"
    deposit = world.agents["vm"].rings()[0]
    assert deposit.mailbox is not None and deposit.mailbox.name == "cat"
    assert deposit.caller is not None and deposit.caller.name == "bob"
    assert not world.agents["cat"].rings()
    assert world.talking("bob", "vm") == final.new_call_id


def test_to_ones_own_voicemail(world: World) -> None:
    world.voicemail()
    ask(world, VoicemailTarget("ann"))
    world.run(1)
    assert world.agents["ann"].transfer("t1").state == "Transferred"


def test_recorder_killed_before_it_answers(world: World) -> None:
    world.voicemail().on_ring = None
    ask(world, VoicemailTarget("cat"))
    world.run(1)
    world.kill("vm")
    world.run(20)
    assert world.agents["ann"].transfer("t1").state == "Failed"
    undisturbed(world)


# --- A leaves


@pytest.mark.parametrize("how", ["hangs up", "is killed"])
def test_a_leaves_and_the_transfer_goes_on(world: World, how: str) -> None:
    ask(world, ParticipantTarget("cat"))
    world.run(1)
    world.do("ann", HangUp("c1")) if how == "hangs up" else world.kill("ann")
    world.run(10)
    world.do("cat", Accept(world.agents["cat"].rings()[0].id))
    world.run(1)
    assert world.talking("bob", "cat")
    everyone_hangs_up(world)


def test_a_leaves_a_consultation_while_c_rings(consulting: World) -> None:
    world = consulting
    ask(world, CallTarget("c2"), ring_target=True)
    world.run(1)
    world.do("ann", HangUp("c1"))
    world.do("ann", HangUp("c2"))
    world.run(10)
    assert world.agents["bob"].phone.calls["c1"].state is CallState.REMOTE_HOLD
    assert world.agents["cat"].phone.calls["c2"].state is CallState.REMOTE_HOLD
    world.do("cat", Accept(world.agents["cat"].rings()[-1].id))
    world.run(1)
    two_of_a_consultation_talk(world)


@pytest.mark.parametrize("ring", [False, True])
def test_a_leaves_a_consultation_while_b_decides(consulting: World, ring: bool) -> None:
    world = consulting
    world.agents["bob"].phone.handovers.consent = True
    rung = len(world.agents["cat"].rings())
    ask(world, CallTarget("c2"), ring_target=ring)
    world.run(0.5)
    world.do("ann", HangUp("c1"))
    world.do("ann", HangUp("c2"))
    world.run(10)
    assert world.agents["bob"].phone.calls["c1"].state is CallState.REMOTE_HOLD
    assert world.agents["cat"].phone.calls["c2"].state is CallState.REMOTE_HOLD
    assert len(world.agents["cat"].rings()) == rung
    world.do("bob", Consent("t1", True))
    world.run(1)
    if ring:
        world.do("cat", Accept(world.agents["cat"].rings()[-1].id))
        world.run(1)
    two_of_a_consultation_talk(world)


def two_of_a_consultation_talk(world: World) -> None:
    """Bob and cat talk in one call, and each has lost the one with ann for that alone."""
    final = world.agents["ann"].transfer("t1")
    assert final.state == "Transferred" and world.talking("bob", "cat") == final.new_call_id
    assert world.agents["ann"].reasons() == {"c1": HUNG_UP, "c2": HUNG_UP}
    assert world.agents["bob"].reasons() == {"c1": REPLACED}
    assert world.agents["cat"].reasons() == {"c2": REPLACED}
    everyone_hangs_up(world)


def test_recall(world: World) -> None:
    ask(world, ParticipantTarget("cat"))
    world.run(1)
    world.do("ann", HangUp("c1"))
    world.run(1)
    world.do("cat", Reject(world.agents["cat"].rings()[0].id))
    world.run(1)
    assert world.agents["ann"].transfer("t1").error == DECLINED
    recall = world.agents["ann"].rings()[-1]
    assert recall.caller is not None and recall.caller.name == "bob"
    world.do("ann", Accept(recall.id))
    world.run(1)
    assert world.talking("ann", "bob") == recall.id
    assert world.agents["bob"].reasons()["c1"] == REPLACED
    everyone_hangs_up(world)


def test_recall_fails_then_the_unanswered_rule_of_c(world: World) -> None:
    world.voicemail()
    world.user("cat", Settings())
    ask(world, ParticipantTarget("cat"), direct=True)
    world.run(1)
    world.kill("ann")
    world.run(10)
    world.do("cat", Reject(world.agents["cat"].rings()[0].id))
    world.run(2)
    assert world.talking("bob", "vm")
    everyone_hangs_up(world)


def test_recall_fails_and_no_rule(world: World) -> None:
    ask(world, ParticipantTarget("cat"))
    world.run(1)
    world.kill("ann")
    world.run(10)
    world.do("cat", Reject(world.agents["cat"].rings()[0].id))
    world.run(2)
    assert "c1" in world.agents["bob"].reasons()
    world.quiet()


# --- connections that fail in the middle


def test_a_leaves_while_b_has_lost_the_hub(world: World) -> None:
    ask(world, ParticipantTarget("cat"))
    world.run(1)
    world.cut("bob")
    world.do("ann", HangUp("c1"))
    world.run(6)
    world.resume("bob")
    world.run(1)
    world.do("cat", Accept(world.agents["cat"].rings()[0].id))
    world.run(1)
    assert world.talking("bob", "cat")
    everyone_hangs_up(world)


def test_the_machine_of_a_dies_unnoticed_while_c_rings(world: World) -> None:
    ask(world, ParticipantTarget("cat"))
    world.run(1)
    world.kill("ann", noticed_after=37.0)
    world.run(20)
    world.do("cat", Accept(world.agents["cat"].rings()[0].id))
    world.run(1)
    assert world.talking("bob", "cat")
    world.run(60)
    everyone_hangs_up(world)


def test_b_mutes_itself_while_c_rings(world: World) -> None:
    world.agents["cat"].on_ring = None
    ask(world, ParticipantTarget("cat"))
    world.run(1)
    world.do("bob", Mute("c1", outgoing=True))
    world.do("cat", Accept(world.agents["cat"].rings()[0].id))
    world.run(1)
    assert world.talking("bob", "cat")
    assert all(c.muted for c in world.agents["bob"].phone.calls.values())


def test_a_failed_transfer_keeps_b_on_hold_while_a_talks_to_another(world: World) -> None:
    world.do("ann", Hold("c1", True))
    world.run(0.5)
    world.call("ann", "cat", "c2")
    ask(world, ParticipantTarget("nobody"))
    world.run(1)
    assert world.talking("ann", "cat") == "c2"
    assert world.agents["ann"].phone.calls["c1"].state is CallState.LOCAL_HOLD
