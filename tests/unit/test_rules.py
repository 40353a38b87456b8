"""Settings are refused with a sentence that says what is wrong with them (spec §5)."""

from typing import Any

import pytest

from signaling.routing import Directory
from signaling.rules import objection
from signaling.settings import Group, Settings, ToGroup, ToPerson, ToVoicemail, User

pytestmark = pytest.mark.unit

ANN = User("8:acs:ann", "ann", aliases=("4:+49300",))


def objected(*others: User, **rules: Any) -> str | None:
    book = Directory()
    for user in (
        ANN,
        User("8:acs:bob", "bob", aliases=("4:+49301",)),
        User("8:acs:sales", "sales", settings=Settings(group=Group(("bob",)))),
        *others,
    ):
        book.put(user)
    return objection(ANN, Settings(**rules), book)


def forwards(name: str, to: str) -> User:
    return User(f"8:acs:{name}", name, settings=Settings(forwarding=ToPerson(to)))


@pytest.mark.parametrize(
    "rules",
    [
        {},
        {"forwarding": ToVoicemail()},
        {"forwarding": ToPerson("+49301"), "busy": ToPerson("BOB"), "declined": None},
        {"simultaneous": ToGroup("sales"), "unanswered": ToGroup(), "group": Group(("bob", "sales"))},
        {"do_not_disturb_to": ToPerson("bob")},
    ],
)
def test_what_makes_sense_is_taken(rules: dict[str, Any]) -> None:
    assert objected(**rules) is None


@pytest.mark.parametrize(
    "rule", ["forwarding", "simultaneous", "unanswered", "declined", "busy", "do_not_disturb_to"]
)
def test_every_rule_names_somebody_else_who_exists(rule: str) -> None:
    assert "no user gone on this hub" in str(objected(**{rule: ToPerson("gone")}))
    for name in ("8:acs:ann", "Ann", "+49300"):
        said = objected(**{rule: ToPerson(name)})
        assert said is not None and "yourself" in said
    for name in ("gone", "bob"):
        assert objected(**{rule: ToGroup(name)}) == f"there is no call group of {name}: nobody is in it yet"


def test_every_member_exists_and_is_another_and_there_once() -> None:
    assert "no user gone on this hub" in str(objected(group=Group(("bob", "gone"))))
    said = objected(group=Group(("bob", "ann")))
    assert said is not None and "yourself" in said
    assert objected(group=Group(("bob", "+49301"))) == "+49301 is in the group twice"


def test_forwards_in_a_circle_are_refused() -> None:
    chain = (forwards("cat", "dan"), forwards("dan", "ann"))
    assert objected(*chain, forwarding=ToPerson("cat")) == (
        "this forward leads in a circle: ann → cat → dan → ann"
    )
    nameless = User("8:acs:x", settings=Settings(forwarding=ToPerson("ann")))
    assert objected(nameless, forwarding=ToPerson("8:acs:x")) == (
        "this forward leads in a circle: ann → 8:acs:x → ann"
    )
    assert objected(*chain, unanswered=ToPerson("cat")) is None, "only forwards at once are sure to meet"
    others = (forwards("cat", "dan"), forwards("dan", "cat"))
    said = objected(*others, forwarding=ToPerson("cat"))
    assert said is not None and said.endswith("ann → cat → dan → cat")


def test_a_forward_that_ends_somewhere_is_taken() -> None:
    assert objected(forwards("cat", "bob"), forwarding=ToPerson("cat")) is None
    assert objected(forwards("cat", "gone"), forwarding=ToPerson("cat")) is None
