"""A call up to the answer: who rings, who else, who was first, and what both dialling each other makes."""

import pytest
from msgspec.structs import replace

from signaling.call import Leg, as_party
from signaling.messages import CallAnswered, CallEnded, CallIncoming, CallProgress
from signaling.parts import CustomContext, Outcome, Party
from signaling.reasons import (
    ANSWERED_ELSEWHERE,
    BUSY,
    CANCELLED,
    DECLINED,
    DECLINED_ELSEWHERE,
    DO_NOT_DISTURB,
    GLARE,
    NO_ANSWER,
    NO_VOICEMAIL,
    OFFLINE,
    REPLACED,
    TIMED_OUT,
    TOO_MANY_HOPS,
    Reason,
)
from signaling.ringing import MAX_RINGING, PICKUP_SECONDS
from signaling.routing import RING_SECONDS, Plan
from signaling.settings import Group, ToGroup, ToPerson, ToVoicemail
from tests.unit.switchboard import Switchboard, rings

pytestmark = pytest.mark.unit


@pytest.fixture
def x() -> Switchboard:
    """Ann on device a."""
    return Switchboard()


# --- ringing


def test_every_device_rings_with_the_callers_words(x: Switchboard) -> None:
    bob = x.user("bob", "b1", "b2")
    context = CustomContext("hello")
    told = x.hear(lambda: x.ringing.place(x.call(bob, custom_context=context), 0.0))
    incoming = CallIncoming("c1", Party("8:acs:ann", "Ann", "ann"), "offer", custom_context=context)
    assert told == [("b1", incoming), ("b2", incoming)]
    assert x.calls.deadline == RING_SECONDS
    assert [c.id for c in x.calls.of("b2")] == [c.id for c in x.calls.of("a")] == ["c1"]
    assert x.calls.of("b3") == []


def test_ringing_is_told_once_and_only_by_those_that_ring(x: Switchboard) -> None:
    bob = x.user("bob", "b1", "b2")
    x.place(bob)
    ringing = [("a", CallProgress("c1", "ringing", as_party(bob)))]
    assert x.hear(lambda: x.ringing.alert(x.now(), "a")) == []
    assert x.hear(lambda: x.ringing.alert(x.now(), "b1")) == ringing
    assert x.hear(lambda: x.ringing.alert(x.now(), "b2")) == []
    assert x.watched == [("c1", "ringing")]


def test_nobody_answers_and_no_rule(x: Switchboard) -> None:
    x.place(x.user("bob", "b1", "b2"))
    assert x.tick(RING_SECONDS - 0.1) == []
    ended = CallEnded("c1", NO_ANSWER)
    assert x.tick(RING_SECONDS) == [("b1", ended), ("b2", ended), ("a", ended)]
    assert x.watched == [("c1", "ended 487/10004 by None")]
    assert x.records[0].kind is None and x.records[0].answered_at is None
    assert x.calls.deadline is None


def test_unanswered_is_sent_on_and_the_first_devices_stop(x: Switchboard) -> None:
    bob = x.user("bob", "b", unanswered=ToPerson("cat"), unanswered_delay=10)
    cat = x.user("cat", "c")
    x.place(bob)
    told = x.tick(10)
    assert told[:2] == [
        ("b", CallEnded("c1", NO_ANSWER)),
        ("a", CallProgress("c1", "forwarded", as_party(cat))),
    ]
    [(session, incoming)] = told[2:]
    assert session == "c"
    assert isinstance(incoming, CallIncoming) and incoming.forwarded_from == as_party(bob)
    x.answer("c")
    assert x.now().outcome == Outcome("forwarded", as_party(cat), ("8:acs:bob",))


def test_forwarded_from_somebody_who_is_deleted_meanwhile(x: Switchboard) -> None:
    x.user("cat", "c")
    x.place(x.user("bob", "b", unanswered=ToPerson("cat"), unanswered_delay=10))
    x.directory.remove("8:acs:bob")
    incoming = [m for _, m in x.tick(10) if isinstance(m, CallIncoming)]
    assert [m.forwarded_from for m in incoming] == [None]


def test_a_forward_back_to_the_caller_is_cut(x: Switchboard) -> None:
    x.place(x.user("bob", "b", unanswered=ToPerson("ann"), unanswered_delay=10))
    assert x.tick(10)[-1] == ("a", CallEnded("c1", TOO_MANY_HOPS))


def test_two_due_at_once_are_both_done(x: Switchboard) -> None:
    bob = x.user("bob", "b")
    x.place(bob, "c1")
    x.place(bob, "c2")
    assert [m.call_id for s, m in x.tick(60) if s == "a" and isinstance(m, CallEnded)] == ["c1", "c2"]


def test_what_a_watcher_ends_meanwhile_is_not_due_any_more(x: Switchboard) -> None:
    bob = x.user("bob", "b")
    x.place(bob, "c1")
    x.place(bob, "c2")
    x.ends["c1"] = "c2"
    x.tick(60)
    assert [(r.call_id, r.reason) for r in x.records] == [("c1", NO_ANSWER), ("c2", REPLACED)]
    assert [m.reason for s, m in x.told if s == "a" and isinstance(m, CallEnded)] == [NO_ANSWER, REPLACED]


# --- voicemail


def test_offline_goes_to_voicemail_for_its_owner(x: Switchboard) -> None:
    x.voicemail("vm")
    bob = x.user("bob", unanswered=ToVoicemail())
    told = x.place(bob)
    assert told[0] == ("a", CallProgress("c1", "voicemail", as_party(bob)))
    [(session, incoming)] = told[1:]
    assert session == "vm"
    assert isinstance(incoming, CallIncoming) and incoming.mailbox == as_party(bob)
    assert x.calls.deadline == PICKUP_SECONDS
    x.answer("vm")
    assert x.now().outcome == Outcome("voicemail", as_party(bob))


def test_the_next_deposit_takes_the_service_with_less_to_do(x: Switchboard) -> None:
    x.voicemail("v1")
    x.voicemail("v2")
    bob = x.user("bob", unanswered=ToVoicemail())
    assert rings(x.place(bob, "c1")) + rings(x.place(bob, "c2")) == ["v1", "v2"]


def test_voicemail_that_does_not_answer_ends_the_call(x: Switchboard) -> None:
    x.voicemail("vm")
    x.place(x.user("bob", unanswered=ToVoicemail()))
    ended = CallEnded("c1", NO_ANSWER)
    assert x.tick(PICKUP_SECONDS) == [("vm", ended), ("a", ended)]


def test_without_a_service_the_first_reason_stands(x: Switchboard) -> None:
    assert x.place(x.user("bob", unanswered=ToVoicemail())) == [("a", CallEnded("c1", OFFLINE))]


def test_a_service_does_not_ring_itself(x: Switchboard) -> None:
    x.voicemail("vm")
    bob = x.user("bob", unanswered=ToVoicemail())
    call = x.call(bob)
    of_service = x.hear(lambda: x.ringing.place(replace(call, caller=Leg("vm", Party("8:acs:vm"))), 0.0))
    assert of_service == [("vm", CallEnded("c1", OFFLINE))]


def test_straight_to_the_mailbox(x: Switchboard) -> None:
    bob = x.user("bob", "b")
    told = x.hear(lambda: x.ringing.place_to_mailbox(x.call(bob), NO_VOICEMAIL, 0.0))
    assert told == [("a", CallEnded("c1", NO_VOICEMAIL))]
    x.voicemail("vm")
    assert rings(x.hear(lambda: x.ringing.place_to_mailbox(x.call(bob, "c2"), NO_VOICEMAIL, 0.0))) == ["vm"]


# --- as if unanswered, and to one device


def test_placed_as_if_unanswered_follows_the_rule_and_rings_the_callee_not(x: Switchboard) -> None:
    bob = x.user("bob", "b", unanswered=ToPerson("cat"))
    x.user("cat", "c")
    assert rings(x.hear(lambda: x.ringing.place_unanswered(x.call(bob), 0.0))) == ["c"]
    dan = x.user("dan", "d")
    told = x.hear(lambda: x.ringing.place_unanswered(x.call(dan, "c2"), 0.0))
    assert told == [("a", CallEnded("c2", NO_ANSWER))]


def test_a_device_that_shall_replace_a_call_has_seconds(x: Switchboard) -> None:
    call = x.call(x.user("bob", "b"), kind="call", replaces="c0", plan=Plan())
    told = x.hear(lambda: x.ringing.place_to_session(call, "b", 0.0))
    assert [m.replaces for _, m in told if isinstance(m, CallIncoming)] == ["c0"]
    ended = CallEnded("c1", TIMED_OUT)
    assert x.tick(PICKUP_SECONDS) == [("a", ended), ("b", ended)]


def test_a_device_that_rings_for_a_call_target_has_a_minute_and_no_rules(x: Switchboard) -> None:
    call = x.call(x.user("bob", "b", unanswered=ToVoicemail()), kind="call", plan=Plan())
    x.voicemail("vm")
    x.ringing.place_to_session(call, "b", 0.0)
    assert x.tick(PICKUP_SECONDS) == []
    ended = CallEnded("c1", NO_ANSWER)
    assert x.tick(RING_SECONDS) == [("a", ended), ("b", ended)]


def test_a_device_that_refuses_to_replace_ends_the_new_call(x: Switchboard) -> None:
    bob = x.user("bob", "b", unanswered=ToVoicemail())
    x.voicemail("vm")
    x.ringing.place_to_session(x.call(bob, kind="call", replaces="c0"), "b", 0.0)
    assert x.refuse("b", OFFLINE) == [("a", CallEnded("c1", OFFLINE))]


# --- answering


def test_the_first_to_answer_wins_and_the_others_stop(x: Switchboard) -> None:
    x.place(x.user("bob", "b1", "b2", "b3"))
    told = x.answer("b2")
    elsewhere = CallEnded("c1", ANSWERED_ELSEWHERE)
    outcome = Outcome("participant", Party("8:acs:bob", "Bob", "bob"))
    assert told == [("b1", elsewhere), ("b3", elsewhere), ("a", CallAnswered("c1", "sdp", outcome))]
    assert [leg.session for leg in x.now().legs] == ["a", "b2"]
    assert x.calls.of("b1") == []


# --- refusing


def test_declining_stops_every_device(x: Switchboard) -> None:
    x.place(x.user("bob", "b1", "b2"))
    assert x.refuse("b1", DECLINED) == [
        ("b2", CallEnded("c1", DECLINED_ELSEWHERE)),
        ("a", CallEnded("c1", DECLINED)),
    ]
    assert x.watched == [("c1", "ended 603/0 by b1")]


@pytest.mark.parametrize("reason", [BUSY, OFFLINE])
def test_busy_or_offline_counts_for_one_device_until_it_is_the_last(x: Switchboard, reason: Reason) -> None:
    x.place(x.user("bob", "b1", "b2"))
    assert x.refuse("b1", reason) == []
    assert x.refuse("b1", reason) == [], "a device refuses once"
    assert x.refuse("b2", reason) == [("a", CallEnded("c1", reason))]


@pytest.mark.parametrize(
    ("rule", "reason"), [("declined", DECLINED), ("busy", BUSY), ("unanswered", OFFLINE)]
)
def test_a_refusal_follows_its_rule(x: Switchboard, rule: str, reason: Reason) -> None:
    x.user("cat", "c")
    x.place(x.user("bob", "b", **{rule: ToPerson("cat")}))
    assert rings(x.refuse("b", reason)) == ["c"]
    assert not x.records


def test_a_refusal_without_a_service_to_send_it_to(x: Switchboard) -> None:
    x.place(x.user("bob", "b", declined=ToVoicemail()))
    assert x.refuse("b", DECLINED) == [("a", CallEnded("c1", DECLINED))]


def test_a_person_at_whom_many_calls_ring_is_busy(x: Switchboard) -> None:
    x.voicemail("vm")
    bob, eve = x.user("bob", "b"), x.user("eve", "e", busy=ToPerson("bob"))
    for number in range(MAX_RINGING):
        x.place(bob, f"r{number}")
    assert x.place(bob) == [("a", CallEnded("c1", BUSY))]
    for number in range(MAX_RINGING):
        x.place(eve, f"e{number}")
    assert x.place(eve) == [("a", CallEnded("c1", BUSY))], "nor can it be forwarded to who is busy"
    x.user("bob", "b", busy=ToVoicemail())
    assert x.place(x.directory.users["8:acs:bob"])[-1][0] == "vm"
    x.answer("b", call_id="r0")
    assert x.place(bob, "again")[-1][0] == "b", "a call that is answered rings no more"


# --- several people


def group(*members: str, in_order: bool = False) -> Group:
    return Group(members, "in_order" if in_order else "simultaneous", 10)


def ends_of(x: Switchboard) -> dict[str, Reason | None]:
    """Return how the first call ended for each user."""
    return {end.user.removeprefix("8:acs:"): end.reason for end in x.records[0].legs}


def test_a_companion_rings_along_and_the_outcome_names_the_way(x: Switchboard) -> None:
    cat = x.user("cat", "c1", "c2")
    bob = x.user("bob", "b", simultaneous=ToPerson("cat"))
    told = x.place(bob)
    assert rings(told) == ["b", "c1", "c2"]
    assert not any(isinstance(m, CallProgress) for _, m in told)
    from_bob = {s: m.forwarded_from for s, m in told if isinstance(m, CallIncoming)}
    assert from_bob == {"b": None, "c1": as_party(bob), "c2": as_party(bob)}
    elsewhere = CallEnded("c1", ANSWERED_ELSEWHERE)
    outcome = Outcome("forwarded", as_party(cat), ("8:acs:bob",))
    assert x.answer("c2") == [
        ("b", elsewhere),
        ("c1", elsewhere),
        ("a", CallAnswered("c1", "sdp", outcome)),
    ]
    assert x.now().kind == "forwarded"
    x.calls.end("c1", REPLACED, 9.0)
    assert ends_of(x) == {"ann": REPLACED, "bob": ANSWERED_ELSEWHERE, "cat": REPLACED}
    assert (x.records[0].callee, x.records[0].answered_by) == ("8:acs:bob", "8:acs:cat")


def test_the_callee_answers_beside_a_companion(x: Switchboard) -> None:
    x.user("cat", "c")
    x.place(x.user("bob", "b", simultaneous=ToPerson("cat")))
    x.answer("b")
    assert x.now().outcome == Outcome("participant", Party("8:acs:bob", "Bob", "bob"))


def test_a_callee_who_declines_stops_the_companions_too(x: Switchboard) -> None:
    x.user("cat", "c")
    x.place(x.user("bob", "b1", "b2", simultaneous=ToPerson("cat")))
    elsewhere = CallEnded("c1", DECLINED_ELSEWHERE)
    assert x.refuse("b2", DECLINED) == [
        ("b1", elsewhere),
        ("c", elsewhere),
        ("a", CallEnded("c1", DECLINED)),
    ]
    assert ends_of(x) == {"ann": DECLINED, "bob": DECLINED, "cat": DECLINED_ELSEWHERE}


def test_a_companion_who_declines_stops_alone(x: Switchboard) -> None:
    x.user("cat", "c1", "c2")
    x.place(x.user("bob", "b", simultaneous=ToPerson("cat")))
    assert x.refuse("c1", DECLINED) == [("c2", CallEnded("c1", DECLINED_ELSEWHERE))]
    assert x.refuse("b", BUSY) == [("a", CallEnded("c1", BUSY))]
    assert ends_of(x) == {"ann": BUSY, "bob": BUSY, "cat": DECLINED}


def test_what_a_companion_declines_last_was_not_answered(x: Switchboard) -> None:
    x.voicemail("vm")
    x.user("cat", "c")
    x.place(x.user("bob", "b", simultaneous=ToPerson("cat"), unanswered=ToVoicemail()))
    x.refuse("b", OFFLINE)
    [(_, progress), (session, incoming)] = x.refuse("c", DECLINED)
    assert isinstance(progress, CallProgress) and progress.progress == "voicemail"
    assert session == "vm" and isinstance(incoming, CallIncoming)
    assert incoming.diverted_for == "no-answer"


def test_a_group_rings_together_and_the_first_wins(x: Switchboard) -> None:
    x.user("cat", "c")
    x.user("dan", "d")
    sales = x.user("sales", forwarding=ToGroup(), group=group("cat", "dan"))
    told = x.place(sales)
    assert told[0] == ("a", CallProgress("c1", "forwarded", as_party(sales)))
    assert rings(told) == ["c", "d"]
    x.answer("d")
    assert x.now().outcome == Outcome("forwarded", Party("8:acs:dan", "Dan", "dan"), ("8:acs:sales",))


def test_a_group_rings_in_order(x: Switchboard) -> None:
    x.user("cat", "c")
    x.user("dan", "d")
    x.user("eve", "e")
    x.place(x.user("sales", forwarding=ToGroup(), group=group("cat", "dan", "eve", in_order=True)))
    told = x.tick(10)
    assert told[0] == ("c", CallEnded("c1", NO_ANSWER))
    assert (rings(told), len(told)) == (["d"], 2), "the caller is told once that the call was sent on"
    assert rings(x.refuse("d", DECLINED)) == ["e"]
    assert x.tick(20)[-1] == ("a", CallEnded("c1", NO_ANSWER))
    assert ends_of(x) == {
        "ann": NO_ANSWER,
        "sales": None,
        "cat": NO_ANSWER,
        "dan": DECLINED,
        "eve": NO_ANSWER,
    }


def test_nobody_is_disturbed(x: Switchboard) -> None:
    x.voicemail("vm")
    assert x.place(x.user("bob", "b", do_not_disturb=True)) == [("a", CallEnded("c1", DO_NOT_DISTURB))]
    told = x.place(x.user("cat", "c", do_not_disturb=True, unanswered=ToVoicemail()), "c2")
    [incoming] = [m for s, m in told if s == "vm"]
    assert isinstance(incoming, CallIncoming) and incoming.diverted_for == "do-not-disturb"


def test_without_call_waiting_a_call_makes_busy(x: Switchboard) -> None:
    bob = x.user("bob", "b", call_waiting=False)
    x.place(bob)
    assert rings(x.place(bob, "c2")) == ["b"], "a call that rings does not"
    x.answer("b")
    assert x.place(bob, "c3") == [("a", CallEnded("c3", BUSY))]
    x.calls.end("c1", REPLACED, 2.0)
    assert rings(x.place(bob, "c4")) == ["b"]
    x.attaching.add(bob.raw_id)
    assert x.place(bob, "c5") == [("a", CallEnded("c5", BUSY))], "a call the hub has yet to learn of"


# --- both dial each other


def test_a_call_that_crosses_another_is_joined_to_it(x: Switchboard) -> None:
    bob, ann = x.user("bob", "b1", "b2"), x.directory.users["8:acs:ann"]
    assert x.ringing.crossing("b1", ann) is None
    x.place(bob)
    x.trickle("a", 1)
    crossing = x.ringing.crossing("b1", ann)
    assert crossing == x.now()
    assert x.ringing.crossing("b1", bob) is None
    incoming, ended = x.hear(lambda: x.ringing.join(x.now(), "b1", "c2"))
    assert incoming == ("b1", CallIncoming("c1", as_party(ann), "offer", replaces="c2"))
    assert ended == ("b1", CallEnded("c2", GLARE))
    assert x.ringing.crossing("b1", ann) == x.now()
    assert x.answer("b1")[0] == ("b2", CallEnded("c1", ANSWERED_ELSEWHERE))
    assert x.ringing.crossing("b1", ann) == x.now(), "until both hear each other"
    assert x.ringing.crossing("b2", ann) is None
    assert x.hear(lambda: x.ringing.join(x.now(), "b1", "c3")) == [("b1", CallEnded("c3", GLARE))]
    for session in ("a", "b1"):
        x.heard(session)
    assert x.ringing.crossing("b1", ann) is None


def test_a_device_that_did_not_ring_joins_too(x: Switchboard) -> None:
    x.place(x.user("bob", "b1", "b2"))
    x.refuse("b2", OFFLINE)
    x.trickle("a", 1)
    told = x.hear(lambda: x.ringing.join(x.now(), "b2", "c2"))
    assert [type(m).__name__ for _, m in told] == ["CallIncoming", "CallCandidate", "CallEnded"]
    assert x.answer("b2")[0] == ("b1", CallEnded("c1", ANSWERED_ELSEWHERE))


def test_a_call_that_replaces_another_crosses_none(x: Switchboard) -> None:
    call = x.call(x.user("bob", "b"), kind="call", replaces="c0", plan=Plan())
    x.ringing.place_to_session(call, "b", 0.0)
    assert x.ringing.crossing("b", x.directory.users["8:acs:ann"]) is None


def test_the_caller_gives_up_while_the_other_joins(x: Switchboard) -> None:
    x.place(x.user("bob", "b"))
    x.ringing.join(x.now(), "b", "c2")
    assert x.hear(lambda: x.calls.hang_up(x.now(), "a", 1.0)) == [("b", CallEnded("c1", CANCELLED))]
