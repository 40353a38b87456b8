"""The hub's calls: who rings, who answered, which leg ends with which reason, and when."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from msgspec.structs import replace

from signaling.calls import (
    MAX_EARLY_CANDIDATES,
    MAX_RINGING,
    MEDIA_SECONDS,
    PICKUP_SECONDS,
    RELAYED_AT_ONCE,
    RELAYED_PER_SECOND,
    Call,
    CallRecord,
    Calls,
    Leg,
    as_party,
)
from signaling.messages import (
    CallAnswer,
    CallAnswered,
    CallCandidate,
    CallConnected,
    CallEnded,
    CallIncoming,
    CallProgress,
    Candidate,
    CustomContext,
    HubMessage,
    Outcome,
    Party,
    Progress,
)
from signaling.presence import Presence, Session
from signaling.reasons import (
    ANSWERED_ELSEWHERE,
    BUSY,
    CANCELLED,
    DECLINED,
    DECLINED_ELSEWHERE,
    HUNG_UP,
    MEDIA_LOST,
    NETWORK,
    NO_ANSWER,
    NO_MEDIA,
    NO_VOICEMAIL,
    OFFLINE,
    REPLACED,
    TIMED_OUT,
    TOO_MANY_HOPS,
    Reason,
)
from signaling.routing import RING_SECONDS, Directory, Plan
from signaling.settings import Settings, ToPerson, ToVoicemail, User

pytestmark = pytest.mark.unit

Told = list[tuple[str, HubMessage]]


@dataclass
class Exchange:
    """Calls with their presence, their directory, and everything they tell."""

    presence: Presence = field(default_factory=Presence)
    directory: Directory = field(default_factory=Directory)
    told: Told = field(default_factory=list)
    records: list[CallRecord] = field(default_factory=list)
    watched: list[tuple[str, str]] = field(default_factory=list)
    ends: dict[str, str] = field(default_factory=dict)  # the end of a call makes the watcher end another

    def __post_init__(self) -> None:
        self.calls = Calls(
            self.presence, self.directory, lambda s, m: self.told.append((s, m)), self.records.append
        )
        self.calls.watcher = self

    def progressed(self, call: Call, progress: Progress) -> None:
        self.watched.append((call.id, progress))

    def connected(self, call: Call, now: float) -> None:
        self.watched.append((call.id, "connected"))

    def ended(self, call: Call, reason: Reason, by: str | None, now: float) -> None:
        self.watched.append((call.id, f"ended {reason.code}/{reason.sub_code} by {by}"))
        if call.id in self.ends:
            self.calls.end(self.ends[call.id], REPLACED, now)

    def user(self, name: str, *devices: str, **rules: Any) -> User:
        """Add a user with these devices online."""
        settings = Settings(**{"unanswered": None, **rules})
        user = User(f"8:acs:{name}", name, name.title(), (), settings)
        self.directory.put(user)
        for device in devices:
            self.presence.put(device, Session(as_party(user), frozenset({"voip"})))
        return user

    def voicemail(self, session: str) -> None:
        party = Party(f"8:acs:{session}", name=session)
        self.presence.put(session, Session(party, frozenset({"voip", "voicemail"})))

    def call(self, callee: User, call_id: str = "c1", **fields: Any) -> Call:
        ann = self.directory.users["8:acs:ann"]
        caller = Leg("a", as_party(ann))
        values = {"plan": Plan(never=frozenset({"8:acs:ann"})), **fields}
        return Call(id=call_id, caller=caller, sdp="offer", callee=callee, placed_at=0.0, **values)

    def now(self, call_id: str = "c1") -> Call:
        """Return the call as it is now."""
        return self.calls.all[call_id]

    def place(self, callee: User, call_id: str = "c1") -> Told:
        return self.hear(lambda: self.calls.place(self.call(callee, call_id), 0.0))

    def answer(self, session: str, at: float = 1.0, call_id: str = "c1") -> Told:
        return self.hear(
            lambda: self.calls.answer(self.now(call_id), session, CallAnswer(call_id, "sdp"), at)
        )

    def hear(self, act: Callable[[], object]) -> Told:
        """Return what an action makes the calls tell."""
        before = len(self.told)
        act()
        return self.told[before:]

    def tick(self, now: float) -> Told:
        return self.hear(lambda: self.calls.tick(now))

    def heard(self, session: str) -> Told:
        return self.hear(lambda: self.calls.hear(self.now(), session, 1.0))

    def trickle(self, session: str, number: int) -> Told:
        message = CallCandidate("c1", Candidate(f"candidate:{number}"), seq=number)
        return self.hear(lambda: self.calls.candidate(self.now(), session, message))

    def refuse(self, session: str, reason: Reason) -> Told:
        return self.hear(lambda: self.calls.refuse(self.now(), session, reason, 1.0))


@pytest.fixture
def x() -> Exchange:
    """Ann on device a."""
    exchange = Exchange()
    exchange.user("ann", "a")
    return exchange


def rings(told: Told) -> list[str]:
    return [session for session, message in told if isinstance(message, CallIncoming)]


# --- ringing


def test_every_device_rings_with_the_callers_words(x: Exchange) -> None:
    bob = x.user("bob", "b1", "b2")
    context = CustomContext("hello")
    told = x.hear(lambda: x.calls.place(x.call(bob, custom_context=context), 0.0))
    incoming = CallIncoming("c1", Party("8:acs:ann", "Ann", "ann"), "offer", custom_context=context)
    assert told == [("b1", incoming), ("b2", incoming)]
    assert x.calls.deadline == RING_SECONDS
    assert [c.id for c in x.calls.of("b2")] == [c.id for c in x.calls.of("a")] == ["c1"]
    assert x.calls.of("b3") == []


def test_ringing_is_told_once_and_only_by_those_that_ring(x: Exchange) -> None:
    bob = x.user("bob", "b1", "b2")
    x.place(bob)
    ringing = [("a", CallProgress("c1", "ringing", as_party(bob)))]
    assert x.hear(lambda: x.calls.alert(x.now(), "a")) == []
    assert x.hear(lambda: x.calls.alert(x.now(), "b1")) == ringing
    assert x.hear(lambda: x.calls.alert(x.now(), "b2")) == []
    assert x.watched == [("c1", "ringing")]


def test_nobody_answers_and_no_rule(x: Exchange) -> None:
    x.place(x.user("bob", "b1", "b2"))
    assert x.tick(RING_SECONDS - 0.1) == []
    ended = CallEnded("c1", NO_ANSWER)
    assert x.tick(RING_SECONDS) == [("b1", ended), ("b2", ended), ("a", ended)]
    assert x.watched == [("c1", "ended 487/10004 by None")]
    assert x.records[0].kind is None and x.records[0].answered_at is None
    assert x.calls.deadline is None


def test_unanswered_is_sent_on_and_the_first_devices_stop(x: Exchange) -> None:
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


def test_forwarded_from_somebody_who_is_deleted_meanwhile(x: Exchange) -> None:
    x.user("cat", "c")
    x.place(x.user("bob", "b", unanswered=ToPerson("cat"), unanswered_delay=10))
    x.directory.remove("8:acs:bob")
    incoming = [m for _, m in x.tick(10) if isinstance(m, CallIncoming)]
    assert [m.forwarded_from for m in incoming] == [None]


def test_a_forward_back_to_the_caller_is_cut(x: Exchange) -> None:
    x.place(x.user("bob", "b", unanswered=ToPerson("ann"), unanswered_delay=10))
    assert x.tick(10)[-1] == ("a", CallEnded("c1", TOO_MANY_HOPS))


def test_two_due_at_once_are_both_done(x: Exchange) -> None:
    bob = x.user("bob", "b")
    x.place(bob, "c1")
    x.place(bob, "c2")
    assert [m.call_id for s, m in x.tick(60) if s == "a" and isinstance(m, CallEnded)] == ["c1", "c2"]


def test_what_a_watcher_ends_meanwhile_is_not_due_any_more(x: Exchange) -> None:
    bob = x.user("bob", "b")
    x.place(bob, "c1")
    x.place(bob, "c2")
    x.ends["c1"] = "c2"
    x.tick(60)
    assert [(r.call_id, r.reason) for r in x.records] == [("c1", NO_ANSWER), ("c2", REPLACED)]
    assert [m.reason for s, m in x.told if s == "a" and isinstance(m, CallEnded)] == [NO_ANSWER, REPLACED]


# --- voicemail


def test_offline_goes_to_voicemail_for_its_owner(x: Exchange) -> None:
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


def test_the_next_deposit_takes_the_service_with_less_to_do(x: Exchange) -> None:
    x.voicemail("v1")
    x.voicemail("v2")
    bob = x.user("bob", unanswered=ToVoicemail())
    assert rings(x.place(bob, "c1")) + rings(x.place(bob, "c2")) == ["v1", "v2"]


def test_voicemail_that_does_not_answer_ends_the_call(x: Exchange) -> None:
    x.voicemail("vm")
    x.place(x.user("bob", unanswered=ToVoicemail()))
    ended = CallEnded("c1", NO_ANSWER)
    assert x.tick(PICKUP_SECONDS) == [("vm", ended), ("a", ended)]


def test_without_a_service_the_first_reason_stands(x: Exchange) -> None:
    assert x.place(x.user("bob", unanswered=ToVoicemail())) == [("a", CallEnded("c1", OFFLINE))]


def test_a_service_does_not_ring_itself(x: Exchange) -> None:
    x.voicemail("vm")
    bob = x.user("bob", unanswered=ToVoicemail())
    call = x.call(bob)
    of_service = x.hear(lambda: x.calls.place(replace(call, caller=Leg("vm", Party("8:acs:vm"))), 0.0))
    assert of_service == [("vm", CallEnded("c1", OFFLINE))]


def test_straight_to_the_mailbox(x: Exchange) -> None:
    bob = x.user("bob", "b")
    told = x.hear(lambda: x.calls.place_to_mailbox(x.call(bob), NO_VOICEMAIL, 0.0))
    assert told == [("a", CallEnded("c1", NO_VOICEMAIL))]
    x.voicemail("vm")
    assert rings(x.hear(lambda: x.calls.place_to_mailbox(x.call(bob, "c2"), NO_VOICEMAIL, 0.0))) == ["vm"]


# --- as if unanswered, and to one device


def test_placed_as_if_unanswered_follows_the_rule_and_rings_the_callee_not(x: Exchange) -> None:
    bob = x.user("bob", "b", unanswered=ToPerson("cat"))
    x.user("cat", "c")
    assert rings(x.hear(lambda: x.calls.place_unanswered(x.call(bob), 0.0))) == ["c"]
    dan = x.user("dan", "d")
    told = x.hear(lambda: x.calls.place_unanswered(x.call(dan, "c2"), 0.0))
    assert told == [("a", CallEnded("c2", NO_ANSWER))]


def test_a_device_that_shall_replace_a_call_has_seconds(x: Exchange) -> None:
    call = x.call(x.user("bob", "b"), kind="call", replaces="c0", plan=Plan())
    told = x.hear(lambda: x.calls.place_to_session(call, "b", 0.0))
    assert [m.replaces for _, m in told if isinstance(m, CallIncoming)] == ["c0"]
    ended = CallEnded("c1", TIMED_OUT)
    assert x.tick(PICKUP_SECONDS) == [("a", ended), ("b", ended)]


def test_a_device_that_rings_for_a_call_target_has_a_minute_and_no_rules(x: Exchange) -> None:
    call = x.call(x.user("bob", "b", unanswered=ToVoicemail()), kind="call", plan=Plan())
    x.voicemail("vm")
    x.calls.place_to_session(call, "b", 0.0)
    assert x.tick(PICKUP_SECONDS) == []
    ended = CallEnded("c1", NO_ANSWER)
    assert x.tick(RING_SECONDS) == [("a", ended), ("b", ended)]


def test_a_device_that_refuses_to_replace_ends_the_new_call(x: Exchange) -> None:
    bob = x.user("bob", "b", unanswered=ToVoicemail())
    x.voicemail("vm")
    x.calls.place_to_session(x.call(bob, kind="call", replaces="c0"), "b", 0.0)
    assert x.refuse("b", OFFLINE) == [("a", CallEnded("c1", OFFLINE))]


# --- answering


def test_the_first_to_answer_wins_and_the_others_stop(x: Exchange) -> None:
    x.place(x.user("bob", "b1", "b2", "b3"))
    told = x.answer("b2")
    elsewhere = CallEnded("c1", ANSWERED_ELSEWHERE)
    outcome = Outcome("participant", Party("8:acs:bob", "Bob", "bob"))
    assert told == [("b1", elsewhere), ("b3", elsewhere), ("a", CallAnswered("c1", "sdp", outcome))]
    assert [leg.session for leg in x.now().legs] == ["a", "b2"]
    assert x.calls.of("b1") == []


def test_up_when_both_have_heard_the_other_and_only_once(x: Exchange) -> None:
    x.place(x.user("bob", "b1", "b2"))
    assert x.heard("a") == [], "nothing can be heard before the answer"
    x.answer("b1")
    for session in ("a", "a", "b2"):
        assert x.heard(session) == []
    connected = CallConnected("c1")
    assert x.heard("b1") == [("a", connected), ("b1", connected)]
    assert x.heard("b1") == []
    assert x.watched == [("c1", "connected")]
    assert x.calls.deadline is None


def test_answered_but_not_heard_ends_with_no_media(x: Exchange) -> None:
    x.place(x.user("bob", "b"))
    x.answer("b", at=5.0)
    x.calls.hear(x.now(), "a", 5.0)
    ended = CallEnded("c1", NO_MEDIA)
    assert x.tick(5.0 + MEDIA_SECONDS) == [("a", ended), ("b", ended)]
    [record] = x.records
    assert (record.kind, record.answered_at, record.ended_at) == ("participant", 5.0, 15.0)


# --- candidates


def test_early_candidates_go_to_those_that_ring_and_to_those_who_ring_later(x: Exchange) -> None:
    x.user("cat", "c")
    x.place(x.user("bob", "b1", "b2", unanswered=ToPerson("cat"), unanswered_delay=10))
    early = CallCandidate("c1", Candidate("candidate:1"))
    told = x.trickle("a", 1)
    assert told == [("b1", early), ("b2", early)]
    assert x.tick(10)[-1] == ("c", early)


def test_candidates_beyond_the_limit_still_reach_those_that_ring(x: Exchange) -> None:
    x.place(x.user("bob", "b"))
    told: Told = []
    for number in range(MAX_EARLY_CANDIDATES + 2):
        told += x.trickle("a", number)
    texts = [m.candidate.candidate for _, m in told if isinstance(m, CallCandidate) and m.candidate]
    assert texts == [f"candidate:{number}" for number in range(MAX_EARLY_CANDIDATES + 2)]
    assert len(x.now().candidates) == MAX_EARLY_CANDIDATES


def test_a_device_that_only_rings_sends_the_caller_no_candidates(x: Exchange) -> None:
    x.place(x.user("bob", "b1", "b2"))
    assert x.trickle("b1", 1) == []
    x.answer("b2")
    assert x.trickle("b1", 1) == []
    assert [s for s, _ in x.trickle("b2", 1)] == ["a"]
    assert [s for s, _ in x.trickle("a", 2)] == ["b2"]


# --- refusing


def test_declining_stops_every_device(x: Exchange) -> None:
    x.place(x.user("bob", "b1", "b2"))
    assert x.refuse("b1", DECLINED) == [
        ("b2", CallEnded("c1", DECLINED_ELSEWHERE)),
        ("a", CallEnded("c1", DECLINED)),
    ]
    assert x.watched == [("c1", "ended 603/0 by b1")]


@pytest.mark.parametrize("reason", [BUSY, OFFLINE])
def test_busy_or_offline_counts_for_one_device_until_it_is_the_last(x: Exchange, reason: Reason) -> None:
    x.place(x.user("bob", "b1", "b2"))
    assert x.refuse("b1", reason) == []
    assert x.refuse("b1", reason) == [], "a device refuses once"
    assert x.refuse("b2", reason) == [("a", CallEnded("c1", reason))]


@pytest.mark.parametrize(
    ("rule", "reason"), [("declined", DECLINED), ("busy", BUSY), ("unanswered", OFFLINE)]
)
def test_a_refusal_follows_its_rule(x: Exchange, rule: str, reason: Reason) -> None:
    x.user("cat", "c")
    x.place(x.user("bob", "b", **{rule: ToPerson("cat")}))
    assert rings(x.refuse("b", reason)) == ["c"]
    assert not x.records


def test_a_refusal_without_a_service_to_send_it_to(x: Exchange) -> None:
    x.place(x.user("bob", "b", declined=ToVoicemail()))
    assert x.refuse("b", DECLINED) == [("a", CallEnded("c1", DECLINED))]


def test_a_person_at_whom_many_calls_ring_is_busy(x: Exchange) -> None:
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


def test_calls_that_are_not_up_are_pending_for_their_caller(x: Exchange) -> None:
    bob = x.user("bob", "b")
    for call_id in ("c1", "c2"):
        x.place(bob, call_id)
    assert (x.calls.pending("8:acs:ann"), x.calls.pending("8:acs:bob")) == (2, 0)
    x.answer("b")
    for session in ("a", "b"):
        x.calls.hear(x.now(), session, 2.0)
    assert x.calls.pending("8:acs:ann") == 1


def test_what_one_end_may_send_to_the_other_is_limited(x: Exchange) -> None:
    def sent(session: str, at: float) -> int:
        return next(n for n in itertools.count() if not x.calls.may_relay(x.now(), session, at))

    x.place(x.user("bob", "b"))
    assert (sent("a", 0.0), sent("b", 0.0)) == (RELAYED_AT_ONCE, RELAYED_AT_ONCE)
    assert sent("a", 50.0) == 0, "while it rings nothing is given back"
    x.answer("b", 50.0)
    assert sent("a", 60.0) == 60 * RELAYED_PER_SECOND


# --- ending


def test_hanging_up_before_the_answer_is_a_cancel(x: Exchange) -> None:
    x.place(x.user("bob", "b1", "b2"))
    cancelled = CallEnded("c1", CANCELLED)
    told = x.hear(lambda: x.calls.hang_up(x.now(), "a", 1.0))
    assert told == [("b1", cancelled), ("b2", cancelled)]
    assert x.records[0].reason == CANCELLED


@pytest.mark.parametrize(
    ("state", "reason"), [("ringing", NETWORK), ("answered", HUNG_UP), ("answered", MEDIA_LOST)]
)
def test_other_ends_keep_their_reason(x: Exchange, state: str, reason: Reason) -> None:
    x.place(x.user("bob", "b"))
    if state == "answered":
        x.answer("b")
    told = x.hear(lambda: x.calls.hang_up(x.now(), "a", 2.0, reason))
    assert told == [("b", CallEnded("c1", reason))]


def test_a_call_ends_once(x: Exchange) -> None:
    x.place(x.user("bob", "b"))
    x.answer("b")
    ended = CallEnded("c1", REPLACED)
    assert x.hear(lambda: x.calls.end("c1", REPLACED, 2.0)) == [("a", ended), ("b", ended)]
    assert x.hear(lambda: x.calls.end("c1", HUNG_UP, 2.0)) == []
    assert len(x.records) == 1


def test_a_leg_that_left_is_told_nothing_and_the_other_lives_until_its_deadline(x: Exchange) -> None:
    x.place(x.user("bob", "b"))
    x.answer("b")
    x.calls.leave(x.now(), "b", 20.0)
    call = x.now()
    assert (call.leg("b"), call.other("a"), call.other("b")) == (None, None, None)
    assert [c.id for c in x.calls.of("b")] == []
    assert x.tick(20.0) == [("a", CallEnded("c1", REPLACED))]


def test_the_history_names_everybody(x: Exchange) -> None:
    cat = x.user("cat")
    x.calls.place(x.call(x.user("bob", "b"), transferor=as_party(cat)), 0.0)
    x.answer("b", at=3.0)
    x.calls.end("c1", HUNG_UP, 7.0)
    assert x.records == [
        CallRecord("c1", "8:acs:ann", "8:acs:bob", "8:acs:cat", "participant", 0.0, 3.0, 7.0, HUNG_UP)
    ]


@pytest.mark.parametrize("lost", ["a", "b"])
def test_a_new_session_takes_the_leg_of_a_lost_one(x: Exchange, lost: str) -> None:
    x.place(x.user("bob", "b"))
    x.answer("b")
    x.hear(lambda: x.calls.hear(x.now(), "b", 2.0))
    assert x.hear(lambda: x.calls.rebind(x.now(), lost, "new")) == [("new", CallConnected("c1"))]
    assert (x.now().leg(lost), x.now().leg("new") is not None) == (None, True)
    assert x.now().heard == frozenset({"new" if lost == "b" else "b"})


def test_a_call_is_taken_on(x: Exchange) -> None:
    x.place(x.user("bob", "b"))
    x.answer("b")
    call = replace(x.now(), id="c2", state="up")
    assert x.hear(lambda: x.calls.restore(call)) == [("a", CallConnected("c2")), ("b", CallConnected("c2"))]


def test_a_call_that_is_not_answered_has_one_leg_to_move(x: Exchange) -> None:
    x.place(x.user("bob", "b"))
    x.hear(lambda: x.calls.rebind(x.now(), "a", "new"))
    assert [leg.session for leg in x.now().legs] == ["new"]
