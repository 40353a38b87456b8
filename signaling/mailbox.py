"""Mailboxes by REST: the owner reads, the voicemail service files."""

from collections.abc import AsyncIterator, Awaitable, Callable

import msgspec
from aiohttp import BodyPartReader, MultipartReader, web
from msgspec import Struct

from signaling.accounts import Accounts
from signaling.blobs import Blobs, TooLargeError
from signaling.parts import Id, Party
from signaling.rest import MAX_BODY, Gate, RestError, bad_request, decode, not_found, reply
from signaling.store import Envelope, Folder, MailboxMessage, Store, Utc

MAX_AUDIO = 50 * 1024 * 1024
CHUNK = 64 * 1024
_OGG = b"OggS"


class MessageView(Struct, frozen=True):
    """A voice message as its owner sees it: duration in s, `received_at` in UTC, peaks of the waveform."""

    id: str
    folder: Folder
    caller: Party
    transferor: Party | None
    received_at: Utc
    duration: float
    peaks: tuple[int, ...]


class Move(Struct, frozen=True, forbid_unknown_fields=True):
    """Body of PATCH: the folder to put a message in."""

    folder: Folder


class MailboxApi:
    """Endpoints of the mailboxes; `changed` is told whose mailbox changed."""

    def __init__(
        self,
        gate: Gate,
        accounts: Accounts,
        store: Store,
        blobs: Blobs,
        changed: Callable[[str], Awaitable[None]],
    ) -> None:
        self._gate = gate
        self._accounts = accounts
        self._store = store
        self._blobs = blobs
        self._changed = changed

    def routes(self) -> list[web.AbstractRouteDef]:
        """Return the routes."""
        return [
            web.get("/v1/mailbox", self.list),
            web.get("/v1/mailbox/{id}", self.get),
            web.patch("/v1/mailbox/{id}", self.move),
            web.delete("/v1/mailbox/{id}", self.delete),
            web.get("/v1/mailbox/{id}/audio", self.audio),
            web.put("/v1/mailboxes/{owner}/messages/{id}", self.file),
        ]

    async def list(self, request: web.Request) -> web.Response:
        """Return the caller's messages, newest first, and how many wait."""
        owner = self._gate.user(request).user.raw_id
        messages = [_view(message) for message in await self._store.messages(owner)]
        counts = await self._store.counts(owner)
        return reply({"new": counts.new, "saved": counts.saved, "messages": messages})

    async def get(self, request: web.Request) -> web.Response:
        """Return one message."""
        return reply(_view((await self._mine(request))[1]))

    async def move(self, request: web.Request) -> web.Response:
        """Mark a message as new or saved."""
        owner, message = await self._mine(request)
        folder = decode(await request.read(), Move).folder
        if not await self._store.move_message(owner, message.id, folder):
            raise not_found()
        await self._changed(owner)
        return reply(_view(msgspec.structs.replace(message, folder=folder)))

    async def delete(self, request: web.Request) -> web.Response:
        """Delete a message and its sound."""
        owner, message = await self._mine(request)
        if not await self._store.delete_message(owner, message.id):
            raise not_found()
        await self._blobs.delete(owner, message.id)
        await self._changed(owner)
        return web.Response(status=204)

    async def audio(self, request: web.Request) -> web.StreamResponse:
        """Return the sound of a message (Ogg Opus); ranges are served (RFC 9110 §14)."""
        owner, message = await self._mine(request)
        path = await self._blobs.find(owner, message.id)
        if path is None:
            raise not_found()
        headers = {"Content-Type": "audio/ogg", "Cache-Control": "private, no-store"}
        return web.FileResponse(path, headers=headers)

    async def file(self, request: web.Request) -> web.Response:
        """File a message for its owner (201); the same id again changes nothing (200)."""
        self._gate.user(request, "voicemail")
        account = self._accounts.get(request.match_info["owner"])
        if account is None:
            raise not_found()
        owner = account.user.raw_id
        message_id = _id(request)
        if await self._store.was_filed(owner, message_id):
            return reply({"id": message_id})
        envelope = await self._receive(request, owner, message_id)
        if self._accounts.get(owner) is None:
            await self._blobs.delete_owner(owner)
            raise not_found()
        if not await self._store.add_message(owner, MailboxMessage(message_id, "new", envelope)):
            return reply({"id": message_id})
        await self._changed(owner)
        return reply({"id": message_id}, 201)

    async def _receive(self, request: web.Request, owner: str, message_id: str) -> Envelope:
        try:
            reader = await request.multipart()
        except (ValueError, AssertionError):
            raise bad_request("send multipart/form-data: envelope (JSON), then audio (Ogg Opus)") from None
        envelope = decode(await _small(await _part(reader, "envelope")), Envelope)
        audio = await _part(reader, "audio")
        try:
            await self._blobs.put(owner, message_id, _ogg(audio), MAX_AUDIO)
        except TooLargeError:
            raise RestError(413, "TooLarge", f"the audio is larger than {MAX_AUDIO} bytes") from None
        return envelope

    async def _mine(self, request: web.Request) -> tuple[str, MailboxMessage]:
        owner = self._gate.user(request).user.raw_id
        message = await self._store.message(owner, request.match_info["id"])
        if message is None:
            raise not_found()
        return owner, message


def _view(message: MailboxMessage) -> MessageView:
    envelope = message.envelope
    return MessageView(
        message.id,
        message.folder,
        envelope.caller,
        envelope.transferor,
        envelope.received_at,
        envelope.duration,
        envelope.peaks,
    )


def _id(request: web.Request) -> str:
    try:
        return str(msgspec.convert(request.match_info["id"], Id))
    except msgspec.ValidationError:
        raise bad_request("a message id has 1 to 64 of A-Z a-z 0-9 _ -") from None


async def _part(reader: MultipartReader, name: str) -> BodyPartReader:
    try:
        part = await reader.next()
    except ValueError as error:
        raise bad_request(f"the multipart body does not fit: {error}") from None
    if not isinstance(part, BodyPartReader) or part.name != name:
        raise bad_request(f"the multipart body lacks the part {name}; the order is envelope, audio")
    return part


async def _small(part: BodyPartReader) -> bytes:
    body = bytearray()
    while chunk := await part.read_chunk(CHUNK):
        body += chunk
        if len(body) > MAX_BODY:
            raise RestError(413, "TooLarge", f"the envelope is larger than {MAX_BODY} bytes")
    return bytes(body)


async def _ogg(part: BodyPartReader) -> AsyncIterator[bytes]:
    first = True
    while chunk := await part.read_chunk(CHUNK):
        if first and not chunk.startswith(_OGG):
            raise bad_request("the audio is no Ogg file")
        first = False
        yield bytes(chunk)
    if first:
        raise bad_request("the audio is empty")
