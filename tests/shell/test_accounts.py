"""What the store did not keep is not acted on; what is revoked is void before it is kept."""

from collections.abc import AsyncIterator

import pytest

from signaling.accounts import AccountError, Accounts
from signaling.call import CallRecord, LegEnd
from signaling.history import History
from signaling.reasons import HUNG_UP
from signaling.settings import Settings, User
from signaling.sql import SqlStore
from signaling.store import HistoryQuery
from signaling.tokens import InvalidTokenError, Tokens

pytestmark = pytest.mark.shell

TOKENS = Tokens(b"k" * 32, "http://hub")


class Seen:
    """Take down what becomes of users."""

    def __init__(self) -> None:
        self.events: list[tuple[str, str]] = []

    def changed(self, user: User) -> None:
        self.events.append(("changed", user.name))

    def revoked(self, raw_id: str) -> None:
        self.events.append(("revoked", raw_id))

    def removed(self, raw_id: str) -> None:
        self.events.append(("removed", raw_id))


@pytest.fixture
async def store() -> AsyncIterator[SqlStore]:
    opened = await SqlStore.open("sqlite://")
    yield opened
    await opened.close()


@pytest.fixture
async def accounts(store: SqlStore) -> Accounts:
    made = Accounts(store, TOKENS, Seen())
    await made.load()
    return made


async def failing(*_: object) -> None:
    raise OSError("no space left")


async def test_a_second_hub_reads_what_the_first_wrote(store: SqlStore, accounts: Accounts) -> None:
    alice = await accounts.named("alice", "Alice")
    alice = await accounts.set_aliases(alice, ("+49301",))
    alice = await accounts.set_settings(alice, Settings(unanswered_delay=60))
    await accounts.revoke(alice)
    await accounts.delete(await accounts.create("bob"))
    seen = Seen()
    again = Accounts(store, TOKENS, seen)
    await again.load()
    assert seen.events == [("changed", "alice")]
    found = again.find("+49301")
    assert found is not None
    assert found.user == alice.user
    assert found.token_version == 1


async def test_a_name_cannot_be_taken_twice(accounts: Accounts) -> None:
    await accounts.create("alice")
    for name, said in (("alice", "taken"), ("Alice", "short name"), ("a b", "short name")):
        with pytest.raises(AccountError, match=said):
            await accounts.create(name)


async def test_twenty_aliases_at_most(accounts: Accounts) -> None:
    alice = await accounts.create("alice")
    with pytest.raises(AccountError, match="at most"):
        await accounts.set_aliases(alice, tuple(f"+4930{n}" for n in range(21)))


async def test_a_failed_write_leaves_no_trace(
    store: SqlStore, accounts: Accounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice = await accounts.create("alice")
    monkeypatch.setattr(store, "save_account", failing)
    with pytest.raises(OSError, match="space"):
        await accounts.create("bob")
    with pytest.raises(OSError, match="space"):
        await accounts.set_settings(alice, Settings(unanswered=None))
    assert accounts.find("bob") is None
    assert accounts.get(alice.user.raw_id) == alice


async def test_revocation_acts_even_if_it_cannot_be_kept(
    store: SqlStore, accounts: Accounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice = await accounts.create("alice")
    token, _ = TOKENS.issue(alice.user.raw_id, alice.token_version)
    assert accounts.authorise(token).raw_id == alice.user.raw_id
    monkeypatch.setattr(store, "save_account", failing)
    with pytest.raises(OSError, match="space"):
        await accounts.revoke(alice)
    with pytest.raises(InvalidTokenError, match="revoked"):
        accounts.authorise(token)


async def test_history_that_cannot_be_kept_is_logged(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(store, "add_history", failing)
    history = History(store)
    history.add(CallRecord("c1", "a", "b", None, None, 1.0, None, 2.0, HUNG_UP))
    await history.close()
    assert "1 calls are missing in the history" in caplog.text


async def test_history_is_filed_on_close(store: SqlStore) -> None:
    history = History(store)
    for number in range(3):
        ends = (LegEnd("a", HUNG_UP),)
        history.add(CallRecord(f"c{number}", "a", "b", None, None, 1.0, 1.5, 2.0, HUNG_UP, legs=ends))
    await history.close()
    found = await store.history("a", HistoryQuery())
    assert [entry.call_id for entry in found] == ["c2", "c1", "c0"]
    assert (found[0].ended_at - found[0].placed_at).total_seconds() == pytest.approx(1.0, abs=1e-3)
