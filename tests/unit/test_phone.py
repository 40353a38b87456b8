"""The calls of one agent: what it sends, orders and reports, whatever order things come in."""

import pytest

from media import orders
from media.orders import (
    AddCandidate,
    AnswerReady,
    AnswerReoffer,
    ApplyAnswer,
    AudioUp,
    Close,
    Closed,
    Failed,
    GoOver,
    MakeAnswer,
    MakeOffer,
    MediaLost,
    OfferReady,
    PathLost,
    PathReady,
    ReofferAnswered,
    ReofferReady,
    SetHold,
    TakeOver,
)
from node.exchange import (
    Accept,
    AddParticipant,
    Anew,
    CallNews,
    CancelTransfer,
    Consent,
    Cut,
    Dial,
    Do,
    Dtmf,
    DtmfNews,
    HangUp,
    Hold,
    Join,
    Linked,
    MailboxNews,
    Mute,
    Refused,
    Reject,
    RingNews,
    RingOver,
    Send,
    Speakers,
    Transfer,
    TransferNews,
)
from node.handovers import SETUP_SECONDS
from node.phone import ATTACH_SECONDS, PICKUP_SECONDS
from node.session import CallState
from signaling.messages import (
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
    CallParticipants,
    CallPlace,
    CallProgress,
    CallRenew,
    CallRinging,
    CallUp,
    CallUpdate,
    Error,
    HubMessage,
    MailboxChanged,
    MixerPlace,
    MixerSpeakers,
    ParticipantAdd,
    Pong,
    SessionEnd,
    TransferUpdate,
    Welcome,
)
from signaling.parts import Candidate, CustomContext, Outcome, Party
from signaling.reasons import (
    BUSY,
    CANCELLED,
    DECLINED,
    GLARE,
    HUNG_UP,
    NETWORK,
    NO_MEDIA,
    TIMED_OUT,
    UNKNOWN_CALL,
)
from tests.unit.desk import ANN, BOB, CAT, ORIGINATE, REQUEST, Desk, news, ordered, reasons, sent, states

pytestmark = pytest.mark.unit


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def talking(desk: Desk) -> Desk:
    """Ann has called here, and both talk on c1."""
    desk.incoming()
    return desk


# --- calling


def test_an_outgoing_call_from_dialling_to_hanging_up(desk: Desk) -> None:
    out = desk.give(Dial("c1", "bob", CustomContext("hello")))
    assert (states(out), ordered(out)) == ([("c1", CallState.CONNECTING)], [MakeOffer("c1")])
    out = desk.media(OfferReady("c1", "offer"))
    assert out == [Send(CallPlace("c1", "bob", "offer", custom_context=CustomContext("hello")))]
    assert states(desk.hub(CallProgress("c1", "trying", BOB))) == [("c1", CallState.CONNECTING)]
    assert states(desk.hub(CallProgress("c1", "ringing", BOB))) == [("c1", CallState.RINGING)]
    outcome = Outcome("forwarded", CAT, ("8:acs:bob",))
    out = desk.hub(CallAnswered("c1", "answer", outcome))
    assert (states(out), ordered(out)) == ([("c1", CallState.CONNECTING)], [ApplyAnswer("c1", "answer")])
    assert (desk.call().remote, desk.call().outcome) == (CAT, outcome)
    assert desk.media(AudioUp("c1")) == [Send(CallUp("c1"))]
    assert states(desk.hub(CallConnected("c1"))) == [("c1", CallState.CONNECTED)]
    assert desk.phone.deadline is None
    out = desk.give(HangUp("c1"))
    assert (sent(out), ordered(out)) == ([CallEnd("c1")], [Close("c1")])
    assert states(out) == [("c1", CallState.DISCONNECTING)]
    out = desk.media(Closed("c1"))
    assert (states(out), reasons(out)) == ([("c1", CallState.DISCONNECTED)], [HUNG_UP])
    assert desk.empty()


def test_the_hubs_reason_is_the_calls_reason(desk: Desk) -> None:
    desk.give(Dial("c1", "bob"))
    desk.media(OfferReady("c1", "offer"))
    out = desk.hub(CallEnded("c1", DECLINED))
    assert (sent(out), ordered(out), reasons(out)) == ([], [Close("c1")], [DECLINED])


def test_setting_up_has_a_deadline(desk: Desk) -> None:
    desk.give(Dial("c1", "bob"))
    desk.media(OfferReady("c1", "offer"))
    assert desk.phone.deadline == SETUP_SECONDS
    assert desk.wait(SETUP_SECONDS - 1) == []
    out = desk.wait(1)
    assert (sent(out), reasons(out)) == ([CallEnd("c1", "failed")], [TIMED_OUT])


def test_an_answer_for_media_that_failed_comes_too_late(desk: Desk) -> None:
    desk.give(Dial("c1", "bob"))
    desk.media(OfferReady("c1", "offer"))
    assert reasons(desk.media(Failed("c1", "no candidates"))) == [NO_MEDIA]
    assert desk.hub(CallAnswered("c1", "late", Outcome("participant", BOB))) == []


# --- being called


def test_an_incoming_call_rings_and_is_answered(desk: Desk) -> None:
    incoming = CallIncoming("c1", ANN, "offer", CAT, BOB, CustomContext("hello"), mailbox=BOB)
    [ringing, rings] = desk.hub(incoming)
    assert ringing == Send(CallRinging("c1"))
    assert isinstance(rings, RingNews)
    call = rings.call
    assert (call.caller, call.transferor, call.forwarded_from, call.mailbox) == (ANN, CAT, BOB, BOB)
    assert (call.state, call.custom_context) == (CallState.RINGING, CustomContext("hello"))
    assert desk.hub(incoming) == [], "rings once"
    out = desk.give(Accept("c1", muted=True, hold_others=True))
    assert states(out) == [("c1", CallState.CONNECTING)]
    assert ordered(out) == [orders.Mute("c1", True, False), MakeAnswer("c1", "offer")]
    assert desk.hub(incoming) == desk.give(Accept("c1")) == [], "answered once"
    assert desk.media(AnswerReady("c1", "answer")) == [Send(CallAnswer("c1", "answer"))]
    assert desk.phone.deadline == PICKUP_SECONDS


def test_rejecting(desk: Desk) -> None:
    desk.hub(CallIncoming("c1", ANN, "offer"))
    assert desk.give(Reject("c1")) == [
        Send(CallEnd("c1", "declined")),
        Do(Close("c1")),
        RingOver("c1", DECLINED),
    ]
    assert desk.give(Reject("c1")) == desk.give(Accept("c1")) == []
    assert desk.media(Closed("c1")) == [] and desk.empty()


def test_it_stops_ringing_with_the_reason(desk: Desk) -> None:
    desk.hub(CallIncoming("c1", ANN, "offer"))
    assert desk.hub(CallEnded("c1", CANCELLED)) == [Do(Close("c1")), RingOver("c1", CANCELLED)]
    assert desk.hub(CallEnded("c1", CANCELLED)) == [] and desk.empty()


def test_the_answer_came_second(desk: Desk) -> None:
    desk.hub(CallIncoming("c1", ANN, "offer"))
    desk.give(Accept("c1"))
    assert reasons(desk.hub(CallEnded("c1", CANCELLED))) == [CANCELLED]
    assert desk.media(AnswerReady("c1", "late")) == []
    desk.media(Closed("c1"))
    assert desk.empty()


def test_candidates_wait_for_the_call_that_rings_and_for_no_other(desk: Desk) -> None:
    candidate = CallCandidate("c1", Candidate("candidate:1", "0", 0))
    assert desk.hub(candidate) == []
    desk.hub(CallIncoming("c1", ANN, "offer"))
    assert desk.hub(candidate) == [Do(AddCandidate("c1", "candidate:1", "0", 0))]
    desk.give(Accept("c1"))
    assert desk.hub(candidate) == [Do(AddCandidate("c1", "candidate:1", "0", 0))]
    assert desk.hub(CallCandidate("c1", None)) == []


def test_hold_and_mute_reach_the_call_they_name(talking: Desk) -> None:
    assert sent(talking.give(Hold("c1", True))) == [CallHold("c1", True)]
    assert talking.give(Hold("c1", True)) == [], "held already"
    assert states(talking.hub(CallHold("c1", True))) == [("c1", CallState.LOCAL_HOLD)]
    assert talking.hub(CallHold("c1", True)) == [], "a replay changes nothing"
    assert ordered(talking.give(Mute("c1", outgoing=True))) == [orders.Mute("c1", True, False)]
    assert ordered(talking.hub(CallUpdate("c1", "offer", "sdp"))) == [AnswerReoffer("c1", "sdp")]
    assert sent(talking.media(ReofferAnswered("c1", "sdp"))) == [CallUpdate("c1", "answer", "sdp")]
    assert ordered(talking.hub(CallUpdate("c1", "answer", "sdp"))) == [ApplyAnswer("c1", "sdp")]


def test_a_transfer_of_c1_is_called_off_or_followed(talking: Desk) -> None:
    assert sent(talking.give(Transfer(REQUEST))) == [REQUEST]
    assert talking.give(CancelTransfer("t2")) == talking.give(Consent("t2", True)) == []
    failed = TransferUpdate("t1", "c1", "Failed", error=DECLINED)
    assert talking.hub(failed) == [TransferNews(failed)]
    assert ordered(talking.hub(ORIGINATE)) == [TakeOver("n1", "c1"), MakeOffer("n1")]


def test_without_the_hub_lost_sound_is_no_end(talking: Desk) -> None:
    talking.give(Linked(False))
    talking.media(MediaLost("c1"))
    assert talking.phone.deadline is None and talking.wait(SETUP_SECONDS) == []


def test_a_new_path_is_asked_for_when_the_hub_is_back(desk: Desk) -> None:
    desk.outgoing("c1")
    desk.incoming("c2")
    desk.give(Linked(False))
    assert desk.media(PathLost("c2"))[1:] == []
    desk.media(PathLost("c1"))
    out = desk.give(Linked(True))
    assert (ordered(out), sent(out)) == ([orders.Renew("c1")], [CallRenew("c2")])


def test_a_lost_path_is_told_and_made_anew(desk: Desk) -> None:
    assert desk.hub(CallRenew("c1")) == []
    desk.outgoing()
    out = desk.media(PathLost("c1"))
    assert isinstance(out[0], CallNews) and out[0].call.path_lost
    assert ordered(out) == [orders.Renew("c1")]
    desk.media(MediaLost("c1"))
    (news,) = desk.media(orders.PathBack("c1"))
    assert isinstance(news, CallNews) and not news.call.path_lost and not news.call.lost
    desk.hub(CallUpdate("c1", "answer", "sdp"))
    assert ordered(desk.hub(CallRenew("c1"))) == [orders.Renew("c1")]


def test_closed_by_itself_is_no_end(talking: Desk) -> None:
    assert talking.media(Closed("c1")) == []
    assert talking.call().state is CallState.CONNECTED


def test_digits_are_sent_and_told(talking: Desk) -> None:
    assert ordered(talking.give(Dtmf("c1", "12#"))) == [orders.SendDtmf("c1", "12#")]
    assert talking.media(orders.DtmfReceived("c1", "5", 0.1)) == [DtmfNews("c1", "5", 0.1)]
    talking.give(HangUp("c1"))
    assert talking.give(Dtmf("c1", "1")) == []
    assert talking.media(orders.DtmfReceived("c1", "5", 0.1)) == []


def test_who_talks_is_told(talking: Desk) -> None:
    (news,) = talking.media(orders.RemoteSpeaking("c1", True))
    assert isinstance(news, CallNews) and news.call.remote_speaking and not news.call.speaking_while_muted
    (news,) = talking.media(orders.SpeakingWhileMuted("c1", True))
    assert isinstance(news, CallNews) and news.call.remote_speaking and news.call.speaking_while_muted
    (news,) = talking.media(orders.RemoteSpeaking("c1", False))
    assert isinstance(news, CallNews) and not news.call.remote_speaking


def test_nothing_is_done_to_a_call_that_is_not_there_or_is_ending(talking: Desk) -> None:
    talking.give(HangUp("c1"))
    for call_id in ("c1", "c9"):
        for what in (HangUp(call_id), Hold(call_id, True), Mute(call_id, True)):
            assert talking.give(what) == []
        for message in (
            CallHold(call_id, True),
            CallUpdate(call_id, "offer", "sdp"),
            CallConnected(call_id),
            CallProgress(call_id, "ringing", BOB),
            CallEnded(call_id, HUNG_UP),
        ):
            assert talking.hub(message) == []
        for happening in (AudioUp(call_id), MediaLost(call_id), Failed(call_id, "late")):
            assert talking.media(happening) == []


# --- being the target (C)


def test_c_answers_in_the_place_of_its_call_without_ringing(talking: Desk) -> None:
    talking.give(Mute("c1", True, True))
    out = talking.hub(CallIncoming("n1", BOB, "offer", ANN, replaces="c1"))
    assert ordered(out) == [orders.Mute("n1", True, True), TakeOver("n1", "c1"), MakeAnswer("n1", "offer")]
    assert (sent(out), news(out)) == ([], [])
    assert talking.call("n1").transferor == ANN
    assert talking.call("c1").live


@pytest.mark.parametrize("ending", [False, True])
def test_c_has_no_such_call_any_more(desk: Desk, ending: bool) -> None:
    if ending:
        desk.incoming()
        desk.give(HangUp("c1"))
    assert desk.hub(CallIncoming("n1", BOB, "offer", replaces="c1")) == [Send(CallEnd("n1", "failed"))]
    assert "n1" not in desk.phone.calls


def test_c_who_holds_its_call_holds_what_takes_its_place(talking: Desk) -> None:
    talking.give(Hold("c1", True))
    out = talking.hub(CallIncoming("n1", BOB, "offer", ANN, replaces="c1"))
    assert ordered(out)[0] == SetHold("n1", True, False, False)
    talking.media(AnswerReady("n1", "answer"))
    assert sent(talking.hub(CallConnected("n1"))) == [CallHold("n1", True)]
    assert talking.call("n1").state is CallState.LOCAL_HOLD


@pytest.mark.parametrize("how", ["hung up", "rejected", "stopped"])
def test_what_is_over_does_not_come_again(desk: Desk, how: str) -> None:
    """The hub may have let this device answer by dialling back, in the moment in which it was done."""
    desk.hub(CallIncoming("c1", ANN, "offer"))
    desk.give(Dial("c2", "ann"))
    if how == "hung up":
        desk.give(Accept("c1"))
        desk.give(HangUp("c1"))
        desk.media(Closed("c1"))
    elif how == "rejected":
        desk.give(Reject("c1"))
    else:
        desk.hub(CallEnded("c1", CANCELLED))
    assert desk.hub(CallIncoming("c1", ANN, "offer", replaces="c2")) == [Send(CallEnd("c1"))]
    assert list(desk.phone.calls) == ["c2"]


def test_an_end_that_came_anew_is_told_again_what_may_be_lost(talking: Desk) -> None:
    talking.give(Hold("c1", True))
    assert sent(talking.hub(CallConnected("c1"))) == [CallHold("c1", True)]
    assert talking.call("c1").state is CallState.LOCAL_HOLD


# --- both dial each other


def test_who_dialled_later_answers_in_the_place_of_that_call(desk: Desk) -> None:
    desk.give(Dial("c2", "ann", muted=True))
    desk.hub(CallIncoming("c1", ANN, "offer"))
    out = desk.hub(CallIncoming("c1", ANN, "offer", replaces="c2"))
    assert ordered(out) == [orders.Mute("c1", True, False), TakeOver("c1", "c2"), MakeAnswer("c1", "offer")]
    assert desk.phone.ringing == {}
    desk.hub(CallEnded("c2", GLARE))
    desk.media(Closed("c2"))
    assert sent(desk.media(AnswerReady("c1", "answer"))) == [CallAnswer("c1", "answer")]
    assert list(desk.phone.calls) == ["c1"]


def test_who_gave_up_meanwhile_is_still_called(desk: Desk) -> None:
    desk.give(Dial("c2", "ann"))
    desk.hub(CallIncoming("c1", ANN, "offer"))
    desk.give(HangUp("c2"))
    assert desk.hub(CallIncoming("c1", ANN, "offer", replaces="c2")) == []
    assert list(desk.phone.ringing) == ["c1"]


# --- the rest


def test_the_session_is_gone_for_good() -> None:
    desk = Desk(consent=True)
    desk.incoming("c1")
    desk.outgoing("c2")
    desk.give(HangUp("c2"))
    desk.hub(CallIncoming("c3", CAT, "offer"))
    desk.hub(ORIGINATE)
    desk.give(Transfer(REQUEST))
    out = desk.give(Cut(BUSY))
    assert sent(out) == []
    assert ordered(out) == [Close("c3"), Close("c1")]
    failed = TransferUpdate("t1", "c1", "Failed", error=BUSY)
    assert news(out) == [RingOver("c3", BUSY), TransferNews(failed)]
    assert reasons(desk.media(Closed("c1"))) == [BUSY]
    assert reasons(desk.media(Closed("c2"))) == [HUNG_UP], "it had its reason"
    assert desk.empty()


def test_cut_without_a_word_is_the_network(talking: Desk) -> None:
    assert reasons(talking.give(Cut())) == [NETWORK]


def test_a_hub_that_began_anew_is_told_of_what_is_heard(desk: Desk) -> None:
    desk.outgoing("c1")
    desk.media(AudioUp("c1"))
    desk.incoming("c2")
    desk.media(AudioUp("c2"))
    desk.give(Dial("c3", "cat"))
    desk.now = 7
    out = desk.give(Anew())
    assert sent(out) == [
        CallAttach("c1", BOB.raw_id, caller=True, seconds=7),
        CallAttach("c2", ANN.raw_id, caller=False, seconds=7),
    ]
    assert ordered(out) == [Close("c3")]
    assert desk.hub(CallConnected("c1"))[1:] == [Send(CallHold("c1", False))]
    assert desk.wait(ATTACH_SECONDS) == [
        Send(CallEnd("c2")),
        CallNews(desk.call("c2")),
        Do(Close("c2")),
    ]
    assert (desk.call("c2").end_reason, desk.call("c1").state) == (NETWORK, CallState.CONNECTED)


def test_voicemail_says_for_whom_it_records(desk: Desk) -> None:
    desk.hub(CallIncoming("c1", ANN, "offer", mailbox=BOB))
    desk.give(Accept("c1"))
    desk.media(AudioUp("c1"))
    assert sent(desk.give(Anew())) == [CallAttach("c1", ANN.raw_id, caller=False, mailbox=BOB.raw_id)]


def test_what_takes_the_place_of_a_call_goes_on_alone(talking: Desk) -> None:
    talking.media(AudioUp("c1"))
    talking.hub(ORIGINATE)
    talking.media(OfferReady("n1", "offer"))
    talking.hub(CallAnswered("n1", "answer", Outcome("participant", CAT)))
    talking.media(AudioUp("n1"))
    out = talking.give(Anew())
    assert (sent(out), ordered(out)) == (
        [CallAttach("n1", CAT.raw_id, True, transferor=ANN.raw_id)],
        [Close("c1")],
    )


def test_an_offer_that_may_be_lost_is_made_again(desk: Desk) -> None:
    desk.outgoing()
    desk.media(AudioUp("c1"))
    desk.give(Hold("c1", True))
    desk.media(ReofferReady("c1", "reoffer"))
    desk.give(Anew())
    out = sent(desk.hub(CallConnected("c1")))
    assert out == [CallHold("c1", True), CallUpdate("c1", "offer", "reoffer")]
    desk.hub(CallUpdate("c1", "answer", "answer"))
    assert (desk.call().reoffer, desk.phone.deadline) == ("", None)


def test_who_is_muted_or_not_is_said_again_in_a_group(desk: Desk) -> None:
    desk.outgoing()
    desk.hub(CallParticipants("c1", "g1", "p1", ()))
    assert sent(desk.hub(CallConnected("c1"))) == [CallHold("c1", False), CallMute("c1", False)]


def test_an_offer_is_made_again_to_an_end_that_came_back_anew(desk: Desk) -> None:
    desk.outgoing()
    desk.media(AudioUp("c1"))
    desk.give(Hold("c1", True))
    desk.media(ReofferReady("c1", "reoffer"))
    out = sent(desk.hub(CallConnected("c1")))
    assert out == [CallHold("c1", True), CallUpdate("c1", "offer", "reoffer")]


def test_mailbox_and_errors_are_passed_on(desk: Desk) -> None:
    error = Error(UNKNOWN_CALL, "call.up c9")
    assert desk.hub(MailboxChanged(2, 5)) == [MailboxNews(2, 5)]
    assert desk.hub(error) == [Refused(error)]


@pytest.mark.parametrize("message", [Welcome("s", "x", ANN, ("voip",)), Pong(), SessionEnd(BUSY)])
def test_messages_of_the_session_are_the_links(desk: Desk, message: HubMessage) -> None:
    assert desk.hub(message) == [] and desk.empty()


# --- group calls


def test_a_group_is_joined_by_its_id(desk: Desk) -> None:
    desk.give(Join("c1", "g1"))
    assert sent(desk.media(OfferReady("c1", "offer"))) == [CallJoin("c1", "g1", "offer")]
    desk.hub(CallParticipants("c1", "g1", "me", ()))
    desk.hub(CallAnswered("c1", "answer", Outcome("group", Party("g1", "Group call"))))
    desk.hub(CallConnected("c1"))
    assert (desk.call().state, desk.call().group_id) == (CallState.CONNECTED, "g1")
    [attach] = sent(desk.give(Anew()))
    assert attach == CallAttach("c1", "g1", True, group_id="g1", participant_id="me")
    desk.give(Mute("c1", outgoing=True))
    told = sent(desk.hub(CallConnected("c1")))
    assert told == [CallHold("c1", False), CallMute("c1", True)], "what the hub that was has known"


def test_a_group_call_that_is_not_up_does_not_outlive_the_hub(desk: Desk) -> None:
    desk.give(Join("c1", "g1"))
    desk.hub(CallParticipants("c1", "g1", "me", ()))
    desk.media(AudioUp("c1"))
    assert ordered(desk.give(Anew())) == [Close("c1")]


def test_a_mixer_says_of_each_call_whether_it_is_the_last_of_its_group(desk: Desk) -> None:
    for call_id, group_id, who in (("c1", "g1", BOB), ("c2", "g2", CAT), ("c3", "g1", CAT)):
        desk.hub(MixerPlace(call_id, group_id, who))
        desk.media(OfferReady(call_id, "offer"))
        desk.hub(CallAnswered(call_id, "answer", Outcome("participant", who)))
        desk.hub(CallConnected(call_id))
    told = [m for m in sent(desk.give(Anew())) if isinstance(m, CallAttach)]
    assert [(m.call_id, m.group_id, m.remote, m.more) for m in told] == [
        ("c1", "g1", BOB.raw_id, True),
        ("c2", "g2", CAT.raw_id, False),
        ("c3", "g1", CAT.raw_id, False),
    ]


def test_a_call_is_attached_by_the_id_that_the_other_end_knows(desk: Desk) -> None:
    desk.outgoing()
    desk.hub(CallConnected("c1", "n7"))
    desk.media(AudioUp("c1"))
    [attach] = sent(desk.give(Anew()))
    assert isinstance(attach, CallAttach) and attach.server_call_id == "n7"


def test_a_mixer_calls_whom_the_hub_says(desk: Desk) -> None:
    assert ordered(desk.hub(MixerPlace("c1", "g1", BOB))) == [MakeOffer("c1")]
    assert desk.hub(MixerPlace("c1", "g1", BOB)) == []
    assert sent(desk.media(OfferReady("c1", "offer"))) == [CallPlace("c1", BOB.raw_id, "offer")]
    assert sent(desk.give(Speakers("g1", ("c1",)))) == [MixerSpeakers("g1", ("c1",))]


def test_a_new_path_is_gone_over_to_at_the_hubs_word(talking: Desk) -> None:
    assert ordered(talking.hub(CallUpdate("c1", "offer", "new"))) == [AnswerReoffer("c1", "new")]
    assert sent(talking.media(PathReady("c1"))) == [CallUp("c1")]
    assert ordered(talking.hub(CallConnected("c1"))) == [GoOver("c1")]


def test_somebody_is_asked_in(talking: Desk) -> None:
    assert sent(talking.give(AddParticipant("c1", "p1", "cat"))) == [ParticipantAdd("c1", "p1", "cat")]
