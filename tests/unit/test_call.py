"""One call as a value: its legs, its outcome, its record."""

from typing import Any

import pytest

from signaling.call import Call, CallRecord, Leg, LegEnd, as_party, ice_user, record_of
from signaling.parts import Outcome, Party
from signaling.reasons import CANCELLED, HUNG_UP, NO_ANSWER, REPLACED
from signaling.routing import Plan
from signaling.settings import User

pytestmark = pytest.mark.unit

BOB = User("8:acs:bob", "bob", "Bob")
ANN, CAT = Party("8:acs:ann"), Party("8:acs:cat")


def call(**fields: Any) -> Call:
    values = {"plan": Plan(("8:acs:bob",)), **fields}
    return Call(id="c1", caller=Leg("a", ANN), sdp="offer", callee=BOB, placed_at=1.0, **values)


def test_a_leg_that_is_gone_is_none() -> None:
    both = call(answerer=Leg("b", as_party(BOB)))
    assert [leg.session for leg in both.legs] == ["a", "b"]
    assert both.other("a") == both.leg("b") == Leg("b", as_party(BOB))
    assert both.leg("c") is both.other("c") is None
    left = call(answerer=Leg("b", as_party(BOB)), gone=frozenset({"a"}))
    assert (left.leg("a"), left.other("a"), left.other("b")) == (None, None, None)


@pytest.mark.parametrize(
    ("fields", "outcome"),
    [
        ({}, Outcome("participant", as_party(BOB))),
        ({"answerer": Leg("b", as_party(BOB))}, Outcome("participant", as_party(BOB))),
        ({"answerer": Leg("c", CAT)}, Outcome("forwarded", CAT, ("8:acs:bob",))),
        (
            {"answerer": Leg("b", as_party(BOB)), "plan": Plan(("8:acs:dan", "8:acs:bob"))},
            Outcome("forwarded", as_party(BOB), ("8:acs:dan",)),
        ),
        ({"answerer": Leg("v", CAT), "kind": "voicemail"}, Outcome("voicemail", as_party(BOB))),
        (
            {"answerer": Leg("v", CAT), "kind": "voicemail", "plan": Plan(("8:acs:dan", "8:acs:bob"))},
            Outcome("voicemail", as_party(BOB), ("8:acs:dan",)),
        ),
        ({"answerer": Leg("c", CAT), "kind": "call", "plan": Plan()}, Outcome("call", CAT)),
    ],
)
def test_the_outcome_says_who_answered_and_over_which_forwards(
    fields: dict[str, Any], outcome: Outcome
) -> None:
    assert call(**fields).outcome == outcome


def test_the_record_of_a_call_that_nobody_answered() -> None:
    record = record_of(call(plan=Plan(), transferor=CAT), CANCELLED, 4.0)
    ends = (LegEnd("8:acs:ann", CANCELLED), LegEnd("8:acs:bob", None))
    assert record == CallRecord(
        "c1", "8:acs:ann", "8:acs:bob", "8:acs:cat", None, 1.0, None, 4.0, CANCELLED, legs=ends
    )


def test_the_record_of_a_call_that_went_on_to_another() -> None:
    rang = (LegEnd("8:acs:dan", NO_ANSWER), LegEnd("8:acs:bob", NO_ANSWER))
    answered = call(
        plan=Plan(("8:acs:dan", "8:acs:eve", "8:acs:bob")),
        ends=(*rang, LegEnd("8:acs:ann", REPLACED)),
        answerer=Leg("c", CAT),
        answered_at=2.0,
        gone=frozenset({"a"}),
    )
    record = record_of(answered, HUNG_UP, 4.0)
    via = ("8:acs:dan", "8:acs:eve", "8:acs:bob")
    assert (record.callee, record.answered_by, record.via) == ("8:acs:dan", "8:acs:cat", via)
    assert (record.kind, record.answered_at, record.transferor) == ("forwarded", 2.0, None)
    assert record.legs == (
        LegEnd("8:acs:ann", REPLACED),
        LegEnd("8:acs:dan", NO_ANSWER),
        LegEnd("8:acs:eve", None),
        LegEnd("8:acs:bob", NO_ANSWER),
        LegEnd("8:acs:cat", HUNG_UP),
    )


def test_whoever_joins_a_group_has_the_group_at_the_other_end() -> None:
    group = User("standup", "", "Group call")
    joined = Call(id="c1", caller=Leg("a", ANN), sdp="", callee=group, placed_at=1.0, kind="group")
    assert joined.outcome == Outcome("group", Party("standup", "Group call"))


@pytest.mark.parametrize(
    ("sdp", "user"), [("v=0\r\na=ice-ufrag:x+1/\r\na=ice-pwd:y\r\n", "x+1/"), ("v=0\r\n", ""), ("", "")]
)
def test_a_path_is_known_by_its_ice_user(sdp: str, user: str) -> None:
    assert ice_user(sdp) == user


def test_a_leg_moves_with_all_that_is_known_of_it() -> None:
    placed = call(heard=frozenset({"a"}), held=frozenset({"a"}))
    moved = placed.moved("a", "new")
    assert (moved.caller.session, moved.answerer) == ("new", None)
    assert moved.heard == moved.held == {"new"}
    answered = call(answerer=Leg("b", Party("8:acs:bob")), heard=frozenset({"a", "b"})).moved("b", "new")
    assert [leg.session for leg in answered.legs] == ["a", "new"] and answered.heard == {"a", "new"}
