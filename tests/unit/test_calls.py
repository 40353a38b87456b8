"""The hub's calls: what the ends tell each other, which leg ends with which reason, and when."""

import itertools

import pytest
from msgspec.structs import replace

from signaling.call import CallRecord, LegEnd, as_party
from signaling.calls import MAX_EARLY_CANDIDATES, RELAYED_AT_ONCE, RELAYED_PER_SECOND
from signaling.messages import CallCandidate, CallConnected, CallEnded, CallHold, CallUpdate, Error
from signaling.parts import Candidate
from signaling.reasons import (
    CANCELLED,
    HUNG_UP,
    MEDIA_LOST,
    NETWORK,
    NO_MEDIA,
    REPLACED,
    Reason,
)
from signaling.ringing import MEDIA_SECONDS
from signaling.settings import ToPerson
from tests.unit.switchboard import Switchboard, Told

pytestmark = pytest.mark.unit


@pytest.fixture
def x() -> Switchboard:
    """Ann on device a."""
    return Switchboard()


# --- answering


def test_up_when_both_have_heard_the_other_and_only_once(x: Switchboard) -> None:
    x.place(x.user("bob", "b1", "b2"))
    assert x.heard("a") == [], "nothing can be heard before the answer"
    x.answer("b1")
    for session in ("a", "a", "b2"):
        assert x.heard(session) == []
    connected = CallConnected("c1")
    assert x.heard("b1") == [("a", connected), ("b1", connected)]
    assert x.heard("b1") == []
    assert x.watched == [("c1", "answered"), ("c1", "connected")]
    assert x.calls.deadline is None


def test_answered_but_not_heard_ends_with_no_media(x: Switchboard) -> None:
    x.place(x.user("bob", "b"))
    x.answer("b", at=5.0)
    x.calls.hear(x.now(), "a", 5.0)
    ended = CallEnded("c1", NO_MEDIA)
    assert x.tick(5.0 + MEDIA_SECONDS) == [("a", ended), ("b", ended)]
    [record] = x.records
    assert (record.kind, record.answered_at, record.ended_at) == ("participant", 5.0, 15.0)


# --- candidates


def test_early_candidates_go_to_those_that_ring_and_to_those_who_ring_later(x: Switchboard) -> None:
    x.user("cat", "c")
    x.place(x.user("bob", "b1", "b2", unanswered=ToPerson("cat"), unanswered_delay=10))
    early = CallCandidate("c1", Candidate("candidate:1"))
    told = x.trickle("a", 1)
    assert told == [("b1", early), ("b2", early)]
    assert x.tick(10)[-1] == ("c", early)


def test_candidates_beyond_the_limit_still_reach_those_that_ring(x: Switchboard) -> None:
    x.place(x.user("bob", "b"))
    told: Told = []
    for number in range(MAX_EARLY_CANDIDATES + 2):
        told += x.trickle("a", number)
    texts = [m.candidate.candidate for _, m in told if isinstance(m, CallCandidate) and m.candidate]
    assert texts == [f"candidate:{number}" for number in range(MAX_EARLY_CANDIDATES + 2)]
    assert len(x.now().candidates) == MAX_EARLY_CANDIDATES


def test_a_device_that_only_rings_sends_the_caller_no_candidates(x: Switchboard) -> None:
    x.place(x.user("bob", "b1", "b2"))
    assert x.trickle("b1", 1) == []
    x.answer("b2")
    assert x.trickle("b1", 1) == []
    assert [s for s, _ in x.trickle("b2", 1)] == ["a"]
    assert [s for s, _ in x.trickle("a", 2)] == ["b2"]


# --- refusing


def test_calls_that_are_not_up_are_pending_for_their_caller(x: Switchboard) -> None:
    bob = x.user("bob", "b")
    for call_id in ("c1", "c2"):
        x.place(bob, call_id)
    assert (x.calls.pending("8:acs:ann"), x.calls.pending("8:acs:bob")) == (2, 0)
    x.answer("b")
    for session in ("a", "b"):
        x.calls.hear(x.now(), session, 2.0)
    assert x.calls.pending("8:acs:ann") == 1


def test_what_one_end_may_send_to_the_other_is_limited(x: Switchboard) -> None:
    def sent(session: str, at: float) -> int:
        return next(n for n in itertools.count() if not x.calls.may_relay(x.now(), session, at))

    x.place(x.user("bob", "b"))
    assert (sent("a", 0.0), sent("b", 0.0)) == (RELAYED_AT_ONCE, RELAYED_AT_ONCE)
    assert sent("a", 50.0) == 0, "while it rings nothing is given back"
    x.answer("b", 50.0)
    assert sent("a", 60.0) == 60 * RELAYED_PER_SECOND


# --- ending


def test_hanging_up_before_the_answer_is_a_cancel(x: Switchboard) -> None:
    x.place(x.user("bob", "b1", "b2"))
    cancelled = CallEnded("c1", CANCELLED)
    told = x.hear(lambda: x.calls.hang_up(x.now(), "a", 1.0))
    assert told == [("b1", cancelled), ("b2", cancelled)]
    assert x.records[0].reason == CANCELLED


@pytest.mark.parametrize(
    ("state", "reason"), [("ringing", NETWORK), ("answered", HUNG_UP), ("answered", MEDIA_LOST)]
)
def test_other_ends_keep_their_reason(x: Switchboard, state: str, reason: Reason) -> None:
    x.place(x.user("bob", "b"))
    if state == "answered":
        x.answer("b")
    told = x.hear(lambda: x.calls.hang_up(x.now(), "a", 2.0, reason))
    assert told == [("b", CallEnded("c1", reason))]


def test_a_call_ends_once(x: Switchboard) -> None:
    x.place(x.user("bob", "b"))
    x.answer("b")
    ended = CallEnded("c1", REPLACED)
    assert x.hear(lambda: x.calls.end("c1", REPLACED, 2.0)) == [("a", ended), ("b", ended)]
    assert x.hear(lambda: x.calls.end("c1", HUNG_UP, 2.0)) == []
    assert len(x.records) == 1


def test_a_leg_that_left_is_told_nothing_and_the_other_lives_until_its_deadline(x: Switchboard) -> None:
    x.place(x.user("bob", "b"))
    x.answer("b")
    x.calls.leave(x.now(), "b", HUNG_UP, 20.0)
    call = x.now()
    assert (call.leg("b"), call.other("a"), call.other("b")) == (None, None, None)
    assert [c.id for c in x.calls.of("b")] == []
    assert x.tick(20.0) == [("a", CallEnded("c1", REPLACED))]


def test_the_history_names_everybody_and_why_it_ended_for_each(x: Switchboard) -> None:
    cat = x.user("cat")
    x.ringing.place(x.call(x.user("bob", "b"), transferor=as_party(cat)), 0.0)
    x.answer("b", at=3.0)
    x.calls.leave(x.now(), "b", REPLACED, 20.0)
    x.calls.end("c1", HUNG_UP, 7.0)
    ends = (LegEnd("8:acs:ann", HUNG_UP), LegEnd("8:acs:bob", REPLACED))
    assert x.records == [
        CallRecord(
            "c1",
            "8:acs:ann",
            "8:acs:bob",
            "8:acs:cat",
            "participant",
            0.0,
            3.0,
            7.0,
            HUNG_UP,
            "8:acs:bob",
            (),
            ends,
        )
    ]


@pytest.mark.parametrize("lost", ["a", "b"])
def test_a_new_session_takes_the_leg_of_a_lost_one(x: Switchboard, lost: str) -> None:
    x.place(x.user("bob", "b"))
    x.answer("b")
    x.hear(lambda: x.calls.hear(x.now(), "b", 2.0))
    x.calls.hold(x.now(), lost, CallHold("c1", True))
    both = [("new", CallConnected("c1")), ("b" if lost == "a" else "a", CallConnected("c1"))]
    assert sorted(x.hear(lambda: x.calls.rebind(x.now(), lost, "new"))) == sorted(both)
    assert (x.now().leg(lost), x.now().leg("new") is not None) == (None, True)
    assert x.now().heard == frozenset({"new" if lost == "b" else "b"})
    assert x.now().held == frozenset({"new"})
    assert x.watched[-1] == ("c1", f"moved {lost} to new")


def test_a_call_is_taken_on(x: Switchboard) -> None:
    x.place(x.user("bob", "b"))
    x.answer("b")
    call = replace(x.now(), id="c2", state="up")
    assert x.hear(lambda: x.calls.restore(call)) == [("a", CallConnected("c2")), ("b", CallConnected("c2"))]


def test_a_call_that_is_not_answered_has_one_leg_to_move(x: Switchboard) -> None:
    x.place(x.user("bob", "b"))
    x.hear(lambda: x.calls.rebind(x.now(), "a", "new"))
    assert [leg.session for leg in x.now().legs] == ["new"]


def test_what_was_dealt_with_meanwhile_is_not_due_any_more(x: Switchboard) -> None:
    bob = x.user("bob", "b")
    for call_id in ("c1", "c2"):
        x.place(bob, call_id)
        x.answer("b", at=0.0, call_id=call_id)
    x.ends["c1"] = "c2"
    x.tick(MEDIA_SECONDS)
    assert [(r.call_id, r.reason) for r in x.records] == [("c1", NO_MEDIA), ("c2", REPLACED)]


# --- descriptions and holds


def up(x: Switchboard) -> None:
    x.place(x.user("bob", "b"))
    x.answer("b")
    x.heard("a")
    x.heard("b")


def offered(x: Switchboard, user: str, session: str = "a") -> Told:
    update = CallUpdate("c1", "offer", f"a=ice-ufrag:{user}", seq=7)
    return x.hear(lambda: x.calls.update(x.now(), session, update))


def answered(x: Switchboard, session: str = "b") -> Told:
    return x.hear(lambda: x.calls.update(x.now(), session, CallUpdate("c1", "answer", "sdp", seq=7)))


def test_the_caller_offers_and_the_callee_answers(x: Switchboard) -> None:
    up(x)
    assert offered(x, "") == [("b", CallUpdate("c1", "offer", "a=ice-ufrag:"))]
    assert x.now().owed == 1
    assert answered(x) == [("a", CallUpdate("c1", "answer", "sdp"))]
    assert answered(x) == [("a", CallUpdate("c1", "answer", "sdp"))]
    assert x.now().owed == 0
    for [(_, error)] in (offered(x, "", "b"), answered(x, "a")):
        assert isinstance(error, Error) and "Only the caller offers" in error.reason.message
    x.calls.leave(x.now(), "b", REPLACED, None)
    assert offered(x, "") == []


def test_both_are_told_when_a_new_path_is_heard(x: Switchboard) -> None:
    up(x)
    assert offered(x, "new") == [("b", CallUpdate("c1", "offer", "a=ice-ufrag:new"))]
    connected = CallConnected("c1")
    assert [x.heard("a"), x.heard("b")] == [[], [("a", connected), ("b", connected)]]
    assert [x.heard("a"), x.heard("b")] == [[], []], "once"
    assert x.watched.count(("c1", "connected")) == 1
    offered(x, "new")
    assert len(x.now().heard) == 2, "a hold is no new path"


def test_who_holds_is_known(x: Switchboard) -> None:
    up(x)
    for on in (True, False):
        hold = CallHold("c1", on, seq=3)
        told = x.hear(lambda hold=hold: x.calls.hold(x.now(), "b", hold))  # type: ignore[misc]
        assert told == [("a", CallHold("c1", on))]
        assert x.now().held == (frozenset({"b"}) if on else frozenset())
    x.calls.leave(x.now(), "a", REPLACED, None)
    assert x.hear(lambda: x.calls.hold(x.now(), "b", CallHold("c1", True))) == []


def test_a_call_that_another_one_goes_on_in_leaves_nothing(x: Switchboard) -> None:
    up(x)
    assert x.calls.legs("a") == 1
    call = x.calls.drop("c1")
    assert (x.calls.all, x.calls.legs("a"), x.records) == ({}, 0, [])
    x.calls.keep(replace(call, filed=False))
    x.calls.end("c1", HUNG_UP, 9.0)
    assert x.records == []
