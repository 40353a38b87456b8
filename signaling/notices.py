"""What is still to be told of new messages: to whom, by which way, when, and when it is given up. Pure."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Literal

from msgspec import Struct

from signaling.mailboxes import MailboxSettings, Message, Utc
from signaling.parts import Party

Channel = Literal["webhook", "hub_webhook", "mail"]
Event = Literal["voicemail.message.created", "voicemail.message.transcribed"]

FIRST_WAIT_SECONDS = 5.0
LONGEST_WAIT_SECONDS = 3600.0
GIVE_UP = timedelta(days=1)
TRANSCRIPT_PATIENCE = timedelta(minutes=2)  # that a mail waits for the words of its message


class Notice(Struct, frozen=True):
    """One thing to be told; its id stays the same however often that is tried. `tries` have been begun."""

    id: str
    owner: str
    message_id: str
    channel: Channel
    event: Event
    created_at: Utc
    due_at: Utc
    tries: int = 0

    @property
    def what(self) -> str:
        """Return how a log names it."""
        return f"{self.channel.replace('_', ' ')} {self.id} of {self.owner}"


class Told(Struct, frozen=True):
    """The message that a webhook is about, and whose it is."""

    owner: Party
    message: Message


class WebhookBody(Struct, frozen=True):
    """What a webhook is given (Standard Webhooks 1.0); `timestamp` is that of the event."""

    type: Event
    timestamp: Utc
    data: Told


class Ways(Struct, frozen=True):
    """Which ways of telling the hub has itself."""

    hub_webhook: bool = False
    mail: bool = False


def of_new(
    owner: str,
    message_id: str,
    settings: MailboxSettings,
    ways: Ways,
    *,
    transcript_later: bool,
    now: datetime,
    make_id: Callable[[], str],
) -> list[Notice]:
    """Return what is to be told of a new message; mail waits for a transcript that is to come."""
    event: Event = "voicemail.message.created"
    notices = _hooks(owner, message_id, event, settings, ways, now, make_id)
    if settings.mail is not None and ways.mail:
        due = now + TRANSCRIPT_PATIENCE if transcript_later else now
        notices.append(Notice(make_id(), owner, message_id, "mail", event, now, due))
    return notices


def of_transcript(
    owner: str,
    message_id: str,
    settings: MailboxSettings,
    ways: Ways,
    *,
    now: datetime,
    make_id: Callable[[], str],
) -> list[Notice]:
    """Return what is to be told once there is a transcript."""
    return _hooks(owner, message_id, "voicemail.message.transcribed", settings, ways, now, make_id)


def again(notice: Notice, now: datetime, chance: float, wait: float | None = None) -> datetime | None:
    """Return when a notice that could not be told is to be tried again, None if it is given up.

    Each wait is four times the one before it, an hour at most, 20 % more or less by `chance` (0 to 1), and no
    less than the `wait` in seconds that the other end has asked for.
    """
    seconds = min(LONGEST_WAIT_SECONDS, FIRST_WAIT_SECONDS * 4.0 ** min(notice.tries - 1, 10))
    seconds = max(seconds * (0.8 + 0.4 * chance), min(wait or 0.0, LONGEST_WAIT_SECONDS))
    due = now + timedelta(seconds=seconds)
    return due if due <= notice.created_at + GIVE_UP else None


def _hooks(
    owner: str,
    message_id: str,
    event: Event,
    settings: MailboxSettings,
    ways: Ways,
    now: datetime,
    make_id: Callable[[], str],
) -> list[Notice]:
    channels: list[Channel] = []
    if settings.webhook is not None:
        channels.append("webhook")
    if ways.hub_webhook:
        channels.append("hub_webhook")
    return [Notice(make_id(), owner, message_id, channel, event, now, now) for channel in channels]
