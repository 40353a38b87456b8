"""What the voicemail service asks of the hub: how to receive a caller, a place, and to take a message."""

import asyncio
import contextlib
import logging
from http import HTTPStatus
from io import BytesIO
from urllib.parse import quote

import aiohttp
import msgspec
import tenacity

from media.recorder import profile
from media.source import load
from media.speech import Sound
from media.transcription import transcribe
from node.credential import TokenCredential, token_of
from node.errors import CallingError
from node.trust import trusted
from node.voicemail.outbox import Note, Outbox
from signaling.mailboxes import Envelope, GreetingKind, Reception, TranscriptBody

log = logging.getLogger("callnode.voicemail")

PEAKS = 200
RECEPTION_SECONDS = 2.0  # that a caller waits before the default way is taken
GREETING_SECONDS = 3.0

_UNREACHABLE = (aiohttp.ClientError, OSError, TimeoutError)
# Asking again does not help; the message stays, and the next start asks once more.
_REFUSALS = {HTTPStatus.BAD_REQUEST, HTTPStatus.FORBIDDEN, HTTPStatus.REQUEST_ENTITY_TOO_LARGE}
# The hub's word on an owner it does not know; any other 404 may come from what stands before the hub.
_NO_OWNER = {"error": {"code": "NotFound", "message": "there is nothing of yours here"}}


class Filing:
    """The hub's endpoints for the right `voicemail`; `hub` overrides the hub that the token names.

    `engine` transcribes what was filed, one message after the other, if it is not empty.
    """

    def __init__(
        self, http: aiohttp.ClientSession, credential: TokenCredential, hub: str | None, engine: str = ""
    ) -> None:
        self._http = http
        self._credential = credential
        self._hub = hub
        self._engine = engine
        self._transcribing = asyncio.Lock()

    async def reserve(self, note: Note) -> Reception:
        """Keep a place; return how to receive the caller, the default way if the hub does not say in time."""
        try:
            async with asyncio.timeout(RECEPTION_SECONDS):
                status, body = await self._ask("POST", _message(note))
            if status == HTTPStatus.OK:
                return msgspec.json.decode(body, type=Reception)
            log.warning("the hub does not say how to receive callers: HTTP %d", status)
        except (*_UNREACHABLE, CallingError, msgspec.DecodeError) as error:
            log.warning("the hub does not say how to receive callers: %s", error or type(error).__name__)
        return Reception()

    async def release(self, note: Note) -> None:
        """Give up a place; one that cannot be told to the hub is given up there after a while."""
        with contextlib.suppress(*_UNREACHABLE, CallingError):
            await self._ask("DELETE", _message(note))

    async def greeting(self, owner: str, kind: GreetingKind) -> Sound | None:
        """Return one of the owner's own greetings, None if it cannot be had in time."""
        try:
            async with asyncio.timeout(GREETING_SECONDS):
                status, body = await self._ask("GET", f"mailboxes/{quote(owner, safe='')}/greetings/{kind}")
            if status == HTTPStatus.OK:
                return await asyncio.to_thread(load, BytesIO(body))
            log.warning("the greeting %s cannot be had: HTTP %d", kind, status)
        except (*_UNREACHABLE, CallingError) as error:
            log.warning("the greeting %s cannot be had: %s", kind, error or type(error).__name__)
        return None

    async def file(self, note: Note, outbox: Outbox) -> None:
        """File a message, as often as it takes; then have it transcribed, and forget it here."""
        sound = await asyncio.to_thread(outbox.sound, note)
        found = await asyncio.to_thread(profile, BytesIO(sound))
        envelope = Envelope(
            note.caller,
            note.received_at,
            found.duration,
            note.transferor,
            tuple(found.peaks(PEAKS)),
            found.gain_db,
            note.urgent,
        )
        async for attempt in tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception_type(_UNREACHABLE),
            wait=tenacity.wait_random_exponential(multiplier=0.5, max=60),
            before_sleep=lambda _: log.info("message %s is not filed yet", note.id),
        ):
            with attempt:
                status, said = await self._put(note, envelope, sound)
        if status in _REFUSALS:
            log.error("the hub refuses message %s, which stays here: %s", note.id, said)
            return
        if status == HTTPStatus.NOT_FOUND:
            log.warning("message %s is discarded: its owner is no user any more", note.id)
        else:
            log.info("message %s is filed, %.1f s", note.id, found.duration)
            if self._engine:
                await self._transcribe(note, sound)
        await asyncio.to_thread(outbox.discard, note)

    async def _transcribe(self, note: Note, sound: bytes) -> None:
        """Tell the hub what is said in a message; what goes wrong costs no more than that."""
        async with self._transcribing:
            text = await transcribe(self._engine, sound, note.language)
        body = msgspec.json.encode(TranscriptBody(text or None))
        try:
            status, _ = await self._ask("PUT", f"{_message(note)}/transcript", body)
        except (*_UNREACHABLE, CallingError) as error:
            log.warning("the transcript of message %s is lost: %s", note.id, error or type(error).__name__)
        else:
            log.info("message %s is transcribed: HTTP %d", note.id, status)

    async def _put(self, note: Note, envelope: Envelope, sound: bytes) -> tuple[int, str]:
        """Return the hub's final word on a message; raises ClientError for one that may change."""
        form = aiohttp.FormData(default_to_multipart=True)
        form.add_field("envelope", msgspec.json.encode(envelope).decode(), content_type="application/json")
        form.add_field("audio", sound, filename="message.ogg", content_type="audio/ogg")
        later = "?transcript=later" if self._engine else ""
        status, body = await self._ask("PUT", _message(note) + later, form)
        said = body.decode(errors="replace")
        final = status < 400 or status in _REFUSALS
        if not final and not (status == HTTPStatus.NOT_FOUND and _says_no_owner(body)):
            raise aiohttp.ClientError(f"HTTP {status}")
        return status, said

    async def _ask(
        self, method: str, path: str, data: aiohttp.FormData | bytes | None = None
    ) -> tuple[int, bytes]:
        token = await token_of(self._credential)
        url = f"{(self._hub or token.issuer).rstrip('/')}/v1/{path}"
        headers = {"Authorization": f"Bearer {token.token}"}
        ssl = trusted(authority=token.authority)
        async with self._http.request(method, url, data=data, headers=headers, ssl=ssl) as response:
            return response.status, await response.read()


def _message(note: Note) -> str:
    return f"mailboxes/{quote(note.owner, safe='')}/messages/{note.id}"


def _says_no_owner(said: bytes) -> bool:
    with contextlib.suppress(msgspec.DecodeError):
        return bool(msgspec.json.decode(said) == _NO_OWNER)
    return False
