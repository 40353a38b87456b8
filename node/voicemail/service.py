"""The voicemail service: an ordinary node with a script instead of a person (spec §6)."""

import asyncio
import logging
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
from msgspec.structs import replace

from media.engine import IceServer
from media.speech import Prompts
from media.transcription import check
from node.agent import CallAgent, IncomingCallEvent
from node.call import IncomingCall
from node.client import CallClientOptions
from node.credential import TokenCredential, token_of
from node.errors import CallingError
from node.events import Tasks
from node.identity import CallerInfo
from node.service import answer_for_ever
from node.voicemail.deposit import Deposit
from node.voicemail.filing import Filing
from node.voicemail.outbox import Note, Outbox, Sealing
from node.voicemail.script import Limits
from node.voicemail.visit import Visit, VisitedMailbox
from signaling.mailboxes import Reception, greeting_for
from signaling.parts import Party

log = logging.getLogger("callnode.voicemail")

ENDING_SECONDS = 5.0
FILING_SECONDS = 5.0
_TIMEOUT = aiohttp.ClientTimeout(total=60.0)


class VoicemailService:
    """Answer for the owners of mailboxes, record, and file at the hub; play to who calls the service itself.

    The credential's token needs the right `voicemail`; `hub` overrides the hub that it names. What the hub
    does not have yet is kept in `data`/recordings, encrypted by `sealing` if there is one. `prompts` is a
    folder as `media.speech.Prompts` reads it.
    `engine` transcribes messages, as `media.transcription` names it; EngineError where it cannot be had.
    """

    def __init__(
        self,
        credential: TokenCredential,
        data: Path,
        *,
        hub: str | None = None,
        limits: Limits | None = None,
        prompts: Path | None = None,
        engine: str = "",
        sealing: Sealing | None = None,
        ice_servers: Sequence[IceServer] = (),
    ) -> None:
        self._credential = credential
        self._folder = data / "recordings"
        self._options = CallClientOptions(hub=hub, ice_servers=ice_servers)
        self._limits = limits or Limits()
        self._prompts = prompts
        self._sealing = sealing
        if engine:
            check(engine)
        self._engine = engine
        self._deposits = Tasks()
        self._filing = Tasks()

    async def serve(self, ready: Callable[[], None] | None = None) -> None:
        """Serve until cancelled; `ready` is called once calls are answered.

        Cancelled, it ends its calls, and files what they said, for at most 5 s each; what is left is filed at
        the next start. Raises CallingError: 495/4507 when the hub does not accept the token, 410/3100 if the
        hub cannot be reached at first; OSError if `data` cannot be written, or another service uses it, or
        for prompts that cannot be used.
        """
        prompts = await asyncio.to_thread(Prompts, self._prompts)
        outbox = await asyncio.to_thread(Outbox, self._folder, self._sealing)
        try:
            async with aiohttp.ClientSession(timeout=_TIMEOUT) as http:
                filing = Filing(http, self._credential, self._options.hub, self._engine)
                try:
                    for note in await asyncio.to_thread(outbox.recover):
                        self._filing.spawn(filing.file(note, outbox))
                    await self._answer(outbox, filing, prompts, ready)
                finally:
                    await self._deposits.wait(ENDING_SECONDS)
                    await self._deposits.close()
                    await self._filing.wait(FILING_SECONDS)
                    await self._filing.close()
        finally:
            outbox.close()

    async def _answer(
        self, outbox: Outbox, filing: Filing, prompts: Prompts, ready: Callable[[], None] | None
    ) -> None:
        """Answer calls, with a new agent whenever one is Disconnected, until cancelled."""

        def incoming(event: IncomingCallEvent) -> None:
            self._deposits.spawn(self._take(event.incoming_call, outbox, filing, prompts))

        def use(agent: CallAgent) -> None:
            agent.on("incoming_call", incoming)
            log.info("voicemail answers")

        await answer_for_ever(self._options, self._credential, use, ready)

    async def _take(self, incoming: IncomingCall, outbox: Outbox, filing: Filing, prompts: Prompts) -> None:
        """Take a message, and have it filed; whoever calls the service itself wants to hear a mailbox."""
        if incoming.mailbox is None:
            await self._visit(incoming, prompts)
            return
        note = Note(
            uuid.uuid4().hex,
            incoming.mailbox.identifier.raw_id,
            _party(incoming.caller_info),
            _party(incoming.transferor_info) if incoming.transferor_info else None,
            datetime.now(UTC),
        )
        reception = await filing.reserve(note)
        note = replace(note, language=reception.settings.language)
        recorded: Note | None = None
        try:
            recorded = await self._receive(incoming, note, reception, outbox, filing, prompts)
        except CallingError as error:
            log.info("a caller was gone before voicemail answered: %s", error)
        finally:
            if recorded is not None:
                self._filing.spawn(filing.file(recorded, outbox))
            elif reception.settings.answer == "record":
                self._filing.spawn(filing.release(note))

    async def _visit(self, incoming: IncomingCall, prompts: Prompts) -> None:
        """Let a caller hear a mailbox."""
        try:
            token = await token_of(self._credential)
            mailbox = VisitedMailbox(self._options.hub or token.issuer, token.token, incoming.id)
            await Visit(mailbox, prompts).run(incoming)
        except CallingError as error:
            log.info("a visitor was gone before voicemail answered: %s", error)

    async def _receive(
        self,
        incoming: IncomingCall,
        note: Note,
        reception: Reception,
        outbox: Outbox,
        filing: Filing,
        prompts: Prompts,
    ) -> Note | None:
        """Do with a caller what the owner wants; return the message that is ready to be filed."""
        if reception.settings.answer == "decline":
            await incoming.reject()
            return None
        kind = greeting_for(incoming.diverted_for, reception.greetings)
        greeting = await filing.greeting(note.owner, kind) if kind is not None else None
        return await Deposit(note, outbox, self._limits, reception, prompts, greeting).run(incoming)


def _party(info: CallerInfo) -> Party:
    return Party(info.identifier.raw_id, info.display_name, info.name)
