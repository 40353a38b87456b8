"""All accounts, in memory and written through to the store; so that a token is checked without waiting.

What changes is changed in memory first: a revocation acts at once.
"""

import re
import uuid
from typing import Protocol

from msgspec.structs import replace

from signaling.call import as_party
from signaling.identifiers import (
    CommunicationUserIdentifier,
    UnknownIdentifier,
    identifier_from_raw_id,
)
from signaling.parts import Party
from signaling.routing import Directory
from signaling.rules import objection
from signaling.settings import Settings, User, printable
from signaling.store import Account, Store
from signaling.tokens import Grant, InvalidTokenError, Tokens

MAX_ALIASES = 20
_SHORT_NAME = re.compile(r"[a-z0-9._-]{1,64}")


class AccountError(ValueError):
    """A name or alias that cannot be given; the message says why."""


class Watcher(Protocol):
    """Whoever must know at once what becomes of users."""

    def changed(self, user: User) -> None:
        """Learn that a user is new or changed."""

    def revoked(self, raw_id: str) -> None:
        """Learn that all tokens of a user are void."""

    def removed(self, raw_id: str) -> None:
        """Learn that a user is deleted."""


class Accounts:
    """The accounts of one resource."""

    def __init__(self, store: Store, tokens: Tokens, watcher: Watcher) -> None:
        self._store = store
        self._tokens = tokens
        self._watcher = watcher
        self._accounts: dict[str, Account] = {}
        self._directory = Directory()
        self._prefix = ""

    async def load(self) -> None:
        """Read all accounts from the store."""
        self._prefix = f"8:acs:{await self._store.resource()}_"
        for account in await self._store.accounts():
            self._put(account)

    def get(self, raw_id: str) -> Account | None:
        """Return the account of a raw id, None if there is none."""
        return self._accounts.get(raw_id)

    def party(self, raw_id: str) -> Party:
        """Return a user as others see it; of one that was deleted there is but the raw id."""
        account = self.get(raw_id)
        return Party(raw_id) if account is None else as_party(account.user)

    def find(self, text: str) -> Account | None:
        """Return the account that a raw id, number, orgid or short name stands for."""
        user = self._directory.find(text)
        return None if user is None else self.get(user.raw_id)

    def authorise(self, token: str) -> Grant:
        """Return what a token grants now; raises InvalidTokenError, also for one that was revoked."""
        grant = self._tokens.verify(token)
        account = self.get(grant.raw_id)
        if account is None or account.token_version != grant.version:
            raise InvalidTokenError("the token was revoked")
        return grant

    async def create(self, name: str = "", display_name: str = "") -> Account:
        """Return a new account; raises AccountError for a name that is taken or malformed."""
        if name and not _SHORT_NAME.fullmatch(name):
            raise AccountError("a short name has 1 to 64 of a-z 0-9 . _ -")
        if name and self._directory.find(name):
            raise AccountError(f"the name {name} is taken")
        return await self._save(Account(User(f"{self._prefix}{uuid.uuid4()}", name, printable(display_name))))

    async def named(self, name: str, display_name: str | None = None) -> Account:
        """Return the account with a short name, made if there is none; raises AccountError."""
        user = self._directory.find(name)
        if user is None or user.name != name:
            return await self.create(name, display_name or "")
        account = self._accounts[user.raw_id]
        shown = user.display_name if display_name is None else printable(display_name)
        if shown == user.display_name:
            return account
        return await self._save(replace(account, user=replace(user, display_name=shown)))

    async def set_aliases(self, account: Account, aliases: tuple[str, ...]) -> Account:
        """Give a user phone numbers (E.164) and orgids, and no others; raises AccountError."""
        raw_ids = tuple(dict.fromkeys(identifier_from_raw_id(alias.strip()).raw_id for alias in aliases))
        if len(raw_ids) > MAX_ALIASES:
            raise AccountError(f"a user has at most {MAX_ALIASES} aliases")
        for raw_id in raw_ids:
            kind = identifier_from_raw_id(raw_id)
            if isinstance(kind, UnknownIdentifier | CommunicationUserIdentifier):
                raise AccountError(f"not a phone number such as +49301234567 or an orgid: {raw_id!r}")
            owner = self._directory.find(raw_id)
            if owner is not None and owner.raw_id != account.user.raw_id:
                raise AccountError(f"{raw_id} belongs to another user")
        return await self._save(replace(account, user=replace(account.user, aliases=raw_ids)))

    def objection(self, account: Account, settings: Settings) -> str | None:
        """Return the sentence that says why a user cannot have these settings, None if it can."""
        return objection(account.user, settings, self._directory)

    async def set_settings(self, account: Account, settings: Settings) -> Account:
        """Replace a user's forwarding and unanswered settings."""
        return await self._save(replace(account, user=replace(account.user, settings=settings)))

    async def revoke(self, account: Account) -> None:
        """Make all tokens of a user void, at once."""
        raised = replace(account, token_version=account.token_version + 1)
        self._put(raised)
        self._watcher.revoked(account.user.raw_id)
        await self._store.save_account(raised)

    async def delete(self, account: Account) -> None:
        """Delete a user with its tokens and mailbox, at once."""
        raw_id = account.user.raw_id
        self._forget(raw_id)
        await self._store.delete_account(raw_id)

    async def _save(self, account: Account) -> Account:
        raw_id = account.user.raw_id
        before = self._accounts.get(raw_id)
        self._put(account)
        try:
            await self._store.save_account(account)
        except Exception:
            # What was not kept must not be acted on.
            if before is None:
                self._forget(raw_id)
            else:
                self._put(before)
            raise
        return account

    def _put(self, account: Account) -> None:
        self._accounts[account.user.raw_id] = account
        self._directory.put(account.user)
        self._watcher.changed(account.user)

    def _forget(self, raw_id: str) -> None:
        self._accounts.pop(raw_id, None)
        self._directory.remove(raw_id)
        self._watcher.removed(raw_id)
