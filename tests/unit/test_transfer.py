"""Transfers by the rules of spec §4: who is told what, with which reason, and what is left after."""

import pytest

from signaling.hub import UserRemoved
from signaling.messages import (
    CallAnswer,
    CallAttach,
    CallEnd,
    CallEnded,
    CallHold,
    CallIncoming,
    CallOriginate,
    CallPlace,
    TransferCancel,
    TransferDecline,
    TransferRequest,
    TransferUpdate,
)
from signaling.parts import (
    CallTarget,
    CustomContext,
    EndCause,
    Outcome,
    ParticipantTarget,
    Progress,
    VoicemailTarget,
)
from signaling.reasons import (
    CANCELLED,
    DECLINED,
    HUNG_UP,
    NETWORK,
    NO_ANSWER,
    NO_MEDIA,
    NO_VOICEMAIL,
    OFFLINE,
    REPLACED,
    SETUP_FAILED,
    TARGET_CALL_GONE,
    TIMED_OUT,
    TRANSFER_CONFLICT,
    UNKNOWN_CALL,
    Reason,
    bad_argument,
)
from signaling.settings import Settings, ToPerson, ToVoicemail
from signaling.transfer import AFTER_SECONDS, OFFER_SECONDS
from signaling.transfer_request import THIRD_PERSON
from tests.unit.board import NO_RULES, Board, Told, party

pytestmark = pytest.mark.unit

TO_CAT = ParticipantTarget("cat")
CONTEXT = CustomContext("about the order", {"X-Case": "42"})


@pytest.fixture
def board() -> Board:
    """Ann and Bob talk on c1; Cat and Dan are online."""
    board = Board("ann", "bob", "cat", "dan")
    board.talk("ann", "bob")
    return board


@pytest.fixture
def consulting(board: Board) -> Board:
    """Ann talks to Bob on c1 and to Cat on c2."""
    board.talk("ann", "cat", "c2")
    return board


def obey(board: Board, new: str = "n1") -> Told:
    """Let Bob place the call that he was ordered to place."""
    return board.say("bob", CallPlace(new, "whoever", "offer of bob", "t1"))


def answer(call_id: str) -> CallAnswer:
    return CallAnswer(call_id, "an answer")


def failed(reason: Reason, transfer_id: str = "t1", call_id: str = "c1") -> TransferUpdate:
    return TransferUpdate(transfer_id, call_id, "Failed", error=reason)


def trying(progress: Progress = "trying", transfer_id: str = "t1") -> TransferUpdate:
    return TransferUpdate(transfer_id, "c1", "Transferring", progress=progress)


def untouched(board: Board) -> None:
    """Assert that Ann and Bob talk as before, and that neither was told otherwise."""
    assert board.state("c1") == "up"
    assert board.sessions_in("c1") == {"ann", "bob"}
    assert not board.ends("ann", "c1") and not board.ends("bob", "c1")
    assert not board.hub.transfers.all
    assert "n1" not in board.hub.calls.all


# --- the three targets


def test_to_a_participant_step_by_step(board: Board) -> None:
    request = TransferRequest("t1", "c1", TO_CAT, custom_context=CONTEXT)
    assert board.say("ann", request) == [
        ("ann", trying()),
        (
            "bob",
            CallOriginate("n1", "t1", "c1", party("cat"), "participant", party("ann"), CONTEXT),
        ),
    ]
    [(cat, rings)] = obey(board)
    assert (cat, rings) == (
        "cat",
        CallIncoming("n1", party("bob"), "offer of bob", party("ann"), custom_context=CONTEXT),
    )
    told = board.pick_up("cat", "n1")
    outcome = Outcome("participant", party("cat"))
    done = TransferUpdate("t1", "c1", "Transferred", outcome=outcome, new_call_id="n1")
    assert told[-2:] == [("ann", done), ("bob", CallEnded("c1", REPLACED))]
    assert board.sessions_in("n1") == {"bob", "cat"}
    assert board.sessions_in("c1") == {"ann"}


def test_after_transferred_the_application_of_a_hangs_up(board: Board) -> None:
    board.ask(TO_CAT)
    obey(board)
    board.pick_up("cat", "n1")
    assert board.say("ann", CallEnd("c1")) == []
    assert board.state("c1") == "gone" and board.state("n1") == "up"
    assert not board.ends("ann", "c1")


def test_after_transferred_an_idle_a_is_let_go(board: Board) -> None:
    board.ask(TO_CAT)
    obey(board)
    board.pick_up("cat", "n1")
    assert board.wait(AFTER_SECONDS) == [("ann", CallEnded("c1", REPLACED))]


def test_option_hang_up_when_transferred_ends_both_old_legs(board: Board) -> None:
    board.ask(TO_CAT, hang_up_when_transferred=True)
    obey(board)
    told = board.pick_up("cat", "n1")
    assert told[-2:] == [("ann", CallEnded("c1", REPLACED)), ("bob", CallEnded("c1", REPLACED))]
    assert board.state("c1") == "gone"


def test_progress_of_the_new_call_is_told_to_a(board: Board) -> None:
    board.user("cat", Settings(forwarding=ToPerson("dan")))
    board.ask(TO_CAT)
    told = obey(board)
    assert ("ann", trying("forwarded")) in told
    assert ("dan", "cat") in [
        (s, m.forwarded_from.name) for s, m in told if isinstance(m, CallIncoming) and m.forwarded_from
    ]
    board.pick_up("dan", "n1")
    assert board.updates()[-1].outcome == Outcome("forwarded", party("dan"), ("8:acs:cat",))


def test_disabled_forwarding_rings_c_itself_and_no_answer_ends_it(board: Board) -> None:
    board.user("cat", Settings(forwarding=ToPerson("dan"), unanswered=ToPerson("dan")))
    board.ask(TO_CAT, disable_forwarding_and_unanswered=True)
    assert [s for s, _ in obey(board)] == ["cat"]
    told = board.wait(20)
    assert told[-1] == ("ann", failed(NO_ANSWER))
    untouched(board)


def test_to_voicemail_nobody_rings(board: Board) -> None:
    board.voicemail()
    told = board.ask(VoicemailTarget("cat"))
    originate = told[-1][1]
    assert isinstance(originate, CallOriginate) and originate.kind == "voicemail"
    told = obey(board)
    assert {s for s, m in told if isinstance(m, CallIncoming)} == {"vm"}
    assert ("ann", trying("voicemail")) in told
    board.pick_up("vm", "n1")
    assert board.updates()[-1].outcome == Outcome("voicemail", party("cat"))


def test_to_voicemail_whose_service_leaves_before_b_places(board: Board) -> None:
    board.voicemail()
    board.ask(VoicemailTarget("cat"))
    board.leave("vm")
    assert obey(board) == [("bob", CallEnded("n1", NO_VOICEMAIL)), ("ann", failed(NO_VOICEMAIL))]
    untouched(board)


def test_to_a_call_is_answered_in_its_place_and_ends_both_old_calls(consulting: Board) -> None:
    told = consulting.ask(CallTarget("c2"))
    originate = told[-1][1]
    assert isinstance(originate, CallOriginate) and originate.kind == "call"
    assert originate.target == party("cat")
    [(device, incoming)] = obey(consulting)
    assert device == "cat"
    assert isinstance(incoming, CallIncoming)
    assert incoming.replaces == "c2"
    told = consulting.pick_up("cat", "n1")
    done = TransferUpdate("t1", "c1", "Transferred", outcome=Outcome("call", party("cat")), new_call_id="n1")
    assert told[-5:] == [
        ("ann", done),
        ("ann", CallEnded("c2", REPLACED)),
        ("cat", CallEnded("c2", REPLACED)),
        ("ann", CallEnded("c1", REPLACED)),
        ("bob", CallEnded("c1", REPLACED)),
    ]
    assert set(consulting.hub.calls.all) == {"n1"}


def test_to_a_call_whoever_called_whom(board: Board) -> None:
    board.talk("cat", "ann", "c2")
    board.ask(CallTarget("c2"))
    assert [s for s, _ in obey(board)] == ["cat"]
    board.pick_up("cat", "n1")
    assert set(board.hub.calls.all) == {"n1"}


def test_to_a_call_that_rings_by_option(consulting: Board) -> None:
    consulting.ask(CallTarget("c2"), ring_target=True)
    [(_, incoming)] = obey(consulting)
    assert isinstance(incoming, CallIncoming) and incoming.replaces is None
    consulting.wait(59)
    assert consulting.wait(1)[-1] == ("ann", failed(NO_ANSWER))
    untouched(consulting)
    assert consulting.sessions_in("c2") == {"ann", "cat"}


# --- to a call that rings still (semi-attended)


@pytest.fixture
def ringing(board: Board) -> Board:
    """Ann talks to Bob on c1, and her call c2 rings at Cat."""
    board.place("ann", "cat", "c2")
    return board


def test_to_a_call_that_rings_still_c_rings_for_b_in_the_place_of_a(ringing: Board) -> None:
    originate = ringing.ask(CallTarget("c2"))[-1][1]
    assert isinstance(originate, CallOriginate)
    assert (originate.kind, originate.target) == ("participant", party("cat"))
    assert obey(ringing) == [
        ("ann", CallEnded("c2", REPLACED)),
        ("cat", CallEnded("c2", REPLACED)),
        ("cat", CallIncoming("n1", party("bob"), "offer of bob", party("ann"))),
    ]
    ringing.pick_up("cat", "n1")
    assert ringing.updates()[-1].outcome == Outcome("participant", party("cat"))
    assert ringing.sessions_in("n1") == {"bob", "cat"}


def test_to_a_call_that_is_answered_before_b_places(ringing: Board) -> None:
    ringing.ask(CallTarget("c2"))
    ringing.say("cat", answer("c2"))
    [(device, incoming)] = obey(ringing)
    assert device == "cat" and isinstance(incoming, CallIncoming) and incoming.replaces == "c2"
    ringing.pick_up("cat", "n1")
    assert set(ringing.hub.calls.all) == {"n1"}


def test_to_a_call_that_is_answered_but_not_heard_yet(ringing: Board) -> None:
    ringing.say("cat", answer("c2"))
    originate = ringing.ask(CallTarget("c2"))[-1][1]
    assert isinstance(originate, CallOriginate) and originate.kind == "call"
    obey(ringing)
    ringing.pick_up("cat", "n1")
    assert ringing.sessions_in("n1") == {"bob", "cat"} and ringing.state("c2") == "gone"


def test_to_a_call_that_another_device_of_b_has_answered_meanwhile(board: Board) -> None:
    board.user("cat", Settings(forwarding=ToPerson("bob")))
    board.join("bob", "bob-2")
    board.place("ann", "cat", "c2")
    board.ask(CallTarget("c2"))
    board.pick_up("bob-2", "c2")
    told = obey(board)
    assert [(s, m) for s, m in told if isinstance(m, CallEnded)] == [("bob", CallEnded("n1", THIRD_PERSON))]
    assert told[-1] == ("ann", failed(THIRD_PERSON))
    assert board.sessions_in("c1") == {"ann", "bob"} and board.sessions_in("c2") == {"ann", "bob-2"}


def test_to_a_call_that_is_declined_before_b_places(ringing: Board) -> None:
    ringing.ask(CallTarget("c2"))
    told = ringing.say("cat", CallEnd("c2"))
    assert ("ann", failed(DECLINED)) in told and ("bob", CallEnded("n1", DECLINED)) in told
    untouched(ringing)


def test_a_leaves_both_while_c_rings(ringing: Board) -> None:
    ringing.ask(CallTarget("c2"))
    assert ringing.say("ann", CallEnd("c2")) == [("cat", CallEnded("c2", CANCELLED))]
    ringing.say("ann", CallEnd("c1"))
    obey(ringing)
    ringing.pick_up("cat", "n1")
    assert ringing.sessions_in("n1") == {"bob", "cat"}
    assert set(ringing.hub.calls.all) == {"n1"}


def test_to_a_call_of_a_that_a_mailbox_has_answered(board: Board) -> None:
    board.voicemail()
    board.user("cat", Settings(forwarding=ToVoicemail()))
    board.place("ann", "cat", "c2")
    board.pick_up("vm", "c2")
    originate = board.ask(CallTarget("c2"))[-1][1]
    assert isinstance(originate, CallOriginate)
    assert (originate.kind, originate.target) == ("voicemail", party("cat"))
    [incoming] = [m for _, m in obey(board) if isinstance(m, CallIncoming)]
    assert incoming.mailbox == party("cat") and incoming.replaces is None
    board.pick_up("vm", "n1")
    assert board.updates()[-1].outcome == Outcome("voicemail", party("cat"))
    assert set(board.hub.calls.all) == {"n1"}


def test_nobody_else_places_the_call_that_b_was_ordered_to_place(board: Board) -> None:
    board.ask(TO_CAT)
    [(stranger, refused)] = board.say("dan", CallPlace("n1", "cat", "offer of dan"))
    assert stranger == "dan" and isinstance(refused, CallEnded) and refused.reason.code == 400
    obey(board)
    board.pick_up("cat", "n1")
    assert board.sessions_in("n1") == {"bob", "cat"}


# --- one at a time


def test_same_target_joins_and_both_learn_the_end(board: Board) -> None:
    board.ask(TO_CAT)
    board.ask(TO_CAT)  # replayed: no second request
    assert board.ask(TO_CAT, "t2") == [("ann", trying(transfer_id="t2"))]
    obey(board)
    board.pick_up("cat", "n1")
    assert [u.state for u in (board.updates("t1")[-1], board.updates("t2")[-1])] == ["Transferred"] * 2


def test_a_join_takes_no_progress_back(board: Board) -> None:
    board.ask(TO_CAT)
    obey(board)
    before = board.updates("t1")
    board.ask(TO_CAT, "t2")
    assert board.updates("t1") == before


def test_another_target_or_transferor_conflicts(board: Board) -> None:
    board.ask(TO_CAT)
    assert board.ask(ParticipantTarget("dan"), "t2") == [("ann", failed(TRANSFER_CONFLICT, "t2"))]
    assert board.ask(TO_CAT, "t3", who="bob") == [("bob", failed(TRANSFER_CONFLICT, "t3"))]
    assert [u.state for u in board.updates("t1")] == ["Transferring"]


def test_both_ends_of_a_call_in_transfers_leave_it(board: Board) -> None:
    board.talk("bob", "cat", "c2")
    board.ask(CallTarget("c1"), "t1", "c2", who="bob")
    board.ask(ParticipantTarget("dan"), "t2", "c1", who="ann")
    for session in ("ann", "bob"):
        board.say(session, CallEnd("c1"))
    board.say("cat", CallPlace("n1", "x", "offer of cat", "t1"))
    if "n1" in board.hub.calls.all:
        board.pick_up("ann", "n1")
    for session in ("ann", "bob", "cat", "dan"):
        board.leave(session)
    board.wait(200)
    assert board.empty()
    assert len([r for r in board.records if r.call_id == "c1"]) == 1


# --- B decides, places, or does not


def test_nothing_rings_before_b_places(board: Board) -> None:
    told = board.ask(TO_CAT)
    assert [s for s, _ in told] == ["ann", "bob"]
    assert board.wait(OFFER_SECONDS - 1) == []
    assert board.wait(1) == [("bob", CallEnded("n1", TIMED_OUT)), ("ann", failed(TIMED_OUT))]
    untouched(board)


def test_b_refuses(board: Board) -> None:
    board.ask(TO_CAT)
    assert board.say("bob", TransferDecline("t1", "n1")) == [
        ("bob", CallEnded("n1", DECLINED)),
        ("ann", failed(DECLINED)),
    ]
    untouched(board)


def test_a_refusal_counts_for_the_order_it_answers(board: Board) -> None:
    board.ask(TO_CAT)
    board.say("ann", CallEnd("c1"))
    board.wait(OFFER_SECONDS)
    assert board.say("bob", TransferDecline("t1", "n1")) == [], "a recall has taken its place"
    assert [s for s, _ in obey(board, "n2")] == ["ann"]
    assert board.say("bob", TransferDecline("t1", "n2")) == [], "placed already"
    assert board.state("n2") == "ringing"


def test_late_place_after_the_failure_rings_nobody(board: Board) -> None:
    board.ask(TO_CAT)
    board.say("bob", TransferDecline("t1", "n1"))
    assert obey(board) == [("bob", CallEnded("n1", UNKNOWN_CALL))]
    untouched(board)


def test_only_the_transferee_places_or_refuses_and_only_the_transferor_cancels(board: Board) -> None:
    board.ask(TO_CAT)
    assert board.say("dan", TransferDecline("t1", "n1")) == []
    assert board.say("ann", TransferDecline("t1", "n1")) == []
    assert board.say("bob", TransferCancel("t1")) == []
    assert board.say("ann", TransferCancel("t9")) == []
    assert board.say("dan", CallPlace("n1", "cat", "offer of dan", "t1")) == [
        ("dan", CallEnded("n1", bad_argument("This call id is taken; mint a random one.")))
    ]
    assert [u.state for u in board.updates()] == ["Transferring"]
    assert "cat" in [s for s, _ in obey(board)]


def test_a_replayed_place_changes_nothing(board: Board) -> None:
    board.ask(TO_CAT)
    obey(board)
    before = board.hub.calls.all
    assert obey(board) == []
    assert board.hub.calls.all == before


def test_b_gives_the_new_call_up(board: Board) -> None:
    board.ask(TO_CAT)
    obey(board)
    assert board.say("bob", CallEnd("n1")) == [
        ("cat", CallEnded("n1", CANCELLED)),
        ("ann", failed(CANCELLED)),
    ]
    untouched(board)


def test_b_hangs_up_altogether(board: Board) -> None:
    board.ask(TO_CAT)
    obey(board)
    board.say("bob", CallEnd("c1"))
    assert board.updates()[-1] == failed(CANCELLED)
    assert board.ends("ann", "c1") == [CallEnded("c1", HUNG_UP)]
    assert board.ends("cat", "n1") == [CallEnded("n1", CANCELLED)]
    assert board.empty()


@pytest.mark.parametrize("stage", ["offered", "ringing", "answered"])
def test_b_is_lost_at_any_stage(board: Board, stage: str) -> None:
    board.ask(TO_CAT)
    if stage != "offered":
        obey(board)
    if stage == "answered":
        board.say("cat", answer("n1"))
    board.lose("bob")
    board.wait(8)
    assert board.updates()[-1] == failed(NETWORK)
    assert board.ends("ann", "c1") == [CallEnded("c1", NETWORK)]
    assert len(board.ends("cat", "n1")) == (stage != "offered")
    assert board.empty()


# --- A calls it off


@pytest.mark.parametrize("placed", [False, True])
def test_a_cancels(board: Board, placed: bool) -> None:
    board.ask(TO_CAT)
    if placed:
        obey(board)
    board.say("ann", TransferCancel("t1"))
    assert board.updates()[-1] == failed(CANCELLED)
    assert board.ends("bob", "n1") == [CallEnded("n1", CANCELLED)]
    assert len(board.ends("cat", "n1")) == placed
    untouched(board)


def test_a_cancel_after_the_end_changes_nothing(board: Board) -> None:
    board.ask(TO_CAT)
    obey(board)
    board.pick_up("cat", "n1")
    assert board.say("ann", TransferCancel("t1")) == []
    assert board.state("n1") == "up"


def test_a_cancel_after_the_failure_does_not_stop_the_recall(board: Board) -> None:
    board.ask(TO_CAT)
    obey(board)
    board.say("ann", CallEnd("c1"))
    board.say("cat", CallEnd("n1", "declined"))
    assert board.say("ann", TransferCancel("t1")) == []
    assert board.hub.transfers.all["c1"].stage == "recall"


def test_a_request_after_the_failure_never_goes_back(board: Board) -> None:
    board.ask(TO_CAT)
    obey(board)
    board.say("ann", CallEnd("c1"))
    board.say("cat", CallEnd("n1", "declined"))
    assert board.ask(TO_CAT, "t2") == [("ann", failed(UNKNOWN_CALL, "t2"))]
    assert [u.state for u in board.updates("t1")].count("Failed") == 1


# --- C


@pytest.mark.parametrize(
    ("cause", "reason"), [("declined", DECLINED), ("failed", OFFLINE), ("no_media", OFFLINE)]
)
def test_c_does_not_take_it(board: Board, cause: EndCause, reason: Reason) -> None:
    board.ask(TO_CAT)
    obey(board)
    board.say("cat", CallEnd("n1", cause))
    assert board.updates()[-1] == failed(reason)
    assert board.ends("bob", "n1") == [CallEnded("n1", reason)]
    untouched(board)


def test_c_is_offline(board: Board) -> None:
    board.leave("cat")
    board.ask(TO_CAT)
    assert obey(board) == [("bob", CallEnded("n1", OFFLINE)), ("ann", failed(OFFLINE))]
    untouched(board)


def test_c_answers_but_is_never_heard(board: Board) -> None:
    board.ask(TO_CAT)
    obey(board)
    board.say("cat", answer("n1"))
    board.wait(10)
    assert board.updates()[-1] == failed(NO_MEDIA)
    assert board.ends("cat", "n1") == [CallEnded("n1", NO_MEDIA)]
    untouched(board)


def test_c_hangs_up_as_soon_as_it_has_answered(board: Board) -> None:
    board.ask(TO_CAT)
    obey(board)
    board.say("cat", answer("n1"))
    board.say("cat", CallEnd("n1"))
    assert board.updates()[-1] == failed(DECLINED), "a failure has the reason of a failure"
    untouched(board)


def test_c_hangs_the_target_call_up_before_b_has_come(consulting: Board) -> None:
    consulting.ask(CallTarget("c2"))
    obey(consulting)
    consulting.say("cat", CallEnd("c2"))
    assert consulting.updates()[-1] == failed(TARGET_CALL_GONE)
    untouched(consulting)


@pytest.mark.parametrize("placed", [False, True])
def test_c_dies_and_b_gets_one_reason(consulting: Board, placed: bool) -> None:
    consulting.ask(CallTarget("c2"))
    if placed:
        obey(consulting)
    consulting.lose("cat")
    consulting.wait(8)
    assert consulting.updates()[-1] == failed(TARGET_CALL_GONE)
    assert consulting.ends("bob", "n1") == [CallEnded("n1", TARGET_CALL_GONE)]
    assert len([r for r in consulting.records if r.call_id == "n1"]) == placed
    untouched(consulting)


# --- A leaves while the transfer is under way


def test_a_leaves_and_the_transfer_goes_on(board: Board) -> None:
    board.ask(TO_CAT)
    obey(board)
    assert board.say("ann", CallEnd("c1")) == [("bob", CallHold("c1", True))], "nobody is there to be heard"
    assert board.wait(15) == []
    board.pick_up("cat", "n1")
    assert board.updates()[-1].state == "Transferred"
    assert board.ends("bob", "c1") == [CallEnded("c1", REPLACED)]
    assert set(board.hub.calls.all) == {"n1"}


def test_a_leaves_both_calls_and_the_transfer_goes_on(consulting: Board) -> None:
    consulting.ask(CallTarget("c2"))
    assert consulting.say("ann", CallEnd("c1")) == [("bob", CallHold("c1", True))]
    assert consulting.say("ann", CallEnd("c2")) == [("cat", CallHold("c2", True))]
    obey(consulting)
    consulting.pick_up("cat", "n1")
    assert consulting.ends("cat", "c2") == [CallEnded("c2", REPLACED)]
    assert set(consulting.hub.calls.all) == {"n1"}


def test_a_keeps_the_first_call_and_a_target_left_alone_is_ended(consulting: Board) -> None:
    consulting.ask(CallTarget("c2"))
    consulting.say("ann", CallEnd("c2"))
    consulting.say("bob", TransferDecline("t1", "n1"))
    assert consulting.ends("cat", "c2") == [CallEnded("c2", DECLINED)]
    untouched(consulting)


def test_recall_rings_a_then_talks(board: Board) -> None:
    board.user("cat", NO_RULES)
    board.ask(TO_CAT)
    obey(board)
    board.say("ann", CallEnd("c1"))
    told = board.say("cat", CallEnd("n1", "declined"))
    assert told == [
        ("bob", CallEnded("n1", DECLINED)),
        ("ann", failed(DECLINED)),
        ("bob", CallOriginate("n2", "t1", "c1", party("ann"), "participant", party("ann"))),
    ]
    [(session, incoming)] = obey(board, "n2")
    assert session == "ann"
    assert isinstance(incoming, CallIncoming)
    assert (incoming.caller, incoming.transferor) == (party("bob"), None)
    board.pick_up("ann", "n2")
    assert board.ends("bob", "c1") == [CallEnded("c1", REPLACED)]
    assert [u.state for u in board.updates()].count("Failed") == 1
    assert set(board.hub.calls.all) == {"n2"}


def test_recall_ignores_the_settings_of_a(board: Board) -> None:
    board.user("ann", Settings(forwarding=ToPerson("dan"), do_not_disturb=True, call_waiting=False))
    board.ask(TO_CAT)
    board.say("ann", CallEnd("c1"))
    board.place("ann", "dan", "c2")
    board.say("bob", TransferDecline("t1", "n1"))
    assert [s for s, _ in obey(board, "n2")] == ["ann"]


def test_recall_fails_then_the_unanswered_rule_of_c(board: Board) -> None:
    board.user("cat", Settings(unanswered=ToPerson("dan")))
    board.ask(TO_CAT, disable_forwarding_and_unanswered=True)
    obey(board)
    board.leave("ann")
    board.wait(20)
    told = obey(board, "n2")  # nobody is there to be called back
    assert told == [
        ("bob", CallEnded("n2", OFFLINE)),
        ("bob", CallOriginate("n3", "t1", "c1", party("cat"), "forwarded", party("ann"))),
    ]
    told = obey(board, "n3")
    incoming = [(s, m.transferor) for s, m in told if isinstance(m, CallIncoming)]
    assert incoming == [("dan", party("ann"))]
    board.pick_up("dan", "n3")
    assert set(board.hub.calls.all) == {"n3"}
    assert board.ends("bob", "c1") == [CallEnded("c1", REPLACED)]


def test_nothing_left_to_try_is_a_clear_end(board: Board) -> None:
    board.ask(TO_CAT)
    obey(board)
    board.leave("ann")
    board.say("cat", CallEnd("n1", "declined"))
    obey(board, "n2")
    told = obey(board, "n3")
    assert told == [("bob", CallEnded("n3", NO_ANSWER)), ("bob", CallEnded("c1", NO_ANSWER))]
    assert board.empty()


def test_b_that_places_nothing_any_more_comes_to_an_end(board: Board) -> None:
    board.ask(TO_CAT)
    board.leave("ann")
    told = board.wait(3 * OFFER_SECONDS)
    assert [m.call_id for s, m in told if isinstance(m, CallEnded)] == ["n1", "n2", "n3", "c1"]
    assert board.empty()


def test_recall_of_a_deleted_user(board: Board) -> None:
    board.ask(TO_CAT)
    board.say("ann", CallEnd("c1"))
    board.say("bob", TransferDecline("t1", "n1"))
    board.feed(UserRemoved("8:acs:ann"))
    told = obey(board, "n2")
    assert told[0] == ("bob", CallEnded("n2", OFFLINE))
    assert isinstance(told[1][1], CallOriginate)
    assert told[1][1].target == party("cat")


def test_another_end_of_a_call_does_not_touch_a_transfer(board: Board) -> None:
    board.talk("ann", "dan", "c2")
    board.ask(TO_CAT)
    board.say("dan", CallEnd("c2"))
    board.say("ann", CallEnd("c9"))
    board.talk("ann", "dan", "c3")
    board.say("ann", CallEnd("c3"))
    assert [u.state for u in board.updates()] == ["Transferring"]


@pytest.mark.parametrize(
    ("cause", "reason"), [("no_media", NO_MEDIA), ("failed", SETUP_FAILED), ("hangup", CANCELLED)]
)
def test_all_are_told_the_same_when_the_transferee_ends_the_new_call(
    board: Board, cause: EndCause, reason: Reason
) -> None:
    board.ask(TO_CAT)
    board.say("bob", CallPlace("n1", "x", "offer", "t1"))
    if cause != "hangup":
        board.say("cat", CallAnswer("n1", "sdp"))
    told = board.say("bob", CallEnd("n1", cause))
    assert told == [("cat", CallEnded("n1", reason)), ("ann", failed(reason))]


# --- a lost session whose leg moves to a new one


def attach(board: Board, who: str, call_id: str, *, remote: str, caller: bool) -> None:
    """Let a user whose session is lost come back with another, and go on with the call."""
    board.lose(who)
    board.join(who, "again")
    board.say("again", CallAttach(call_id, f"8:acs:{remote}", caller=caller))


def test_b_comes_back_as_another_and_a_has_left(board: Board) -> None:
    """What was ordered of the lost session is not done; B is not left in silence."""
    board.say("ann", TransferRequest("t1", "c1", TO_CAT))
    attach(board, "bob", "c1", remote="ann", caller=False)
    board.say("ann", CallEnd("c1"))
    told = board.wait(OFFER_SECONDS)
    [recall] = [m for session, m in told if session == "again" and isinstance(m, CallOriginate)]
    assert (recall.replaces, recall.target.name) == ("c1", "ann")


def test_a_comes_back_as_another_and_leaves_the_transfer_going_on(board: Board) -> None:
    board.say("ann", TransferRequest("t1", "c1", TO_CAT))
    attach(board, "ann", "c1", remote="bob", caller=True)
    assert board.say("again", CallEnd("c1")) == [("bob", CallHold("c1", True))]
    assert board.state("c1") == "up"


def test_c_comes_back_as_another_and_is_reached_there(consulting: Board) -> None:
    consulting.say("ann", TransferRequest("t1", "c1", CallTarget("c2")))
    attach(consulting, "cat", "c2", remote="ann", caller=False)
    told = obey(consulting)
    assert [session for session, m in told if isinstance(m, CallIncoming)] == ["again"]
