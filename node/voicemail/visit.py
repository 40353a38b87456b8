"""One call of somebody who wants to hear a mailbox: the retrieval's shell."""

import asyncio
import logging
from datetime import datetime
from http import HTTPStatus
from typing import Literal, assert_never

from msgspec.structs import replace

from media.playback import Playback, open_playback
from media.source import SilenceSource
from media.speech import Prompts
from node.call import Call, IncomingCall
from node.errors import CallingError
from node.voicemail.conversation import Conversation
from node.voicemail.dialogue import HangUp, HungUp, Say
from node.voicemail.mailbox import Mailbox
from node.voicemail.retrieval import (
    Failed,
    Input,
    Leave,
    LogIn,
    Move,
    Moved,
    Open,
    Opened,
    Output,
    Play,
    Refused,
    Retrieval,
    SetSpeed,
    SoundLost,
)
from signaling.mailboxes import Message

log = logging.getLogger("callnode.voicemail")

_TROUBLE = (CallingError, OSError, TimeoutError)
_HUB_SECONDS = 10.0


class VisitedMailbox(Mailbox):
    """The mailbox that a call to the service may hear: its caller's, or the one whose PIN was given."""

    def __init__(self, hub: str, token: str, call_id: str) -> None:
        super().__init__(hub, token)
        self._below = f"visits/{call_id}/"

    async def log_in(self, number: str, pin: str) -> bool:
        """Open the mailbox of a number; return False if the hub does not, for whatever reason."""
        try:
            await self._ask("POST", "login", json={"number": number, "pin": pin})
        except CallingError as error:
            if error.code == HTTPStatus.FORBIDDEN:
                return False
            raise
        return True


class Visit(Conversation[Input, Output]):
    """Let one caller hear a mailbox. Nobody else does: whoever is handed over to this call is hung up on."""

    def __init__(self, mailbox: VisitedMailbox, prompts: Prompts) -> None:
        super().__init__(Retrieval(), prompts, "en")
        self._mailbox = mailbox
        self._playback: Playback | None = None
        self._others: list[Call] = []

    async def run(self, incoming: IncomingCall) -> None:
        """Answer, and follow the script to its end."""
        await self.answer(incoming)
        while True:
            match await self.next():
                case Say(prompts):
                    await self.say(prompts)
                case Open():
                    await self._open()
                case LogIn(number, pin):
                    await self._log_in(number, pin)
                case Play(message, speed):
                    await self._play(message, speed)
                case SetSpeed(speed):
                    if self._playback is not None:
                        self._playback.set_speed(speed)
                case Move(message_id, to):
                    await self._move(message_id, to)
                case HangUp():
                    await self._call.hang_up()
                case Leave():
                    for call in self._others:
                        await call.hang_up()
                    return
                case output:
                    assert_never(output)

    def _taken_over(self, call: Call) -> None:
        self._call.start_audio(SilenceSource())
        self._others.append(call)
        self.give(HungUp())

    async def _open(self) -> None:
        try:
            async with asyncio.timeout(_HUB_SECONDS):
                settings = await self._mailbox.settings()
                messages = await self._mailbox.list()
        except _TROUBLE as error:
            log.warning("a mailbox cannot be read: %s", error or type(error).__name__)
            self.give(Failed())
            return
        self._language = settings.language
        local = tuple(replace(each, received_at=each.received_at.astimezone()) for each in messages)
        self.give(Opened(local, settings.language, datetime.now().astimezone()))

    async def _log_in(self, number: str, pin: str) -> None:
        try:
            async with asyncio.timeout(_HUB_SECONDS):
                opened = await self._mailbox.log_in(number, pin)
        except _TROUBLE as error:
            log.warning("a PIN cannot be checked: %s", error or type(error).__name__)
            self.give(Failed())
            return
        if opened:
            await self._open()
        else:
            self.give(Refused())

    async def _play(self, message: Message, speed: float) -> None:
        try:
            async with asyncio.timeout(_HUB_SECONDS):
                sounds = await self._mailbox.sounds(message)
            playback = await asyncio.to_thread(open_playback, sounds, message.gain_db)
        except _TROUBLE as error:
            log.warning("message %s cannot be played: %s", message.id, error or type(error).__name__)
            self.give(SoundLost())
            return
        playback.set_speed(speed)
        self._playback = playback
        self.play(playback)

    async def _move(self, message_id: str, to: Literal["saved", "deleted"]) -> None:
        try:
            async with asyncio.timeout(_HUB_SECONDS):
                if to == "deleted":
                    await self._mailbox.delete(message_id)
                else:
                    await self._mailbox.mark(message_id, "saved")
        except _TROUBLE as error:
            log.warning("message %s cannot be put away: %s", message_id, error or type(error).__name__)
            self.give(Failed())
            return
        self.give(Moved())
