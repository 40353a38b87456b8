"""A user of the directory, with forwarding and unanswered settings (spec §5, Teams model). Pure.

Written as one whole; decoding is validation. What needs the directory too is checked by `signaling.rules`.
"""

from typing import Annotated, Literal

from msgspec import Meta, Struct

MAX_MEMBERS = 25
MAX_IN_ORDER = 5

_CONTROLS = dict.fromkeys((*range(0x20), *range(0x7F, 0xA0)))
Delay = Literal[10, 20, 30, 40, 50, 60]
Identifier = Annotated[str, Meta(min_length=1, max_length=256)]


class ToPerson(Struct, frozen=True, tag_field="kind", tag="person"):
    """Send the call on to a person, by raw id, number or short name."""

    identifier: Identifier


class ToGroup(Struct, frozen=True, tag_field="kind", tag="group"):
    """Send the call on to a call group: the user's own, or that of the user who is named."""

    identifier: Identifier | None = None


class ToVoicemail(Struct, frozen=True, tag_field="kind", tag="voicemail"):
    """Send the call to the user's own mailbox."""


Destination = ToPerson | ToGroup | ToVoicemail
Companion = ToPerson | ToGroup


class Group(Struct, frozen=True, forbid_unknown_fields=True):
    """A call group: its members ring together, or one after the other, for `delay` seconds each time.

    Their own settings are not followed; who does not want to be disturbed or is busy is left out.
    Raises ValueError for more than 5 in order, or the same member twice.
    """

    members: Annotated[tuple[Identifier, ...], Meta(min_length=1, max_length=MAX_MEMBERS)]
    order: Literal["simultaneous", "in_order"] = "simultaneous"
    delay: Delay = 20

    def __post_init__(self) -> None:
        if self.order == "in_order" and len(self.members) > MAX_IN_ORDER:
            raise ValueError(f"at most {MAX_IN_ORDER} members can ring in order; name fewer")
        if len(set(self.members)) < len(self.members):
            raise ValueError("a member is named twice; name each once")


class Settings(Struct, frozen=True, forbid_unknown_fields=True):
    """What happens to a user's calls; a rule that is None leaves the call to end.

    `forwarding` sends every call on at once; `simultaneous` lets others ring along. Do-not-disturb rings
    nobody, and by default goes on as if unanswered. Without call waiting, a call makes the user busy.
    Raises ValueError for both of the first two, or a rule that means a group of the user's own without one.
    """

    forwarding: Destination | None = None
    unanswered: Destination | None = ToVoicemail()
    unanswered_delay: Delay = 20
    declined: Destination | None = None
    busy: Destination | None = None
    simultaneous: Companion | None = None
    do_not_disturb: bool = False
    do_not_disturb_to: Destination | Literal["unanswered"] | None = "unanswered"
    call_waiting: bool = True
    group: Group | None = None

    def __post_init__(self) -> None:
        if self.forwarding is not None and self.simultaneous is not None:
            raise ValueError("calls are forwarded at once or ring along elsewhere; leave one of the two out")
        if self.group is None and ToGroup() in self.destinations:
            raise ValueError("a rule leads to your call group, but nobody is in it; name its members")

    @property
    def destinations(self) -> tuple[Destination, ...]:
        """Return where the rules lead."""
        rules = (self.forwarding, self.simultaneous, self.unanswered, self.declined, self.busy)
        named = (rule for rule in (*rules, self.do_not_disturb_to) if rule is not None)
        return tuple(rule for rule in named if rule != "unanswered")


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
