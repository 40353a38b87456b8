"""A phone without a face: commands go in as lines, events come out; what shows them is another's task."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Unpack

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
from node.commands.event import Event, EventName, about, answered, name_of, other_end, plugged, switched
from node.commands.process import NETWORK, OK, TOKEN, exit_code
from node.commands.talkers import Talkers
from node.devices import AudioDevicesUpdated, DeviceManager
from node.errors import CallingError
from node.events import Tasks
from node.options import GroupCallLocator, JoinCallOptions
from node.participant import ParticipantStateChanged, RemoteParticipant
from node.session import CallState
from node.transfer import TransferAccepted, TransferState, TransferStateChanged, TransferTarget
from signaling.reasons import DECLINED, Reason

TAIL_SECONDS = 0.5
"""From the last sample of a file to the end of the call: it is still on its way to the ear."""

DEFAULT_DEVICE = "default"
MOST_PERCENT = 400  # of volume

_MOVES: dict[CallState, EventName] = {
    CallState.RINGING: "ringing",
    CallState.LOCAL_HOLD: "held",
    CallState.REMOTE_HOLD: "held-by-other",
}


class Softphone:
    """The calls of one agent, driven by `obey`; `stop` is set when there is nothing more to do.

    With `once`, that is when the first conversation is over, and `code` is its exit code. `seconds` ends a
    conversation so long after it was first connected.
    """

    def __init__(
        self,
        agent: CallAgent,
        devices: DeviceManager,
        audio: Callable[[], AudioOptions],
        tell: Callable[[Event], None],
        stop: asyncio.Event,
        *,
        once: bool,
        auto_answer: bool = False,
        seconds: float | None = None,
        hang_up_after_play: bool = False,
        watch_devices: bool = True,
    ) -> None:
        self.agent = agent
        self.ringing: list[IncomingCall] = []
        self.code = OK
        self._devices = devices
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
        devices.on("audio_device_switched", lambda event: tell(switched(event)))
        if watch_devices:
            devices.on("audio_devices_updated", self._plugged)

    @property
    def calls(self) -> list[Call]:
        """Return the calls that are not over, the one that commands are for last."""
        return [call for call in self.agent.calls if call.state is not CallState.DISCONNECTING]

    @property
    def volume(self) -> int:
        """Return how loud the speaker is, in percent."""
        return round(100 * self._devices.speaker_volume)

    def seconds_connected(self, call: Call) -> float | None:
        """Return how long a call has been connected, None before."""
        since = self._connected.get(call.id)
        return None if since is None else asyncio.get_running_loop().time() - since

    def dial(self, name: str) -> None:
        """Call someone; raises CallingError, or OSError for a file that cannot be used."""
        self.agent.start_call([name], StartCallOptions(self._say_and_hear()))

    def join(self, group_id: str) -> None:
        """Join a group call; raises CallingError, or OSError for a file that cannot be used."""
        self.agent.join(GroupCallLocator(group_id), JoinCallOptions(self._say_and_hear()))

    def obey(self, line: str) -> None:
        """Carry out a command such as `accept` or `transfer NAME`; what cannot be done is an event."""
        command, _, name = line.strip().partition(" ")
        name = name.strip()
        plain = {
            "accept": self._accept,
            "reject": self._reject,
            "hangup": self._hang_up,
            "mute": self._mute,
            "hold": self._hold,
            "transfer-to-call": self._join_calls,
        }
        named = {
            "dial": self._dial,
            "add": self._add,
            "remove": self._remove,
            "transfer": self._to_person,
            "voicemail": self._to_voicemail,
            "keys": self._press,
            "microphone": self._use_microphone,
            "speaker": self._use_speaker,
            "volume": self._set_volume,
        }
        if command in plain and not name:
            self._tasks.spawn(self._try(plain[command]()))
        elif command in named and name:
            self._tasks.spawn(self._try(named[command](name)))
        elif command == "quit":
            self._stop.set()
        elif command:
            what = {"keys": "DIGITS", "volume": "PERCENT"}
            known = ", ".join([*plain, *(f"{word} {what.get(word, 'NAME')}" for word in named), "quit"])
            self._refuse(f"there is no command {line!r}; there are {known}")

    async def close(self) -> None:
        """Hang up every call and let go; what rings here goes on ringing elsewhere."""
        self._stop_timer()
        await asyncio.gather(*(call.hang_up() for call in self.agent.calls))
        await self._tasks.close()

    async def _try(self, work: Awaitable[None]) -> None:
        try:
            await work
        except (CallingError, OSError, ValueError) as error:
            self._refuse(error.message if isinstance(error, CallingError) else str(error))

    def _refuse(self, message: str) -> None:
        self._tell(Event("refused", message=message))

    def _say_and_hear(self) -> AudioOptions:
        audio = self._audio()
        if self._hang_up_after_play and isinstance(audio.source, FileSource):
            audio.source.on_finished = self._played
        return audio

    def _played(self) -> None:
        asyncio.get_running_loop().call_later(TAIL_SECONDS, self._hang_up_all)

    def _current(self) -> Call:
        if not self.calls:
            raise CallingError(400, 0, "there is no call")
        return self.calls[-1]

    def _first_ringing(self) -> IncomingCall:
        if not self.ringing:
            raise CallingError(400, 0, "nothing rings here")
        return self.ringing[0]

    async def _accept(self) -> None:
        incoming = self._first_ringing()
        audio = self._say_and_hear()
        await incoming.accept(AcceptCallOptions(audio))

    async def _reject(self) -> None:
        await self._first_ringing().reject()

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

    async def _press(self, keys: str) -> None:
        await self._current().send_dtmf(keys.replace(" ", ""))

    async def _hold_all(self) -> None:
        for call in self.calls:
            if call.state in (CallState.CONNECTED, CallState.REMOTE_HOLD):
                await call.hold()

    async def _dial(self, name: str) -> None:
        await self._hold_all()
        self.dial(name)

    async def _add(self, name: str) -> None:
        call = self._current()
        added = call.add_participant(name)

        def moved(event: ParticipantStateChanged) -> None:
            # Who comes and goes is told of all alike; this is for those who never came.
            if event.new_state == "Disconnected" and event.old_state != "Connected":
                self._tell(about("not-added", call, added.call_end_reason, target=name))

        added.on("state_changed", moved)

    async def _remove(self, name: str) -> None:
        await self._current().remove_participant(name)

    async def _to_person(self, name: str) -> None:
        self._transfer(self._current(), name, target_participant=name)

    async def _to_voicemail(self, name: str) -> None:
        self._transfer(self._current(), name, target_participant_voicemail=name)

    async def _use_microphone(self, name: str) -> None:
        self._devices.select_microphone(None if name == DEFAULT_DEVICE else name)

    async def _use_speaker(self, name: str) -> None:
        self._devices.select_speaker(None if name == DEFAULT_DEVICE else name)

    async def _set_volume(self, percent: str) -> None:
        wanted = re.fullmatch(r"([+-]?)(\d{1,3}) ?%?", percent)
        if wanted is None or int(wanted[2]) > MOST_PERCENT:
            most = f"a volume is from 0 to {MOST_PERCENT} percent, 100 as it is"
            raise ValueError(f"{most}, or so much louder (+10) or softer (-10), not {percent!r}")
        volume = self.volume + int(wanted[1] + wanted[2]) if wanted[1] else int(wanted[2])
        self._devices.speaker_volume = min(MOST_PERCENT, max(0, volume)) / 100
        self._tell(Event("volume", message=f"{self.volume} %"))

    async def _join_calls(self) -> None:
        if len(self.calls) != 2:
            raise CallingError(400, 0, "two calls are needed; dial NAME makes the second")
        first, second = self.calls
        self._transfer(first, name_of(other_end(second)), target_call_id=second.id)

    def _transfer(self, call: Call, target: str, **how: Unpack[TransferTarget]) -> None:
        transfer = call.feature(Features.TRANSFER).transfer(**how, hang_up_when_transferred=True)

        def moved(event: TransferStateChanged) -> None:
            match event.new_state:
                case TransferState.TRANSFERRING:
                    self._tell(about("transferring", call, target=target))
                case TransferState.TRANSFERRED:
                    outcome = transfer.outcome
                    who = outcome.party.name if outcome else ""
                    by = outcome.kind if outcome and outcome.kind in ("forwarded", "voicemail") else ""
                    self._tell(about("transferred", call, target=who or target, message=by))
                case TransferState.FAILED:
                    self._tell(about("transfer-failed", call, transfer.error, target=target))
                case _:
                    pass

        def progressed(progress: str) -> None:
            self._tell(about("transfer-progress", call, target=target, message=progress))

        transfer.on("state_changed", moved)
        transfer.on("progress_changed", progressed)

    def _incoming(self, event: IncomingCallEvent) -> None:
        incoming = event.incoming_call
        self.ringing.append(incoming)
        incoming.on("call_ended", lambda ended: self._missed(incoming, ended.call_end_reason))
        others = {"transferred by": incoming.transferor_info, "forwarded from": incoming.forwarded_from}
        how = ", ".join(f"{what} {name_of(who)}" for what, who in others.items() if who)
        self._tell(about("incoming", incoming, message=how))
        if self._auto_answer and not self.calls:
            self._tasks.spawn(self._try(self._accept()))

    def _missed(self, incoming: IncomingCall, reason: Reason) -> None:
        self.ringing.remove(incoming)
        self._tell(about("declined" if reason == DECLINED else "missed", incoming, reason))
        self._rest(reason)

    def _calls_updated(self, event: Updated[Call]) -> None:
        for call in event.added:
            self._added(call)
        for call in event.removed:
            self._connected.pop(call.id, None)
            self._rest(call.call_end_reason)

    def _added(self, call: Call) -> None:
        self.ringing = [incoming for incoming in self.ringing if incoming.id != call.id]
        call.on("state_changed", lambda event: self._moved(call, event))
        call.on("is_muted_changed", lambda _: self._muted(call))
        call.on("remote_participants_updated", lambda event: self._others(call, event))
        call.on("dtmf_received", lambda event: self._tell(about("key", call, message=event.digit)))
        call.on("is_reconnecting_changed", lambda _: self._reconnecting(call))
        Talkers(call, self._tell)
        call.feature(Features.TRANSFER).on("transfer_accepted", lambda event: self._moving(call, event))
        if call.direction == "Outgoing" and call.transferor_info is None:
            self._tell(about("calling", call))

    def _others(self, call: Call, event: Updated[RemoteParticipant]) -> None:
        if call.info.group_id is None:
            return
        for each in event.added:
            self._tell(about("participant", call, target=name_of(each.identifier), message=each.state))
            each.on("state_changed", partial(self._other_moved, call, each))
        for each in event.removed:
            self._tell(about("participant", call, each.call_end_reason, target=name_of(each.identifier)))

    def _other_moved(self, call: Call, who: RemoteParticipant, _: object) -> None:
        if who.state != "Disconnected":
            self._tell(about("participant", call, target=name_of(who.identifier), message=who.state))

    def _muted(self, call: Call) -> None:
        self._tell(about("muted" if call.is_muted else "unmuted", call))

    def _reconnecting(self, call: Call) -> None:
        if call.is_reconnecting:
            self._tell(about("no-sound", call, message="looking for another way to it"))
        elif call.state is not CallState.DISCONNECTED:
            self._tell(about("sound-again", call))

    def _moving(self, call: Call, event: TransferAccepted) -> None:
        by = event.target_call.transferor_info
        message = f"transferred by {name_of(by)}" if by else ""
        self._tell(about("moving", call, target=name_of(other_end(event.target_call)), message=message))

    def _moved(self, call: Call, event: StateChanged) -> None:
        if event.new_state is CallState.CONNECTED:
            self._tell(about("resumed", call) if call.id in self._connected else answered(call))
            self._connected.setdefault(call.id, asyncio.get_running_loop().time())
            self._start_timer()
        elif event.new_state is CallState.DISCONNECTED:
            self._tell(about("ended", call, call.call_end_reason))
        elif event.new_state in _MOVES:
            self._tell(about(_MOVES[event.new_state], call))

    def _start_timer(self) -> None:
        if self._timer is None and self._seconds is not None:
            self._timer = asyncio.get_running_loop().call_later(self._seconds, self._hang_up_all)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _rest(self, reason: Reason | None) -> None:
        """Note that a call is over, and maybe the conversation with it."""
        if self.agent.calls or self.ringing:
            return
        self._stop_timer()
        if self._once:
            self.code = exit_code(reason.code) if reason else OK
            self._stop.set()

    def _lost(self, event: ConnectionStateChanged) -> None:
        if event.reason is None:
            return
        if event.reason == "invalidToken":
            self.code, message = (
                TOKEN,
                "the token is no longer valid; get a new one: callnode token NAME",
            )
        else:
            self.code, message = NETWORK, "the connection to the hub is lost for good"
        self._tell(Event("offline", message=message))
        self._once = False  # the exit code is decided
        self._stop.set()

    def _plugged(self, event: AudioDevicesUpdated) -> None:
        for each in plugged(event):
            self._tell(each)

    def _mailbox(self, event: MailboxChanged) -> None:
        if event.new or event.saved:
            self._tell(Event("mailbox", message=f"{event.new} new, {event.saved} saved"))
