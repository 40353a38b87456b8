"""Mailboxes by REST, for their owners: messages, their sound, what the mailbox does."""

import logging
import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from urllib.parse import quote

import msgspec
from aiohttp import web
from msgspec.structs import replace

from signaling import sounds, transcripts
from signaling.accounts import Accounts
from signaling.audit import Trail
from signaling.blobs import Blobs
from signaling.links import Links
from signaling.mailbox_store import MailboxMessage
from signaling.mailboxes import AuditAction, Folder, Forward, Link, Listing, Query
from signaling.notices import Notice
from signaling.parts import Party
from signaling.rest import RestError, bad_request, decode, not_found, query, reply
from signaling.store import Account, Store
from signaling.tokens import InvalidTokenError

_audit = logging.getLogger("callnode.hub.audit")
_BY = web.RequestKey("by", str)  # the raw id of who asks


class Move(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of PATCH: the folder to put a message in; `undeleted` is the one it was deleted from."""

    folder: str


class MailboxApi:
    """Endpoints of the owner, who is the user that `who` finds behind a request, or the request is refused.

    `notices` says what is to be told of a new message, `changed` is told whose mailbox changed. What is done
    and refused goes into the `trail`; `by` tells the raw id of who does it, if that is another.
    """

    def __init__(
        self,
        who: Callable[[web.Request], Account],
        accounts: Accounts,
        store: Store,
        blobs: Blobs,
        links: Links,
        trail: Trail,
        quota: int,
        notices: Callable[[str, str], Awaitable[list[Notice]]],
        changed: Callable[[str], Awaitable[None]],
        by: Callable[[web.Request], str] | None = None,
    ) -> None:
        self._who = who
        self._accounts = accounts
        self._store = store
        self._blobs = blobs
        self._links = links
        self._trail = trail
        self._by = by
        self._quota = quota
        self._notices = notices
        self._changed = changed

    def routes(self) -> list[web.AbstractRouteDef]:
        """Return all routes."""
        return [
            *self.hearing("/v1/mailbox"),
            web.post("/v1/mailbox/{id}/link", self.link),
            web.post("/v1/mailbox/{id}/forward", self.forward),
        ]

    def hearing(self, path: str) -> list[web.AbstractRouteDef]:
        """Return the routes by which messages are heard and put away, below a path."""
        return [
            web.get(path, self.list),
            web.get(path + "/{id}", self.get),
            web.patch(path + "/{id}", self.move),
            web.delete(path + "/{id}", self.delete),
            web.get(path + "/{id}/audio", self.audio),
            web.get(path + "/{id}/introduction", self.introduction),
        ]

    async def list(self, request: web.Request) -> web.Response:
        """Return the caller's messages, newest first, and how many wait; the query is a Query."""
        owner = self._who(request).user.raw_id
        wanted = query(request, Query)
        found = await self._store.messages(owner, wanted)
        counts = await self._store.counts(owner)
        more = found[-1].id if len(found) == wanted.limit else None
        shown = [await transcripts.seen(self._blobs, owner, each) for each in found]
        return reply(Listing(counts.new, counts.saved, tuple(shown), more))

    async def get(self, request: web.Request) -> web.Response:
        """Return one message."""
        return reply(await transcripts.seen(self._blobs, *await self._mine(request)))

    async def move(self, request: web.Request) -> web.Response:
        """Mark a message as new or saved, delete it, or have a deleted one back."""
        owner, message = await self._mine(request)
        wanted = decode(await request.read(), Move).folder
        folders: dict[str, Folder | None] = {
            "new": "new",
            "saved": "saved",
            "deleted": "deleted",
            "undeleted": None,
        }
        if wanted not in folders:
            raise bad_request(f"folder is one of {', '.join(folders)}")
        moved = await self._store.move_message(owner, message.id, folders[wanted], datetime.now(UTC))
        if moved is None:
            deleted = "the message is deleted; have it back first, with the folder undeleted"
            raise RestError(409, "Deleted", deleted) if message.folder == "deleted" else not_found()
        await self._log(request, "moved", owner, message.id, f"to {moved}")
        await self._changed(owner)
        return reply(await transcripts.seen(self._blobs, owner, replace(message, folder=moved)))

    async def delete(self, request: web.Request) -> web.Response:
        """Delete a message; one that is deleted already, for good and with its sound."""
        owner, message = await self._mine(request)
        purged = message.folder == "deleted"
        if purged:
            await discard(self._store, self._blobs, owner, message.id)
        elif await self._store.move_message(owner, message.id, "deleted", datetime.now(UTC)) is None:
            raise not_found()
        await self._log(request, "purged" if purged else "deleted", owner, message.id)
        await self._changed(owner)
        return web.Response(status=204)

    async def audio(self, request: web.Request) -> web.StreamResponse:
        """Return the sound of a message as it was recorded (Ogg Opus); ranges are served."""
        return await self._sound(request, "audio")

    async def introduction(self, request: web.Request) -> web.StreamResponse:
        """Return what whoever forwarded a message said before it."""
        return await self._sound(request, "introduction")

    async def link(self, request: web.Request) -> web.Response:
        """Return URLs of a message's sound that need no token and expire."""
        account = self._who(request)
        owner, message = await self._mine(request)
        await self._log(request, "linked", owner, message.id)

        def signed(part: str) -> tuple[str, datetime]:
            key, expires = self._links.sign(account.user.raw_id, account.token_version, message.id, part)
            return f"/v1/mailbox/{quote(message.id)}/{part}?key={key}", expires

        audio, expires = signed("audio")
        spoken = message.envelope.introduction is not None
        return reply(Link(audio, signed("introduction")[0] if spoken else None, expires))

    async def forward(self, request: web.Request) -> web.Response:
        """Put a copy into a colleague's mailbox (201); the body has the parts forward, then audio or none.

        The audio is an introduction. A mailbox that is full refuses: 409.
        """
        sender = self._who(request).user
        owner, message = await self._mine(request)
        reader = await sounds.multipart(request, "forward (JSON), then audio (Ogg Opus) or nothing")
        wanted = decode(await sounds.small(await sounds.part(reader, "forward")), Forward)
        recipient = self._recipient(wanted.to, owner)
        copy_id = uuid.uuid4().hex
        if not await self._store.reserve(recipient, copy_id, datetime.now(UTC), self._quota):
            raise RestError(409, "Full", "the mailbox is full; ask its owner to delete messages")
        envelope = replace(
            message.envelope,
            received_at=datetime.now(UTC),
            forwarded_by=Party(owner, sender.display_name, sender.name),
            introduction=wanted.introduction,
        )
        try:
            introduction = await sounds.optional_part(reader, "audio")
            if (introduction is None) != (wanted.introduction is None):
                raise bad_request("an introduction is its length in `forward` and the part audio, or neither")
            if introduction is not None:
                spoken = sounds.chunks(introduction)
                await sounds.keep(spoken, self._blobs, recipient, sound_name(copy_id, "introduction"))
            if not await self._blobs.size(owner, message.id):
                raise RestError(410, "SoundLost", "the sound is lost or empty, so it cannot be forwarded")
            copied = self._blobs.read(owner, message.id)
            await self._blobs.put(recipient, copy_id, copied, sounds.MAX_AUDIO)
            said = await transcripts.read(self._blobs, owner, message)
            if said is not None:
                await transcripts.write(self._blobs, recipient, copy_id, said)
            copy = MailboxMessage(copy_id, "new", replace(envelope, transcribed=said is not None))
            filed = await self._store.add_message(recipient, copy, await self._notices(recipient, copy_id))
        except OSError as error:
            await self._give_up(recipient, copy_id)
            raise RestError(
                410, "SoundLost", f"the sound cannot be copied: {error.strerror or error}"
            ) from None
        except BaseException:
            await self._give_up(recipient, copy_id)
            raise
        if not filed or self._accounts.get(recipient) is None:
            await self._give_up(recipient, copy_id)
            raise not_found()
        await self._log(request, "forwarded", owner, message.id, f"to {wanted.to}")
        await self._changed(recipient)
        return web.Response(status=201)

    async def _give_up(self, recipient: str, copy_id: str) -> None:
        await self._store.release(recipient, copy_id)
        await discard(self._store, self._blobs, recipient, copy_id)

    def _recipient(self, name: str, owner: str) -> str:
        account = self._accounts.find(name)
        if account is None:
            raise bad_request(f"there is no user {name!r}")
        if account.user.raw_id == owner:
            raise bad_request("the message is in your mailbox already; name somebody else")
        return account.user.raw_id

    async def _sound(self, request: web.Request, part: str) -> web.StreamResponse:
        message_id = request.match_info["id"]
        if "key" in request.query and "Authorization" not in request.headers:
            owner = await self._bearer(request, part)
            if await self._store.message(owner, message_id) is None:
                raise await self._refused(request, owner, "the message is gone")
        else:
            owner = (await self._mine(request))[0]
        if request.method != "HEAD":
            action: AuditAction = "exported" if request.query.get("for") == "export" else "heard"
            detail = "" if part == "audio" else part
            await self._log(request, action, owner, message_id, detail)
        return await sounds.serve(request, self._blobs, owner, sound_name(message_id, part))

    async def _bearer(self, request: web.Request, part: str) -> str:
        """Return whose sound the link of a request opens now."""
        try:
            owner, version = self._links.owner(request.query["key"], request.match_info["id"], part)
        except InvalidTokenError as error:
            raise await self._refused(request, "", str(error)) from None
        account = self._accounts.get(owner)
        if account is None or account.token_version != version:
            raise await self._refused(request, owner, "the link was revoked")
        return owner

    async def _mine(self, request: web.Request) -> tuple[str, MailboxMessage]:
        account: Account = self._who(request)
        owner = account.user.raw_id
        request[_BY] = owner if self._by is None else self._by(request)  # who may be gone once it is done
        message = await self._store.message(owner, request.match_info["id"])
        if message is None:
            raise await self._refused(request, owner)
        return owner, message

    async def _refused(self, request: web.Request, who: str, why: str = "") -> RestError:
        """Return the same answer for what is not there and what is another's, and log who asked."""
        wanted = request.match_info["id"]
        _audit.warning("refused: %s %.64r, from %s (%s)", request.method, wanted, request.remote, why or who)
        await self._log(request, "refused", who, wanted[:64], why)
        return not_found()

    async def _log(
        self, request: web.Request, action: AuditAction, owner: str, message_id: str, detail: str = ""
    ) -> None:
        """Write down what is done; whoever has a link is not known."""
        by = request.get(_BY, "")
        await self._trail.add(request, action, owner, by=by, message=message_id, detail=detail)


def sound_name(message_id: str, part: str) -> str:
    """Return the name of the blob of a message's part, `audio` or `introduction`."""
    return message_id if part == "audio" else f"{message_id}.{part}"


async def discard(store: Store, blobs: Blobs, owner: str, message_id: str) -> None:
    """Delete a message for good, with its sounds and its transcript."""
    await store.purge_message(owner, message_id)
    for part in ("audio", "introduction"):
        await blobs.delete(owner, sound_name(message_id, part))
    await blobs.delete(owner, transcripts.transcript_name(message_id))
