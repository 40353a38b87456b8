"""A mailbox as its owner reads it, by the hub's REST API."""

import asyncio
from collections.abc import Sequence
from http import HTTPStatus
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, Literal
from urllib.parse import quote

import aiohttp
import msgspec

from node.errors import CallingError
from node.rest import answered
from node.trust import trusted
from signaling.mailboxes import (
    Folder,
    Forward,
    GreetingKind,
    Link,
    Listing,
    MailboxSettings,
    Message,
    Webhook,
)
from signaling.reasons import BAD_ARGUMENT, INVALID_TOKEN, NETWORK

SECONDS = 60.0  # that an answer may take; sounds are long

Part = Literal["audio", "introduction"]


class Mailbox:
    """The mailbox of the user of a token, on the hub at a URL.

    Every method raises CallingError: 495/4507 for a token the hub does not accept, 404/0 for a message that
    is not there or not this user's, 410/0 for a sound that is lost, 409/8523 for a mailbox that is full,
    400/8523 for what does not fit, 410/3100 when the hub cannot be reached.
    """

    def __init__(self, hub: str, token: str) -> None:
        self._hub = hub.rstrip("/")
        self._token = token
        self._below = ""  # the path of another way to a mailbox

    async def list(self, folder: Folder | None = None) -> list[Message]:
        """Return all messages of a folder, by default the new and the saved ones, newest first."""
        found: list[Message] = []
        query: dict[str, str] = {"folder": folder} if folder else {}
        while True:
            page = msgspec.json.decode(await self._ask("GET", "mailbox", params=query), type=Listing)
            found += page.messages
            if page.next is None:
                return found
            query["before"] = page.next

    async def audio(self, message_id: str, path: Path, part: Part = "audio") -> None:
        """Write the sound of a message, or its introduction (Ogg Opus), to a file; raises OSError too."""
        await asyncio.to_thread(path.write_bytes, await self.sound(message_id, part))

    async def export(self, message_id: str) -> bytes:
        """Return the sound of a message, as `sound` does; the audit trail calls it exported."""
        return await self._of(message_id, "GET", "/audio", params={"for": "export"})

    async def sounds(self, message: Message) -> Sequence[BinaryIO]:
        """Return what is to be heard of a message, in order: its introduction if it has one, its sound."""
        parts: tuple[Part, ...] = ("introduction", "audio")
        return [BytesIO(await self.sound(message.id, part)) for part in parts[message.introduction is None :]]

    async def sound(self, message_id: str, part: Part = "audio") -> bytes:
        """Return the sound of a message, or its introduction (Ogg Opus)."""
        return await self._of(message_id, "GET", f"/{part}")

    async def link(self, message_id: str) -> Link:
        """Return URLs, below the hub's, of a message's sound that need no token and expire in an hour."""
        return msgspec.json.decode(await self._of(message_id, "POST", "/link"), type=Link)

    async def mark(self, message_id: str, folder: Literal["new", "saved"]) -> None:
        """Put a message among the `saved` ones, which its owner has heard, or back among the `new`."""
        await self._of(message_id, "PATCH", json={"folder": folder})

    async def delete(self, message_id: str) -> None:
        """Delete a message; one that is deleted already, for good and with its sound."""
        await self._of(message_id, "DELETE")

    async def undelete(self, message_id: str) -> None:
        """Have a deleted message back, in the folder it was in."""
        await self._of(message_id, "PATCH", json={"folder": "undeleted"})

    async def forward(
        self, message_id: str, to: str, introduction: Path | None = None, seconds: float | None = None
    ) -> None:
        """Put a copy into a colleague's mailbox; an introduction is Ogg Opus, so many seconds long."""
        form = aiohttp.FormData(default_to_multipart=True)
        form.add_field("forward", msgspec.json.encode(Forward(to, seconds)).decode())
        if introduction is not None:
            form.add_field("audio", await asyncio.to_thread(introduction.read_bytes), filename="words.ogg")
        await self._of(message_id, "POST", "/forward", data=form)

    async def settings(self) -> MailboxSettings:
        """Return what the mailbox does with callers, and with what was heard."""
        return msgspec.json.decode(await self._ask("GET", "mailbox-settings"), type=MailboxSettings)

    async def set_settings(self, settings: MailboxSettings) -> None:
        """Replace the settings as a whole."""
        await self._ask("PUT", "mailbox-settings", data=msgspec.json.encode(settings))

    async def webhook(self) -> Webhook:
        """Return the webhook of the settings, and the secret with which it is signed."""
        return msgspec.json.decode(await self._ask("GET", "mailbox-webhook"), type=Webhook)

    async def set_pin(self, pin: str | None) -> None:
        """Set the PIN for hearing the mailbox from another one's phone; None forbids that."""
        if pin is None:
            await self._ask("DELETE", "mailbox-pin")
        else:
            await self._ask("PUT", "mailbox-pin", json={"pin": pin})

    async def greetings(self) -> tuple[GreetingKind, ...]:
        """Return which greetings of the owner's own there are."""
        return msgspec.json.decode(await self._ask("GET", "mailbox-greetings"), type=tuple[GreetingKind, ...])

    async def greeting(self, kind: GreetingKind) -> bytes:
        """Return a greeting (Ogg Opus)."""
        return await self._ask("GET", f"mailbox-greetings/{kind}")

    async def set_greeting(self, kind: GreetingKind, path: Path | None) -> None:
        """Have callers hear a greeting (Ogg Opus); None deletes it."""
        where = f"mailbox-greetings/{kind}"
        if path is None:
            await self._ask("DELETE", where)
        else:
            await self._ask("PUT", where, data=await asyncio.to_thread(path.read_bytes))

    async def _of(self, message_id: str, method: str, what: str = "", **options: Any) -> bytes:
        missing = f"There is no message {message_id} in this mailbox."
        return await self._ask(method, f"mailbox/{quote(message_id, safe='')}{what}", missing, **options)

    async def _ask(self, method: str, path: str, missing: str = "", **options: Any) -> bytes:
        headers = {"Authorization": f"Bearer {self._token}"}
        url, ssl = f"{self._hub}/v1/{self._below}{path}", trusted(self._token)
        try:
            response, body = await answered(method, url, seconds=SECONDS, headers=headers, ssl=ssl, **options)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            message = f"The hub at {self._hub} cannot be reached: {error or type(error).__name__}."
            raise CallingError(NETWORK.code, NETWORK.sub_code, message) from error
        if response.status == HTTPStatus.UNAUTHORIZED:
            raise CallingError.of(INVALID_TOKEN)
        if response.status == HTTPStatus.NOT_FOUND:
            raise CallingError(404, 0, missing or "There is none.")
        if not response.ok:
            sub_code = 0 if response.status == HTTPStatus.GONE else BAD_ARGUMENT.sub_code
            message = f"The hub refused: {_said(body) or response.reason}."
            raise CallingError(response.status, sub_code, message)
        return body


def _said(body: bytes) -> str:
    try:
        return str(msgspec.json.decode(body)["error"]["message"])
    except (msgspec.DecodeError, TypeError, KeyError):
        return ""
