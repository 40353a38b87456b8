"""What an owner has set for the mailbox, by REST: answer rule, greetings, PIN, and who is told."""

import hashlib
import hmac
import logging
import secrets
from typing import Annotated, get_args

from aiohttp import web
from msgspec import Meta, Struct
from msgspec.structs import replace

from signaling import sounds
from signaling.accounts import Accounts
from signaling.audit import Trail
from signaling.blobs import CHUNK, Blobs
from signaling.mailboxes import GreetingKind, MailboxSettings, Webhook
from signaling.rest import Gate, bad_request, decode, not_found, reply
from signaling.store import Store
from signaling.telling_config import TellingConfig, mail_address
from signaling.webhooks import Webhooks, objection

GREETINGS: tuple[GreetingKind, ...] = get_args(GreetingKind)
_log = logging.getLogger("callnode.hub.greetings")
_SCRYPT = {"n": 2**14, "r": 8, "p": 1, "dklen": 32}


class NewPin(Struct, frozen=True, forbid_unknown_fields=True):
    """Body of PUT: four to twelve digits."""

    pin: Annotated[str, Meta(pattern="^[0-9]{4,12}$")]


class GreetingApi:
    """Endpoints of the owner."""

    def __init__(
        self,
        gate: Gate,
        accounts: Accounts,
        store: Store,
        blobs: Blobs,
        trail: Trail,
        telling: TellingConfig,
        webhooks: Webhooks,
    ) -> None:
        self._gate = gate
        self._accounts = accounts
        self._store = store
        self._blobs = blobs
        self._trail = trail
        self._telling = telling
        self._webhooks = webhooks

    def routes(self) -> list[web.AbstractRouteDef]:
        """Return the routes."""
        greeting = "/v1/mailbox-greetings/{kind}"
        return [
            web.get("/v1/mailbox-settings", self.get),
            web.put("/v1/mailbox-settings", self.put),
            web.get("/v1/mailbox-webhook", self.get_webhook),
            web.put("/v1/mailbox-pin", self.put_pin),
            web.delete("/v1/mailbox-pin", self.delete_pin),
            web.get("/v1/mailbox-greetings", self.list),
            web.get(greeting, self.get_greeting),
            web.put(greeting, self.put_greeting),
            web.delete(greeting, self.delete_greeting),
        ]

    async def get(self, request: web.Request) -> web.Response:
        """Return the settings."""
        return reply((await self._store.box(self._gate.user(request).user.raw_id)).settings)

    async def put(self, request: web.Request) -> web.Response:
        """Replace the settings as a whole."""
        owner = self._gate.user(request).user.raw_id
        settings = decode(await request.read(), MailboxSettings)
        if settings.operator is not None:
            operator = self._accounts.find(settings.operator)
            if operator is None:
                raise bad_request(f"there is no user {settings.operator!r} to be the operator")
            if operator.user.raw_id == owner:
                raise bad_request("callers who want the operator do not want you; name somebody else")
        self._check(settings)
        box = await self._store.box(owner)
        await self._trail.add(request, "settings", owner, by=owner, detail=_changes(box.settings, settings))
        await self._store.save_box(owner, replace(box, settings=settings))
        return reply(settings)

    async def get_webhook(self, request: web.Request) -> web.Response:
        """Return the URL that is told of new messages, and the secret by which it knows that it is us."""
        owner = self._gate.user(request).user.raw_id
        url = (await self._store.box(owner)).settings.webhook
        if url is None:
            raise not_found()
        return reply(Webhook(url, self._webhooks.secret(owner, url)))

    async def put_pin(self, request: web.Request) -> web.Response:
        """Set the PIN with which the mailbox is heard from another one's phone."""
        owner = self._gate.user(request).user.raw_id
        pin = decode(await request.read(), NewPin).pin
        if len(set(pin)) == 1 or pin in "0123456789" or pin in "9876543210":
            raise bad_request("this PIN is guessed at once; choose another")
        await self._trail.add(request, "pin", owner, by=owner, detail="set")
        await self._store.save_box(owner, replace(await self._store.box(owner), pin=hashed(pin)))
        return web.Response(status=204)

    async def delete_pin(self, request: web.Request) -> web.Response:
        """Let the mailbox be heard by its owner's own agents alone."""
        owner = self._gate.user(request).user.raw_id
        await self._trail.add(request, "pin", owner, by=owner, detail="removed")
        await self._store.save_box(owner, replace(await self._store.box(owner), pin=""))
        return web.Response(status=204)

    async def list(self, request: web.Request) -> web.Response:
        """Return the kinds of greetings that there are."""
        return reply(await own_greetings(self._blobs, self._gate.user(request).user.raw_id))

    async def get_greeting(self, request: web.Request) -> web.StreamResponse:
        """Return a greeting (Ogg Opus)."""
        owner, kind = self._greeting(request)
        if not await self._blobs.size(owner, greeting_name(kind)):
            raise not_found()
        return await sounds.serve(request, self._blobs, owner, greeting_name(kind))

    async def put_greeting(self, request: web.Request) -> web.Response:
        """Set a greeting: the body is an Ogg Opus file."""
        owner, kind = self._greeting(request)
        await self._trail.add(request, "greeting", owner, by=owner, detail=f"{kind} set")
        chunks = request.content.iter_chunked(CHUNK)
        await sounds.keep(chunks, self._blobs, owner, greeting_name(kind))
        if self._accounts.get(owner) is None:
            await self._blobs.delete_owner(owner)
            raise not_found()
        return web.Response(status=204)

    async def delete_greeting(self, request: web.Request) -> web.Response:
        """Delete a greeting; callers hear the next that fits."""
        owner, kind = self._greeting(request)
        await self._trail.add(request, "greeting", owner, by=owner, detail=f"{kind} removed")
        await self._blobs.delete(owner, greeting_name(kind))
        return web.Response(status=204)

    def _check(self, settings: MailboxSettings) -> None:
        """Raise RestError for a webhook or an address that this hub does not tell."""
        if settings.webhook is not None:
            why = objection(settings.webhook, private=self._telling.private_webhooks)
            if why is not None:
                raise bad_request(why)
        if settings.mail is not None:
            if self._telling.smtp is None:
                raise bad_request("this hub sends no mail; whoever runs it can give it a server with --smtp")
            if not mail_address(settings.mail.address):
                raise bad_request("the mail address must be such as alice@example.org")

    def _greeting(self, request: web.Request) -> tuple[str, str]:
        owner, kind = self._gate.user(request).user.raw_id, request.match_info["kind"]
        if kind not in GREETINGS:
            raise bad_request(f"a greeting is one of {', '.join(GREETINGS)}")
        return owner, kind


def _changes(before: MailboxSettings, after: MailboxSettings) -> str:
    """Return the names of the settings that differ; what they are now may be a secret."""
    names = MailboxSettings.__struct_fields__
    return ", ".join(name for name in names if getattr(before, name) != getattr(after, name))


async def own_greetings(blobs: Blobs, owner: str) -> tuple[GreetingKind, ...]:
    """Return which greetings of the owner's own there are; one that cannot be read is as if it were not."""
    found = []
    for kind in GREETINGS:
        try:
            if await blobs.size(owner, greeting_name(kind)):
                found.append(kind)
        except OSError as error:
            _log.error("the greeting %s of %s cannot be read: %s", kind, owner, error)
    return tuple(found)


def greeting_name(kind: str) -> str:
    """Return the name of a greeting's blob; no message id has a dot."""
    return f"greeting.{kind}"


def hashed(pin: str, salt: bytes | None = None) -> str:
    """Return the salted hash of a PIN (RFC 7914)."""
    salt = salt or secrets.token_bytes(16)
    return f"{salt.hex()}:{hashlib.scrypt(pin.encode(), salt=salt, **_SCRYPT).hex()}"


def fits(pin: str, kept: str) -> bool:
    """Tell whether a PIN is the one whose hash was kept."""
    salt = bytes.fromhex(kept.partition(":")[0])
    return hmac.compare_digest(hashed(pin, salt), kept)
