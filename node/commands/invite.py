"""`callnode invite`: a link by which somebody signs in on the page, once."""

from pathlib import Path

import click
import msgspec

from node.admin import signed_request
from node.commands.options import data_option, hub_access_key, hub_option, json_option
from node.commands.process import OK, run
from signaling.certificates import authority
from signaling.config import hub_url


@click.command(short_help="Let somebody in by the page: a link.")
@click.argument("name")
@data_option
@hub_option
@click.option("--display-name", metavar="TEXT", help="The name that others see.")
@click.option(
    "--minutes",
    type=click.IntRange(1, 1440),
    default=15,
    show_default=True,
    help="How long the link can be used.",
)
@json_option
def invite(
    name: str, data: Path, url: str | None, display_name: str | None, minutes: int, as_json: bool
) -> None:
    """Print a link to the page by which NAME signs in, once; the user is made if there is none.

    Needs the hub's data folder, or its access key in CALLNODE_ACCESS_KEY and its URL.
    """
    wanted = {"name": name, "display_name": display_name, "code_minutes": minutes}
    body = msgspec.json.encode({key: value for key, value in wanted.items() if value is not None})
    key = hub_access_key(data)
    run(lambda _: _invite(f"{(url or hub_url(data)).rstrip('/')}/v1/invitations", data, key, body, as_json))


async def _invite(url: str, data: Path, key: str, body: bytes, as_json: bool) -> int:
    answer = await signed_request("POST", url, key, body, authority(data))
    click.echo(answer if as_json else msgspec.json.decode(answer)["url"])
    return OK
