"""`callnode settings`: what happens to calls that you do not take."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal

import click
import msgspec
from msgspec.structs import replace

from node.commands.options import Access, json_option, user_options
from node.commands.process import OK, CommandError, run
from signaling.routing import RING_SECONDS
from signaling.settings import MAX_MEMBERS, Destination, Group, Settings, ToGroup, ToPerson, ToVoicemail

Word = Literal["none", "unanswered"]
Choice = Destination | Word
Option = Callable[[Callable[..., Any]], Callable[..., Any]]

_PATH = "/v1/settings"
_SECONDS = ["10", "20", "30", "40", "50", "60"]


class _DestinationType(click.ParamType[Choice]):
    """`voicemail`, `group`, `group:OWNER`, a word, or a name."""

    name = "destination"

    def __init__(self, *words: Word) -> None:
        self._words = words

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Choice:
        """Return the destination; a name becomes a person."""
        text = str(value)
        for word in self._words:
            if text == word:
                return word
        if not text.strip():
            self.fail("Name somebody, or say none.", param, ctx)
        kind, _, owner = text.partition(":")
        if kind == "group":
            return ToGroup(owner or None)
        return ToVoicemail() if text == "voicemail" else ToPerson(text)


def _destination(*names: str, words: tuple[Word, ...] = ("none",), help: str) -> Option:
    metavar = "|".join(("NAME", "group", "voicemail", *words))
    return click.option(*names, type=_DestinationType(*words), metavar=metavar, help=help)


def _seconds(*names: str, help: str) -> Option:
    return click.option(*names, type=click.Choice(_SECONDS), help=help)


def _switch(*names: str, help: str) -> Option:
    return click.option(*names, type=click.Choice(["on", "off"]), help=help)


@click.command(
    short_help="Where calls go that you do not take.",
    epilog="""\b
    Calls go to a name or number, to voicemail, to your call group (group), or to that
    of another user (group:sales).

    \b
    Examples:
      callnode settings
      callnode settings --unanswered voicemail --after 30
      callnode settings --group bob,carol --also-ring group
      callnode settings --group bob,carol --group-order in-order --forward group
      callnode settings --dnd on --dnd-to voicemail
      callnode settings --forward none""",
)
@_destination("--unanswered", help="Where a call goes that you do not answer, or that finds you offline.")
@_seconds("--after", "unanswered_delay", help="After how many seconds of ringing it does so.")
@_destination("--declined", help="Where a call goes that you decline.")
@_destination("--busy", help="Where a call goes while you are busy.")
@_destination(
    "--forward", "forwarding", help="Where every call goes at once, not ringing here; ends --also-ring."
)
@click.option(
    "--also-ring",
    "simultaneous",
    type=_DestinationType("none"),
    metavar="NAME|group|none",
    help="Who rings along with you; the first to answer has the call; ends --forward.",
)
@_switch("--dnd", "do_not_disturb", help="Do not disturb: no call rings here.")
@_destination(
    "--dnd-to",
    "do_not_disturb_to",
    words=("none", "unanswered"),
    help="Where calls go meanwhile; by default as if unanswered.",
)
@_switch("--call-waiting", help="Whether further calls ring while you have one; off: you are busy.")
@click.option("--group", metavar="NAME,NAME…|none", help="Who is in your call group: at most 25.")
@click.option(
    "--group-order",
    type=click.Choice(["simultaneous", "in-order"]),
    help="Whether your group rings together, or one after the other: then at most 5.",
)
@_seconds("--group-delay", help="For how many seconds your group rings, or each in order.")
@json_option
@user_options
def settings(access: Access, as_json: bool, **options: Any) -> None:
    """Show what happens to calls that you do not take, or set it."""
    given = {name: value for name, value in options.items() if value is not None}
    run(lambda _: _settings(access, given, as_json))


async def _settings(access: Access, options: Mapping[str, Any], as_json: bool) -> int:
    body = await access.request("GET", _PATH)
    if options:
        wanted = _changed(msgspec.json.decode(body, type=Settings), options)
        body = await access.request("PUT", _PATH, msgspec.json.encode(wanted))
    if as_json:
        click.echo(body)
        return OK
    for name, said in _shown(msgspec.json.decode(body, type=Settings)):
        click.echo(f"{name:<15} {said}")
    return OK


def _changed(now: Settings, options: Mapping[str, Any]) -> Settings:
    """Return the settings with what the options say; raises CommandError where that does not fit."""
    changes: dict[str, Any] = {}
    group: dict[str, Any] = {}
    for name, value in options.items():
        if name in ("group", "group_order", "group_delay"):
            group[name] = value
        else:
            changes[name] = _PLAIN.get(value, value) if isinstance(value, str) else value
    for name, other in (("forwarding", "simultaneous"), ("simultaneous", "forwarding")):
        if changes.get(name) is not None:
            changes.setdefault(other, None)
    try:
        if group:
            changes["group"] = _group(now.group, **group)
        # Built anew from JSON, so that it is checked as the hub checks it.
        return msgspec.convert(msgspec.to_builtins(replace(now, **changes)), Settings)
    except ValueError as error:
        raise CommandError(str(error)) from None


# What the words of options and the numbers among them stand for.
_PLAIN = {"none": None, "on": True, "off": False, **{seconds: int(seconds) for seconds in _SECONDS}}


def _group(now: Group | None, group: str = "", group_order: str = "", group_delay: str = "") -> Group | None:
    if group == "none":
        return None
    members = tuple(name.strip() for name in group.split(",")) if group else now.members if now else ()
    if not members:
        raise CommandError("You have no call group yet: name who is in it, such as --group bob,carol.")
    if len(members) > MAX_MEMBERS:
        raise CommandError(f"A call group has at most {MAX_MEMBERS} members; name fewer.")
    changes: dict[str, Any] = {"members": members}
    if group_order:
        changes["order"] = group_order.replace("-", "_")
    if group_delay:
        changes["delay"] = int(group_delay)
    return replace(now or Group(members), **changes)


def _shown(now: Settings) -> Iterator[tuple[str, str]]:
    """Return a line for each rule: its name, and what it says."""
    if now.forwarding is not None:
        yield "every call", f"goes to {_named(now.forwarding)} at once"
        if not isinstance(now.forwarding, ToGroup):
            yield "", "All else waits until you say --forward none."
    if now.simultaneous is not None:
        yield "also rings", _named(now.simultaneous)
    seconds = RING_SECONDS if now.unanswered is None else now.unanswered_delay
    yield "unanswered", f"{_rule(now.unanswered)} after {seconds:.0f} s"
    yield "declined", _rule(now.declined)
    yield "busy", _rule(now.busy)
    to = now.do_not_disturb_to
    elsewhere = "as unanswered, at once" if to == "unanswered" else _rule(to)
    if now.do_not_disturb:
        yield "do not disturb", f"on: no call rings here; {elsewhere}"
    else:
        yield "do not disturb", "off" if to == "unanswered" else f"off; when on, {elsewhere}"
    yield (
        "call waiting",
        "on: further calls ring while you have one" if now.call_waiting else "off: a call makes you busy",
    )
    if now.group is not None:
        how = "one after the other" if now.group.order == "in_order" else "together"
        yield "your group", f"{', '.join(now.group.members)}: {how}, {now.group.delay} s"


def _rule(to: Destination | None) -> str:
    return "the call ends" if to is None else f"the call goes to {_named(to)}"


def _named(to: Destination) -> str:
    if isinstance(to, ToGroup):
        return f"the group of {to.identifier}" if to.identifier else "your group"
    return to.identifier if isinstance(to, ToPerson) else "voicemail"
