"""A phone on a desk, for the unit tests of what an endpoint decides."""

from media.orders import (
    AnswerReady,
    Closed,
    Happening,
    OfferReady,
    Order,
)
from node.exchange import (
    Accept,
    CallNews,
    Dial,
    Do,
    FromHub,
    FromMedia,
    Input,
    News,
    Output,
    Send,
    Tick,
)
from node.phone import Phone
from node.session import CallState, Session
from signaling.messages import (
    CallAnswered,
    CallConnected,
    CallEnded,
    CallIncoming,
    CallOriginate,
    ClientMessage,
    HubMessage,
    TransferRequest,
)
from signaling.parts import CustomContext, Outcome, ParticipantTarget, Party
from signaling.reasons import (
    HUNG_UP,
    Reason,
)

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
