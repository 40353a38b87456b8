"""What the hub keeps: accounts, call history, mailboxes. One protocol, an implementation a file."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal, Protocol

from msgspec import Meta, Struct

from signaling.call import LegEnd
from signaling.parts import OutcomeKind, Party
from signaling.reasons import Reason
from signaling.settings import User

Folder = Literal["new", "saved"]
Utc = Annotated[datetime, Meta(tz=True)]


class Account(Struct, frozen=True):
    """A user and the version its tokens must carry; a higher one revokes all tokens before."""

    user: User
    token_version: int = 0


class HistoryEntry(Struct, frozen=True):
    """One call as the history keeps it; parties by raw id. The store numbers it, the later the higher."""

    call_id: str
    caller: str
    callee: str
    transferor: str | None
    kind: OutcomeKind | None
    placed_at: Utc
    answered_at: Utc | None
    ended_at: Utc
    reason: Reason
    answered_by: str | None = None
    via: tuple[str, ...] = ()
    legs: tuple[LegEnd, ...] = ()
    number: int = 0


class HistoryQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """Which calls of a user: the latest `limit` before a number, in one direction, missed, with a party.

    Missed is an incoming call that no person answered.
    """

    limit: Annotated[int, Meta(ge=1, le=500)] = 50
    before: Annotated[int, Meta(ge=1, le=2**31 - 1)] | None = None
    direction: Literal["incoming", "outgoing"] | None = None
    missed: bool = False
    party: str | None = None


class Envelope(Struct, frozen=True):
    """What is known of a voice message besides its sound: duration in s, peaks of its waveform 0..255."""

    caller: Party
    received_at: Utc
    duration: Annotated[float, Meta(ge=0, le=24 * 3600)]
    transferor: Party | None = None
    peaks: Annotated[tuple[Annotated[int, Meta(ge=0, le=65535)], ...], Meta(max_length=4096)] = ()


class MailboxMessage(Struct, frozen=True):
    """One voice message in its owner's mailbox."""

    id: str
    folder: Folder
    envelope: Envelope


class Counts(Struct, frozen=True):
    """How many messages wait in a mailbox."""

    new: int
    saved: int


class Store(Protocol):
    """The hub's memory. Every method may raise the backend's own error."""

    async def resource(self) -> str:
        """Return the GUID of this resource, made once; raw ids begin with it."""
        ...

    async def accounts(self) -> list[Account]:
        """Return all accounts."""
        ...

    async def save_account(self, account: Account) -> None:
        """Write an account, new or changed."""
        ...

    async def delete_account(self, raw_id: str) -> None:
        """Delete an account with its mailbox."""
        ...

    async def add_history(self, entries: Sequence[HistoryEntry]) -> None:
        """Append a batch of calls."""
        ...

    async def history(self, raw_id: str, query: HistoryQuery) -> list[HistoryEntry]:
        """Return calls that a user had a part in, newest first."""
        ...

    async def add_message(self, owner: str, message: MailboxMessage) -> bool:
        """File a message; return False, and change nothing, if that id was ever filed for the owner."""
        ...

    async def was_filed(self, owner: str, message_id: str) -> bool:
        """Tell whether a message was ever filed, even if it was deleted since."""
        ...

    async def messages(self, owner: str) -> list[MailboxMessage]:
        """Return the owner's messages, newest first."""
        ...

    async def message(self, owner: str, message_id: str) -> MailboxMessage | None:
        """Return one message of the owner, None if there is none."""
        ...

    async def move_message(self, owner: str, message_id: str, folder: Folder) -> bool:
        """Put a message into a folder; return False if there is none."""
        ...

    async def delete_message(self, owner: str, message_id: str) -> bool:
        """Delete a message; return False if there is none. Its id stays known, so it is not filed again."""
        ...

    async def counts(self, owner: str) -> Counts:
        """Return how many messages wait."""
        ...

    async def close(self) -> None:
        """Let go of everything."""
        ...
