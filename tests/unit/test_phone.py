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
    Happening,
    MakeAnswer,
    MakeOffer,
    MediaLost,
    OfferReady,
    Order,
    ReofferAnswered,
    ReofferReady,
    SetHold,
    TakeOver,
)
from node.exchange import (
    Accept,
    Anew,
    CallNews,
    CancelTransfer,
    Consent,
    Cut,
    Dial,
    Do,
    Dtmf,
    DtmfNews,
    FromHub,
    FromMedia,
    HangUp,
    Hold,
    Input,
    Linked,
    MailboxNews,
    Mute,
    News,
    Output,
    Refused,
    Reject,
    RingNews,
    RingOver,
    Send,
    Tick,
    Transfer,
    TransferAsked,
    TransferNews,
    TransferTaken,
)
from node.phone import ATTACH_SECONDS, PICKUP_SECONDS, SETUP_SECONDS, TRANSFER_SECONDS, Phone
from node.session import LOST_SECONDS, REOFFER_SECONDS, CallState, Session
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
    CallOriginate,
    CallPlace,
    CallProgress,
    CallRinging,
    CallTarget,
    CallUp,
    CallUpdate,
    Candidate,
    ClientMessage,
    CustomContext,
    Error,
    HubMessage,
    MailboxChanged,
    Outcome,
    ParticipantTarget,
    Party,
    Pong,
    SessionEnd,
    Target,
    TransferCancel,
    TransferDecline,
    TransferRequest,
    TransferUpdate,
    Welcome,
)
from signaling.reasons import (
    BUSY,
    CANCELLED,
    DECLINED,
    HUNG_UP,
    MEDIA_LOST,
    NETWORK,
    NO_MEDIA,
    REPLACED,
    TIMED_OUT,
    TRANSFER_CONFLICT,
    UNKNOWN_CALL,
    Reason,
)

pytestmark = pytest.mark.unit

ANN, BOB, CAT = (Party(f"8:acs:{name}", name.title(), name) for name in ("ann", "bob", "cat"))
ORIGINATE = CallOriginate("n1", "t1", "c1", CAT, "participant", ANN, CustomContext("hello"))
REQUEST = TransferRequest("t1", "c1", ParticipantTarget("cat"))


class Desk:
    """A phone on a desk: give it something and look at what comes out."""

    def __init__(self, *, consent: bool = False) -> None:
        self.phone = Phone(consent=consent)
        self.now = 0.0

    def give(self, what: Input) -> list[Output]:
        return self.phone.handle(what, self.now)

    def hub(self, message: HubMessage) -> list[Output]:
        return self.give(FromHub(message))

    def media(self, happening: Happening) -> list[Output]:
        return self.give(FromMedia(happening))

    def wait(self, seconds: float) -> list[Output]:
        self.now += seconds
        return self.give(Tick())

    def call(self, call_id: str = "c1") -> Session:
        return self.phone.calls[call_id]

    def outgoing(self, call_id: str = "c1") -> None:
        """Call Bob and talk."""
        self.give(Dial(call_id, "bob"))
        self.media(OfferReady(call_id, "offer"))
        self.hub(CallAnswered(call_id, "answer", Outcome("participant", BOB)))
        self.hub(CallConnected(call_id))

    def incoming(self, call_id: str = "c1") -> None:
        """Be called by Ann and talk."""
        self.hub(CallIncoming(call_id, ANN, "offer"))
        self.give(Accept(call_id))
        self.media(AnswerReady(call_id, "answer"))
        self.hub(CallConnected(call_id))

    def ended(self, call_id: str = "c1") -> None:
        self.hub(CallEnded(call_id, HUNG_UP))
        self.media(Closed(call_id))

    def empty(self) -> bool:
        phone = self.phone
        left = phone.calls or phone.ringing or phone.offers or phone.transfers
        return not left and phone.deadline is None


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


def sent(outputs: list[Output]) -> list[ClientMessage]:
    return [o.message for o in outputs if isinstance(o, Send)]


def ordered(outputs: list[Output]) -> list[Order]:
    return [o.order for o in outputs if isinstance(o, Do)]


def states(outputs: list[Output]) -> list[tuple[str, CallState]]:
    return [(o.call.id, o.call.state) for o in outputs if isinstance(o, CallNews)]


def reasons(outputs: list[Output]) -> list[Reason | None]:
    return [o.call.end_reason for o in outputs if isinstance(o, CallNews)]


def news(outputs: list[Output]) -> list[News]:
    return [o for o in outputs if not isinstance(o, Send | Do | CallNews)]


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


def test_the_hubs_reason_is_the_calls_reason(desk: Desk) -> None:
    desk.give(Dial("c1", "bob"))
    desk.media(OfferReady("c1", "offer"))
    out = desk.hub(CallEnded("c1", DECLINED))
    assert (sent(out), ordered(out), reasons(out)) == ([], [Close("c1")], [DECLINED])


def test_dialled_muted(desk: Desk) -> None:
    assert ordered(desk.give(Dial("c1", "bob", muted=True))) == [
        orders.Mute("c1", True, False),
        MakeOffer("c1"),
    ]


def test_setting_up_has_a_deadline(desk: Desk) -> None:
    desk.give(Dial("c1", "bob"))
    desk.media(OfferReady("c1", "offer"))
    assert desk.phone.deadline == SETUP_SECONDS
    assert desk.wait(SETUP_SECONDS - 1) == []
    out = desk.wait(1)
    assert (sent(out), reasons(out)) == ([CallEnd("c1", "failed")], [TIMED_OUT])


def test_no_media_ends_the_call_for_that(desk: Desk) -> None:
    desk.give(Dial("c1", "bob"))
    assert sent(desk.media(Failed("c1", "no candidates"))) == []
    desk.give(Dial("c2", "bob"))
    desk.media(OfferReady("c2", "offer"))
    out = desk.media(Failed("c2", "no candidates"))
    assert (sent(out), reasons(out)) == ([CallEnd("c2", "no_media")], [NO_MEDIA])


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
    out = desk.give(Accept("c1", muted=True))
    assert states(out) == [("c1", CallState.CONNECTING)]
    assert ordered(out) == [orders.Mute("c1", True, False), MakeAnswer("c1", "offer")]
    assert desk.hub(incoming) == desk.give(Accept("c1")) == [], "answered once"
    assert desk.media(AnswerReady("c1", "answer")) == [Send(CallAnswer("c1", "answer"))]
    assert desk.phone.deadline == PICKUP_SECONDS


def test_an_answer_that_leads_nowhere_has_a_deadline(desk: Desk) -> None:
    desk.hub(CallIncoming("c1", ANN, "offer"))
    desk.give(Accept("c1"))
    out = desk.wait(PICKUP_SECONDS)
    assert (sent(out), reasons(out)) == ([CallEnd("c1", "failed")], [TIMED_OUT])


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


# --- lost sound


def test_lost_sound_waits_for_the_hubs_reason(talking: Desk) -> None:
    assert talking.media(MediaLost("c1")) == []
    assert talking.phone.deadline == LOST_SECONDS
    assert reasons(talking.hub(CallEnded("c1", HUNG_UP))) == [HUNG_UP]


def test_lost_sound_without_a_reason_ends_the_call(talking: Desk) -> None:
    talking.media(MediaLost("c1"))
    out = talking.wait(LOST_SECONDS)
    assert (sent(out), reasons(out)) == ([CallEnd("c1", "media_lost")], [MEDIA_LOST])


def test_closed_by_itself_is_no_end(talking: Desk) -> None:
    assert talking.media(Closed("c1")) == []
    assert talking.call().state is CallState.CONNECTED


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


def test_b_gives_up_before_the_new_call_was_placed(talking: Desk) -> None:
    talking.hub(ORIGINATE)
    out = talking.give(HangUp("n1"))
    assert (sent(out), ordered(out)) == ([TransferDecline("t1", "n1")], [Close("n1")])
    assert talking.call("c1").state is CallState.CONNECTED


def test_b_cannot_open_a_second_connection(talking: Desk) -> None:
    talking.hub(ORIGINATE)
    assert sent(talking.media(Failed("n1", "no sockets"))) == [TransferDecline("t1", "n1")]
    assert talking.call("c1").live


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


def test_what_replaces_a_call_is_muted_with_it(talking: Desk) -> None:
    talking.hub(ORIGINATE)
    talking.give(Mute("c1", outgoing=True))
    assert talking.call("n1").muted and not talking.call("n1").incoming_muted
    talking.give(Mute("n1", outgoing=False))
    assert talking.call("c1").muted and not talking.call("n1").muted


def test_a_re_offer_that_is_not_answered_ends_the_call(desk: Desk) -> None:
    desk.outgoing()
    desk.give(Hold("c1", True))
    out = desk.wait(REOFFER_SECONDS)
    assert (sent(out), reasons(out)) == ([CallEnd("c1", "media_lost")], [MEDIA_LOST])


def test_a_failed_transfer_resumes_nothing_while_another_call_talks(desk: Desk) -> None:
    desk.outgoing()
    desk.give(Transfer(REQUEST))
    desk.give(Hold("c1", True))
    desk.outgoing("c2")
    desk.hub(TransferUpdate("t1", "c1", "Failed", error=DECLINED))
    assert desk.call("c1").local_hold


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
    ],
)
def test_after_a_failure_b_is_off_hold_unless_it_was_a_consultation(
    desk: Desk, target: Target, held: bool, resumes: bool
) -> None:
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
    out = desk.give(Anew())
    assert sent(out) == [
        CallAttach("c1", BOB.raw_id, caller=True),
        CallAttach("c2", ANN.raw_id, caller=False),
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
    assert (sent(out), ordered(out)) == ([CallAttach("n1", CAT.raw_id, caller=True)], [Close("c1")])


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


def test_mailbox_and_errors_are_passed_on(desk: Desk) -> None:
    error = Error(UNKNOWN_CALL, "call.up c9")
    assert desk.hub(MailboxChanged(2, 5)) == [MailboxNews(2, 5)]
    assert desk.hub(error) == [Refused(error)]


@pytest.mark.parametrize("message", [Welcome("s", "x", ANN, ("voip",)), Pong(), SessionEnd(BUSY)])
def test_messages_of_the_session_are_the_links(desk: Desk, message: HubMessage) -> None:
    assert desk.hub(message) == [] and desk.empty()
