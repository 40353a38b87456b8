"""The hub's door: who may do what, what strangers and late messages get, and that nothing is left."""

from typing import Literal

import msgspec
import pytest

from signaling.calls import MAX_CALLS, MAX_PENDING, RELAYED_AT_ONCE
from signaling.hub import (
    GRACE_SECONDS,
    Back,
    Input,
    Joined,
    Left,
    Lost,
    Tick,
    UserRemoved,
)
from signaling.messages import (
    Bye,
    CallAnswer,
    CallAnswered,
    CallAttach,
    CallCandidate,
    CallConnected,
    CallEnd,
    CallEnded,
    CallHold,
    CallIncoming,
    CallJoin,
    CallMute,
    CallOriginate,
    CallPlace,
    CallProgress,
    CallRenew,
    CallRinging,
    CallUp,
    CallUpdate,
    ClientMessage,
    Error,
    Hello,
    MixerSpeakers,
    ParticipantRemove,
    Ping,
    TokenRefresh,
    TransferCancel,
    TransferDecline,
    TransferUpdate,
)
from signaling.parts import (
    CallTarget,
    Candidate,
    EndCause,
    Outcome,
    ParticipantTarget,
    Party,
    VoicemailTarget,
)
from signaling.reasons import (
    ANSWERED_ELSEWHERE,
    BAD_ARGUMENT,
    CANCELLED,
    DECLINED,
    ENDED_FOR_ALL,
    GLARE,
    HUNG_UP,
    MEDIA_LOST,
    NETWORK,
    NO_ANSWER,
    NO_MEDIA,
    NOT_PERMITTED,
    OFFLINE,
    REMOVED,
    SETUP_FAILED,
    TARGET_CALL_GONE,
    UNKNOWN_CALL,
    UNKNOWN_USER,
    Reason,
)
from signaling.settings import Group, Settings, ToGroup, ToPerson
from tests.unit.board import FULL, Board, Told, party
from tests.unit.group_board import GroupBoard, gone_over, rosters

pytestmark = pytest.mark.unit

CANDIDATE = Candidate("candidate:1 1 udp 1 192.0.2.1 5000 typ host", "0", 0)


@pytest.fixture
def board() -> Board:
    return Board("ann", "bob", "cat")


def refused(told: Told, session: str, reason: Reason, about: str) -> bool:
    """Tell whether one session alone was told an error of this code about this."""
    [(who, error)] = told
    assert isinstance(error, Error), error
    codes = (error.reason.code, error.reason.sub_code)
    return (who, codes, error.about) == (session, (reason.code, reason.sub_code), about)


# --- a call


def test_a_call_from_dialling_to_hanging_up(board: Board) -> None:
    assert board.place("ann", "bob") == [("bob", CallIncoming("c1", party("ann"), "offer of ann"))]
    assert board.say("bob", CallRinging("c1")) == [("ann", CallProgress("c1", "ringing", party("bob")))]
    outcome = Outcome("participant", party("bob"))
    assert board.say("bob", CallAnswer("c1", "answer")) == [("ann", CallAnswered("c1", "answer", outcome))]
    assert board.say("ann", CallUp("c1")) == []
    assert board.say("bob", CallUp("c1")) == [("ann", CallConnected("c1")), ("bob", CallConnected("c1"))]
    assert board.say("ann", CallEnd("c1")) == [("bob", CallEnded("c1", HUNG_UP))]
    assert board.empty()
    [record] = board.records
    assert (record.caller, record.callee, record.reason) == ("8:acs:ann", "8:acs:bob", HUNG_UP)


def test_both_dial_each_other_and_it_is_one_call(board: Board) -> None:
    board.place("ann", "bob", "c1")
    assert board.place("bob", "ann", "c2") == [
        ("bob", CallIncoming("c1", party("ann"), "offer of ann", replaces="c2")),
        ("bob", CallEnded("c2", GLARE)),
    ]
    assert board.pick_up("bob", "c1")[-1] == ("bob", CallConnected("c1"))
    assert board.say("bob", CallEnd("c1")) == [("ann", CallEnded("c1", HUNG_UP))]
    assert [(record.call_id, record.caller) for record in board.records] == [("c1", "8:acs:ann")]
    assert board.empty()


def test_whom_a_call_does_not_ring_at_it_does_not_wait_for(board: Board) -> None:
    board.user("bob", Settings(forwarding=ToPerson("cat")))
    board.place("ann", "bob", "c1")
    [(session, incoming)] = board.place("bob", "ann", "c2")
    assert (session, incoming) == ("ann", CallIncoming("c2", party("bob"), "offer of bob"))


@pytest.mark.parametrize(
    ("cause", "reason"),
    [
        ("hangup", HUNG_UP),
        ("declined", HUNG_UP),
        ("no_media", NO_MEDIA),
        ("failed", SETUP_FAILED),
        ("media_lost", MEDIA_LOST),
    ],
)
def test_the_other_end_learns_why(board: Board, cause: EndCause, reason: Reason) -> None:
    board.talk("ann", "bob")
    told = board.say("bob", CallEnd("c1", cause))
    assert told == [("ann", CallEnded("c1", reason))]


def test_candidates_renegotiation_and_hold_go_to_the_other_end_without_its_number(board: Board) -> None:
    board.talk("ann", "bob")
    for session, other, message in (
        ("ann", "bob", CallCandidate("c1", CANDIDATE, seq=5)),
        ("bob", "ann", CallCandidate("c1", None, seq=6)),
        ("ann", "bob", CallUpdate("c1", "offer", "sdp", seq=7)),
        ("bob", "ann", CallUpdate("c1", "answer", "sdp", seq=8)),
        ("bob", "ann", CallHold("c1", True, seq=9)),
        ("bob", "ann", CallRenew("c1", seq=9)),
        ("bob", "ann", CallRenew("c1", unanswered=True, seq=9)),
    ):
        [(who, told)] = board.say(session, message)
        assert (who, told.seq) == (other, 0)
        assert msgspec.structs.replace(message, seq=0) == told


def test_the_caller_itself_needs_not_ask_for_a_new_path(board: Board) -> None:
    board.talk("ann", "bob")
    assert board.say("ann", CallRenew("c1")) == []


@pytest.mark.parametrize(("session", "kind"), [("ann", "answer"), ("bob", "offer")])
def test_only_the_caller_offers(board: Board, session: str, kind: Literal["offer", "answer"]) -> None:
    board.talk("ann", "bob")
    told = board.say(session, CallUpdate("c1", kind, "sdp"))
    assert refused(told, session, BAD_ARGUMENT, "call.update")


def test_before_the_answer_nothing_of_a_ringing_device_reaches_the_caller(board: Board) -> None:
    board.place("ann", "bob")
    for message in (
        CallUpdate("c1", "answer", "another answer"),
        CallHold("c1", True),
        CallCandidate("c1", CANDIDATE),
        CallUp("c1"),
    ):
        assert board.say("bob", message) == []
    for message in (CallUpdate("c1", "offer", "sdp"), CallHold("c1", True), CallUp("c1")):
        assert board.say("ann", message) == []
    assert board.state("c1") == "ringing"


# --- who may call whom


def test_a_call_without_the_right_rings_nobody(board: Board) -> None:
    board.join("ann", "ann-2", frozenset({"voip.join"}))
    assert board.place("ann-2", "bob") == [("ann-2", CallEnded("c1", NOT_PERMITTED))]


def test_unknown_callee(board: Board) -> None:
    assert board.place("ann", "nobody") == [("ann", CallEnded("c1", UNKNOWN_USER))]


def test_calling_oneself(board: Board) -> None:
    [(session, ended)] = board.place("ann", "8:acs:ann")
    assert session == "ann"
    assert isinstance(ended, CallEnded)
    assert ended.reason.code == 400


def test_a_call_id_is_used_once(board: Board) -> None:
    board.place("ann", "bob")
    assert board.place("ann", "bob") == [], "a replay changes nothing"
    [(session, ended)] = board.place("cat", "bob")
    assert session == "cat"
    assert isinstance(ended, CallEnded)
    assert ended.reason.code == 400
    assert board.sessions_in("c1") == {"ann"}


def test_a_transfer_id_that_was_not_ordered(board: Board) -> None:
    told = board.say("ann", CallPlace("c1", "bob", "offer", "t9"))
    assert told == [("ann", CallEnded("c1", UNKNOWN_CALL))]


def test_an_agent_has_a_limit_of_calls(board: Board) -> None:
    for number in range(MAX_CALLS):
        board.talk("ann", "bob", f"c{number}")
    [(session, ended)] = board.place("ann", "bob", "more")
    assert session == "ann"
    assert isinstance(ended, CallEnded)
    assert str(MAX_CALLS) in ended.reason.message


def test_calls_that_are_not_up_are_limited_for_each_user_and_hinder_nobody_else(board: Board) -> None:
    board.join("ann", "ann-2")
    for number in range(MAX_PENDING):
        board.place(("ann", "ann-2")[number % 2], "bob", f"c{number}")
    [(session, ended)] = board.place("ann", "cat", "more")
    assert session == "ann"
    assert isinstance(ended, CallEnded)
    assert str(MAX_PENDING) in ended.reason.message
    assert board.place("bob", "cat", "own")[0][0] == "cat", "what rings at bob is not his own"
    board.pick_up("bob", "c0")
    assert board.place("ann", "cat", "more")[0][0] == "cat"


@pytest.mark.parametrize(
    ("message", "about"),
    [
        (CallCandidate("c1", CANDIDATE), "call.candidate c1"),
        (CallUpdate("c1", "offer", "sdp"), "call.update c1"),
        (CallHold("c1", True), "call.hold c1"),
    ],
)
def test_what_a_call_relays_is_limited_for_each_end(board: Board, message: ClientMessage, about: str) -> None:
    board.talk("ann", "bob")
    for _ in range(int(RELAYED_AT_ONCE)):
        assert [who for who, _ in board.say("ann", message)] == ["bob"]
    assert refused(board.say("ann", message), "ann", BAD_ARGUMENT, about)
    assert [who for who, _ in board.say("bob", CallHold("c1", True))] == ["ann"], "the other end has its own"
    board.wait(1)
    assert [who for who, _ in board.say("ann", message)] == ["bob"]


def test_a_stranger_that_rings_cannot_flood(board: Board) -> None:
    board.place("ann", "bob")
    told = [board.say("ann", CallCandidate("c1", CANDIDATE)) for _ in range(200)]
    assert sum(who == "bob" for each in told for who, _ in each) == RELAYED_AT_ONCE
    assert refused(told[-1], "ann", BAD_ARGUMENT, "call.candidate c1")


def test_a_transfer_needs_its_right(board: Board) -> None:
    board.join("ann", "ann-2", FULL - {"transfer"})
    board.talk("ann-2", "bob")
    told = board.ask(ParticipantTarget("cat"), who="ann-2")
    assert told == [("ann-2", TransferUpdate("t1", "c1", "Failed", error=NOT_PERMITTED))]


@pytest.mark.parametrize("how", ["hangs up", "leaves"])
def test_a_transfer_is_taken_on_and_its_transferor_may_go(board: Board, how: str) -> None:
    board.talk("ann", "bob")
    told = board.ask(ParticipantTarget("cat"))
    assert told[-1] == ("bob", CallOriginate("n1", "t1", "c1", party("cat"), "participant", party("ann")))
    assert [s for s, _ in board.say("bob", CallPlace("n1", "x", "offer", "t1"))] == ["cat"]
    told = board.leave("ann") if how == "leaves" else board.say("ann", CallEnd("c1"))
    assert told == [("bob", CallHold("c1", True))], "its transfer goes on"
    assert (board.sessions_in("c1"), board.sessions_in("n1")) == ({"bob"}, {"bob"})
    assert board.say("bob", CallHold("c1", True)) == board.say("bob", CallUpdate("c1", "answer", "x")) == []


def test_a_session_that_is_gone_is_told_nothing(board: Board) -> None:
    board.talk("ann", "bob")
    board.ask(ParticipantTarget("cat"))
    board.leave("ann")
    told = board.say("bob", TransferDecline("t1", "n1"))
    assert {session for session, _ in told} == {"bob"}


def test_voicemail_is_a_target_only_while_its_service_is_online(board: Board) -> None:
    board.talk("ann", "bob")
    assert isinstance(board.ask(VoicemailTarget("cat"))[-1][1], TransferUpdate)
    board.voicemail()
    assert isinstance(board.ask(VoicemailTarget("cat"))[-1][1], CallOriginate)


def test_a_leaving_target_ends_its_call_and_the_new_one_once(board: Board) -> None:
    board.talk("ann", "bob", "c1")
    board.talk("ann", "cat", "c2")
    board.ask(CallTarget("c2"))
    board.say("bob", CallPlace("n1", "x", "offer", "t1"))
    board.leave("cat")
    assert board.ends("bob", "n1") == [CallEnded("n1", TARGET_CALL_GONE)]
    assert board.ends("ann", "c2") == [CallEnded("c2", NETWORK)]
    assert board.sessions_in("c1") == {"ann", "bob"}


# --- strangers, late and odd messages


@pytest.mark.parametrize(
    ("message", "about"),
    [
        (CallRinging("c1"), "call.ringing c1"),
        (CallUp("c1"), "call.up c1"),
        (CallEnd("c1"), "call.end c1"),
        (CallCandidate("c1", None), "call.candidate c1"),
        (CallUpdate("c1", "offer", "sdp"), "call.update c1"),
        (CallHold("c1", True), "call.hold c1"),
        (CallRenew("c1"), "call.renew c1"),
    ],
)
def test_a_stranger_gets_the_same_refusal_as_for_no_call(
    board: Board, message: ClientMessage, about: str
) -> None:
    without = board.say("cat", message)
    board.talk("ann", "bob")
    told = board.say("cat", message)
    assert refused(told, "cat", UNKNOWN_CALL, about)
    assert told == without
    assert board.state("c1") == "up"


def test_a_stranger_cannot_answer_nor_learn_of_a_call(board: Board) -> None:
    nothing = [("cat", CallEnded("c1", UNKNOWN_CALL))]
    assert board.say("cat", CallAnswer("c1", "sdp")) == nothing
    board.place("ann", "bob")
    assert board.say("cat", CallAnswer("c1", "sdp")) == nothing
    board.pick_up("bob")
    assert board.say("cat", CallAnswer("c1", "sdp")) == nothing
    assert board.sessions_in("c1") == {"ann", "bob"}


def test_a_caller_does_not_answer_its_own_call(board: Board) -> None:
    board.place("ann", "bob")
    assert board.say("ann", CallAnswer("c1", "sdp")) == []
    assert board.state("c1") == "ringing"


def test_a_replayed_answer_and_up_change_nothing(board: Board) -> None:
    board.talk("ann", "bob")
    before = board.hub.calls.all["c1"]
    for session in ("ann", "bob"):
        assert board.say(session, CallAnswer("c1", "sdp")) == []
        assert board.say(session, CallUp("c1")) == []
    assert board.hub.calls.all["c1"] is before


def test_after_the_end_late_messages_only_get_a_refusal(board: Board) -> None:
    board.talk("ann", "bob")
    board.say("ann", CallEnd("c1"))
    assert refused(board.say("bob", CallEnd("c1")), "bob", UNKNOWN_CALL, "call.end c1")
    assert board.say("bob", CallAnswer("c1", "sdp")) == [("bob", CallEnded("c1", UNKNOWN_CALL))]
    assert board.say("bob", TransferCancel("t1")) == board.say("bob", TransferDecline("t1", "n1")) == []
    assert board.empty() and len(board.records) == 1


@pytest.mark.parametrize("message", [Hello("token"), TokenRefresh("token"), Ping(), Bye()])
def test_messages_of_the_session_are_not_the_cores(board: Board, message: ClientMessage) -> None:
    assert refused(board.say("ann", message), "ann", BAD_ARGUMENT, "session")


@pytest.mark.parametrize("what", [Lost("x"), Back("x"), Left("x")])
def test_an_unknown_session_does_nothing(board: Board, what: Input) -> None:
    assert board.feed(what) == []
    assert board.say("x", CallPlace("c1", "bob", "sdp")) == []
    assert board.empty() and "x" not in board.hub.presence.sessions


# --- devices


def test_all_devices_ring_one_wins_and_a_late_answer_finds_nothing(board: Board) -> None:
    board.join("bob", "bob-2")
    assert [s for s, _ in board.place("ann", "bob")] == ["bob", "bob-2"]
    board.say("bob-2", CallAnswer("c1", "sdp"))
    assert board.ends("bob", "c1") == [CallEnded("c1", ANSWERED_ELSEWHERE)]
    board.say("bob", CallAnswer("c1", "late"))
    assert board.sessions_in("c1") == {"ann", "bob-2"}
    answers = [m.sdp for s, m in board.told if isinstance(m, CallAnswered)]
    assert answers == ["sdp"]


def test_a_ringing_device_declines_by_hanging_up(board: Board) -> None:
    board.place("ann", "bob")
    assert board.say("bob", CallEnd("c1")) == [("ann", CallEnded("c1", DECLINED))]


def test_a_ringing_device_without_sound_counts_as_offline(board: Board) -> None:
    board.place("ann", "bob")
    assert board.say("bob", CallEnd("c1", "no_media")) == [("ann", CallEnded("c1", OFFLINE))]


# --- sessions come and go


def test_a_lost_session_keeps_its_calls_within_the_grace(board: Board) -> None:
    board.talk("ann", "bob")
    board.lose("bob")
    assert board.wait(GRACE_SECONDS - 1) == []
    board.feed(Back("bob"))
    assert board.wait(100) == [] and board.state("c1") == "up"
    assert board.hub.deadline is None


def test_a_lost_session_ends_with_its_grace(board: Board) -> None:
    board.talk("ann", "bob")
    board.lose("bob")
    assert board.wait(GRACE_SECONDS) == [("ann", CallEnded("c1", NETWORK))]
    assert board.dropped == ["bob"]
    assert board.empty()


def test_a_lost_session_is_told_what_it_may_still_resume_to(board: Board) -> None:
    board.talk("ann", "bob")
    board.lose("bob")
    assert board.say("ann", CallEnd("c1")) == [("bob", CallEnded("c1", HUNG_UP))]


def test_leaving_ends_calls_cancels_and_stops_ringing(board: Board) -> None:
    board.talk("ann", "bob", "c1")
    board.place("bob", "cat", "c2")
    board.user("dan")
    board.join("dan")
    board.place("dan", "bob", "c3")
    told = board.leave("bob")
    assert set(told) == {
        ("ann", CallEnded("c1", NETWORK)),
        ("cat", CallEnded("c2", NETWORK)),
        ("dan", CallEnded("c3", OFFLINE)),
    }
    assert board.empty()
    assert board.say("bob", CallPlace("c4", "ann", "sdp")) == [], "a session that left is not obeyed"


def test_what_a_leaving_device_did_not_take_does_not_ring_there_again(board: Board) -> None:
    group = Group(("cat",))
    board.user("bob", Settings(forwarding=ToGroup(), unanswered=ToPerson("cat"), group=group))
    board.place("ann", "bob")
    assert board.leave("cat") == [("ann", CallEnded("c1", NO_ANSWER))]
    assert board.empty()


def test_a_device_that_leaves_while_others_ring(board: Board) -> None:
    board.join("bob", "bob-2")
    board.place("ann", "bob")
    assert board.leave("bob") == []
    board.pick_up("bob-2")
    assert board.sessions_in("c1") == {"ann", "bob-2"}


def test_cancel_reaches_every_device(board: Board) -> None:
    board.join("bob", "bob-2")
    board.place("ann", "bob")
    assert board.say("ann", CallEnd("c1")) == [
        ("bob", CallEnded("c1", CANCELLED)),
        ("bob-2", CallEnded("c1", CANCELLED)),
    ]


def test_names_of_a_session_are_its_own_or_the_directorys(board: Board) -> None:
    for session, display_name in (("ann-2", ""), ("ann-3", "Ann at work")):
        board.feed(Joined(session, "8:acs:ann", display_name, FULL))
    board.feed(Joined("new", "8:acs:new", "", FULL))
    parties = [board.hub.presence.party(s) for s in ("ann-2", "ann-3", "new")]
    assert parties == [
        Party("8:acs:ann", "Ann", "ann"),
        Party("8:acs:ann", "Ann at work", "ann"),
        Party("8:acs:new", "", ""),
    ]


def test_a_removed_user_is_unknown(board: Board) -> None:
    board.feed(UserRemoved("8:acs:bob"))
    assert board.place("ann", "bob") == [("ann", CallEnded("c1", UNKNOWN_USER))]


def test_changed_settings_count_for_the_next_call(board: Board) -> None:
    board.voicemail()
    board.user("bob", Settings(unanswered_delay=10))
    board.place("ann", "bob")
    told = board.wait(10)
    assert ("ann", CallProgress("c1", "voicemail", party("bob"))) in told


def test_nothing_to_wait_for_and_a_tick_before_time(board: Board) -> None:
    assert board.hub.deadline is None
    board.place("ann", "bob")
    assert board.hub.deadline == 60
    board.lose("cat")
    assert board.hub.deadline == GRACE_SECONDS
    assert board.feed(Tick()) == []


def test_a_call_of_the_hub_before_is_attached_or_given_up(board: Board) -> None:
    board.say("ann", CallAttach("c1", "8:acs:bob", caller=True))
    assert board.say("ann", CallEnd("c1")) == [("ann", CallEnded("c1", HUNG_UP))]


# --- group calls


def test_what_is_asked_of_a_group_reaches_it() -> None:
    board = GroupBoard("ann", "bob", "cat", "dan")
    cat = board.three()
    told = board.say("ann", CallMute("c1", True))
    assert rosters(told, "cat")[0].participants[0].muted
    told = board.say("ann", CallHold("c1", True))
    assert rosters(told, "cat")[0].participants[0].state == "Hold"
    assert {who for who, _ in board.say("mx", MixerSpeakers(board.group.id, (cat,)))} == {"ann", "bob", "cat"}
    board.act(board.say("dan", CallJoin("d1", board.group.id, "offer")))
    assert len(board.group.here) == 4
    dan = board.group.here[3].id
    assert ("dan", CallEnded("d1", REMOVED)) in board.say("ann", ParticipantRemove("c1", dan))
    told = board.say("ann", CallEnd("c1", for_everyone=True))
    assert ("bob", CallEnded("c1", ENDED_FOR_ALL)) in told and board.empty()


def test_a_call_id_that_is_taken_is_no_id_to_join_with() -> None:
    board = GroupBoard("ann", "bob", "cat", "dan")
    board.three()
    for message in (CallJoin("c1", "g", "offer"), CallPlace("c1", "bob", "offer")):
        [(who, ended)] = board.say("dan", message)
        assert isinstance(ended, CallEnded) and (who, ended.reason.code) == ("dan", 400)


def test_a_mixer_that_leaves_leaves_nobody_behind() -> None:
    board = GroupBoard("ann", "bob", "cat")
    board.three()
    board.mixer("mx2")
    told = board.act(board.leave("mx"))
    assert set(gone_over(told)) == {"ann", "bob", "cat", "mx2"}
    assert not [message for who, message in told if isinstance(message, CallEnded) and who != "mx"]


def test_a_mixer_that_hangs_up_leaves_nobody_behind() -> None:
    board = GroupBoard("ann", "bob", "cat")
    cat = board.three()
    board.mixer("mx2")
    told = board.act(board.say("mx", CallEnd(cat)))
    assert set(gone_over(told)) == {"ann", "bob", "cat", "mx2"}
    assert not [message for who, message in told if isinstance(message, CallEnded) and who != "mx"]
