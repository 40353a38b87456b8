"""The calls of an endpoint: hold, mute, lost sound, and the end that each has once."""

import pytest

from media import orders
from media.orders import (
    AnswerReoffer,
    ApplyAnswer,
    Close,
    Closed,
    Failed,
    MakeOffer,
    MediaLost,
    OfferReady,
    PathBack,
    PathLost,
    Renew,
    ReofferAnswered,
    ReofferReady,
    SetHold,
)
from node.exchange import (
    Accept,
    Consent,
    Dial,
    Do,
    FromHub,
    FromMedia,
    HangUp,
    Hold,
    Input,
    Linked,
    Mute,
    Send,
    TransferAsked,
)
from node.phone import PICKUP_SECONDS
from node.session import LOST_SECONDS, REOFFER_SECONDS, CallState
from signaling.messages import (
    CallAnswered,
    CallConnected,
    CallEnd,
    CallEnded,
    CallHold,
    CallIncoming,
    CallMute,
    CallParticipants,
    CallProgress,
    CallRenew,
    CallUpdate,
    TransferDecline,
)
from signaling.parts import Outcome
from signaling.reasons import (
    CANCELLED,
    DECLINED,
    HUNG_UP,
    MEDIA_LOST,
    NO_MEDIA,
    TIMED_OUT,
)
from tests.unit.desk import ANN, BOB, ORIGINATE, Desk, ordered, reasons, sent, states

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


# --- hold and mute


def test_the_callee_holds_and_the_caller_renegotiates(talking: Desk) -> None:
    out = talking.give(Hold("c1", True))
    assert (sent(out), ordered(out)) == ([CallHold("c1", True)], [SetHold("c1", True, False, False)])
    assert states(out) == [("c1", CallState.LOCAL_HOLD)]
    assert talking.hub(CallUpdate("c1", "offer", "sdp")) == [Do(AnswerReoffer("c1", "sdp"))]
    assert talking.media(ReofferAnswered("c1", "sdp")) == [Send(CallUpdate("c1", "answer", "sdp"))]
    assert talking.give(Hold("c1", True)) == [], "held already"
    assert states(talking.give(Hold("c1", False))) == [("c1", CallState.CONNECTED)]


def test_the_caller_makes_one_reoffer_at_a_time(desk: Desk) -> None:
    desk.outgoing()
    out = desk.hub(CallHold("c1", True))
    assert (states(out), ordered(out)) == (
        [("c1", CallState.REMOTE_HOLD)],
        [SetHold("c1", False, True, True)],
    )
    assert desk.hub(CallHold("c1", True)) == [], "a replay changes nothing"
    assert desk.media(ReofferReady("c1", "sdp")) == [Send(CallUpdate("c1", "offer", "sdp"))]
    out = desk.give(Hold("c1", True))
    assert (sent(out), ordered(out)) == ([CallHold("c1", True)], [])
    out = desk.hub(CallUpdate("c1", "answer", "sdp"))
    assert ordered(out) == [ApplyAnswer("c1", "sdp"), SetHold("c1", True, True, True)]
    assert ordered(desk.hub(CallUpdate("c1", "answer", "sdp"))) == [ApplyAnswer("c1", "sdp")]
    assert not desk.call().renegotiating


def test_hold_before_the_call_is_up(desk: Desk) -> None:
    desk.hub(CallIncoming("c1", ANN, "offer"))
    desk.give(Accept("c1"))
    assert desk.give(Hold("c1", True)) == []
    assert states(desk.hub(CallHold("c1", True))) == [("c1", CallState.CONNECTING)]
    assert states(desk.hub(CallConnected("c1"))) == [("c1", CallState.REMOTE_HOLD)]


def test_mute_changes_what_is_named(talking: Desk) -> None:
    assert ordered(talking.give(Mute("c1", outgoing=True))) == [orders.Mute("c1", True, False)]
    assert ordered(talking.give(Mute("c1", incoming=True))) == [orders.Mute("c1", True, True)]
    assert ordered(talking.give(Mute("c1", outgoing=False))) == [orders.Mute("c1", False, True)]


def test_what_replaces_a_call_is_muted_with_it(talking: Desk) -> None:
    talking.hub(ORIGINATE)
    talking.give(Mute("c1", outgoing=True))
    assert talking.call("n1").muted and not talking.call("n1").incoming_muted
    talking.give(Mute("n1", outgoing=False))
    assert talking.call("c1").muted and not talking.call("n1").muted


def test_a_second_call_that_is_accepted_holds_the_first(desk: Desk) -> None:
    desk.outgoing("c1")
    desk.outgoing("c2")
    desk.give(Hold("c2", True))
    desk.give(Dial("c3", "bob"))
    desk.hub(CallIncoming("c4", ANN, "offer"))
    out = desk.give(Accept("c4", hold_others=True))
    assert sent(out) == [CallHold("c1", True)]
    assert states(out) == [("c1", CallState.LOCAL_HOLD), ("c4", CallState.CONNECTING)]


# --- lost sound


def test_lost_sound_waits_for_the_hubs_reason(talking: Desk) -> None:
    assert talking.media(MediaLost("c1")) == []
    assert talking.phone.deadline == LOST_SECONDS
    assert reasons(talking.hub(CallEnded("c1", HUNG_UP))) == [HUNG_UP]


def test_lost_sound_without_a_reason_ends_the_call(talking: Desk) -> None:
    talking.media(MediaLost("c1"))
    out = talking.wait(LOST_SECONDS)
    assert (sent(out), reasons(out)) == ([CallEnd("c1", "media_lost")], [MEDIA_LOST])


@pytest.mark.parametrize("consent", [False, True])
@pytest.mark.parametrize("lost_first", [False, True])
def test_a_call_held_for_its_transfer_may_be_silent(consent: bool, lost_first: bool) -> None:
    desk = Desk(consent=consent)
    desk.incoming()
    desk.hub(ORIGINATE)
    steps: list[Input] = [FromMedia(MediaLost("c1")), FromHub(CallHold("c1", True))]
    for step in steps if lost_first else reversed(steps):
        desk.give(step)
    assert (desk.call("c1").state, desk.call("c1").deadline) == (CallState.REMOTE_HOLD, None)
    if consent:
        assert desk.wait(LOST_SECONDS + 1) == []
        desk.give(Consent("t1", True))
    assert desk.wait(LOST_SECONDS + 1) == []
    assert desk.call("c1").live and desk.call("n1").live


@pytest.mark.parametrize("consent", [False, True])
def test_an_order_keeps_a_silent_call_until_it_is_over(consent: bool) -> None:
    desk = Desk(consent=consent)
    desk.incoming()
    desk.media(MediaLost("c1"))
    desk.hub(ORIGINATE)
    assert desk.call("c1").deadline is None and desk.wait(2 * LOST_SECONDS) == [], "the hub decides"
    desk.hub(CallEnded("n1", DECLINED))
    desk.media(Closed("n1"))
    out = desk.wait(LOST_SECONDS)
    assert (sent(out), reasons(out)) == ([CallEnd("c1", "media_lost")], [MEDIA_LOST])


def test_without_the_hub_a_silent_call_waits_for_it(talking: Desk) -> None:
    talking.give(Linked(False))
    talking.media(MediaLost("c1"))
    assert talking.wait(2 * LOST_SECONDS) == []
    talking.give(Linked(True))
    assert talking.call("c1").deadline == talking.now + LOST_SECONDS


def test_a_re_offer_that_is_not_answered_ends_the_call(desk: Desk) -> None:
    desk.outgoing()
    desk.give(Hold("c1", True))
    out = desk.wait(REOFFER_SECONDS)
    assert (sent(out), reasons(out)) == ([CallEnd("c1", "media_lost")], [MEDIA_LOST])


@pytest.mark.parametrize("how", [Consent("t1", False), FromHub(CallEnded("n1", CANCELLED))])
def test_a_silent_call_that_is_held_outlives_its_offer(asked: Desk, how: Input) -> None:
    asked.hub(CallHold("c1", True))
    asked.media(MediaLost("c1"))
    asked.give(how)
    assert asked.wait(LOST_SECONDS) == []
    assert reasons(asked.hub(CallEnded("c1", DECLINED))) == [DECLINED], "the hub has the last word"


@pytest.mark.parametrize("lost_first", [False, True])
def test_off_hold_a_silent_call_waits_for_its_reason_again(talking: Desk, lost_first: bool) -> None:
    steps: list[Input] = [FromMedia(MediaLost("c1")), FromHub(CallHold("c1", True))]
    for step in steps if lost_first else reversed(steps):
        talking.give(step)
    talking.wait(1)
    talking.hub(CallHold("c1", False))
    assert talking.call("c1").deadline == 1 + LOST_SECONDS
    assert reasons(talking.wait(LOST_SECONDS)) == [MEDIA_LOST]


# --- leaving


def test_hung_up_before_it_was_placed_the_hub_never_hears_of_it(desk: Desk) -> None:
    desk.give(Dial("c1", "bob"))
    out = desk.give(HangUp("c1"))
    assert (sent(out), reasons(out)) == ([], [CANCELLED])
    assert desk.media(OfferReady("c1", "too late")) == []
    assert reasons(desk.media(Closed("c1"))) == [CANCELLED]
    assert desk.empty()


def test_given_up_while_it_rings(desk: Desk) -> None:
    desk.give(Dial("c1", "bob"))
    desk.media(OfferReady("c1", "offer"))
    out = desk.give(HangUp("c1"))
    assert (sent(out), reasons(out)) == ([CallEnd("c1")], [CANCELLED])
    assert desk.give(HangUp("c1")) == [], "one reason, one goodbye"
    assert desk.hub(CallAnswered("c1", "late", Outcome("participant", BOB))) == []
    assert desk.hub(CallConnected("c1")) == desk.hub(CallProgress("c1", "ringing", BOB)) == []
    assert desk.hub(CallEnded("c1", HUNG_UP)) == []


def test_dialled_muted(desk: Desk) -> None:
    assert ordered(desk.give(Dial("c1", "bob", muted=True))) == [
        orders.Mute("c1", True, False),
        MakeOffer("c1"),
    ]


def test_no_media_ends_the_call_for_that(desk: Desk) -> None:
    desk.give(Dial("c1", "bob"))
    assert sent(desk.media(Failed("c1", "no candidates"))) == []
    desk.give(Dial("c2", "bob"))
    desk.media(OfferReady("c2", "offer"))
    out = desk.media(Failed("c2", "no candidates"))
    assert (sent(out), reasons(out)) == ([CallEnd("c2", "no_media")], [NO_MEDIA])


def test_b_gives_up_before_the_new_call_was_placed(talking: Desk) -> None:
    talking.hub(ORIGINATE)
    out = talking.give(HangUp("n1"))
    assert (sent(out), ordered(out)) == ([TransferDecline("t1", "n1")], [Close("n1")])
    assert talking.call("c1").state is CallState.CONNECTED


def test_b_cannot_open_a_second_connection(talking: Desk) -> None:
    talking.hub(ORIGINATE)
    assert sent(talking.media(Failed("n1", "no sockets"))) == [TransferDecline("t1", "n1")]
    assert talking.call("c1").live


def test_an_answer_that_leads_nowhere_has_a_deadline(desk: Desk) -> None:
    desk.hub(CallIncoming("c1", ANN, "offer"))
    desk.give(Accept("c1"))
    out = desk.wait(PICKUP_SECONDS)
    assert (sent(out), reasons(out)) == ([CallEnd("c1", "failed")], [TIMED_OUT])


# --- a lost path


def test_the_caller_makes_a_lost_path_anew(desk: Desk) -> None:
    desk.outgoing()
    assert ordered(desk.media(PathLost("c1"))) == [Renew("c1")]
    assert desk.call().path_lost
    assert sent(desk.media(ReofferReady("c1", "new"))) == [CallUpdate("c1", "offer", "new")]
    assert ordered(desk.media(PathLost("c1"))) == [], "one re-offer at a time"
    desk.give(Linked(False))
    assert ordered(desk.give(Linked(True))) == []
    # What was offered before the outage may name addresses that are no more.
    assert ordered(desk.hub(CallUpdate("c1", "answer", "new"))) == [ApplyAnswer("c1", "new"), Renew("c1")]
    assert ordered(desk.hub(CallRenew("c1"))) == []
    desk.media(PathBack("c1"))
    assert not desk.call().path_lost
    assert ordered(desk.hub(CallUpdate("c1", "answer", "new"))) == [ApplyAnswer("c1", "new")]
    assert desk.phone.deadline is None


def test_hold_waits_for_the_new_path(desk: Desk) -> None:
    desk.outgoing()
    desk.media(PathLost("c1"))
    assert ordered(desk.give(Hold("c1", True))) == []
    desk.media(PathBack("c1"))
    assert ordered(desk.hub(CallUpdate("c1", "answer", "new"))) == [
        ApplyAnswer("c1", "new"),
        SetHold("c1", True, False, True),
    ]


def test_the_callee_asks_for_a_new_path(desk: Desk) -> None:
    desk.incoming()
    assert sent(desk.media(PathLost("c1"))) == [CallRenew("c1")]
    assert ordered(desk.hub(CallUpdate("c1", "offer", "new"))) == [AnswerReoffer("c1", "new")]


def test_the_caller_is_asked_for_a_new_path(desk: Desk) -> None:
    assert desk.hub(CallRenew("c1")) == []
    desk.outgoing()
    assert ordered(desk.hub(CallRenew("c1"))) == [Renew("c1")]
    assert ordered(desk.hub(CallRenew("c1"))) == []
    assert ordered(desk.hub(CallUpdate("c1", "answer", "new"))) == [ApplyAnswer("c1", "new"), Renew("c1")]


def test_what_a_page_that_was_loaded_again_owes_is_not_waited_for(desk: Desk) -> None:
    desk.outgoing()
    desk.give(Hold("c1", True))
    desk.media(ReofferReady("c1", "lost"))
    assert ordered(desk.hub(CallRenew("c1", unanswered=True))) == [Renew("c1")]
    assert sent(desk.media(ReofferReady("c1", "new"))) == [CallUpdate("c1", "offer", "new")]
    assert ordered(desk.hub(CallUpdate("c1", "answer", "new"))) == [ApplyAnswer("c1", "new")]
    assert desk.phone.deadline is None


def test_a_new_path_is_asked_for_when_the_hub_is_back(desk: Desk) -> None:
    desk.outgoing("c1")
    desk.incoming("c2")
    desk.give(Linked(False))
    assert desk.media(PathLost("c2"))[1:] == []
    desk.media(PathLost("c1"))
    out = desk.give(Linked(True))
    assert (ordered(out), sent(out)) == ([Renew("c1")], [CallRenew("c2")])


def test_a_path_that_is_made_anew_in_time_is_no_end(desk: Desk) -> None:
    desk.outgoing()
    desk.media(PathLost("c1"))
    desk.media(MediaLost("c1"))
    assert desk.phone.deadline == desk.now + LOST_SECONDS
    desk.media(PathBack("c1"))
    desk.hub(CallUpdate("c1", "answer", "new"))
    assert desk.wait(LOST_SECONDS) == []


# --- group calls


def in_group(desk: Desk) -> None:
    desk.outgoing()
    desk.hub(CallParticipants("c1", "g1", "caller", ()))


def test_a_group_is_told_who_is_muted(desk: Desk) -> None:
    in_group(desk)
    assert sent(desk.give(Mute("c1", outgoing=True))) == [CallMute("c1", True)]
    assert sent(desk.give(Mute("c1", outgoing=True))) == []
    assert sent(desk.give(Mute("c1", incoming=True))) == []
    assert sent(desk.give(HangUp("c1", for_everyone=True))) == [CallEnd("c1", for_everyone=True)]


def test_the_hub_has_a_new_path_offered(desk: Desk) -> None:
    desk.outgoing()
    assert ordered(desk.hub(CallRenew("c1", anew=True))) == [Renew("c1")]
    assert desk.hub(CallRenew("c1", anew=True)) == [], "the offer is yet to come"
    desk.media(ReofferReady("c1", "new"))
    assert ordered(desk.hub(CallRenew("c1", anew=True))) == [Renew("c1")], "the one before is void"
    desk.media(ReofferReady("c1", "newer"))
    assert ordered(desk.hub(CallUpdate("c1", "answer", "sdp"))) == [ApplyAnswer("c1", "sdp")]
    desk.give(Hold("c1", True))
    desk.media(ReofferReady("c1", "held"))
    assert ordered(desk.hub(CallRenew("c1", anew=True))) == []
    out = desk.hub(CallUpdate("c1", "answer", "sdp"))
    assert ordered(out) == [ApplyAnswer("c1", "sdp"), Renew("c1")]


def test_the_hub_turns_round_who_offers(desk: Desk) -> None:
    desk.incoming()
    assert ordered(desk.hub(CallRenew("c1", anew=True))) == [Renew("c1")]
    assert desk.call().offerer
    desk.media(ReofferReady("c1", "new"))
    desk.hub(CallUpdate("c1", "answer", "sdp"))
    assert ordered(desk.give(Hold("c1", True))) == [SetHold("c1", True, False, True)]
    desk.hub(CallUpdate("c1", "answer", "sdp"))
    desk.hub(CallUpdate("c1", "offer", "other"))
    assert not desk.call().offerer
    assert sent(desk.media(PathLost("c1"))) == [CallRenew("c1")]


@pytest.mark.parametrize("up", [False, True])
def test_hold_and_resume_reach_what_takes_the_place_of_a_call(desk: Desk, up: bool) -> None:
    desk.incoming()
    desk.give(Hold("c1", True))
    assert SetHold("n1", True, False, False) in ordered(desk.hub(ORIGINATE)), "from the beginning"
    desk.media(OfferReady("n1", "offer"))
    if up:
        desk.hub(CallAnswered("n1", "answer", Outcome("participant", BOB)))
        desk.hub(CallConnected("n1"))
        desk.media(ReofferReady("n1", "offer"))
        desk.hub(CallUpdate("n1", "answer", "answer"))
    out = desk.give(Hold("c1", False))
    assert sent(out) == [CallHold("c1", False), *([CallHold("n1", False)] if up else [])]
    assert ordered(out)[-1] == SetHold("n1", False, False, up)
    assert not desk.call("n1").local_hold
