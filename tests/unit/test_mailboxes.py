"""Which greeting a caller hears, and what a message shows of its envelope."""

from datetime import UTC, datetime
from typing import get_args

import msgspec
import pytest

from signaling.mailboxes import (
    Envelope,
    GreetingKind,
    MailboxSettings,
    Message,
    Query,
    for_callers,
    greeting_for,
    message_of,
)
from signaling.parts import Party

pytestmark = pytest.mark.unit

ALL: tuple[GreetingKind, ...] = get_args(GreetingKind)


@pytest.mark.parametrize(
    ("why", "own", "heard"),
    [
        (None, (), None),
        ("no-answer", ("busy", "away"), None),
        ("no-answer", ("unavailable", "busy", "away"), "unavailable"),
        (None, ("unavailable",), "unavailable"),
        ("user-busy", ("unavailable", "busy"), "busy"),
        ("do-not-disturb", ("unavailable", "busy"), "busy"),
        ("user-busy", ("unavailable",), "unavailable"),
        ("unavailable", ("unavailable", "away"), "away"),
        ("unavailable", ("busy",), None),
        ("user-busy", ALL, "temporary"),
        ("unconditional", ALL, "temporary"),
    ],
)
def test_greeting_for(why: str | None, own: tuple[GreetingKind, ...], heard: str | None) -> None:
    assert greeting_for(why, own) == heard


def test_the_service_does_not_learn_where_the_owner_is_told() -> None:
    settings = MailboxSettings("record", "de", "bob", 7, "https://example.org/hook")
    assert for_callers(settings) == MailboxSettings("record", "de", "bob", 7)


def test_a_message_shows_all_of_its_envelope() -> None:
    caller, by = Party("8:acs:b", "Bob"), Party("8:acs:c", "Carol")
    when = datetime(2026, 1, 2, tzinfo=UTC)
    envelope = Envelope(caller, when, 3.5, by, (1, 2), -3.0, True, by, 2.0, transcribed=True)
    message = message_of("m1", "saved", envelope, "hello")
    shown = msgspec.structs.asdict(message)
    kept = msgspec.structs.asdict(envelope) | {"id": "m1", "folder": "saved", "transcript": "hello"}
    del kept["transcribed"]
    assert shown == kept
    assert msgspec.json.decode(msgspec.json.encode(message), type=Message) == message


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (MailboxSettings, '{"retention_days":0}'),
        (MailboxSettings, '{"answer":"sing"}'),
        (MailboxSettings, '{"anwser":"record"}'),
        (Query, '{"limit":501}'),
        (Query, '{"folder":"gone"}'),
        (Query, '{"before":"a.b"}'),
    ],
)
def test_what_does_not_fit(kind: type, text: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(text, type=kind)
