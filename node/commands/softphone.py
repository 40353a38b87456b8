"""A phone without a face: commands go in as lines, events come out; what shows them is another's task."""

import asyncio
from collections.abc import Callable
from typing import Literal

from msgspec import Struct

from media.source import FileSource
from node.agent import CallAgent, ConnectionStateChanged, IncomingCallEvent, MailboxChanged
from node.call import (
    AcceptCallOptions,
    AudioOptions,
    Call,
    Features,
    IncomingCall,
    StartCallOptions,
    StateChanged,
    Updated,
)
from node.commands.process import NETWORK, OK, TOKEN, exit_code
from node.errors import CallingError
from node.events import Tasks
from node.identity import CallerInfo
from node.session import CallState
from node.transfer import Transfer, TransferAccepted, TransferState, TransferStateChanged
from signaling.reasons import Reason

TAIL_SECONDS = 0.5
"""From the last sample of a file to the end of the call: it is still on its way to the ear."""

EventName = Literal[
    "listening", "mailbox", "incoming", "missed", "calling", "ringing", "connected", "held", "held-by-other",
    "resumed", "muted", "unmuted", "transferring", "transfer-progress", "transferred", "transfer-failed",
    "moving", "ended", "refused", "offline",
]  # fmt: skip

_MOVES: dict[CallState, EventName] = {
    CallState.RINGING: "ringing",
    CallState.LOCAL_HOLD: "held",
    CallState.REMOTE_HOLD: "held-by-other",
}


class Event(Struct, frozen=True, omit_defaults=True):
    """Something that happened: with whom, in which call, and what there is to say about it."""

    event: EventName
    party: str = ""
    display_name: str = ""
    call_id: str = ""
    target: str = ""
    message: str = ""
    code: int | None = None
    sub_code: int | None = None

    @property
    def line(self) -> str:
        """Return the event as one line: its name, then who, then the rest."""
        words = [self.event, self.party, f"to {self.target}" if self.target else ""]
        codes = "" if self.code is None else f" ({self.code}/{self.sub_code})"
        return " ".join(filter(None, words)) + (f": {self.message}{codes}" if self.message else "")


class Softphone:
    """The calls of one agent, driven by `obey`; `stop` is set when there is nothing more to do.

    With `once`, that is when the first conversation is over, and `code` is its exit code. `seconds` ends a
    conversation so long after it was first connected.
    """

    def __init__(
        self,
        agent: CallAgent,
        audio: Callable[[], AudioOptions],
        tell: Callable[[Event], None],
        stop: asyncio.Event,
        *,
        once: bool,
        auto_answer: bool = False,
        seconds: float | None = None,
        hang_up_after_play: bool = False,
    ) -> None:
        self.agent = agent
        self.ringing: list[IncomingCall] = []
        self.code = OK
        self._audio = audio
        self._tell = tell
        self._stop = stop
        self._once = once
        self._auto_answer = auto_answer
        self._seconds = seconds
        self._hang_up_after_play = hang_up_after_play
        self._tasks = Tasks()
        self._connected: dict[str, float] = {}
        self._timer: asyncio.TimerHandle | None = None
        agent.on("incoming_call", self._incoming)
        agent.on("calls_updated", self._calls_updated)
        agent.on("connection_state_changed", self._lost)
        agent.on("mailbox_changed", self._mailbox)

    @property
    def calls(self) -> list[Call]:
        """Return the calls that are not over, the one that commands are for last."""
        return [call for call in self.agent.calls if call.state is not CallState.DISCONNECTING]

    def seconds_connected(self, call: Call) -> float | None:
        """Return how long a call has been connected, None before."""
        since = self._connected.get(call.id)
        return None if since is None else asyncio.get_running_loop().time() - since

    def obey(self, line: str) -> None:
        """Take a command: one of accept, reject, hangup, mute, hold, dial NAME, transfer NAME, and so on."""
        command, _, argument = line.strip().partition(" ")
        argument = argument.strip()
        match command.lower(), argument:
            case "", _:
                pass
            case "accept", "":
                self._do(self._accept)
            case "reject", "":
                self._do(self._reject)
            case "hangup", "":
                self._do(self._hang_up)
            case "mute", "":
                self._do(self._mute)
            case "hold", "":
                self._do(self._hold)
            case "dial", name if name:
                self._do(lambda: self._dial(name))
            case "transfer", name if name:
                self._do(lambda: self._transfer(name))
            case "voicemail", name if name:
                self._do(lambda: self._to_voicemail(name))
            case "transfer-to-call", "":
                self._do(self._join_calls)
            case "quit", "":
                self._stop.set()
            case _:
                self._refuse(
                    f"unknown command {line!r}; there are accept, reject, hangup, mute, hold, dial NAME, "
                    "transfer NAME, voicemail NAME, transfer-to-call, quit"
                )

    def dial(self, name: str) -> Call:
        """Call someone; raises CallingError."""
        return self.agent.start_call([name], StartCallOptions(self._say_and_hear()))

    async def close(self) -> None:
        """Reject what rings for this phone alone, hang up every call, and let go."""
        if self._timer is not None:
            self._timer.cancel()
        await asyncio.gather(*(call.hang_up() for call in self.agent.calls))
        await self._tasks.close()

    def _do(self, action: Callable[[], object]) -> None:
        async def done() -> None:
            try:
                result = action()
                if asyncio.iscoroutine(result):
                    await result
            except (CallingError, OSError) as error:
                self._refuse(error.message if isinstance(error, CallingError) else str(error))

        self._tasks.spawn(done())

    def _say_and_hear(self) -> AudioOptions:
        audio = self._audio()
        if self._hang_up_after_play and isinstance(audio.source, FileSource):
            loop = asyncio.get_running_loop()
            audio.source.on_finished = lambda: loop.call_later(TAIL_SECONDS, self._hang_up_all) and None
        return audio

    def _current(self) -> Call:
        if not self.calls:
            raise CallingError(400, 0, "There is no call.")
        return self.calls[-1]

    async def _accept(self) -> None:
        if not self.ringing:
            raise CallingError(400, 0, "Nothing rings here.")
        incoming = self.ringing.pop(0)
        await self._hold_others()
        await incoming.accept(AcceptCallOptions(self._say_and_hear()))

    async def _reject(self) -> None:
        if not self.ringing:
            raise CallingError(400, 0, "Nothing rings here.")
        await self.ringing[0].reject()

    async def _hang_up(self) -> None:
        await self._current().hang_up()

    def _hang_up_all(self) -> None:
        for call in self.calls:
            self._tasks.spawn(call.hang_up())

    async def _mute(self) -> None:
        # All calls: while one takes another's place, both use this microphone.
        muted = self._current().is_muted
        for call in self.calls:
            await (call.unmute() if muted else call.mute())

    async def _hold(self) -> None:
        call = self._current()
        await (call.resume() if call.state is CallState.LOCAL_HOLD else call.hold())

    async def _dial(self, name: str) -> None:
        await self._hold_others()
        self.dial(name)

    async def _hold_others(self) -> None:
        for call in self.calls:
            if call.state in (CallState.CONNECTED, CallState.REMOTE_HOLD):
                await call.hold()

    def _transfer(self, name: str) -> None:
        call = self._current()
        feature = call.feature(Features.TRANSFER)
        transfer = feature.transfer(target_participant=name, hang_up_when_transferred=True)
        self._follow(call, transfer, name)

    def _to_voicemail(self, name: str) -> None:
        call = self._current()
        feature = call.feature(Features.TRANSFER)
        transfer = feature.transfer(target_participant_voicemail=name, hang_up_when_transferred=True)
        self._follow(call, transfer, f"{name}'s voicemail")

    def _join_calls(self) -> None:
        if len(self.calls) != 2:
            raise CallingError(400, 0, "Two calls are needed: `dial NAME` makes the second.")
        first, second = self.calls
        transfer = first.feature(Features.TRANSFER).transfer(target_call_id=second.id)
        self._follow(first, transfer, _name(other_end(second)))

    def _follow(self, call: Call, transfer: Transfer, target: str) -> None:
        def moved(_: TransferStateChanged) -> None:
            match transfer.state:
                case TransferState.TRANSFERRING:
                    self._say("transferring", call, target=target)
                case TransferState.TRANSFERRED:
                    party = transfer.outcome.party.name if transfer.outcome else ""
                    self._say("transferred", call, target=party or target)
                case TransferState.FAILED:
                    self._say("transfer-failed", call, transfer.error, target=target)
                case _:
                    pass

        transfer.on("state_changed", moved)
        transfer.on("progress_changed", lambda to: self._say("transfer-progress", call, message=to))

    def _incoming(self, event: IncomingCallEvent) -> None:
        incoming = event.incoming_call
        self.ringing.append(incoming)
        incoming.on("call_ended", lambda ended: self._missed(incoming, ended.call_end_reason))
        who = incoming.caller_info
        context = [f"transferred by {_name(incoming.transferor_info)}"] if incoming.transferor_info else []
        context += [f"forwarded from {_name(incoming.forwarded_from)}"] if incoming.forwarded_from else []
        self._tell(Event("incoming", _name(who), who.display_name, incoming.id, message=", ".join(context)))
        if self._auto_answer and not self.calls:
            self._do(self._accept)

    def _missed(self, incoming: IncomingCall, reason: Reason) -> None:
        if incoming in self.ringing:
            self.ringing.remove(incoming)
        who = incoming.caller_info
        name, codes = _name(who), (reason.code, reason.sub_code)
        self._tell(Event("missed", name, who.display_name, incoming.id, "", reason.message, *codes))
        self._rest(reason)

    def _calls_updated(self, event: Updated) -> None:
        for call in event.added:
            if isinstance(call, Call):
                self._added(call)
        for call in event.removed:
            if isinstance(call, Call):
                self._connected.pop(call.id, None)
                self._rest(call.call_end_reason)

    def _added(self, call: Call) -> None:
        self.ringing = [incoming for incoming in self.ringing if incoming.id != call.id]
        call.on("state_changed", lambda event: self._moved(call, event))
        call.on("is_muted_changed", lambda _: self._say("muted" if call.is_muted else "unmuted", call))
        call.feature(Features.TRANSFER).on("transfer_accepted", lambda event: self._moving(call, event))
        if call.direction == "Outgoing" and call.transferor_info is None:
            self._say("calling", call)

    def _moving(self, call: Call, event: TransferAccepted) -> None:
        by = event.target_call.transferor_info
        message = f"transferred by {_name(by)}" if by else ""
        self._say("moving", call, target=_name(other_end(event.target_call)), message=message)

    def _moved(self, call: Call, event: StateChanged) -> None:
        if event.new_state is CallState.CONNECTED:
            self._say("resumed" if call.id in self._connected else "connected", call)
            self._start_clock(call)
        elif event.new_state is CallState.DISCONNECTED:
            self._say("ended", call, call.call_end_reason)
        elif event.new_state in _MOVES:
            self._say(_MOVES[event.new_state], call)

    def _start_clock(self, call: Call) -> None:
        loop = asyncio.get_running_loop()
        self._connected.setdefault(call.id, loop.time())
        if self._timer is None and self._seconds is not None:
            self._timer = loop.call_later(self._seconds, self._hang_up_all)

    def _rest(self, reason: Reason | None) -> None:
        """Note that a call is over, and maybe the conversation with it."""
        if self.agent.calls or self.ringing:
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._once:
            self.code = exit_code(reason.code) if reason else OK
            self._stop.set()

    def _lost(self, event: ConnectionStateChanged) -> None:
        if event.reason is None:
            return
        if event.reason == "invalidToken":
            self.code, message = TOKEN, "The token has expired or was revoked; get a new one: callnode token NAME"
        else:
            self.code, message = NETWORK, "The connection to the hub is lost for good."
        self._tell(Event("offline", message=message))
        self._once = False
        self._stop.set()

    def _mailbox(self, event: MailboxChanged) -> None:
        if event.new or event.saved:
            self._tell(Event("mailbox", message=f"{event.new} new, {event.saved} saved"))

    def _refuse(self, message: str) -> None:
        self._tell(Event("refused", message=message))

    def _say(
        self, event: EventName, call: Call, reason: Reason | None = None, *, target: str = "", message: str = ""
    ) -> None:
        who = other_end(call)
        codes = (reason.code, reason.sub_code) if reason else (None, None)
        message = reason.message if reason else message
        self._tell(Event(event, _name(who), who.display_name, call.id, target, message, *codes))


def other_end(call: Call) -> CallerInfo:
    """Return who is at the other end of a call."""
    return call.remote_participants[0].identifier


def _name(who: CallerInfo) -> str:
    return who.name or who.identifier.raw_id
