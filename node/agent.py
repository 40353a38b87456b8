"""The agent: one user on one device, its calls, and its connection to the hub (ACS CallAgent)."""

import asyncio
import logging
import uuid
from collections.abc import Callable, Sequence
from enum import StrEnum
from types import TracebackType
from typing import Self

from msgspec import Struct

from media.audio import Sink, Source
from media.engine import IceServer, IceTransportPolicy
from media.player import Player
from node.call import AudioOptions, Call, Features, IncomingCall, StartCallOptions, Updated
from node.credential import TokenCredential
from node.devices import DeviceManager, speaker_in
from node.errors import CallingError
from node.events import Events
from node.exchange import (
    CallNews,
    Dial,
    DtmfNews,
    Join,
    MailboxNews,
    News,
    Refused,
    RingNews,
    RingOver,
    TransferAsked,
    TransferNews,
    TransferTaken,
)
from node.identity import CallerInfo, caller_info, raw_id_of, validated
from node.link import is_token_trouble
from node.options import GroupCallLocator, JoinCallOptions
from node.ringer import Ringer
from node.runtime import Runtime
from node.session import CallState, Session
from node.transfer import TransferAccepted, TransferRequested
from signaling.identifiers import CommunicationIdentifier
from signaling.messages import CallJoin, CallPlace
from signaling.reasons import BAD_ARGUMENT, NETWORK, Reason

log = logging.getLogger("callnode.node")


class ConnectionState(StrEnum):
    """Whether an agent can call and be called; Disconnected is final."""

    CONNECTED = "Connected"
    DISCONNECTED = "Disconnected"


class ConnectionStateChanged(Struct, frozen=True):
    """The event `connection_state_changed`; the reason is `invalidToken` or `connectionIssue`."""

    old_state: ConnectionState
    new_state: ConnectionState
    reason: str | None = None


class IncomingCallEvent(Struct, frozen=True):
    """The event `incoming_call`."""

    incoming_call: IncomingCall


class MailboxChanged(Struct, frozen=True):
    """The event `mailbox_changed`: how many messages wait (RFC 3842)."""

    new: int
    saved: int


class CallAgent(Events):
    """Call and be called; made by `CallClient.create_call_agent`."""

    kind = "CallAgent"
    EVENTS = ("incoming_call", "calls_updated", "connection_state_changed", "mailbox_changed")

    def __init__(
        self,
        credential: TokenCredential,
        url: str,
        devices: DeviceManager,
        *,
        display_name: str,
        transfer_consent: bool,
        ice_servers: Sequence[IceServer],
        ice_transport_policy: IceTransportPolicy,
        tones: str,
        rings: bool,
        hold_audio: Callable[[], Source] | None,
        on_disposed: Callable[["CallAgent"], None],
    ) -> None:
        self._runtime = Runtime(
            credential,
            url,
            display_name=display_name,
            consent=transfer_consent,
            ice_servers=ice_servers,
            ice_transport_policy=ice_transport_policy,
            hold_audio=hold_audio,
            on_news=self._news,
            on_lost=self._lost,
        )
        super().__init__(self._runtime.tasks)
        self.display_name = display_name
        self.connection_state = ConnectionState.DISCONNECTED
        self._devices = devices
        self._talk = Player(devices.speaker_sink)
        self._ringer = Ringer(self._talk, Player(devices.ring_sink), tones, rings=rings)
        self._on_disposed = on_disposed
        self._calls: dict[str, Call] = {}
        self._incoming: dict[str, IncomingCall] = {}

    @property
    def calls(self) -> list[Call]:
        """Return the calls that are not over; one that rings here is not among them."""
        return list(self._calls.values())

    @property
    def identity(self) -> CallerInfo:
        """Return who this agent is, as others see it."""
        return caller_info(self._runtime.me)

    def start_call(
        self,
        participants: Sequence[CommunicationIdentifier | str],
        options: StartCallOptions | None = None,
    ) -> Call:
        """Call a person by identifier, number or short name; return at once, the state then moves.

        Raises CallingError 400/8523 for anything but one participant, 410/3100 once Disconnected.
        """
        self._check_connected()
        if isinstance(participants, str) or len(participants) != 1:
            message = "Give a list of one participant; add_participant asks further ones in."
            raise CallingError(BAD_ARGUMENT.code, BAD_ARGUMENT.sub_code, message)
        options = options or StartCallOptions()
        call_id, target = uuid.uuid4().hex, raw_id_of(participants[0])
        context = options.custom_context
        validated(CallPlace(call_id, target, "-", custom_context=context))
        self._attach(call_id, options.audio_options)
        self._runtime.give(Dial(call_id, target, context, options.audio_options.muted))
        return self._calls[call_id]

    def join(self, locator: GroupCallLocator, options: JoinCallOptions | None = None) -> Call:
        """Join a group call by its id, which is made if there is none; return at once, the state then moves.

        Needs the right `voip.join` or `voip`. Raises CallingError 400/8523 for what is no group id, 410/3100
        once Disconnected.
        """
        self._check_connected()
        audio = (options or JoinCallOptions()).audio_options
        call_id = uuid.uuid4().hex
        validated(CallJoin(call_id, locator.group_id, "-"))
        self._attach(call_id, audio)
        self._runtime.give(Join(call_id, locator.group_id, audio.muted))
        return self._calls[call_id]

    async def tones_played(self) -> None:
        """Return once the tone that tells that a call is over has been heard, at once if there is none."""
        await self._talk.played()

    async def dispose(self) -> None:
        """Hang up everything, leave the hub, and let every task go; may be called more than once."""
        if self.connection_state is ConnectionState.CONNECTED:
            self._move(None)
        self._on_disposed(self)
        self._ringer.close()
        await self._runtime.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.dispose()

    def _check_connected(self) -> None:
        if self.connection_state is not ConnectionState.CONNECTED:
            raise CallingError(NETWORK.code, NETWORK.sub_code, "The agent is disconnected; create a new one.")

    async def _open(self) -> None:
        try:
            if (reason := await self._runtime.open()) is not None:
                raise CallingError.of(reason)
        except BaseException:
            await self._runtime.close()
            raise
        self.connection_state = ConnectionState.CONNECTED

    def _attach(self, call_id: str, audio: AudioOptions) -> None:
        """Give a call its sound: what the application chose, or the devices; all or nothing."""
        source = self._devices.microphone_source() if audio.source is None else audio.source
        try:
            sink = self._devices.speaker_sink() if audio.sink is None else audio.sink
        except Exception:
            source.close()
            raise
        self._runtime.engine.set_source(call_id, source)
        self._let_hear(call_id, sink)

    def _let_hear(self, call_id: str, sink: Sink | None) -> None:
        """Let a sink listen to a call; whose tones are heard if that is a speaker of this machine."""
        self._runtime.engine.set_sink(call_id, sink)
        _, hears = self._runtime.engine.ends(call_id)
        (self._ringer.detach if speaker_in(hears) is None else self._ringer.attach)(call_id)

    def _news(self, news: News) -> None:
        match news:
            case CallNews(session):
                self._ringer.called(session)
                self._call_news(session)
            case RingNews(session):
                self._ringer.rang(session.id)
                incoming = self._incoming[session.id] = IncomingCall(self, session)
                self._emit("incoming_call", IncomingCallEvent(incoming))
            case RingOver(call_id, reason):
                self._ringer.silenced(call_id)
                if rung := self._incoming.pop(call_id, None):
                    rung._over(reason)
            case DtmfNews(call_id):
                if call := self._calls.get(call_id):
                    call._dtmf(news)
            case TransferNews(update):
                if call := self._calls.get(update.call_id):
                    call.feature(Features.TRANSFER)._set(update)
            case TransferTaken(old, new):
                feature = self._calls[old].feature(Features.TRANSFER)
                feature._emit("transfer_accepted", TransferAccepted(self._calls[new]))
            case TransferAsked(offer):
                call = self._calls[offer.replaces]
                feature = call.feature(Features.TRANSFER)
                feature._emit("transfer_requested", TransferRequested(call, offer))
            case MailboxNews(new_messages, saved):
                self._emit("mailbox_changed", MailboxChanged(new_messages, saved))
            case Refused(error):
                log.info("the hub refused %s: %s", error.about, error.reason.message)
            case _:
                pass

    def _call_news(self, session: Session) -> None:
        call = self._calls.get(session.id)
        if call is None:
            if rung := self._incoming.pop(session.id, None):
                rung._ringing = False
            call = self._calls[session.id] = Call(self, session)
            call._set(session)
            self._emit("calls_updated", Updated(added=(call,)))
            return
        if session.state is CallState.DISCONNECTED:
            del self._calls[session.id]
        call._set(session)
        if session.state is CallState.DISCONNECTED:
            self._emit("calls_updated", Updated(removed=(call,)))

    def _lost(self, reason: Reason) -> None:
        self._move("invalidToken" if is_token_trouble(reason) else "connectionIssue")

    def _move(self, reason: str | None) -> None:
        if self.connection_state is ConnectionState.DISCONNECTED:
            return
        self.connection_state = ConnectionState.DISCONNECTED
        changed = ConnectionStateChanged(ConnectionState.CONNECTED, ConnectionState.DISCONNECTED, reason)
        self._emit("connection_state_changed", changed)


async def until_disconnected(agent: CallAgent) -> str | None:
    """Return the reason once an agent is Disconnected."""
    done: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()

    def changed(event: ConnectionStateChanged) -> None:
        if not done.done():
            done.set_result(event.reason)

    agent.on("connection_state_changed", changed)
    return await done
