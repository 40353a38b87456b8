"""Messages on this disk: from the first frame that is recorded until the hub has them.

Each message is up to three files, named by its id: `.json`, the note, is there first and goes last;
`.ogg.part` is being recorded; `.ogg` is whole and waits to be filed.
"""

import asyncio
import logging
import sys
from datetime import datetime
from http import HTTPStatus
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote

import aiohttp
import msgspec
import tenacity
from msgspec import Struct

from media.recorder import OggRecorder, profile, repair
from media.sink import sync
from node.credential import TokenCredential, token_of
from node.events import Tasks
from node.voicemail.mailbox import TIMEOUT
from signaling.messages import Party

if sys.platform != "win32":
    import fcntl

log = logging.getLogger("callnode.voicemail")

PEAKS = 200
_LEAST_BYTES = 1024  # below it a part that cannot be read is a header, not a message
_UNREACHABLE = (aiohttp.ClientError, OSError, TimeoutError)
# Asking again does not help: the message stays here, and the next start asks once more.
_REFUSALS = {HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.FORBIDDEN}


class Note(Struct, frozen=True):
    """What is known of a message before it is recorded; `owner` is the raw id of the mailbox's owner."""

    id: str
    owner: str
    caller: Party
    transferor: Party | None
    received_at: datetime


class _Envelope(Struct, frozen=True):
    caller: Party
    transferor: Party | None
    received_at: datetime
    duration: float
    peaks: list[int]


class Outbox:
    """Record into a folder, and file from there at the hub; one process at a time has the folder.

    Raises OSError when the folder cannot be made, or another process has it.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._tasks = Tasks()
        self._posting: set[asyncio.Task[None]] = set()
        self._lock = _locked(folder / "lock")

    def record(self, note: Note) -> OggRecorder:
        """Begin a message; waits for the disk, and raises OSError if it cannot be written."""
        path = self._path(note.id, ".json")
        path.write_bytes(msgspec.json.encode(note))
        sync(path)
        tags = {"title": "Voice message", "artist": note.caller.display_name or note.caller.name}
        return OggRecorder(self._path(note.id, ".ogg.part"), tags=tags)

    def finish(self, note: Note, recorder: OggRecorder) -> None:
        """End a recording, so that it can be filed; waits for the disk, and raises OSError if that fails."""
        recorder.finish(self._path(note.id, ".ogg"))

    def discard(self, note: Note, recorder: OggRecorder | None = None) -> None:
        """Remove everything of a message; waits for the disk, and raises OSError if that fails."""
        if recorder is not None:
            recorder.close()
        for suffix in (".ogg.part", ".ogg", ".json"):
            self._path(note.id, suffix).unlink(missing_ok=True)

    def recover(self) -> list[Note]:
        """Make whole what a crash left, and return what is to be filed; waits for the disk."""
        found = []
        for path in sorted(self._folder.glob("*.json")):
            try:
                note = msgspec.json.decode(path.read_bytes(), type=Note)
                if self._recovered(note):
                    found.append(note)
            except (OSError, msgspec.DecodeError) as error:
                log.error("the message of %s cannot be recovered and stays: %s", path, error)
        return found

    def _recovered(self, note: Note) -> bool:
        part, whole = self._path(note.id, ".ogg.part"), self._path(note.id, ".ogg")
        if whole.exists():
            return True
        if part.exists() and repair(part, whole) is not None and profile(whole).heard_speech:
            log.info("message %s was recovered", note.id)
            return True
        bad = self._path(note.id, ".ogg.part.bad")
        if bad.exists() and bad.stat().st_size < _LEAST_BYTES:
            bad.unlink()
        self.discard(note)
        return False

    def post(self, note: Note, http: aiohttp.ClientSession, hub: str, credential: TokenCredential) -> None:
        """File a message at the hub in the background, as often as it takes."""
        task = self._tasks.spawn(self._post(note, http, hub, credential))
        self._posting.add(task)
        task.add_done_callback(self._posting.discard)

    async def settle(self, seconds: float) -> None:
        """Wait until all that is posted is filed, at most so long; what is not stays for the next start."""
        if self._posting:
            await asyncio.wait(self._posting, timeout=seconds)
        await self._tasks.close()

    def close(self) -> None:
        """Leave the folder to others."""
        self._lock.close()

    async def _post(
        self, note: Note, http: aiohttp.ClientSession, hub: str, credential: TokenCredential
    ) -> None:
        path = self._path(note.id, ".ogg")
        found = await asyncio.to_thread(profile, path)
        envelope = _Envelope(
            note.caller, note.transferor, note.received_at, found.duration, found.peaks(PEAKS)
        )
        sound = await asyncio.to_thread(path.read_bytes)
        url = f"{hub}/v1/mailboxes/{quote(note.owner, safe='')}/messages/{note.id}"
        async for attempt in tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception_type(_UNREACHABLE),
            wait=tenacity.wait_random_exponential(multiplier=0.5, max=60),
            before_sleep=lambda state: log.info("message %s is not filed yet, trying again", note.id),
        ):
            with attempt:
                headers = {"Authorization": f"Bearer {(await token_of(credential)).token}"}
                async with http.put(url, data=_form(envelope, sound), headers=headers) as response:
                    status, said = response.status, await response.text()
                if status not in _REFUSALS | {HTTPStatus.NOT_FOUND} and not response.ok:
                    raise aiohttp.ClientError(f"HTTP {status}")
        if status in _REFUSALS:
            log.error("the hub refuses message %s, which stays here: %s", note.id, said)
            return
        if status == HTTPStatus.NOT_FOUND:
            log.warning("message %s is discarded: its owner is no user any more", note.id)
        else:
            log.info("message %s is filed, %.1f s", note.id, found.duration)
        await asyncio.to_thread(self.discard, note)

    def _path(self, message_id: str, suffix: str) -> Path:
        return self._folder / (message_id + suffix)


def _form(envelope: _Envelope, sound: bytes) -> aiohttp.FormData:
    form = aiohttp.FormData(default_to_multipart=True)
    form.add_field("envelope", msgspec.json.encode(envelope).decode(), content_type="application/json")
    form.add_field("audio", sound, filename="message.ogg", content_type="audio/ogg")
    return form


def _locked(path: Path) -> BinaryIO:
    file = path.open("ab")
    if sys.platform != "win32":  # there, a file that another process has open cannot be moved or removed
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.close()
            message = f"another voicemail service records into {path.parent}; give this one its own folder"
            raise OSError(error.errno, message) from error
    return file
