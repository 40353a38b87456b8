"""Messages on this disk: from the first frame that is recorded until the hub has them.

A message is up to three files, named by its id: `.json`, the note, is there first and goes last; `.ogg.part`
is being recorded; `.ogg` is whole and waits to be filed. All functions wait for the disk.
"""

import logging
import sys
from collections.abc import Callable
from datetime import datetime
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Protocol

import msgspec
from msgspec import Struct

from media.recorder import OggRecorder, profile, repair
from media.sink import sync
from signaling.mailboxes import Language
from signaling.parts import Party

if sys.platform != "win32":
    import fcntl

log = logging.getLogger("callnode.voicemail")

_LEAST_BYTES = 1024  # below it a part that cannot be read is a mere header


class Note(Struct, frozen=True):
    """What is known of a message before it is recorded; `owner` is the raw id of the mailbox's owner.

    `language` is what its caller is told in.
    """

    id: str
    owner: str
    caller: Party
    transferor: Party | None
    received_at: datetime
    urgent: bool = False
    language: Language = "en"


class Sealing(Protocol):
    """What sound is encrypted with; notes, which say who called whom, are not."""

    def wrapper(self, place: str) -> Callable[[bytes], bytes]:
        """Return what seals one record after the other, for a file that grows by them."""
        ...

    def unwrap(self, place: str, stored: bytes) -> bytes:
        """Return the whole records of a file, or what is not sealed as it is; raises OSError if it cannot."""
        ...


class Plain:
    """No sealing."""

    def wrapper(self, place: str) -> Callable[[bytes], bytes]:
        """Return what leaves everything as it is."""
        return bytes

    def unwrap(self, place: str, stored: bytes) -> bytes:
        """Return what is there."""
        return stored


class Outbox:
    """A folder of messages; one process at a time has it.

    Raises OSError when the folder cannot be made, or another process has it. All methods may raise OSError.
    """

    def __init__(self, folder: Path, sealing: Sealing | None = None) -> None:
        self._sealing = sealing or Plain()
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._lock = _locked(folder / "lock")

    def record(self, note: Note) -> OggRecorder:
        """Begin a message."""
        path = self._path(note, ".json")
        path.write_bytes(msgspec.json.encode(note))
        sync(path)
        tags = {"title": "Voice message", "artist": note.caller.display_name or note.caller.name}
        return OggRecorder(self._path(note, ".ogg.part"), tags=tags, wrap=self._sealing.wrapper(note.id))

    def keep(self, note: Note) -> None:
        """Keep what is known of a message now, in one step."""
        part = self._path(note, ".json.part")
        part.write_bytes(msgspec.json.encode(note))
        sync(part)
        part.replace(self._path(note, ".json"))

    def finish(self, note: Note, recorder: OggRecorder) -> None:
        """End the recording of a message, which is to be filed from now on."""
        recorder.finish(self._path(note, ".ogg"))

    def heard(self, note: Note, recorder: OggRecorder) -> BinaryIO:
        """Return what a recorder that was closed has recorded (Ogg Opus)."""
        return BytesIO(self._sealing.unwrap(note.id, recorder.path.read_bytes()))

    def sound(self, note: Note) -> bytes:
        """Return the sound of a message that is to be filed (Ogg Opus)."""
        return self._sealing.unwrap(note.id, self._path(note, ".ogg").read_bytes())

    def discard(self, note: Note) -> None:
        """Remove everything of a message."""
        for suffix in (".ogg.part", ".ogg", ".json.part", ".json"):
            self._path(note, suffix).unlink(missing_ok=True)

    def recover(self) -> list[Note]:
        """Make whole what a crash left, and return what is to be filed; what cannot be read stays."""
        found = []
        for path in sorted(self._folder.glob("*.json")):
            try:
                note = msgspec.json.decode(path.read_bytes(), type=Note)
                if self._recovered(note):
                    found.append(note)
                else:
                    self.discard(note)
            except (OSError, msgspec.DecodeError) as error:
                log.error("the message of %s cannot be recovered and stays: %s", path.name, error)
        return found

    def close(self) -> None:
        """Leave the folder to others."""
        self._lock.close()

    def _recovered(self, note: Note) -> bool:
        """Make a message whole; return whether there is something to be filed."""
        part, whole = self._path(note, ".ogg.part"), self._path(note, ".ogg")
        if whole.exists():
            return True
        if not part.exists():
            return False

        unwrap = partial(self._sealing.unwrap, note.id)
        if repair(part, whole, unwrap=unwrap, wrap=self._sealing.wrapper(note.id)) is None:
            bad = part.with_name(part.name + ".bad")
            if bad.stat().st_size < _LEAST_BYTES:
                bad.unlink()
            return False
        return profile(BytesIO(self.sound(note))).heard_speech

    def _path(self, note: Note, suffix: str) -> Path:
        return self._folder / (note.id + suffix)


def _locked(path: Path) -> BinaryIO:
    file = path.open("ab")
    if sys.platform != "win32":  # where a file that is open elsewhere can be neither moved nor removed
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.close()
            message = f"another voicemail service records into {path.parent}; give this one its own folder"
            raise OSError(error.errno, message) from error
    return file
