"""One call to a mailbox: the script's shell, which is the call's ear and feeds the recorder."""

import asyncio
import logging
from typing import assert_never

from msgspec.structs import replace

from media.audio import Frame, level_dbfs
from media.recorder import OggRecorder
from media.source import load
from media.speech import Prompts, Sound, beep
from node.call import Features, IncomingCall
from node.session import CallState
from node.transfer import TransferState
from node.voicemail.conversation import Conversation
from node.voicemail.dialogue import Finished, HangUp, Say
from node.voicemail.outbox import Note, Outbox
from node.voicemail.script import (
    CallOperator,
    Discard,
    File,
    Heard,
    Input,
    Limits,
    Mark,
    OperatorFailed,
    Output,
    PlayBeep,
    PlayGreeting,
    PlayRecording,
    RecorderFailed,
    Script,
    StartRecording,
)
from signaling.mailboxes import Reception

log = logging.getLogger("callnode.voicemail")

_NO_MESSAGE = ("nobody-there", "goodbye")  # to whom no message can be left


class Deposit(Conversation[Input, Output]):
    """Take one message. What is received while the recorder is being opened waits in memory.

    `greeting` is the owner's own one, None for the default one.
    """

    def __init__(
        self,
        note: Note,
        outbox: Outbox,
        limits: Limits,
        reception: Reception,
        prompts: Prompts,
        greeting: Sound | None = None,
    ) -> None:
        self._recording = Script(limits, reception)
        super().__init__(self._recording, prompts, reception.settings.language)
        self._note = note
        self._outbox = outbox
        self._settings = reception.settings
        self._greeting = greeting
        self._recorder: OggRecorder | None = None
        self._forgotten: OggRecorder | None = None
        self._early: list[tuple[int, int, int, bytes]] = []

    async def run(self, incoming: IncomingCall) -> Note | None:
        """Answer, and follow the script to its end; return what is ready to be filed, if anything is."""
        await self.answer(incoming)
        while True:
            match await self.next():
                case Say(prompts):
                    await self.say(prompts)
                case PlayGreeting():
                    await self._greet()
                case PlayBeep():
                    self.play(beep())
                case PlayRecording():
                    await self._replay()
                case StartRecording():
                    await self._record()
                case CallOperator():
                    await self._hand_over()
                case HangUp():
                    await self._call.hang_up()
                case Mark(urgent):
                    await self._mark(urgent)
                case File():
                    return await self._finish()
                case Discard():
                    await self._discard()
                    return None
                case output:
                    assert_never(output)

    def give(self, what: Input) -> None:
        """Tell the script what happened, and let the recorder follow it."""
        was_recording = self._recording.recording
        super().give(what)
        if self._recording.recording and not was_recording:
            self._forgotten, self._recorder = self._recorder, None
            self._early.clear()
        if self._recorder is not None and not self._recording.recording:
            self._recorder.stop()  # what follows takes its time, which is not part of the message

    def write(self, frame: Frame) -> None:
        """Take a frame of the caller: how loud it is."""
        if not self._recording.recording:
            return
        if self._recorder is not None and self._recorder.error is not None:
            self.give(RecorderFailed(kept=True))
        self.give(Heard(level_dbfs(frame)))

    def packet(self, ssrc: int, sequence: int, timestamp: int, payload: bytes) -> None:
        """Take a packet of the caller: it is what is recorded."""
        if not self._recording.recording:
            return
        if self._recorder is None:
            self._early.append((ssrc, sequence, timestamp, payload))
        else:
            self._recorder.packet(ssrc, sequence, timestamp, payload)

    async def _greet(self) -> None:
        if self._greeting is not None:
            self.play(self._greeting)
        else:
            await self.say(("greeting",) if self._settings.answer == "record" else _NO_MESSAGE)

    async def _record(self) -> None:
        if self._forgotten is not None:
            await asyncio.to_thread(self._forgotten.close)
            self._forgotten = None
        try:
            recorder = await asyncio.to_thread(self._outbox.record, self._note)
        except OSError as error:
            log.error("a message cannot be recorded: %s", error)
            self.give(RecorderFailed(kept=False))
            return
        for packet in self._early:
            recorder.packet(*packet)
        self._early.clear()
        if not self._recording.recording:
            recorder.stop()
        self._recorder = recorder

    async def _replay(self) -> None:
        recorder = self._recorder
        if recorder is None:
            return  # it failed, and the script will hear of it
        await asyncio.to_thread(recorder.close)
        try:
            recorded = await asyncio.to_thread(self._outbox.heard, self._note, recorder)
            self.play(await asyncio.to_thread(load, recorded))
        except OSError as error:
            log.error("what was recorded cannot be played: %s", error)
            self.give(Finished())

    async def _hand_over(self) -> None:
        """Transfer the caller to the person the owner has chosen; the hub ends it either way."""
        assert self._settings.operator is not None
        transfer = self._call.feature(Features.TRANSFER).transfer(
            target_participant=self._settings.operator, hang_up_when_transferred=True
        )
        over = self._call.wait_for(CallState.DISCONNECTED)
        ends = [asyncio.ensure_future(each) for each in (transfer.wait(), over)]
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in ends:
                each.cancel()
            await asyncio.gather(*ends, return_exceptions=True)
        if transfer.state is TransferState.FAILED:
            log.info("the operator does not take a caller: %s", transfer.error and transfer.error.message)
            self.give(OperatorFailed())

    async def _mark(self, urgent: bool) -> None:
        self._note = replace(self._note, urgent=urgent)
        try:
            await asyncio.to_thread(self._outbox.keep, self._note)
        except OSError as error:
            log.error("that message %s is urgent would not outlive a crash: %s", self._note.id, error)

    async def _finish(self) -> Note | None:
        if self._recorder is None:
            await self._discard()
            return None
        try:
            await asyncio.to_thread(self._outbox.finish, self._note, self._recorder)
        except OSError as error:
            log.error("message %s stays for the next start: %s", self._note.id, error)
            return None
        return self._note

    async def _discard(self) -> None:
        for recorder in (self._recorder, self._forgotten):
            if recorder is not None:
                await asyncio.to_thread(recorder.close)
        await asyncio.to_thread(self._outbox.discard, self._note)
