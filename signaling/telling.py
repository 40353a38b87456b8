"""New messages are told to whoever wants to know: each notice is kept until it was told, or a day has passed.

Told once unless the hub dies between the other end's yes and its own note of it; the id stays the same.
"""

import asyncio
import logging
import random
import uuid
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import msgspec
from msgspec.structs import replace

from signaling.accounts import Accounts
from signaling.blobs import Blobs
from signaling.mailbox import sound_name
from signaling.mailbox_store import MailboxMessage
from signaling.mailboxes import Attachment, Mail
from signaling.mails import Sound, compose, send
from signaling.notices import Notice, Told, Ways, WebhookBody, again, of_new, of_transcript
from signaling.parts import Party
from signaling.store import Store
from signaling.telling_config import TellingConfig
from signaling.transcripts import seen
from signaling.webhooks import NotToldError, Webhooks

AT_ONCE = 8
LEASE = timedelta(minutes=2)  # longer than any try
PAUSE_SECONDS = 5.0  # after the store has failed
MAX_ATTACHED = 10 * 1024 * 1024

_log = logging.getLogger("callnode.hub.telling")

Mp3 = Callable[[bytes], bytes]  # of Ogg Opus; raises OSError


class Telling:
    """Tell of new messages, from now until closed; `mp3` makes attachments, which else are Ogg Opus."""

    def __init__(
        self,
        config: TellingConfig,
        webhooks: Webhooks,
        accounts: Accounts,
        store: Store,
        blobs: Blobs,
        url: str,
        mp3: Mp3 | None = None,
    ) -> None:
        self._config = config
        self._webhooks = webhooks
        self._accounts = accounts
        self._store = store
        self._blobs = blobs
        self._url = url
        self._mp3 = mp3
        self._ways = Ways(config.webhook is not None, config.smtp is not None)
        self._news = asyncio.Event()
        self._tries: set[asyncio.Task[None]] = set()
        self._task = asyncio.create_task(self._run(), name="telling")

    async def of_new(self, owner: str, message_id: str, *, transcript_later: bool = False) -> list[Notice]:
        """Return the notices to be kept with a new message."""
        settings = (await self._store.box(owner)).settings
        now = datetime.now(UTC)
        return of_new(
            owner,
            message_id,
            settings,
            self._ways,
            transcript_later=transcript_later,
            now=now,
            make_id=_make_id,
        )

    async def of_transcript(self, owner: str, message_id: str) -> list[Notice]:
        """Return the notices to be kept with a transcript."""
        settings = (await self._store.box(owner)).settings
        return of_transcript(owner, message_id, settings, self._ways, now=datetime.now(UTC), make_id=_make_id)

    def wake(self) -> None:
        """Look at once whether something is due."""
        self._news.set()

    async def close(self) -> None:
        """Stop; what was not told is told after the next start."""
        for task in (self._task, *self._tries):
            task.cancel()
        await asyncio.gather(self._task, *self._tries, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            self._news.clear()
            try:
                wait = await self._look()
            except Exception:
                _log.exception("what is to be told cannot be read; trying again")
                wait = PAUSE_SECONDS
            with suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._news.wait()

    async def _look(self) -> float | None:
        """Begin what is due; return in how many seconds to look again, None when nothing is to be told."""
        now = datetime.now(UTC)
        room = AT_ONCE - len(self._tries)
        for notice in await self._store.take_notices(now, room, now + LEASE) if room else ():
            task = asyncio.create_task(self._try(notice), name=f"telling {notice.id}")
            self._tries.add(task)
            task.add_done_callback(self._ended)
        if len(self._tries) >= AT_ONCE:
            return None  # the end of a try wakes
        due = await self._store.next_notice()
        return None if due is None else max(0.0, (due - datetime.now(UTC)).total_seconds())

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tries.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("what came of a try is not kept; trying again: %s", error)
        self._news.set()

    async def _try(self, notice: Notice) -> None:
        try:
            await self._tell(notice)
        except NotToldError as error:
            await self._put_off(notice, error)
        except Exception:
            _log.exception("the %s fails; trying again", notice.what)
            await self._put_off(notice, NotToldError("it fails here"))
        else:
            await self._store.forget_notice(notice.id)

    async def _put_off(self, notice: Notice, error: NotToldError) -> None:
        due = None if error.final else again(notice, datetime.now(UTC), random.random(), error.wait)
        if due is None:
            await self._store.forget_notice(notice.id)
            _log.error("the %s is given up after %d tries: %s", notice.what, notice.tries, error)
        else:
            await self._store.put_off(notice.id, due)
            _log.warning("the %s is tried again at %s: %s", notice.what, f"{due:%H:%M:%S} UTC", error)

    async def _tell(self, notice: Notice) -> None:
        """Tell it, if it is still there and somebody still wants to know; raises NotToldError."""
        message = await self._store.message(notice.owner, notice.message_id)
        account = self._accounts.get(notice.owner)
        if message is None or account is None:
            return
        user = account.user
        owner = Party(user.raw_id, user.display_name, user.name)
        settings = (await self._store.box(notice.owner)).settings
        match notice.channel:
            case "webhook":
                if settings.webhook is not None:
                    secret = self._webhooks.secret(notice.owner, settings.webhook)
                    private = self._config.private_webhooks
                    await self._post(notice, owner, message, settings.webhook, secret, private=private)
            case "hub_webhook":
                if self._config.webhook is not None:
                    secret = self._config.webhook_secret
                    await self._post(notice, owner, message, self._config.webhook, secret, private=True)
            case "mail":
                if settings.mail is not None:
                    await self._mail(notice, owner, message, settings.mail)

    async def _post(
        self, notice: Notice, owner: Party, message: MailboxMessage, url: str, secret: str, *, private: bool
    ) -> None:
        shown = replace(await seen(self._blobs, notice.owner, message), peaks=())
        body = msgspec.json.encode(WebhookBody(notice.event, notice.created_at, Told(owner, shown)))
        await self._webhooks.post(url, secret, notice.id, body, private=private)
        _log.info("the %s has told message %s", notice.what, message.id)

    async def _mail(self, notice: Notice, owner: Party, message: MailboxMessage, mail: Mail) -> None:
        if self._config.smtp is None:
            return
        shown = await seen(self._blobs, notice.owner, message)
        composed = compose(
            notice_id=notice.id,
            sender=self._config.smtp.sender,
            to=mail.address,
            language=mail.language,
            owner=owner,
            message=shown,
            received_at=shown.received_at.astimezone(),
            sounds=await self._sounds(notice.owner, message, mail.attach),
            url=self._url + "/",
            now=datetime.now(UTC),
        )
        await send(self._config.smtp, composed)
        _log.info("the %s has told message %s", notice.what, message.id)

    async def _sounds(self, owner: str, message: MailboxMessage, attach: Attachment) -> list[Sound]:
        """Return what is attached; a sound that is lost, or too large, is not."""
        if attach == "none":
            return []
        parts = ["introduction"] * (message.envelope.introduction is not None) + ["audio"]
        found = []
        for part in parts:
            name = f"{'message' if part == 'audio' else part}-{message.envelope.received_at:%Y-%m-%d-%H%M}"
            try:
                content = await self._read(owner, sound_name(message.id, part))
                if attach == "mp3" and self._mp3 is not None:
                    found.append(Sound(f"{name}.mp3", "mpeg", await asyncio.to_thread(self._mp3, content)))
                else:
                    found.append(Sound(f"{name}.ogg", "ogg", content))
            except OSError as error:
                _log.warning("the %s of message %s is not attached: %s", part, message.id, error)
        return found

    async def _read(self, owner: str, name: str) -> bytes:
        content = bytearray()
        async for chunk in self._blobs.read(owner, name):
            content += chunk
            if len(content) > MAX_ATTACHED:
                raise OSError(f"it is larger than {MAX_ATTACHED} bytes")
        return bytes(content)


def _make_id() -> str:
    return uuid.uuid4().hex
