"""The voicemail service: an ordinary node with a script instead of a person (spec §6)."""

import asyncio
import contextlib
import logging
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from urllib.parse import quote

import aiohttp
import msgspec
import tenacity

from media.engine import IceServer
from media.recorder import profile
from media.speech import speech
from node.agent import IncomingCallEvent, until_disconnected
from node.call import IncomingCall
from node.client import CallClient, CallClientOptions
from node.credential import TokenCredential, token_of
from node.errors import CallingError
from node.events import Tasks
from node.identity import CallerInfo
from node.voicemail.deposit import Deposit
from node.voicemail.outbox import Note, Outbox
from node.voicemail.script import Limits
from signaling.mailboxes import Envelope
from signaling.parts import Party
from signaling.reasons import INVALID_TOKEN, NETWORK

log = logging.getLogger("callnode.voicemail")

PEAKS = 200
ENDING_SECONDS = 5.0
FILING_SECONDS = 5.0
_TIMEOUT = aiohttp.ClientTimeout(total=60.0)
_UNREACHABLE = (aiohttp.ClientError, OSError, TimeoutError)
# Asking again does not help; the message stays, and the next start asks once more.
_REFUSALS = {HTTPStatus.BAD_REQUEST, HTTPStatus.FORBIDDEN, HTTPStatus.REQUEST_ENTITY_TOO_LARGE}
# The hub's word on an owner it does not know; any other 404 may come from what stands before the hub.
_NO_OWNER = {"error": {"code": "NotFound", "message": "there is nothing of yours here"}}


class VoicemailService:
    """Answer for the owners of mailboxes, record, and file at the hub.

    The credential's token needs the right `voicemail`; `hub` overrides the hub that it names. What the hub
    does not have yet is kept in `data`/recordings.
    """

    def __init__(
        self,
        credential: TokenCredential,
        data: Path,
        *,
        hub: str | None = None,
        limits: Limits | None = None,
        ice_servers: Sequence[IceServer] = (),
    ) -> None:
        self._credential = credential
        self._folder = data / "recordings"
        self._options = CallClientOptions(hub=hub, ice_servers=ice_servers)
        self._limits = limits or Limits()
        self._deposits = Tasks()
        self._filing = Tasks()

    async def serve(self, ready: Callable[[], None] | None = None) -> None:
        """Serve until cancelled; `ready` is called once calls are answered.

        Cancelled, it ends its calls, and files what they said, for at most 5 s each; what is left is filed at
        the next start. Raises CallingError: 495/4507 when the hub does not accept the token, 410/3100 if the
        hub cannot be reached at first; OSError if `data` cannot be written, or another service uses it.
        """
        await asyncio.to_thread(speech, "greeting")  # decoded once, before anyone calls
        outbox = await asyncio.to_thread(Outbox, self._folder)
        try:
            async with aiohttp.ClientSession(timeout=_TIMEOUT) as http:
                try:
                    for note in await asyncio.to_thread(outbox.recover):
                        self._filing.spawn(self._file(note, outbox, http))
                    await self._answer(outbox, http, ready)
                finally:
                    await self._deposits.wait(ENDING_SECONDS)
                    await self._deposits.close()
                    await self._filing.wait(FILING_SECONDS)
                    await self._filing.close()
        finally:
            outbox.close()

    async def _answer(
        self, outbox: Outbox, http: aiohttp.ClientSession, ready: Callable[[], None] | None
    ) -> None:
        """Answer calls, with a new agent whenever one is Disconnected, until cancelled."""

        def incoming(event: IncomingCallEvent) -> None:
            self._deposits.spawn(self._take(event.incoming_call, outbox, http))

        async with CallClient(self._options) as client:
            agent = await client.create_call_agent(self._credential, transfer_consent=True)
            while True:
                agent.on("incoming_call", incoming)
                log.info("voicemail answers")
                if ready is not None:
                    ready()
                    ready = None
                if await until_disconnected(agent) == "invalidToken":
                    raise CallingError.of(INVALID_TOKEN)
                await agent.dispose()
                async for attempt in tenacity.AsyncRetrying(
                    retry=tenacity.retry_if_exception(_is_network),
                    wait=tenacity.wait_random_exponential(max=10),
                ):
                    with attempt:
                        agent = await client.create_call_agent(self._credential, transfer_consent=True)

    async def _take(self, incoming: IncomingCall, outbox: Outbox, http: aiohttp.ClientSession) -> None:
        """Take a message, and have it filed; a call to nobody's mailbox is rejected."""
        if incoming.mailbox is None:
            await incoming.reject()
            return
        note = Note(
            uuid.uuid4().hex,
            incoming.mailbox.identifier.raw_id,
            _party(incoming.caller_info),
            _party(incoming.transferor_info) if incoming.transferor_info else None,
            datetime.now(UTC),
        )
        try:
            recorded = await Deposit(note, outbox, self._limits).run(incoming)
        except CallingError as error:
            log.info("a caller was gone before voicemail answered: %s", error)
            return
        if recorded:
            self._filing.spawn(self._file(note, outbox, http))

    async def _file(self, note: Note, outbox: Outbox, http: aiohttp.ClientSession) -> None:
        """File a message at the hub, as often as it takes, and then forget it here."""
        found = await asyncio.to_thread(profile, outbox.sound(note))
        peaks = found.peaks(PEAKS)
        envelope = Envelope(
            note.caller, note.received_at, found.duration, note.transferor, tuple(peaks), found.gain_db
        )
        sound = await asyncio.to_thread(outbox.sound(note).read_bytes)
        async for attempt in tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception_type(_UNREACHABLE),
            wait=tenacity.wait_random_exponential(multiplier=0.5, max=60),
            before_sleep=lambda _: log.info("message %s is not filed yet", note.id),
        ):
            with attempt:
                status, said = await self._put(note, envelope, sound, http)
        if status in _REFUSALS:
            log.error("the hub refuses message %s, which stays here: %s", note.id, said)
            return
        if status == HTTPStatus.NOT_FOUND:
            log.warning("message %s is discarded: its owner is no user any more", note.id)
        else:
            log.info("message %s is filed, %.1f s", note.id, found.duration)
        await asyncio.to_thread(outbox.discard, note)

    async def _put(
        self, note: Note, envelope: Envelope, sound: bytes, http: aiohttp.ClientSession
    ) -> tuple[int, str]:
        """Return the hub's final word on a message; raises ClientError for one that may change."""
        token = await token_of(self._credential)
        hub = (self._options.hub or token.issuer).rstrip("/")
        form = aiohttp.FormData(default_to_multipart=True)
        form.add_field("envelope", msgspec.json.encode(envelope).decode(), content_type="application/json")
        form.add_field("audio", sound, filename="message.ogg", content_type="audio/ogg")
        url = f"{hub}/v1/mailboxes/{quote(note.owner, safe='')}/messages/{note.id}"
        headers = {"Authorization": f"Bearer {token.token}"}
        async with http.put(url, data=form, headers=headers) as response:
            said = await response.text(errors="replace")
            final = response.ok or response.status in _REFUSALS
            if not final and not (response.status == HTTPStatus.NOT_FOUND and _says_no_owner(said)):
                raise aiohttp.ClientError(f"HTTP {response.status}")
            return response.status, said


def _says_no_owner(said: str) -> bool:
    with contextlib.suppress(msgspec.DecodeError):
        return bool(msgspec.json.decode(said) == _NO_OWNER)
    return False


def _party(info: CallerInfo) -> Party:
    return Party(info.identifier.raw_id, info.display_name, info.name)


def _is_network(error: BaseException) -> bool:
    return isinstance(error, CallingError) and error.code == NETWORK.code
