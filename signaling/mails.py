"""Mail on new messages: what it says, in English and German, and how it is sent."""

import re
import ssl
from dataclasses import dataclass, field
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from html import escape

import aiosmtplib
from msgspec import Struct

from signaling.mailboxes import Language, Message
from signaling.parts import Party
from signaling.settings import printable
from signaling.webhooks import NotToldError

TIMEOUT_SECONDS = 30.0

_PHONE = re.compile(r"4:(\+\d+)")
_PERMANENT = range(500, 600)
_LOGIN = {530, 534, 535, 538}  # whoever runs the hub may mend that


@dataclass(frozen=True, kw_only=True)
class SmtpServer:
    """Where mail is given up to be sent.

    `tls` is encryption from the start, `starttls` encryption before anything is said, `none` no encryption.
    """

    host: str
    port: int
    security: str
    sender: str
    user: str = ""
    password: str = field(default="", repr=False)


class Sound(Struct, frozen=True):
    """An attachment."""

    name: str
    subtype: str  # of audio/
    content: bytes


class _Words(Struct, frozen=True):
    subject: str
    urgent: str
    hello: str
    left: str
    forwarded: str
    words: str
    attached: str
    hear: str
    date: str
    months: str
    unknown: str


_WORDS: dict[Language, _Words] = {
    "en": _Words(
        "Voice message from {who} ({length})",
        "Urgent: ",
        "Hello {owner},",
        "{who} left you a voice message of {length} min on {when}.",
        "{by} forwarded it to you.",
        "What was said, as a machine understood it:",
        "The message is attached.",
        "All your messages: {url}",
        "{day} {month} {year}, {time}",
        "January February March April May June July August September October November December",
        "somebody unknown",
    ),
    "de": _Words(
        "Sprachnachricht von {who} ({length})",
        "Dringend: ",
        "Hallo {owner},",
        "{who} hat Ihnen am {when} eine Sprachnachricht von {length} min hinterlassen.",
        "{by} hat sie an Sie weitergeleitet.",
        "Was gesagt wurde, so wie eine Maschine es verstanden hat:",
        "Die Nachricht ist angehängt.",
        "Alle Ihre Nachrichten: {url}",
        "{day}. {month} {year} um {time} Uhr",
        "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
        "Unbekannt",
    ),
}


def compose(
    *,
    notice_id: str,
    sender: str,
    to: str,
    language: Language,
    owner: Party,
    message: Message,
    received_at: datetime,
    sounds: list[Sound],
    url: str,
    now: datetime,
) -> EmailMessage:
    """Return the mail on a message, in text and HTML; `received_at` is in the time of its reader's place."""
    words = _WORDS[language]
    who = _named(message.caller) or words.unknown
    length = f"{int(message.duration) // 60}:{int(message.duration) % 60:02}"
    lines = [words.left.format(who=who, length=length, when=_date(received_at, words))]
    if message.forwarded_by is not None:
        lines.append(words.forwarded.format(by=_named(message.forwarded_by) or words.unknown))
    said = [words.words, message.transcript] if message.transcript else []
    closing = [words.attached] if sounds else []
    hear = words.hear.format(url=url)
    hello = words.hello.format(owner=_named(owner)) if _named(owner) else ""
    text = [*([hello] if hello else []), " ".join(lines), *said, *closing, hear]

    mail = EmailMessage()
    mail["From"] = Address("callnode", addr_spec=sender)
    mail["To"] = Address(_named(owner), addr_spec=to)
    subject = words.subject.format(who=who, length=length)
    mail["Subject"] = words.urgent * message.urgent + subject
    mail["Date"] = format_datetime(now)
    mail["Message-ID"] = f"<{notice_id}@{sender.rpartition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no vacation answers
    if message.urgent:
        mail["Importance"] = "high"
    mail.set_content("\n\n".join(text) + "\n")
    mail.add_alternative(_html(text, message.transcript, url), subtype="html")
    for sound in sounds:
        mail.add_attachment(sound.content, maintype="audio", subtype=sound.subtype, filename=sound.name)
    return mail


async def send(server: SmtpServer, mail: EmailMessage) -> None:
    """Give a mail to the server; raises NotToldError."""
    try:
        await aiosmtplib.send(
            mail,
            hostname=server.host,
            port=server.port,
            username=server.user or None,
            password=server.password or None,
            use_tls=server.security == "tls",
            start_tls=server.security == "starttls",
            tls_context=ssl.create_default_context(),
            timeout=TIMEOUT_SECONDS,
        )
    except aiosmtplib.SMTPRecipientsRefused as error:
        codes = {refused.code for refused in error.recipients}
        final = all(code in _PERMANENT for code in codes)
        raise NotToldError(f"{server.host} refuses the address: {codes}", final=final) from None
    except aiosmtplib.SMTPResponseException as error:
        final = error.code in _PERMANENT and error.code not in _LOGIN
        raise NotToldError(f"{server.host} answers {error.code}", final=final) from None
    except (aiosmtplib.SMTPException, OSError, ValueError) as error:
        raise NotToldError(f"{server.host} does not take mail: {type(error).__name__}") from None


def _html(text: list[str], transcript: str | None, url: str) -> str:
    def paragraph(line: str) -> str:
        if line == transcript:
            return (
                f'<blockquote style="border-left:3px solid #ccc;padding-left:1em">{escape(line)}</blockquote>'
            )
        link = f'<a href="{escape(url)}">{escape(url)}</a>'
        return f"<p>{escape(line).replace(escape(url), link)}</p>"

    body = "\n".join(map(paragraph, text))
    return f'<!DOCTYPE html>\n<html><body style="font-family:sans-serif">\n{body}\n</body></html>\n'


def _date(at: datetime, words: _Words) -> str:
    month = words.months.split()[at.month - 1]
    return words.date.format(day=at.day, month=month, year=at.year, time=f"{at:%H:%M}")


def _named(who: Party) -> str:
    phone = _PHONE.fullmatch(who.raw_id)
    name = who.display_name or who.name or (phone[1] if phone else "")
    return printable(" ".join(name.split()))  # in one line, which a header must be
