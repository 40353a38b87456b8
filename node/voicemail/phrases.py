"""Numbers, times and lengths as rows of prompts, in each language. Pure."""

from datetime import datetime

from signaling.mailboxes import Language, Message


def number(value: int, language: Language) -> list[str]:
    """Return a whole number from 0; beyond 99 digit by digit."""
    if value < 20:
        return [str(value)]
    tens, ones = divmod(value, 10)
    if value > 99:
        return list(str(value))
    if not ones:
        return [str(value)]
    return [f"{ones}-and", str(10 * tens)] if language == "de" else [str(10 * tens), str(ones)]


def waiting(new: int, saved: int, language: Language) -> list[str]:
    """Return how many messages there are."""
    counts = [_count(new, "new", language)] * (new > 0) + [_count(saved, "saved", language)] * (saved > 0)
    if not counts:
        return ["no-messages"]
    return ["you-have", *counts[0], *(["and", *counts[1]] if len(counts) > 1 else [])]


def envelope(place: int, message: Message, now: datetime, language: Language) -> list[str]:
    """Return which message this is, counted from 1, when it came, and how long it is.

    The times of `now` and of the message are those of the same place.
    """
    return [
        "message",
        *number(place, language),
        *(["urgent"] if message.urgent else []),
        "received",
        *_day((now.date() - message.received_at.date()).days, language),
        *_time(message.received_at, language),
        "length",
        *_length(max(1, round(message.duration)), language),
    ]


def _count(count: int, kind: str, language: Language) -> list[str]:
    return [f"one-{kind}"] if count == 1 else [*number(count, language), f"{kind}-messages"]


def _day(days: int, language: Language) -> list[str]:
    if days <= 0:
        return ["today"]
    if days == 1:
        return ["yesterday"]
    before = ["before"] if language == "de" else []
    return [*before, *number(days, language), "days-ago"]


def _time(at: datetime, language: Language) -> list[str]:
    if language == "de":
        hour = ["1-hour"] if at.hour == 1 else number(at.hour, "de")
        return ["at", *hour, "oclock", *(number(at.minute, "de") if at.minute else [])]
    minutes = [*(["oh"] if at.minute < 10 else []), *number(at.minute, "en")] if at.minute else []
    return ["at", *number(at.hour % 12 or 12, "en"), *minutes, "a-m" if at.hour < 12 else "p-m"]


def _length(seconds: int, language: Language) -> list[str]:
    minutes, rest = divmod(seconds, 60)
    parts = [_counted(minutes, "minute", language)] * (minutes > 0)
    parts += [_counted(rest, "second", language)] * (rest > 0)
    return [prompt for part in parts for prompt in part]


def _counted(count: int, unit: str, language: Language) -> list[str]:
    return [f"one-{unit}"] if count == 1 else [*number(count, language), f"{unit}s"]
