"""A mailbox as its owner reads it, by the hub's REST API."""

import asyncio
from datetime import datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

import aiohttp
import msgspec
from msgspec import Struct

from node.errors import CallingError
from signaling.parts import Party
from signaling.reasons import BAD_ARGUMENT, INVALID_TOKEN, NETWORK

Folder = Literal["new", "saved"]

TIMEOUT = aiohttp.ClientTimeout(total=60.0)


class Message(Struct, frozen=True):
    """One voice message: duration in seconds, `received_at` in UTC, peaks of its waveform 0 to 255."""

    id: str
    folder: Folder
    caller: Party
    received_at: datetime
    duration: float
    transferor: Party | None = None
    peaks: tuple[int, ...] = ()


class _Listing(Struct):
    messages: list[Message]


class Mailbox:
    """The mailbox of the user of a token, on the hub at a URL.

    Every method raises CallingError: 495/4507 for a token the hub does not accept, 404/0 for a message that
    is not there or not this user's, 410/3100 when the hub cannot be reached.
    """

    def __init__(self, hub: str, token: str) -> None:
        self._hub = hub.rstrip("/")
        self._token = token

    async def list(self) -> list[Message]:
        """Return all messages, newest first."""
        return msgspec.json.decode(await self._ask("GET"), type=_Listing).messages

    async def audio(self, message_id: str, path: Path) -> None:
        """Write the sound of a message (Ogg Opus) to a file; raises OSError if that fails."""
        sound = await self._ask("GET", message_id, "/audio")
        await asyncio.to_thread(path.write_bytes, sound)

    async def mark(self, message_id: str, folder: Folder) -> None:
        """Put a message among the `saved` ones, which its owner has heard, or back among the `new`."""
        await self._ask("PATCH", message_id, json={"folder": folder})

    async def delete(self, message_id: str) -> None:
        """Delete a message and its sound."""
        await self._ask("DELETE", message_id)

    async def _ask(self, method: str, message_id: str = "", what: str = "", **options: Any) -> bytes:
        path = f"/v1/mailbox/{quote(message_id, safe='')}{what}" if message_id else "/v1/mailbox"
        headers = {"Authorization": f"Bearer {self._token}"}
        try:
            async with (
                aiohttp.ClientSession(timeout=TIMEOUT, headers=headers) as http,
                http.request(method, self._hub + path, **options) as response,
            ):
                body = await response.read()
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            message = f"The hub at {self._hub} cannot be reached: {error or type(error).__name__}."
            raise CallingError(NETWORK.code, NETWORK.sub_code, message) from error
        if response.status == HTTPStatus.UNAUTHORIZED:
            raise CallingError.of(INVALID_TOKEN)
        if response.status == HTTPStatus.NOT_FOUND:
            raise CallingError(404, 0, f"There is no message {message_id} in this mailbox.")
        if not response.ok:
            message = f"The hub refused: {_said(body) or response.reason}."
            raise CallingError(response.status, BAD_ARGUMENT.sub_code, message)
        return body


def _said(body: bytes) -> str:
    try:
        return str(msgspec.json.decode(body)["error"]["message"])
    except (msgspec.DecodeError, TypeError, KeyError):
        return ""
