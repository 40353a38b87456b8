"""`callnode settings`: what happens to calls that you do not take."""

from typing import Literal

import click
import msgspec
from msgspec.structs import replace

from node.admin import request
from node.commands.options import Access, json_option, user_options
from node.commands.process import OK, run
from signaling.settings import Delay, Destination, Settings, ToPerson, ToVoicemail

Choice = Destination | Literal["none"]


class _DestinationType(click.ParamType[Choice]):
    """`voicemail`, `none` or a name."""

    name = "destination"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Choice:
        """Return the destination; a name becomes a person."""
        text = str(value)
        return "none" if text == "none" else ToVoicemail() if text == "voicemail" else ToPerson(text)


_METAVAR = "voicemail|none|NAME"


@click.command(
    short_help="Where calls go that you do not take.",
    epilog="""\b
    Examples:
      callnode settings
      callnode settings --unanswered voicemail --after 30
      callnode settings --forward bob
      callnode settings --forward none""",
)
@click.option(
    "--unanswered",
    type=_DestinationType(),
    metavar=_METAVAR,
    help="Where a call goes that you do not answer.",
)
@click.option(
    "--after",
    type=click.Choice(["10", "20", "30", "40", "50", "60"]),
    help="After how many seconds of ringing it does so.",
)
@click.option(
    "--forward",
    type=_DestinationType(),
    metavar=_METAVAR,
    help="Where every call goes at once, without ringing.",
)
@json_option
@user_options
def settings(
    access: Access,
    unanswered: Choice | None,
    after: str | None,
    forward: Choice | None,
    as_json: bool,
) -> None:
    """Show what happens to calls that you do not take, or set it."""
    changes: dict[str, object] = {}
    if unanswered is not None:
        changes["unanswered"] = None if unanswered == "none" else unanswered
    if forward is not None:
        changes["forwarding"] = None if forward == "none" else forward
    if after is not None:
        changes["unanswered_delay"] = msgspec.convert(int(after), Delay)
    run(lambda _: _settings(access, changes, as_json))


async def _settings(access: Access, changes: dict[str, object], as_json: bool) -> int:
    url = f"{access.hub}/v1/settings"
    body = await request("GET", url, access.headers)
    if changes:
        wanted = replace(msgspec.json.decode(body, type=Settings), **changes)
        body = await request("PUT", url, access.headers, msgspec.json.encode(wanted))
    if as_json:
        click.echo(body)
        return OK
    now = msgspec.json.decode(body, type=Settings)
    if now.forwarding is not None:
        click.echo(f"every call      goes to {_named(now.forwarding)} at once")
    click.echo(f"unanswered      {_rule(now.unanswered)} after {now.unanswered_delay} s")
    click.echo(f"declined        {_rule(now.declined)}")
    click.echo(f"busy            {_rule(now.busy)}")
    return OK


def _rule(to: Destination | None) -> str:
    return "ends" if to is None else f"goes to {_named(to)}"


def _named(to: Destination) -> str:
    return to.identifier if isinstance(to, ToPerson) else "voicemail"
