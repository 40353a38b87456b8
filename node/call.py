"""Calls as an application sees them (spec §3, ACS Call and IncomingCall)."""

import asyncio
from typing import TYPE_CHECKING, Generic, Literal, TypeVar

from msgspec import Struct

from media.audio import Sink, Source
from media.dtmf import parse_digits
from media.stats import Stats
from node.errors import CallingError
from node.events import Events, Handler
from node.exchange import (
    Accept,
    Dtmf,
    DtmfNews,
    HangUp,
    Hold,
    Input,
    Mute,
    Reject,
    RemoveParticipant,
)
from node.feature import CallFeature
from node.features import Features as Features
from node.features import kinds
from node.identity import CallerInfo, caller_info
from node.options import AcceptCallOptions as AcceptCallOptions
from node.options import AddParticipantOptions, CallInfo
from node.options import AudioOptions as AudioOptions
from node.options import StartCallOptions as StartCallOptions
from node.participant import Participants, add_order
from node.participant import RemoteParticipant as RemoteParticipant
from node.session import CallState, Session
from signaling.identifiers import CommunicationIdentifier
from signaling.parts import CustomContext, Outcome
from signaling.reasons import BAD_ARGUMENT, WRONG_STATE, Diversion, Reason

if TYPE_CHECKING:
    from node.agent import CallAgent

CallEndReason = Reason
Item = TypeVar("Item")
Feature = TypeVar("Feature", bound=CallFeature)

LEVEL_SECONDS = 0.1


class StateChanged(Struct, frozen=True):
    """The event `state_changed` of a call."""

    old_state: CallState
    new_state: CallState


class DtmfReceived(Struct, frozen=True):
    """The event `dtmf_received` of a call: a key the other end has pressed, for so many seconds."""

    digit: str
    duration: float


class LevelChanged(Struct, frozen=True):
    """The event `level_changed` of a call: what was said and heard in the last 100 ms, in dBFS (RMS)."""

    outgoing: float
    incoming: float


class CallEnded(Struct, frozen=True):
    """The event `call_ended` of an incoming call that nobody took here."""

    call_end_reason: CallEndReason


class Updated(Struct, Generic[Item], frozen=True):
    """The events `calls_updated` and `remote_participants_updated`: what has come and what has gone."""

    added: tuple[Item, ...] = ()
    removed: tuple[Item, ...] = ()


class IncomingCall(Events):
    """A call that rings here: accept it or reject it.

    `diverted_for` is why it was last sent on, in the words of RFC 5806; None if it was not.
    """

    kind = "IncomingCall"
    EVENTS = ("call_ended",)

    def __init__(self, agent: "CallAgent", session: Session) -> None:
        super().__init__(agent._runtime.tasks)
        self.id = session.id
        self.caller_info: CallerInfo = caller_info(session.remote)
        self.transferor_info = caller_info(session.transferor) if session.transferor else None
        self.forwarded_from = caller_info(session.forwarded_from) if session.forwarded_from else None
        self.diverted_for: Diversion | None = session.diverted_for
        self.mailbox = caller_info(session.mailbox) if session.mailbox else None
        self.custom_context: CustomContext | None = session.custom_context
        self.info = CallInfo(session.group_id)
        self.call_end_reason: CallEndReason | None = None
        self._agent = agent
        self._ringing = True

    async def accept(self, options: AcceptCallOptions | None = None) -> "Call":
        """Answer on this device and return the call; raises CallingError 400/41006 if it no longer rings."""
        options = options or AcceptCallOptions()
        audio = options.audio_options
        self._check(41006, "accepted")
        self._agent._attach(self.id, audio)
        self._ringing = False
        self._agent._runtime.give(Accept(self.id, audio.muted, options.hold_other_calls))
        return self._agent._calls[self.id]

    async def reject(self) -> None:
        """Decline on all devices; raises CallingError 400/41007 if it no longer rings."""
        self._check(41007, "rejected")
        self._ringing = False
        self._agent._runtime.give(Reject(self.id))

    def _check(self, sub_code: int, what: str) -> None:
        if not self._ringing:
            raise CallingError(400, sub_code, f"This call no longer rings and cannot be {what}.")

    def _over(self, reason: Reason) -> None:
        self._ringing = False
        if self.call_end_reason is None:
            self.call_end_reason = reason
            self._emit("call_ended", CallEnded(reason))


class Call(Events):
    """One call; its properties follow what happens, its events tell when.

    `level_changed` is told ten times a second, once there is a media path.
    """

    kind: Literal["Call"] = "Call"
    EVENTS = (
        "state_changed",
        "is_muted_changed",
        "is_incoming_audio_muted_changed",
        "is_speaking_changed",
        "speaking_while_muted_changed",
        "is_reconnecting_changed",
        "dtmf_received",
        "level_changed",
        "remote_participants_updated",
    )

    def __init__(self, agent: "CallAgent", session: Session) -> None:
        super().__init__(agent._runtime.tasks)
        self.state = CallState.NONE
        self._agent = agent
        self._session = session
        self._participants = Participants(self._tasks)
        self._features: dict[type[CallFeature], CallFeature] = {}
        self._changed = asyncio.Event()
        self._meter: asyncio.Task[None] | None = None

    @property
    def id(self) -> str:
        """Return the id of the call, the same at both ends."""
        return self._session.id

    @property
    def direction(self) -> Literal["Incoming", "Outgoing"]:
        """Return who called."""
        return self._session.direction

    @property
    def info(self) -> CallInfo:
        """Return whether it is a group call, and of which id."""
        return CallInfo(self._session.group_id, self._session.me)

    @property
    def caller_info(self) -> CallerInfo:
        """Return who called: the other end, or this user."""
        return caller_info(self._session.caller or self._agent._runtime.me)

    @property
    def transferor_info(self) -> CallerInfo | None:
        """Return who transferred this call, None if nobody did."""
        return caller_info(self._session.transferor) if self._session.transferor else None

    @property
    def custom_context(self) -> CustomContext | None:
        """Return what the caller's application sent along."""
        return self._session.custom_context

    @property
    def call_end_reason(self) -> CallEndReason | None:
        """Return why the call ended; set before the state is Disconnected."""
        return self._session.end_reason

    @property
    def outcome(self) -> Outcome | None:
        """Return who or what answered an outgoing call: a person, a forward or voicemail; None before."""
        return self._session.outcome

    @property
    def is_muted(self) -> bool:
        """Tell whether this end sends silence."""
        return self._session.muted

    @property
    def is_incoming_audio_muted(self) -> bool:
        """Tell whether this end keeps silent what it receives."""
        return self._session.incoming_muted

    @property
    def remote_participants(self) -> list[RemoteParticipant]:
        """Return who else is in the call: the other end, or everybody else of a group."""
        return list(self._participants.all)

    @property
    def is_reconnecting(self) -> bool:
        """Return whether no sound has come for 3 s, although nobody holds; another path is looked for."""
        return self._session.path_lost

    @property
    def is_speaking_while_muted(self) -> bool:
        """Tell whether somebody speaks here although this end is muted, to remind them."""
        return self._session.speaking_while_muted

    @property
    def stats(self) -> Stats | None:
        """Return the figures of the media (W3C getStats names), None before and after there is any."""
        return self._agent._runtime.engine.stats(self.id)

    def on(self, event: str, handler: Handler) -> None:
        """Call a handler, plain or async, with every event of a name."""
        super().on(event, handler)
        if event == "level_changed" and (self._meter is None or self._meter.done()):
            self._meter = self._tasks.spawn(self._tell_levels())

    def feature(self, feature: type[Feature]) -> Feature:
        """Return a feature of this call, such as `Features.TRANSFER`, the same one each time.

        Raises ValueError, listing the choices, for anything else.
        """
        if feature not in kinds().values():
            there = ", ".join(f"Features.{name}" for name in kinds())
            raise ValueError(f"no such feature; there are {there}")
        found = self._features.get(feature)
        if found is None:
            found = self._features[feature] = feature(self)
        assert isinstance(found, feature)
        return found

    async def hang_up(self, for_everyone: bool = False) -> None:
        """Leave the call, or give up calling; return once everything of it is let go.

        A group call goes on for the others, unless it is to end for everyone. Hanging up again does nothing.
        """
        self._agent._ringer.leave(self.id)
        self._give(HangUp(self.id, for_everyone))
        await self.wait_for(CallState.DISCONNECTED)

    def add_participant(
        self, identifier: CommunicationIdentifier | str, options: AddParticipantOptions | None = None
    ) -> RemoteParticipant:
        """Ask somebody in: their devices ring. Return at once; what becomes of it, its state and reason tell.

        A call of two becomes a group call when they answer. Raises CallingError 400/8585 if not connected.
        """
        self._check_up()
        order = add_order(self.id, identifier, options or AddParticipantOptions())
        asked = self._participants.ask(order.participant_id, order.target)
        self._give(order)
        return asked

    async def remove_participant(
        self, identifier: "CommunicationIdentifier | str | RemoteParticipant"
    ) -> None:
        """Remove somebody from a group call, or call off that they are asked in, on all their devices.

        Raises CallingError 404/8558 if they are not there, 400/8585 in a call of two, which `hang_up` ends.
        """
        if self._session.group_id is None:
            raise CallingError(WRONG_STATE.code, WRONG_STATE.sub_code, "Hang up to end a call of two.")
        for each in self._participants.find(identifier):
            self._give(RemoveParticipant(self.id, each.id))

    async def mute(self) -> None:
        """Send silence."""
        self._give(Mute(self.id, outgoing=True))

    async def unmute(self) -> None:
        """Send what the source says."""
        self._give(Mute(self.id, outgoing=False))

    async def mute_incoming_audio(self) -> None:
        """Keep silent here what the other end says."""
        self._give(Mute(self.id, incoming=True))

    async def unmute_incoming_audio(self) -> None:
        """Hear the other end again."""
        self._give(Mute(self.id, incoming=False))

    async def hold(self) -> None:
        """Hold: nobody hears anybody until resumed; raises CallingError 400/8585 if not connected."""
        self._hold(True)

    async def resume(self) -> None:
        """Take the call off hold; audio is back once the other end does not hold it either."""
        self._hold(False)

    async def send_dtmf(self, digits: str) -> None:
        """Press keys, 0-9 * # A-D, one after the other; return at once.

        Raises CallingError: 400/8523 for anything else, 400/8585 if not connected, or on hold.
        """
        try:
            digits = parse_digits(digits)
        except ValueError as error:
            raise CallingError(BAD_ARGUMENT.code, BAD_ARGUMENT.sub_code, f"Not sent: {error}.") from None
        if self.state is not CallState.CONNECTED:
            raise CallingError(WRONG_STATE.code, WRONG_STATE.sub_code, "The call is not connected.")
        self._agent._ringer.pressed(self.id, digits)
        self._give(Dtmf(self.id, digits))

    def set_volume(self, *, outgoing: float | None = None, incoming: float | None = None) -> None:
        """Set how loud this end is for the other and the other here: 0 to 4, 1 is as it comes.

        None leaves as it is. Raises ValueError for another volume.
        """
        self._agent._runtime.engine.set_volume(self.id, outgoing=outgoing, incoming=incoming)

    def start_audio(self, source: Source) -> None:
        """Say something else into the call; the source before it is closed."""
        self._agent._runtime.engine.set_source(self.id, source)

    def stop_audio(self) -> None:
        """Say nothing more into the call."""
        self._agent._runtime.engine.set_source(self.id, None)

    def set_sink(self, sink: Sink | None) -> None:
        """Let something else listen to the call; the sink before it is closed."""
        self._agent._let_hear(self.id, sink)

    async def wait_for(self, *states: CallState) -> CallState:
        """Return the state once it is one of `states`.

        Raises CallingError with the end reason if the call ends without getting there.
        """
        while self.state not in states:
            if self.state is CallState.DISCONNECTED:
                raise CallingError.of(self.call_end_reason or WRONG_STATE)
            self._changed.clear()
            await self._changed.wait()
        return self.state

    def _hold(self, on: bool) -> None:
        self._check_up()
        self._give(Hold(self.id, on))

    def _check_up(self) -> None:
        if not self._session.up or not self._session.live:
            raise CallingError(WRONG_STATE.code, WRONG_STATE.sub_code, "The call is not connected.")

    def _give(self, what: Input) -> None:
        self._agent._runtime.give(what)

    def _set(self, session: Session) -> None:
        before, self._session = self._session, session
        old, self.state = self.state, session.state
        self._changed.set()
        self._notify(before.muted != session.muted, "is_muted_changed")
        self._notify(before.incoming_muted != session.incoming_muted, "is_incoming_audio_muted_changed")
        speaking = (before.remote_speaking, before.speakers) != (session.remote_speaking, session.speakers)
        added, removed = self._participants.follow(session)
        while_muted = before.speaking_while_muted != session.speaking_while_muted
        self._notify(while_muted, "speaking_while_muted_changed")
        self._notify(before.path_lost != session.path_lost, "is_reconnecting_changed")
        if not added and session.group_id is None and before.remote != session.remote:
            added = self._participants.all  # somebody else at the other end
        if added or removed:
            self._emit("remote_participants_updated", Updated(tuple(added), tuple(removed)))
        self._notify(speaking, "is_speaking_changed")
        if old is not session.state:
            self._emit("state_changed", StateChanged(old, session.state))

    async def _tell_levels(self) -> None:
        while self._handlers["level_changed"] and self.state is not CallState.DISCONNECTED:
            if (stats := self.stats) is not None:
                self._emit("level_changed", LevelChanged(stats.audio_level_out, stats.audio_level_in))
            await asyncio.sleep(LEVEL_SECONDS)

    def _dtmf(self, news: DtmfNews) -> None:
        self._emit("dtmf_received", DtmfReceived(news.digit, news.duration))

    def _notify(self, changed: bool, event: str) -> None:
        if changed:
            self._emit(event, None)
