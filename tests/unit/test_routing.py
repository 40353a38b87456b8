"""Who rings next: forwarding, unanswered, declined and busy rules, and loops (spec §5)."""

from typing import Any

import pytest

from signaling.reasons import BUSY, DECLINED, NO_ANSWER, OFFLINE, TOO_MANY_HOPS, UNKNOWN_USER, Reason
from signaling.routing import MAX_HOPS, RING_SECONDS, Deposit, Directory, Plan, Refuse, Ring, after, start
from signaling.settings import Settings, ToPerson, ToVoicemail, User

pytestmark = pytest.mark.unit

NOBODY: frozenset[str] = frozenset()


def user(name: str, *aliases: str, **settings: Any) -> User:
    return User(f"8:acs:{name}", name, name.title(), aliases, Settings(**{"unanswered": None, **settings}))


def directory(*users: User) -> Directory:
    book = Directory()
    for one in users:
        book.put(one)
    return book


def everyone(book: Directory) -> set[str]:
    return set(book.users)


# --- the directory


@pytest.mark.parametrize(
    "text", ["8:acs:ann", "ann", " Ann ", "+4930123456", "4:+4930123456", "8:orgid:45AB", "8:orgid:45ab"]
)
def test_a_user_is_found_by_every_name(text: str) -> None:
    ann = user("ann", "+4930123456", "8:orgid:45ab")
    assert directory(ann, user("bob")).find(text) == ann


@pytest.mark.parametrize("text", ["", " ", "an", "8:acs:an", "+4930123457", "4:ann"])
def test_others_are_not_found(text: str) -> None:
    assert directory(user("ann", "+4930123456"), User("8:acs:nameless")).find(text) is None


def test_a_changed_user_has_only_the_new_names() -> None:
    book = directory(user("ann", "+4930123456"), user("bob"))
    book.put(User("8:acs:ann", "anna"))
    assert book.find("ann") is book.find("+4930123456") is None
    assert book.find("anna") == User("8:acs:ann", "anna")
    assert book.find("bob") == user("bob")


def test_a_removed_user_is_forgotten_with_every_name() -> None:
    book = directory(user("ann"))
    book.remove("8:acs:ann")
    book.remove("8:acs:ann")
    assert book.find("ann") is book.find("8:acs:ann") is None


# --- the first step


def test_without_rules_a_user_rings_a_minute() -> None:
    ann = user("ann")
    step = start(ann, Plan(), directory(ann), {"8:acs:ann"})
    assert step == Ring(ann, RING_SECONDS, Plan(("8:acs:ann",)))


def test_with_an_unanswered_rule_a_user_rings_for_its_delay() -> None:
    ann = user("ann", unanswered=ToVoicemail(), unanswered_delay=40)
    step = start(ann, Plan(), directory(ann), {"8:acs:ann"})
    assert step == Ring(ann, 40.0, Plan(("8:acs:ann",)))


def test_offline_counts_as_unanswered_at_once() -> None:
    plan = Plan(("8:acs:ann",))
    ann = user("ann")
    assert start(ann, Plan(), directory(ann), NOBODY) == Refuse(OFFLINE)
    ann = user("ann", unanswered=ToVoicemail())
    assert start(ann, Plan(), directory(ann), NOBODY) == Deposit(ann, OFFLINE, plan)


def test_immediate_forward_does_not_ring_the_dialled_user() -> None:
    ann, bob = user("ann", forwarding=ToPerson("bob")), user("bob")
    book = directory(ann, bob)
    plan = Plan(("8:acs:ann", "8:acs:bob"))
    assert start(ann, Plan(), book, everyone(book)) == Ring(bob, RING_SECONDS, plan)


def test_immediate_forward_to_the_own_mailbox() -> None:
    ann = user("ann", forwarding=ToVoicemail())
    assert start(ann, Plan(), directory(ann), {"8:acs:ann"}) == Deposit(ann, OFFLINE, Plan(("8:acs:ann",)))


def test_a_forward_to_nobody_is_refused() -> None:
    ann = user("ann", forwarding=ToPerson("gone"))
    assert start(ann, Plan(), directory(ann), {"8:acs:ann"}) == Refuse(UNKNOWN_USER)


def test_direct_ignores_forwarding_and_unanswered_but_keeps_the_delay() -> None:
    ann = user("ann", forwarding=ToPerson("bob"), unanswered=None, unanswered_delay=30)
    book = directory(ann, user("bob"))
    plan = Plan(direct=True)
    step = start(ann, plan, book, everyone(book))
    assert step == Ring(ann, 30.0, Plan(("8:acs:ann",), direct=True))
    assert start(ann, plan, book, NOBODY) == Refuse(OFFLINE)


# --- the next step


@pytest.mark.parametrize(
    ("reason", "rule"),
    [(NO_ANSWER, "unanswered"), (OFFLINE, "unanswered"), (DECLINED, "declined"), (BUSY, "busy")],
)
def test_each_reason_has_its_own_rule(reason: Reason, rule: str) -> None:
    ann = user("ann", **{rule: ToPerson("bob")})
    book = directory(ann, user("bob"))
    plan = Plan(("8:acs:ann",))
    assert after(ann, reason, plan, book, everyone(book)) == Ring(
        user("bob"), RING_SECONDS, Plan(("8:acs:ann", "8:acs:bob"))
    )
    without = user("ann", **{r: ToVoicemail() for r in ("unanswered", "declined", "busy") if r != rule})
    assert after(without, reason, plan, book, everyone(book)) == Refuse(reason)


def test_direct_ends_with_the_first_refusal() -> None:
    ann = user("ann", declined=ToVoicemail())
    plan = Plan(("8:acs:ann",), direct=True)
    assert after(ann, DECLINED, plan, directory(ann), {"8:acs:ann"}) == Refuse(DECLINED)


# --- loops


def test_a_loop_is_cut_when_met() -> None:
    ann, bob = user("ann", forwarding=ToPerson("bob")), user("bob", forwarding=ToPerson("ann"))
    book = directory(ann, bob)
    assert start(ann, Plan(), book, everyone(book)) == Refuse(TOO_MANY_HOPS)


def test_those_who_must_not_ring_do_not() -> None:
    ann = user("ann", unanswered=ToPerson("bob"))
    book = directory(ann, user("bob"))
    plan = Plan(never=frozenset({"8:acs:bob"}))
    assert start(ann, plan, book, NOBODY) == Refuse(TOO_MANY_HOPS)


@pytest.mark.parametrize(("forwards", "rings"), [(MAX_HOPS, True), (MAX_HOPS + 1, False)])
def test_at_most_ten_forwards(forwards: int, rings: bool) -> None:
    chain = [user(f"u{i}", forwarding=ToPerson(f"u{i + 1}")) for i in range(forwards)]
    last = user(f"u{forwards}")
    book = directory(*chain, last)
    step = start(chain[0], Plan(), book, everyone(book))
    if rings:
        assert isinstance(step, Ring) and step.user == last
        assert len(step.plan.path) == forwards + 1
    else:
        assert step == Refuse(TOO_MANY_HOPS)
