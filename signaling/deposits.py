"""Mailboxes by REST, for the voicemail service: how to receive a caller, a place, and what was said."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import msgspec
from aiohttp import web

from signaling import sounds, transcripts
from signaling.accounts import Accounts
from signaling.blobs import Blobs
from signaling.greetings import GREETINGS, greeting_name, own_greetings
from signaling.mailbox_store import MailboxMessage
from signaling.mailboxes import Envelope, Reception, TranscriptBody, for_callers
from signaling.parts import Id
from signaling.rest import Gate, bad_request, decode, not_found, reply
from signaling.store import Store
from signaling.telling import Telling


class DepositApi:
    """Endpoints that need the right `voicemail`; `changed` is told whose mailbox changed."""

    def __init__(
        self,
        gate: Gate,
        accounts: Accounts,
        store: Store,
        blobs: Blobs,
        quota: int,
        telling: Telling,
        changed: Callable[[str], Awaitable[None]],
    ) -> None:
        self._gate = gate
        self._accounts = accounts
        self._store = store
        self._blobs = blobs
        self._quota = quota
        self._telling = telling
        self._changed = changed

    def routes(self) -> list[web.AbstractRouteDef]:
        """Return the routes."""
        message = "/v1/mailboxes/{owner}/messages/{id}"
        return [
            web.post(message, self.reserve),
            web.put(message, self.file),
            web.delete(message, self.release),
            web.put(message + "/transcript", self.transcript),
            web.get("/v1/mailboxes/{owner}/greetings/{kind}", self.greeting),
        ]

    async def reserve(self, request: web.Request) -> web.Response:
        """Keep a place for a message that is to be recorded; return how to receive its caller."""
        owner, message_id = self._owner(request), _id(request)
        box = await self._store.box(owner)
        records = box.settings.answer == "record"
        full = records and not await self._store.reserve(owner, message_id, datetime.now(UTC), self._quota)
        return reply(Reception(full, for_callers(box.settings), await own_greetings(self._blobs, owner)))

    async def release(self, request: web.Request) -> web.Response:
        """Give up the place of a message that will not be filed."""
        await self._store.release(self._owner(request), _id(request))
        return web.Response(status=204)

    async def file(self, request: web.Request) -> web.Response:
        """File a message for its owner (201); the same id again changes nothing (200).

        A message is filed whether it has a place or not: what was recorded is never refused. With the query
        `transcript=later`, mail waits for its transcript.
        """
        owner, message_id = self._owner(request), _id(request)
        if await self._store.was_filed(owner, message_id):
            return reply({"id": message_id})
        envelope = await self._receive(request, owner, message_id)
        if self._accounts.get(owner) is None:
            await self._blobs.delete_owner(owner)
            raise not_found()
        later = request.query.get("transcript") == "later"
        notices = await self._telling.of_new(owner, message_id, transcript_later=later)
        if not await self._store.add_message(owner, MailboxMessage(message_id, "new", envelope), notices):
            return reply({"id": message_id})
        await self._changed(owner)
        return reply({"id": message_id}, 201)

    async def transcript(self, request: web.Request) -> web.Response:
        """Write what an engine has understood of a message, null if nothing (204)."""
        owner, message_id = self._owner(request), _id(request)
        text = decode(await request.read(), TranscriptBody).text or ""
        notices = await self._telling.of_transcript(owner, message_id) if text else []
        if await self._store.message(owner, message_id) is None:
            raise not_found()
        if text:
            await transcripts.write(self._blobs, owner, message_id, text)
        now = datetime.now(UTC)
        if not await self._store.set_transcript(owner, message_id, bool(text), notices, now):
            await self._blobs.delete(owner, transcripts.transcript_name(message_id))
            raise not_found()
        await self._changed(owner)
        return web.Response(status=204)

    async def greeting(self, request: web.Request) -> web.StreamResponse:
        """Return one of the owner's own greetings (Ogg Opus)."""
        owner, kind = self._owner(request), request.match_info["kind"]
        if kind not in GREETINGS or not await self._blobs.size(owner, greeting_name(kind)):
            raise not_found()
        return await sounds.serve(request, self._blobs, owner, greeting_name(kind))

    async def _receive(self, request: web.Request, owner: str, message_id: str) -> Envelope:
        reader = await sounds.multipart(request, "envelope (JSON), then audio (Ogg Opus)")
        envelope = decode(await sounds.small(await sounds.part(reader, "envelope")), Envelope)
        audio = await sounds.part(reader, "audio")
        await sounds.keep(sounds.chunks(audio), self._blobs, owner, message_id)
        return envelope

    def _owner(self, request: web.Request) -> str:
        self._gate.user(request, "voicemail")
        account = self._accounts.get(request.match_info["owner"])
        if account is None:
            raise not_found()
        return account.user.raw_id


def _id(request: web.Request) -> str:
    try:
        return str(msgspec.convert(request.match_info["id"], Id))
    except msgspec.ValidationError:
        raise bad_request("a message id has 1 to 64 of A-Z a-z 0-9 _ -") from None
