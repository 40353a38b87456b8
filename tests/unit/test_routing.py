"""Who rings next: forwarding, companions, groups, every rule, do-not-disturb, and loops (spec §5)."""

from collections.abc import Iterable
from typing import Any

import pytest
from msgspec.structs import replace

from signaling.reasons import (
    BUSY,
    DECLINED,
    DO_NOT_DISTURB,
    NO_ANSWER,
    OFFLINE,
    TOO_MANY_HOPS,
    UNKNOWN_USER,
    Reason,
)
from signaling.routing import (
    MAX_HOPS,
    RING_SECONDS,
    Deposit,
    Directory,
    Plan,
    Refuse,
    Ring,
    Situation,
    after,
    start,
)
from signaling.settings import Group, Settings, ToGroup, ToPerson, ToVoicemail, User

pytestmark = pytest.mark.unit


def user(name: str, *aliases: str, **settings: Any) -> User:
    return User(f"8:acs:{name}", name, name.title(), aliases, Settings(**{"unanswered": None, **settings}))


def directory(*users: User) -> Directory:
    book = Directory()
    for one in users:
        book.put(one)
    return book


def situation(*users: User, offline: Iterable[str] = (), busy: Iterable[str] = ()) -> Situation:
    """Return the moment in which all users are online and free, but for those who are named."""
    book = directory(*users)
    online = {raw_id for raw_id, one in book.users.items() if one.name not in set(offline)}
    taken = set(busy)
    return Situation(book, online, lambda one: one.name in taken)


def way(*names: str, rung: str = "") -> Plan:
    """Return the plan of a call that went over these, and rang at those."""
    ids = frozenset(f"8:acs:{name}" for name in rung.split())
    return Plan(tuple(f"8:acs:{name}" for name in names), rung=ids)


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
    assert start(ann, Plan(), situation(ann)) == Ring(ann, (ann,), RING_SECONDS, way("ann", rung="ann"))


def test_with_an_unanswered_rule_a_user_rings_for_its_delay() -> None:
    ann = user("ann", unanswered=ToVoicemail(), unanswered_delay=40)
    assert start(ann, Plan(), situation(ann)) == Ring(ann, (ann,), 40.0, way("ann", rung="ann"))


def test_offline_counts_as_unanswered_at_once() -> None:
    ann = user("ann")
    assert start(ann, Plan(), situation(ann, offline=["ann"])) == Refuse(OFFLINE)
    ann = user("ann", unanswered=ToVoicemail())
    step = start(ann, Plan(), situation(ann, offline=["ann"]))
    assert step == Deposit(ann, OFFLINE, replace(way("ann"), diverted_for="unavailable"))


def test_busy_follows_its_rule_at_once() -> None:
    ann = user("ann")
    assert start(ann, Plan(), situation(ann, busy=["ann"])) == Refuse(BUSY)
    ann = user("ann", busy=ToVoicemail())
    step = start(ann, Plan(), situation(ann, busy=["ann"]))
    assert step == Deposit(ann, BUSY, replace(way("ann"), diverted_for="user-busy"))


def test_immediate_forward_does_not_ring_the_dialled_user() -> None:
    ann, bob = user("ann", forwarding=ToPerson("bob"), do_not_disturb=True), user("bob")
    plan = replace(way("ann", "bob", rung="bob"), diverted_for="unconditional")
    assert start(ann, Plan(), situation(ann, bob)) == Ring(bob, (bob,), RING_SECONDS, plan)


def test_immediate_forward_to_the_own_mailbox() -> None:
    ann = user("ann", forwarding=ToVoicemail())
    plan = replace(way("ann"), diverted_for="unconditional")
    assert start(ann, Plan(), situation(ann)) == Deposit(ann, OFFLINE, plan)


def test_a_forward_to_nobody_is_refused() -> None:
    ann = user("ann", forwarding=ToPerson("gone"))
    assert start(ann, Plan(), situation(ann)) == Refuse(UNKNOWN_USER)


def test_direct_ignores_forwarding_and_unanswered_but_keeps_the_delay() -> None:
    rules: dict[str, Any] = {"unanswered": None, "unanswered_delay": 30, "busy": ToVoicemail()}
    ann, bob = user("ann", forwarding=ToPerson("bob"), **rules), user("bob")
    plan = Plan(direct=True)
    assert start(ann, plan, situation(ann, bob)) == Ring(
        ann, (ann,), 30.0, replace(way("ann", rung="ann"), direct=True)
    )
    assert start(ann, plan, situation(ann, bob, offline=["ann"])) == Refuse(OFFLINE)
    assert start(ann, plan, situation(ann, bob, busy=["ann"])) == Refuse(BUSY)
    ann = user("ann", simultaneous=ToPerson("bob"))
    step = start(ann, plan, situation(ann, bob))
    assert isinstance(step, Ring) and step.users == (ann,)
    ann = user("ann", do_not_disturb=True, do_not_disturb_to=ToVoicemail())
    assert start(ann, plan, situation(ann, bob)) == Refuse(DO_NOT_DISTURB)


# --- do not disturb


@pytest.mark.parametrize(
    ("to", "owner"), [("unanswered", "bob"), (ToPerson("cat"), "cat"), (None, None), (ToVoicemail(), "ann")]
)
def test_do_not_disturb_rings_nobody_and_has_its_own_rule(to: Any, owner: str | None) -> None:
    ann = user("ann", unanswered=ToPerson("bob"), do_not_disturb=True, do_not_disturb_to=to)
    step = start(ann, Plan(), situation(ann, user("bob"), user("cat")))
    match step:
        case Ring(callee, _, _, plan):
            assert (callee.name, plan.diverted_for) == (owner, "do-not-disturb")
        case Deposit(of, otherwise, _):
            assert (of.name, otherwise) == (owner, DO_NOT_DISTURB)
        case Refuse(reason):
            assert (owner, reason) == (None, DO_NOT_DISTURB)


# --- companions


def test_a_companion_rings_along() -> None:
    ann, bob = user("ann", simultaneous=ToPerson("bob")), user("bob", forwarding=ToVoicemail())
    now = situation(ann, bob)
    plan = way("ann", rung="ann bob")
    assert start(ann, Plan(), now) == Ring(ann, (ann, bob), RING_SECONDS, plan), "bob's rules are his"


def test_a_companion_rings_also_when_the_callee_cannot() -> None:
    ann, bob = user("ann", simultaneous=ToPerson("bob"), unanswered_delay=30), user("bob")
    for now in (situation(ann, bob, offline=["ann"]), situation(ann, bob, busy=["ann"])):
        step = start(ann, Plan(), now)
        assert isinstance(step, Ring) and step.users == (bob,)
    assert start(ann, Plan(), situation(ann, bob, busy=["ann", "bob"])) == Refuse(BUSY)
    assert start(ann, Plan(), situation(ann, bob, offline=["ann", "bob"])) == Refuse(OFFLINE)


@pytest.mark.parametrize(
    ("companion", "rings"),
    [
        (ToPerson("gone"), "ann"),
        (ToPerson("ann"), "ann"),
        (ToPerson("caller"), "ann"),
        (ToPerson("quiet"), "ann"),
        (ToGroup("gone"), "ann"),
        (ToGroup("bob"), "ann"),
        (ToGroup("team"), "ann bob cat"),
    ],
)
def test_who_may_ring_along(companion: Any, rings: str) -> None:
    ann = user("ann", simultaneous=companion)
    team = user("team", group=Group(("bob", "ann", "cat", "gone"), "in_order"))
    quiet = user("quiet", do_not_disturb=True)
    now = situation(ann, team, quiet, user("caller"), user("bob"), user("cat"))
    step = start(ann, Plan(never=frozenset({"8:acs:caller"})), now)
    assert isinstance(step, Ring)
    assert [one.name for one in step.users] == rings.split()


# --- groups


def test_a_group_rings_together_for_its_delay() -> None:
    sales = user("sales", forwarding=ToGroup(), group=Group(("bob", "4:+49301", "cat", "dan"), delay=30))
    bob, cat, dan = user("bob", "4:+49301"), user("cat"), user("dan")
    step = start(sales, Plan(), situation(sales, bob, cat, dan, offline=["sales"], busy=["cat"]))
    plan = replace(way("sales", rung="bob dan"), groups=("8:acs:sales",), turn=30.0)
    assert step == Ring(sales, (bob, dan), 30.0, replace(plan, diverted_for="unconditional"))


def test_a_group_rings_in_order_those_who_can() -> None:
    ann = user("ann", unanswered=ToGroup("sales"))
    sales = user("sales", group=Group(("bob", "cat", "dan", "eve"), "in_order", 10))
    others = [user(name) for name in ("bob", "cat", "dan", "eve")]
    now = situation(ann, sales, *others, offline=["bob", "ann"], busy=["dan"])
    first = start(ann, Plan(), now)
    assert isinstance(first, Ring)
    assert (first.callee, first.users, first.seconds) == (ann, (user("cat"),), 10.0)
    assert first.plan.queue == ("8:acs:dan", "8:acs:eve")
    second = after(ann, NO_ANSWER, first.plan, now)
    assert isinstance(second, Ring) and second.users == (user("eve"),)
    now.directory.remove("8:acs:eve")
    assert after(ann, NO_ANSWER, first.plan, now) == Refuse(NO_ANSWER)


def test_after_a_group_the_callees_unanswered_rule_follows_once() -> None:
    group = Group(("bob",))
    ann = user("ann", forwarding=ToGroup(), unanswered=ToVoicemail(), group=group)
    now = situation(ann, user("bob"))
    step = start(ann, Plan(), now)
    assert isinstance(step, Ring)
    follows = after(ann, NO_ANSWER, step.plan, now)
    assert isinstance(follows, Deposit) and follows.plan.diverted_for == "no-answer"
    ann = user("ann", unanswered=ToGroup(), group=group)
    step = after(ann, NO_ANSWER, way("ann"), now)
    assert isinstance(step, Ring)
    assert after(ann, NO_ANSWER, step.plan, now) == Refuse(NO_ANSWER), "it does not ring again"


@pytest.mark.parametrize("order", ["simultaneous", "in_order"])
@pytest.mark.parametrize(("offline", "busy", "reason"), [("bob", "", OFFLINE), ("", "bob", BUSY)])
def test_a_group_in_which_nobody_can(order: Any, offline: str, busy: str, reason: Reason) -> None:
    ann = user("ann", forwarding=ToGroup(), group=Group(("bob",), order))
    now = situation(ann, user("bob"), offline=[offline], busy=[busy])
    assert start(ann, Plan(), now) == Refuse(reason)


def test_a_group_that_is_gone_is_refused() -> None:
    for to in (ToGroup("gone"), ToGroup("bob")):
        ann = user("ann", forwarding=to)
        assert start(ann, Plan(), situation(ann, user("bob"))) == Refuse(UNKNOWN_USER)


def test_who_has_rung_does_not_ring_again_for_the_same_call() -> None:
    ann = user("ann", simultaneous=ToPerson("bob"), unanswered=ToPerson("bob"), busy=ToGroup("bob"))
    bob = user("bob", unanswered=ToVoicemail(), group=Group(("ann", "cat")))
    now = situation(ann, bob, user("cat"))
    step = start(ann, Plan(), now)
    assert isinstance(step, Ring) and step.users == (ann, bob)
    follows = after(ann, NO_ANSWER, step.plan, now)
    assert isinstance(follows, Deposit) and follows.owner == bob, "as if bob had not answered"
    follows = after(ann, BUSY, step.plan, now)
    assert isinstance(follows, Ring) and follows.users == (user("cat"),)


# --- the next step


@pytest.mark.parametrize(
    ("reason", "rule", "diversion"),
    [
        (NO_ANSWER, "unanswered", "no-answer"),
        (OFFLINE, "unanswered", "unavailable"),
        (DECLINED, "declined", "deflection"),
        (BUSY, "busy", "user-busy"),
    ],
)
def test_each_reason_has_its_own_rule(reason: Reason, rule: str, diversion: Any) -> None:
    ann, bob = user("ann", **{rule: ToPerson("bob")}), user("bob")
    plan = replace(way("ann", "bob", rung="bob"), diverted_for=diversion)
    assert after(ann, reason, way("ann"), situation(ann, bob)) == Ring(bob, (bob,), RING_SECONDS, plan)
    without = user("ann", **{r: ToVoicemail() for r in ("unanswered", "declined", "busy") if r != rule})
    assert after(without, reason, way("ann"), situation(ann, bob)) == Refuse(reason)


def test_direct_ends_with_the_first_refusal() -> None:
    ann = user("ann", declined=ToVoicemail())
    assert after(ann, DECLINED, replace(way("ann"), direct=True), situation(ann)) == Refuse(DECLINED)


# --- loops


def test_a_loop_is_cut_when_met() -> None:
    ann, bob = user("ann", forwarding=ToPerson("bob")), user("bob", forwarding=ToPerson("ann"))
    assert start(ann, Plan(), situation(ann, bob)) == Refuse(TOO_MANY_HOPS)


def test_those_who_must_not_ring_do_not() -> None:
    ann, bob = user("ann", unanswered=ToPerson("bob")), user("bob")
    plan = Plan(never=frozenset({"8:acs:bob"}))
    assert start(ann, plan, situation(ann, bob, offline=["ann"])) == Refuse(TOO_MANY_HOPS)


@pytest.mark.parametrize(("forwards", "rings"), [(MAX_HOPS, True), (MAX_HOPS + 1, False)])
def test_at_most_ten_forwards(forwards: int, rings: bool) -> None:
    chain = [user(f"u{i}", forwarding=ToPerson(f"u{i + 1}")) for i in range(forwards)]
    last = user(f"u{forwards}")
    step = start(chain[0], Plan(), situation(*chain, last))
    if rings:
        assert isinstance(step, Ring) and step.callee == last
        assert len(step.plan.path) == forwards + 1
    else:
        assert step == Refuse(TOO_MANY_HOPS)
