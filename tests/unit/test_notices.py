"""What is told of a message, and when it is tried again."""

from datetime import UTC, datetime, timedelta
from itertools import count

import pytest

from signaling.mailboxes import Mail, MailboxSettings
from signaling.notices import GIVE_UP, TRANSCRIPT_PATIENCE, Notice, Ways, again, of_new, of_transcript

pytestmark = pytest.mark.unit

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ALL = MailboxSettings(webhook="https://example.org/hook", mail=Mail("alice@example.org"))


def told(settings: MailboxSettings, ways: Ways, *, later: bool = False) -> list[Notice]:
    numbers = count(1)
    return of_new(
        "a", "m1", settings, ways, transcript_later=later, now=NOW, make_id=lambda: f"n{next(numbers)}"
    )


def notice(tries: int) -> Notice:
    return Notice("n1", "a", "m1", "mail", "voicemail.message.created", NOW, NOW, tries)


def test_everybody_who_wants_to_know_is_told() -> None:
    assert told(MailboxSettings(), Ways()) == []
    assert told(ALL, Ways(True, True)) == [
        Notice("n1", "a", "m1", "webhook", "voicemail.message.created", NOW, NOW),
        Notice("n2", "a", "m1", "hub_webhook", "voicemail.message.created", NOW, NOW),
        Notice("n3", "a", "m1", "mail", "voicemail.message.created", NOW, NOW),
    ]
    assert [each.channel for each in told(ALL, Ways())] == ["webhook"], (
        "without a mail server there is no mail"
    )
    assert [each.channel for each in told(MailboxSettings(), Ways(True, True))] == ["hub_webhook"]


def test_mail_waits_for_a_transcript_and_a_webhook_does_not() -> None:
    dues = {each.channel: each.due_at for each in told(ALL, Ways(mail=True), later=True)}
    assert dues == {"webhook": NOW, "mail": NOW + TRANSCRIPT_PATIENCE}


def test_a_transcript_is_told_to_webhooks() -> None:
    found = of_transcript("a", "m1", ALL, Ways(True, True), now=NOW, make_id=lambda: "n")
    assert [(each.channel, each.event) for each in found] == [
        ("webhook", "voicemail.message.transcribed"),
        ("hub_webhook", "voicemail.message.transcribed"),
    ]


@pytest.mark.parametrize(
    ("tries", "seconds"), [(1, 5), (2, 20), (3, 80), (4, 320), (5, 1280), (6, 3600), (50, 3600)]
)
def test_waits_grow(tries: int, seconds: int) -> None:
    for chance, factor in ((0.0, 0.8), (0.5, 1.0), (1.0, 1.2)):
        due = again(notice(tries), NOW, chance)
        assert due is not None and (due - NOW).total_seconds() == pytest.approx(seconds * factor)


def test_a_wait_that_is_asked_for_is_kept_up_to_an_hour() -> None:
    assert again(notice(1), NOW, 0.5, 100.0) == NOW + timedelta(seconds=100)
    assert again(notice(1), NOW, 0.5, 1e9) == NOW + timedelta(hours=1)


def test_after_a_day_it_is_given_up() -> None:
    assert again(notice(9), NOW + GIVE_UP - timedelta(hours=1), 0.5) == NOW + GIVE_UP
    assert again(notice(9), NOW + GIVE_UP, 0.5) is None


def test_a_log_names_it() -> None:
    assert notice(1).what == "mail n1 of a"
