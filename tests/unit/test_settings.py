"""Forwarding and unanswered settings are one whole; decoding is validation (spec §5)."""

import json

import msgspec
import pytest

from signaling.settings import Settings, ToPerson, ToVoicemail, User, printable

pytestmark = pytest.mark.unit


def decode(value: object) -> Settings:
    return msgspec.json.decode(json.dumps(value), type=Settings)


def test_default_is_voicemail_after_20_seconds() -> None:
    settings = decode({})
    assert settings == Settings() == User("8:acs:x").settings
    assert (settings.unanswered, settings.unanswered_delay) == (ToVoicemail(), 20)
    assert settings.forwarding is settings.declined is settings.busy is None


def test_all_rules_survive_the_wire() -> None:
    settings = Settings(ToPerson("4:+4930123456"), None, 60, ToVoicemail(), ToPerson("cat"))
    assert msgspec.json.decode(msgspec.json.encode(settings), type=Settings) == settings


def test_none_leaves_the_call_to_end() -> None:
    assert decode({"unanswered": None}).unanswered is None


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
        ([], "object"),
    ],
)
def test_refused_with_an_error_that_names_the_place(value: object, says: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=says):
        decode(value)


def test_a_display_name_keeps_all_but_control_characters() -> None:
    controls = "".join(map(chr, (*range(32), *range(127, 160))))
    assert printable(f"Zo\u00eb{controls} \u00a0\u5c71~") == "Zo\u00eb \u00a0\u5c71~"
