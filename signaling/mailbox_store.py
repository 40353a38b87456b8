"""What the hub keeps of mailboxes; the part of the Store that is about them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from msgspec import Struct

from signaling.mailboxes import AuditAction, Envelope, Folder, MailboxSettings, Query, Utc
from signaling.notices import Notice

RESERVED_SECONDS = 7200.0  # longer than any recording; then its place counts no more


class MailboxMessage(Struct, frozen=True):
    """One voice message in its owner's mailbox."""

    id: str
    folder: Folder
    envelope: Envelope


class Counts(Struct, frozen=True):
    """How many messages wait in a mailbox."""

    new: int
    saved: int


class Box(Struct, frozen=True):
    """What an owner has set; `pin` is its salted hash, empty where there is none."""

    settings: MailboxSettings = MailboxSettings()
    pin: str = ""


class Audited(Struct, frozen=True):
    """An entry of the audit trail, parties by raw id, "" where not known; the store numbers it."""

    owner: str
    at: Utc
    action: AuditAction
    by: str
    address: str
    message: str | None = None
    detail: str = ""
    number: int = 0


class AuditStore(Protocol):
    """The audit trail: entries are never changed."""

    async def add_audit(self, entry: Audited) -> None:
        """Append an entry."""
        ...

    async def audit(self, owner: str | None, limit: int, before: int | None) -> list[Audited]:
        """Return the latest entries of an owner, or of all, newest first, before a number."""
        ...

    async def forget_audit(self, before: datetime) -> int:
        """Delete the entries before a moment; return how many there were."""
        ...


class MailboxStore(Protocol):
    """Mailboxes by the raw id of their owners. Every method may raise the backend's own error."""

    async def reserve(self, owner: str, message_id: str, now: datetime, quota: int) -> bool:
        """Keep a place for a message that is being recorded; return False if the mailbox is full.

        New and saved messages fill it, and places kept in the last two hours. An id that has its place, or
        was filed, keeps it.
        """
        ...

    async def release(self, owner: str, message_id: str) -> None:
        """Give up the place of a message that was not filed."""
        ...

    async def is_full(self, owner: str, now: datetime, quota: int) -> bool:
        """Tell whether there is no place for another message."""
        ...

    async def add_message(self, owner: str, message: MailboxMessage, notices: Sequence[Notice] = ()) -> bool:
        """File a message, with what is to be told of it.

        Return False, and change nothing, if that id was ever filed for the owner.
        """
        ...

    async def set_transcript(
        self, owner: str, message_id: str, understood: bool, notices: Sequence[Notice], now: datetime
    ) -> bool:
        """Write whether there is a transcript, with what is to be told of it, and let no notice wait for it.

        Return False if there is no message.
        """
        ...

    async def was_filed(self, owner: str, message_id: str) -> bool:
        """Tell whether a message was ever filed, even if it was deleted since."""
        ...

    async def messages(self, owner: str, query: Query) -> list[MailboxMessage]:
        """Return messages of the owner, newest first."""
        ...

    async def message(self, owner: str, message_id: str) -> MailboxMessage | None:
        """Return one message of the owner, None if there is none."""
        ...

    async def move_message(
        self, owner: str, message_id: str, folder: Folder | None, now: datetime
    ) -> Folder | None:
        """Put a message into a folder, or with None back into the one it was in before it was deleted.

        Return where it is now, None if there is none; only with None does a deleted one leave its folder.
        """
        ...

    async def purge_message(self, owner: str, message_id: str) -> bool:
        """Forget a message; return False if there is none. Its id stays known, so it is not filed again."""
        ...

    async def expired(self, now: datetime, deleted_days: float) -> list[tuple[str, str]]:
        """Return owners and ids of messages past the owner's retention, or deleted for so many days."""
        ...

    async def counts(self, owner: str) -> Counts:
        """Return how many messages wait."""
        ...

    async def box(self, owner: str) -> Box:
        """Return what the owner has set."""
        ...

    async def save_box(self, owner: str, box: Box) -> None:
        """Write what the owner has set."""
        ...
