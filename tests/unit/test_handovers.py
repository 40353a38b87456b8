"""Transfers at an endpoint: B follows the order, C answers for its call, A learns how it went, once."""

import pytest

from media import orders
from media.orders import (
    Closed,
    MakeOffer,
    MediaLost,
    OfferReady,
    SetHold,
    TakeOver,
)
from node.exchange import (
    CancelTransfer,
    Consent,
    Cut,
    Dial,
    HangUp,
    Hold,
    Mute,
    Send,
    Transfer,
    TransferAsked,
    TransferNews,
    TransferTaken,
)
from node.handovers import TRANSFER_SECONDS
from node.session import CallState
from signaling.messages import (
    CallAnswered,
    CallConnected,
    CallEnded,
    CallHold,
    CallOriginate,
    CallPlace,
    CallUpdate,
    TransferCancel,
    TransferDecline,
    TransferRequest,
    TransferUpdate,
)
from signaling.parts import CallTarget, CustomContext, Outcome, ParticipantTarget, Target
from signaling.reasons import (
    CANCELLED,
    DECLINED,
    NETWORK,
    REPLACED,
    TIMED_OUT,
    TRANSFER_CONFLICT,
    UNKNOWN_CALL,
)
from tests.unit.desk import ANN, CAT, ORIGINATE, REQUEST, Desk, news, ordered, reasons, sent, states

pytestmark = pytest.mark.unit


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def talking() -> Desk:
    """Ann has called here, and both talk on c1."""
    desk = Desk()
    desk.incoming()
    return desk


@pytest.fixture
def asked() -> Desk:
    """Like talking, where the application decides about transfers, and has been asked."""
    desk = Desk(consent=True)
    desk.incoming()
    assert desk.hub(ORIGINATE) == [TransferAsked(ORIGINATE)]
    return desk


# --- being transferred (B)


def test_b_places_the_new_call_and_keeps_the_old_one(talking: Desk) -> None:
    talking.give(Mute("c1", True, False))
    out = talking.hub(ORIGINATE)
    assert states(out) == [("n1", CallState.CONNECTING)]
    assert ordered(out) == [orders.Mute("n1", True, False), TakeOver("n1", "c1"), MakeOffer("n1")]
    assert news(out) == [TransferTaken("c1", "n1")]
    assert talking.hub(ORIGINATE) == [], "a replay changes nothing"
    place = CallPlace("n1", CAT.raw_id, "offer", "t1", CustomContext("hello"))
    assert talking.media(OfferReady("n1", "offer")) == [Send(place)]
    assert (talking.call("n1").transferor, talking.call("n1").remote) == (ANN, CAT)
    assert talking.call("c1").state is CallState.CONNECTED
    talking.hub(CallConnected("n1"))
    assert reasons(talking.hub(CallEnded("c1", REPLACED))) == [REPLACED]
    talking.media(Closed("c1"))
    assert list(talking.phone.calls) == ["n1"]


@pytest.mark.parametrize("ending", [False, True])
def test_without_the_old_call_b_declines(desk: Desk, ending: bool) -> None:
    if ending:
        desk.incoming()
        desk.give(HangUp("c1"))
    assert desk.hub(ORIGINATE) == [Send(TransferDecline("t1", "n1"))]


def test_the_application_accepts(asked: Desk) -> None:
    assert asked.hub(ORIGINATE) == [], "asks once"
    out = asked.give(Consent("t1", True))
    assert ordered(out) == [TakeOver("n1", "c1"), MakeOffer("n1")]
    assert asked.give(Consent("t1", False)) == [], "answered once"


def test_the_application_refuses(asked: Desk) -> None:
    assert asked.give(Consent("t1", False)) == [Send(TransferDecline("t1", "n1"))]
    assert asked.give(Consent("t1", True)) == []
    assert asked.call("c1").state is CallState.CONNECTED and not asked.phone.offers


def test_the_application_accepts_after_the_old_call_has_ended(asked: Desk) -> None:
    asked.ended("c1")
    assert asked.give(Consent("t1", True)) == [Send(TransferDecline("t1", "n1"))]
    assert asked.empty()


def test_an_offer_is_withdrawn(asked: Desk) -> None:
    asked.hub(CallEnded("other", CANCELLED))
    assert asked.hub(CallEnded("n1", CANCELLED)) == []
    assert asked.give(Consent("t1", True)) == []


def test_a_recall_needs_no_consent(asked: Desk) -> None:
    asked.hub(CallEnded("n1", TIMED_OUT))
    recall = CallOriginate("n2", "t1", "c1", ANN, "participant", ANN)
    assert news(asked.hub(recall)) == [TransferTaken("c1", "n2")]


# --- transferring (A)


def test_a_asks_and_learns_each_step_and_the_end_once(desk: Desk) -> None:
    desk.outgoing()
    assert desk.give(Transfer(REQUEST)) == [Send(REQUEST)]
    assert desk.phone.deadline == TRANSFER_SECONDS
    ringing = TransferUpdate("t1", "c1", "Transferring", "ringing")
    done = TransferUpdate("t1", "c1", "Transferred", outcome=Outcome("participant", CAT), new_call_id="n1")
    assert desk.hub(ringing) == [TransferNews(ringing)]
    assert desk.hub(done) == [TransferNews(done)]
    for late in (done, ringing, TransferUpdate("t1", "c1", "Failed", error=DECLINED)):
        assert desk.hub(late) == [], "never back"
    assert desk.media(MediaLost("c1")) == []
    assert desk.phone.deadline is None, "the sound of a transferred call may go"
    assert desk.call().live


def test_transferred_after_a_has_hung_up(desk: Desk) -> None:
    desk.outgoing()
    desk.give(Transfer(REQUEST))
    desk.give(HangUp("c1"))
    desk.media(Closed("c1"))
    done = TransferUpdate("t1", "c1", "Transferred")
    assert desk.hub(done) == [TransferNews(done)]
    assert desk.empty()


@pytest.mark.parametrize("state", ["none", "setting up", "ending"])
def test_a_call_that_is_not_up_is_not_transferred(desk: Desk, state: str) -> None:
    if state == "setting up":
        desk.give(Dial("c1", "bob"))
    if state == "ending":
        desk.outgoing()
        desk.give(HangUp("c1"))
    failed = TransferUpdate("t1", "c1", "Failed", error=UNKNOWN_CALL)
    assert desk.give(Transfer(REQUEST)) == [TransferNews(failed)]
    assert not desk.phone.transfers


@pytest.mark.parametrize(
    ("target", "held", "resumes"),
    [
        (ParticipantTarget("cat"), True, True),
        (ParticipantTarget("cat"), False, False),
        (CallTarget("c2"), True, False),
        (CallTarget("gone"), True, True),
    ],
)
def test_after_a_failure_b_is_off_hold_unless_the_consultation_goes_on(
    desk: Desk, target: Target, held: bool, resumes: bool
) -> None:
    desk.give(Dial("c2", "cat"))
    desk.outgoing()
    if held:
        desk.give(Hold("c1", True))
        desk.hub(CallUpdate("c1", "answer", "sdp"))
    desk.give(Transfer(TransferRequest("t1", "c1", target)))
    failed = TransferUpdate("t1", "c1", "Failed", error=DECLINED)
    out = desk.hub(failed)
    assert news(out) == [TransferNews(failed)]
    assert sent(out) == ([CallHold("c1", False)] if resumes else [])
    assert desk.call().local_hold == (held and not resumes)


def test_a_refused_second_transfer_leaves_the_hold_to_the_first(desk: Desk) -> None:
    desk.outgoing()
    desk.give(Hold("c1", True))
    desk.give(Transfer(REQUEST))
    desk.give(Transfer(TransferRequest("t2", "c1", ParticipantTarget("dan"))))
    assert sent(desk.hub(TransferUpdate("t2", "c1", "Failed", error=TRANSFER_CONFLICT))) == []
    assert desk.call().state is CallState.LOCAL_HOLD
    assert sent(desk.hub(TransferUpdate("t1", "c1", "Failed", error=DECLINED))) == [CallHold("c1", False)]


def test_a_calls_it_off_while_it_is_under_way(desk: Desk) -> None:
    desk.outgoing()
    assert desk.give(CancelTransfer("t1")) == []
    desk.give(Transfer(REQUEST))
    assert desk.give(CancelTransfer("t1")) == [Send(TransferCancel("t1"))]
    desk.hub(TransferUpdate("t1", "c1", "Failed", error=CANCELLED))
    assert desk.give(CancelTransfer("t1")) == []


def test_a_transfer_of_which_nothing_is_heard_fails(desk: Desk) -> None:
    desk.outgoing()
    desk.give(Transfer(REQUEST))
    assert desk.wait(TRANSFER_SECONDS - 1) == []
    failed = TransferUpdate("t1", "c1", "Failed", error=TIMED_OUT)
    assert desk.wait(1) == [TransferNews(failed)]
    assert desk.call().live and not desk.phone.transfers


def test_a_failed_transfer_resumes_nothing_while_another_call_talks(desk: Desk) -> None:
    desk.outgoing()
    desk.give(Transfer(REQUEST))
    desk.give(Hold("c1", True))
    desk.outgoing("c2")
    desk.hub(TransferUpdate("t1", "c1", "Failed", error=DECLINED))
    assert desk.call("c1").local_hold


def test_with_the_session_all_that_was_asked_fails(asked: Desk) -> None:
    for transfer_id in ("t2", "t3"):
        asked.give(Transfer(TransferRequest(transfer_id, "c1", ParticipantTarget("dan"))))
    failed = [TransferUpdate(each, "c1", "Failed", error=NETWORK) for each in ("t2", "t3")]
    assert news(asked.give(Cut())) == [TransferNews(each) for each in failed]
    assert not asked.phone.transfers and asked.give(Consent("t1", True)) == [], "nor is B asked any more"


@pytest.mark.parametrize("late", [False, True])
def test_what_b_holds_stays_held_in_the_call_that_takes_over(talking: Desk, late: bool) -> None:
    """B may be talking to somebody else meanwhile."""
    if not late:
        talking.give(Hold("c1", True))
    out = talking.hub(ORIGINATE)
    assert (SetHold("n1", True, False, False) in ordered(out)) is not late
    if late:
        out = talking.give(Hold("c1", True))
        assert sent(out) == [CallHold("c1", True)]
        assert ordered(out)[-1] == SetHold("n1", True, False, False)
    talking.media(OfferReady("n1", "offer"))
    talking.hub(CallAnswered("n1", "answer", Outcome("participant", CAT)))
    out = talking.hub(CallConnected("n1"))
    assert sent(out) == [CallHold("n1", True)]
    assert SetHold("n1", True, False, True) in ordered(out)
    assert talking.call("n1").state is CallState.LOCAL_HOLD
    assert sent(talking.give(Hold("c1", False))) == [CallHold("c1", False), CallHold("n1", False)]
    assert talking.call("n1").state is CallState.CONNECTED
