"""One call to a mailbox: the script's shell, which is the call's ear and feeds the recorder."""

import asyncio
import logging
from typing import assert_never

import numpy as np
from numpy.typing import NDArray

from media.audio import Frame, level_dbfs
from media.recorder import OggRecorder
from media.source import NumpySource, SilenceSource
from media.speech import beep, speech
from node.call import AcceptCallOptions, AudioOptions, Call, Features, IncomingCall, StateChanged
from node.session import CallState
from node.transfer import TransferRequested
from node.voicemail.outbox import Note, Outbox
from node.voicemail.script import (
    BeepFinished,
    Connected,
    Discard,
    File,
    GreetingFinished,
    HangUp,
    Heard,
    HungUp,
    Input,
    Limits,
    Output,
    PlayBeep,
    PlayGreeting,
    RecorderFailed,
    Script,
    StartRecording,
    Tick,
)

log = logging.getLogger("callnode.voicemail")


class Deposit:
    """Take one message. What is received while the recorder is being opened waits in memory.

    The call is over when its sink is closed: a call that takes over from another brings the sink along.
    """

    def __init__(self, note: Note, outbox: Outbox, limits: Limits) -> None:
        self._note = note
        self._outbox = outbox
        self._script = Script(limits)
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._outputs: asyncio.Queue[Output] = asyncio.Queue()
        self._recorder: OggRecorder | None = None
        self._early: list[tuple[int, int, int, bytes]] = []

    async def run(self, incoming: IncomingCall) -> bool:
        """Answer, and follow the script to its end; return whether the message is ready to be filed."""
        audio = AudioOptions(source=SilenceSource(), sink=self)
        call = await incoming.accept(AcceptCallOptions(audio, hold_other_calls=False))
        call.on("state_changed", self._state_changed)
        call.feature(Features.TRANSFER).on("transfer_requested", _refuse)
        while True:
            match await self._outputs.get():
                case PlayGreeting():
                    self._say(call, speech("greeting"), GreetingFinished())
                case PlayBeep():
                    self._say(call, beep(), BeepFinished())
                case StartRecording():
                    await self._record()
                case HangUp():
                    await call.hang_up()
                case File(why):
                    log.info("message %s ends: %s", self._note.id, why)
                    return await self._finish()
                case Discard():
                    await self._discard()
                    return False
                case output:
                    assert_never(output)

    def write(self, frame: Frame) -> None:
        """Take a frame of the caller: how loud it is."""
        if not self._script.recording:
            return
        if self._recorder is not None and self._recorder.error is not None:
            self._give(RecorderFailed())
        self._give(Heard(level_dbfs(frame)))

    def packet(self, ssrc: int, sequence: int, timestamp: int, payload: bytes) -> None:
        """Take a packet of the caller: it is what is recorded."""
        if not self._script.recording:
            return
        if self._recorder is None:
            self._early.append((ssrc, sequence, timestamp, payload))
        else:
            self._recorder.packet(ssrc, sequence, timestamp, payload)

    def close(self) -> None:
        """Take note that nobody calls any more."""
        self._give(HungUp())

    def _state_changed(self, event: StateChanged) -> None:
        if event.new_state in (CallState.CONNECTED, CallState.REMOTE_HOLD):
            self._give(Connected())

    def _say(self, call: Call, samples: NDArray[np.int16], then: Input) -> None:
        source = NumpySource(samples)
        source.on_finished = lambda: self._give(then)
        call.start_audio(source)

    def _give(self, what: Input) -> None:
        for output in self._script.handle(what, self._loop.time()):
            self._outputs.put_nowait(output)
        if self._recorder is not None and not self._script.recording:
            self._recorder.stop()  # hanging up takes its time, which is not part of the message
        deadline = self._script.deadline
        if self._timer is not None and (deadline is None or deadline < self._timer.when()):
            self._timer.cancel()
            self._timer = None
        # A deadline that moves on with every word is looked at when the earlier one has come.
        if self._timer is None and deadline is not None:
            self._timer = self._loop.call_at(deadline, self._tick)

    def _tick(self) -> None:
        self._timer = None
        self._give(Tick())

    async def _record(self) -> None:
        try:
            recorder = await asyncio.to_thread(self._outbox.record, self._note)
        except OSError as error:
            log.error("a message cannot be recorded: %s", error)
            self._give(RecorderFailed())
            return
        for packet in self._early:
            recorder.packet(*packet)
        self._early.clear()
        if not self._script.recording:
            recorder.stop()
        self._recorder = recorder

    async def _finish(self) -> bool:
        if self._recorder is None:
            await self._discard()
            return False
        try:
            await asyncio.to_thread(self._outbox.finish, self._note, self._recorder)
        except OSError as error:
            log.error("message %s stays for the next start: %s", self._note.id, error)
            return False
        return True

    async def _discard(self) -> None:
        if self._recorder is not None:
            await asyncio.to_thread(self._recorder.close)
        await asyncio.to_thread(self._outbox.discard, self._note)


def _refuse(event: TransferRequested) -> None:
    """Refuse to be handed on: whoever came next would be recorded into this mailbox."""
    event.reject()
