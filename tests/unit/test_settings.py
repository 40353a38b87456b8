"""Forwarding and unanswered settings are one whole; decoding is validation (spec §5)."""

import json

import msgspec
import pytest

from signaling.settings import Group, Settings, ToGroup, ToPerson, ToVoicemail, User, printable

pytestmark = pytest.mark.unit


def decode(value: object) -> Settings:
    return msgspec.json.decode(json.dumps(value), type=Settings)


def test_default_is_voicemail_after_20_seconds() -> None:
    settings = decode({})
    assert settings == Settings() == User("8:acs:x").settings
    assert (settings.unanswered, settings.unanswered_delay) == (ToVoicemail(), 20)
    assert settings.forwarding is settings.simultaneous is settings.declined is settings.busy is None
    assert (settings.do_not_disturb, settings.do_not_disturb_to) == (False, "unanswered")
    assert settings.call_waiting and settings.group is None


def test_all_rules_survive_the_wire() -> None:
    settings = Settings(
        ToGroup(),
        None,
        60,
        ToVoicemail(),
        ToPerson("4:+4930123456"),
        do_not_disturb=True,
        do_not_disturb_to=ToGroup("sales"),
        call_waiting=False,
        group=Group(("bob", "cat"), "in_order", 10),
    )
    assert msgspec.json.decode(msgspec.json.encode(settings), type=Settings) == settings


def test_none_leaves_the_call_to_end() -> None:
    assert decode({"unanswered": None}).unanswered is None


def test_a_group_has_up_to_25_members_and_up_to_5_in_order() -> None:
    assert len(Group(tuple(f"u{n}" for n in range(25))).members) == 25
    assert len(Group(tuple("abcde"), "in_order").members) == 5


def test_destinations_are_all_that_the_rules_lead_to() -> None:
    assert Settings().destinations == (ToVoicemail(),)
    assert Settings(unanswered=None, busy=ToPerson("a"), do_not_disturb_to=ToGroup("b")).destinations == (
        ToPerson("a"),
        ToGroup("b"),
    )


@pytest.mark.parametrize("delay", [10, 20, 30, 40, 50, 60])
def test_delays_in_steps_of_ten(delay: int) -> None:
    assert decode({"unanswered_delay": delay}).unanswered_delay == delay


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ({"unanswered_delay": 0}, "unanswered_delay"),
        ({"unanswered_delay": 15}, "unanswered_delay"),
        ({"unanswered_delay": 70}, "unanswered_delay"),
        ({"forwarding": {"kind": "moon"}}, "forwarding"),
        ({"forwarding": {"kind": "person"}}, "identifier"),
        ({"busy": {"kind": "person", "identifier": ""}}, "busy"),
        ({"declined": {"kind": "person", "identifier": "x" * 257}}, "declined"),
        ({"unansweredDelay": 20}, "unansweredDelay"),
        ({"simultaneous": {"kind": "voicemail"}}, "simultaneous"),
        (
            {"forwarding": {"kind": "voicemail"}, "simultaneous": {"kind": "group", "identifier": "s"}},
            "leave",
        ),
        ({"unanswered": {"kind": "group"}}, "nobody is in it"),
        ({"do_not_disturb_to": {"kind": "group"}}, "nobody is in it"),
        ({"do_not_disturb_to": "busy"}, "do_not_disturb_to"),
        ({"group": {"members": []}}, "group.members"),
        ({"group": {"members": [f"u{n}" for n in range(26)]}}, "group.members"),
        ({"group": {"members": list("abcdef"), "order": "in_order"}}, "at most 5"),
        ({"group": {"members": ["a", "b", "a"]}}, "twice"),
        ({"group": {"members": ["a"], "delay": 15}}, "group.delay"),
        ({"group": {"members": ["a"], "order": "random"}}, "group.order"),
        ([], "object"),
    ],
)
def test_refused_with_an_error_that_names_the_place(value: object, says: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=says):
        decode(value)


def test_a_display_name_keeps_all_but_control_characters() -> None:
    controls = "".join(map(chr, (*range(32), *range(127, 160))))
    assert printable(f"Zo\u00eb{controls} \u00a0\u5c71~") == "Zo\u00eb \u00a0\u5c71~"
