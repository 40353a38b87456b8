"""Phrases: numbers, days, times and lengths in both languages, all of prompts that there are."""

from datetime import UTC, datetime, timedelta

import pytest

from media.speech import texts
from node.voicemail.phrases import envelope, number, waiting
from signaling.mailboxes import Language, Message
from signaling.parts import Party

pytestmark = pytest.mark.unit

NOW = datetime(2026, 3, 20, 15, 0, tzinfo=UTC)


def spoken(prompts: list[str], language: Language) -> str:
    """Return what the prompts say; fails for one that there is not."""
    return " ".join(texts(language)[name] for name in prompts)


@pytest.mark.parametrize(
    ("value", "en", "de"),
    [
        (0, "zero", "null"),
        (12, "twelve", "zwölf"),
        (20, "twenty", "zwanzig"),
        (21, "twenty one", "einund zwanzig"),
        (99, "ninety nine", "neunund neunzig"),
        (105, "one zero five", "eins null fünf"),
    ],
)
def test_numbers(value: int, en: str, de: str) -> None:
    assert spoken(number(value, "en"), "en") == en
    assert spoken(number(value, "de"), "de") == de


@pytest.mark.parametrize("language", ["en", "de"])
def test_every_number_can_be_said(language: Language) -> None:
    for value in range(1000):
        assert spoken(number(value, language), language)


@pytest.mark.parametrize(
    ("new", "saved", "en"),
    [
        (0, 0, "You have no messages."),
        (1, 0, "You have one new message"),
        (0, 1, "You have one saved message"),
        (2, 21, "You have two new messages and twenty one saved messages"),
    ],
)
def test_what_waits(new: int, saved: int, en: str) -> None:
    assert spoken(waiting(new, saved, "en"), "en") == en
    assert spoken(waiting(new, saved, "de"), "de")


def message(ago: timedelta, seconds: float, urgent: bool = False) -> Message:
    return Message("m", "new", Party("8:acs:c"), NOW - ago, seconds, urgent=urgent)


@pytest.mark.parametrize(
    ("ago", "seconds", "en", "de"),
    [
        (
            timedelta(minutes=30),
            0.2,
            "today at two thirty p.m. length one second",
            "heute um vierzehn Uhr dreißig Dauer eine Sekunde",
        ),
        (
            timedelta(hours=14),
            60.0,
            "today at one a.m. length one minute",
            "heute um ein Uhr Dauer eine Minute",
        ),
        (
            timedelta(days=1, hours=14, minutes=55),
            121.0,
            "yesterday at twelve oh five a.m. length two minutes one second",
            "gestern um null Uhr fünf Dauer zwei Minuten eine Sekunde",
        ),
        (
            timedelta(days=31, hours=3),
            85.4,
            "thirty one days ago at twelve p.m. length one minute twenty five seconds",
            "vor einund dreißig Tagen um zwölf Uhr Dauer eine Minute fünfund zwanzig Sekunden",
        ),
    ],
)
def test_envelopes(ago: timedelta, seconds: float, en: str, de: str) -> None:
    told = message(ago, seconds)
    assert spoken(envelope(3, told, NOW, "en"), "en") == f"Message three received {en}"
    assert spoken(envelope(3, told, NOW, "de"), "de") == f"Nachricht drei empfangen {de}"


def test_an_urgent_message_and_one_from_a_clock_that_is_ahead() -> None:
    told = spoken(envelope(1, message(timedelta(days=-1), 2.0, urgent=True), NOW, "en"), "en")
    assert told.startswith("Message one urgent received today at three p.m.")
