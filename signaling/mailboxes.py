"""What a mailbox consists of: messages, their envelopes and folders, greetings, settings. Pure."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct
from msgspec.structs import replace

from signaling.discreet import Discreet
from signaling.parts import Id, Party
from signaling.settings import Identifier

Folder = Literal["new", "saved", "deleted"]
Attachment = Literal["mp3", "opus", "none"]
GreetingKind = Literal["unavailable", "busy", "away", "temporary"]
Answer = Literal["record", "greeting_only", "decline"]
Language = Literal["en", "de"]

AuditAction = Literal[
    "heard",
    "exported",
    "linked",
    "moved",
    "deleted",
    "purged",
    "forwarded",
    "greeting",
    "settings",
    "pin",
    "opened",
    "wrong-pin",
    "refused",
    "expired",
]

Utc = Annotated[datetime, Meta(tz=True)]
Seconds = Annotated[float, Meta(ge=0, le=24 * 3600)]
Transcript = Annotated[str, Meta(max_length=16_000)]
Peaks = Annotated[tuple[Annotated[int, Meta(ge=0, le=255)], ...], Meta(max_length=4096)]


class Envelope(Struct, frozen=True):
    """What is known of a voice message besides its sound.

    Duration in s; `peaks` is its waveform; `gain_db` makes it as loud as the others when it is played.
    `introduction` is how long the words before it are, of whoever forwarded it. `transcribed` tells whether
    an engine has understood something.
    """

    caller: Party
    received_at: Utc
    duration: Seconds
    transferor: Party | None = None
    peaks: Peaks = ()
    gain_db: Annotated[float, Meta(ge=-40, le=40)] = 0.0
    urgent: bool = False
    forwarded_by: Party | None = None
    introduction: Seconds | None = None
    transcribed: bool = False


class Message(Struct, frozen=True):
    """A voice message as its owner sees it; the fields after `folder` are those of its Envelope.

    `transcript` is what an engine has understood.
    """

    id: str
    folder: Folder
    caller: Party
    received_at: Utc
    duration: float
    transferor: Party | None = None
    peaks: tuple[int, ...] = ()
    gain_db: float = 0.0
    urgent: bool = False
    forwarded_by: Party | None = None
    introduction: float | None = None
    transcript: str | None = None


class Listing(Struct, frozen=True):
    """Messages, newest first, and how many wait; `next`, if there may be more, is the next `before`."""

    new: int
    saved: int
    messages: tuple[Message, ...]
    next: Id | None = None


class Query(Struct, frozen=True, forbid_unknown_fields=True):
    """Which messages: the latest `limit` before another one, in one folder, by default new and saved."""

    limit: Annotated[int, Meta(ge=1, le=500)] = 500
    before: Id | None = None
    folder: Folder | None = None


class Link(Struct, frozen=True):
    """URLs, below the hub's, that give the sound of one message to whoever has them, until they expire."""

    audio: str
    introduction: str | None
    expires_at: Utc


class Mail(Struct, frozen=True, forbid_unknown_fields=True):
    """Where mail on new messages goes, in which language, and how their sound is attached to it."""

    address: Annotated[str, Meta(max_length=254, pattern=r"^[!#-'*+/-9=?A-Z^-~.-]+@[A-Za-z0-9.-]+$")]
    language: Language = "en"
    attach: Attachment = "mp3"


class MailboxSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """What a mailbox does with callers, with messages that were heard, and where it tells of new ones.

    `operator` is whom a caller gets who presses 0: raw id, number or short name. Saved and deleted messages
    go after `retention_days`; new ones never go by themselves. `webhook` is a URL.
    """

    answer: Answer = "record"
    language: Language = "en"
    operator: Identifier | None = None
    retention_days: Annotated[int, Meta(ge=1, le=3650)] | None = None
    webhook: Annotated[str, Meta(max_length=2000)] | None = None
    mail: Mail | None = None


class Reception(Struct, frozen=True):
    """What voicemail must know before it answers for an owner; `greetings` are those of its owner's own."""

    full: bool = False
    settings: MailboxSettings = MailboxSettings()
    greetings: tuple[GreetingKind, ...] = ()


class Forward(Struct, frozen=True, forbid_unknown_fields=True):
    """Whom a message is forwarded to: raw id, number or short name; `introduction` in s, if there is one."""

    to: Identifier
    introduction: Seconds | None = None


class AuditEntry(Struct, frozen=True):
    """What was done with a mailbox, or refused; `by` is None for whoever had a link, or is not known.

    `purged` is deleted for good, `opened` with the PIN, `expired` had its time. `number` pages (`before`).
    """

    number: int
    at: Utc
    action: AuditAction
    mailbox: Party
    by: Party | None
    address: str
    message: str | None = None
    detail: str = ""


class AuditListing(Struct, frozen=True):
    """Entries, newest first; `next`, if there may be more, is the next `before`."""

    entries: tuple[AuditEntry, ...]
    next: int | None = None


class AuditQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """Which entries: the latest `limit` before a number; `of` one user, for whoever has the access key."""

    limit: Annotated[int, Meta(ge=1, le=500)] = 100
    before: Annotated[int, Meta(ge=1, le=2**31 - 1)] | None = None
    of: Identifier | None = None


class Webhook(Discreet, frozen=True):
    """A URL that is told of new messages, and the secret that signs what it is told (Standard Webhooks)."""

    url: str
    secret: str


class TranscriptBody(Struct, frozen=True, forbid_unknown_fields=True):
    """What an engine has understood of a message, None if nothing."""

    text: Transcript | None


def for_callers(settings: MailboxSettings) -> MailboxSettings:
    """Return what the voicemail service needs of the settings: not where the owner is told."""
    return replace(settings, webhook=None, mail=None)


def message_of(message_id: str, folder: Folder, envelope: Envelope, transcript: str | None = None) -> Message:
    """Return a message as its owner sees it."""
    return Message(
        message_id,
        folder,
        envelope.caller,
        envelope.received_at,
        envelope.duration,
        envelope.transferor,
        envelope.peaks,
        envelope.gain_db,
        envelope.urgent,
        envelope.forwarded_by,
        envelope.introduction,
        transcript,
    )


def greeting_for(why: str | None, own: tuple[GreetingKind, ...]) -> GreetingKind | None:
    """Return which of an owner's own greetings a caller hears, None for the default one.

    `why` is what sent the call here (RFC 5806): busy or do-not-disturb is `busy`, no device online `away`,
    all else `unavailable`. A temporary greeting stands for all; where one is lacking, `unavailable` does.
    """
    kinds: dict[str | None, GreetingKind] = {
        "user-busy": "busy",
        "do-not-disturb": "busy",
        "unavailable": "away",
    }
    order: tuple[GreetingKind, ...] = ("temporary", kinds.get(why, "unavailable"), "unavailable")
    return next((kind for kind in order if kind in own), None)
