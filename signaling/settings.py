"""A user of the directory, with forwarding and unanswered settings (spec §5, Teams model). Pure.

Written as one whole; decoding is validation.
"""

from typing import Annotated, Literal

from msgspec import Meta, Struct

_CONTROLS = dict.fromkeys((*range(0x20), *range(0x7F, 0xA0)))
Delay = Literal[10, 20, 30, 40, 50, 60]


class ToPerson(Struct, frozen=True, tag_field="kind", tag="person"):
    """Send the call on to a person, by raw id, number or short name."""

    identifier: Annotated[str, Meta(min_length=1, max_length=256)]


class ToVoicemail(Struct, frozen=True, tag_field="kind", tag="voicemail"):
    """Send the call to the user's own mailbox."""


Destination = ToPerson | ToVoicemail


class Settings(Struct, frozen=True, forbid_unknown_fields=True):
    """What happens to calls that a user does not take; None leaves the call to end."""

    forwarding: Destination | None = None
    unanswered: Destination | None = ToVoicemail()
    unanswered_delay: Delay = 20
    declined: Destination | None = None
    busy: Destination | None = None


class User(Struct, frozen=True):
    """One user of the hub's directory: raw id, short name, names it also answers to, settings."""

    raw_id: str
    name: str = ""
    display_name: str = ""
    aliases: tuple[str, ...] = ()
    settings: Settings = Settings()


def printable(display_name: str) -> str:
    """Return a display name without the control characters C0 and C1, which a terminal would obey."""
    return display_name.translate(_CONTROLS)
