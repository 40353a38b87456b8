"""What the hub keeps: accounts, call history, surveys, mailboxes. One protocol, an implementation a file."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal, Protocol

from msgspec import Meta, Struct

from signaling.call import LegEnd
from signaling.mailbox_store import AuditStore, MailboxStore
from signaling.mailboxes import Utc
from signaling.notice_store import NoticeStore
from signaling.parts import OutcomeKind
from signaling.reasons import Reason
from signaling.settings import User
from signaling.surveys import CallSurvey, SurveyEntry, SurveyQuery


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


class Store(MailboxStore, AuditStore, NoticeStore, Protocol):
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
        """Delete an account with its mailbox and surveys."""
        ...

    async def add_history(self, entries: Sequence[HistoryEntry]) -> None:
        """Append a batch of calls."""
        ...

    async def history(self, raw_id: str, query: HistoryQuery) -> list[HistoryEntry]:
        """Return calls that a user had a part in, newest first."""
        ...

    async def had_part(self, raw_id: str, call_id: str) -> bool:
        """Tell whether the history has a call with a user in it."""
        ...

    async def save_survey(self, raw_id: str, call_id: str, survey: CallSurvey, now: datetime) -> int:
        """File a user's survey of a call, in the place of an earlier one; return its number."""
        ...

    async def surveys(self, query: SurveyQuery) -> list[SurveyEntry]:
        """Return surveys of all users, newest first; whose they are by raw id alone."""
        ...

    async def close(self) -> None:
        """Let go of everything."""
        ...
