"""`callnode invite`: a link by which somebody signs in on the page, once."""

import click
import msgspec

from node.commands.options import OwnerAccess, json_option, owner_options
from node.commands.process import OK, run


@click.command(short_help="Let somebody in by the page: a link.")
@click.argument("name")
@click.option("--display-name", metavar="TEXT", help="The name that others see.")
@click.option(
    "--minutes",
    type=click.IntRange(1, 1440),
    default=15,
    show_default=True,
    help="How long the link can be used.",
)
@json_option
@owner_options
def invite(access: OwnerAccess, name: str, display_name: str | None, minutes: int, as_json: bool) -> None:
    """Print a link to the page by which NAME signs in, once; the user is made if there is none.

    Needs the hub's data folder, or its access key in CALLNODE_ACCESS_KEY and its URL.
    """
    wanted = {"name": name, "display_name": display_name, "code_minutes": minutes}
    body = msgspec.json.encode({key: value for key, value in wanted.items() if value is not None})
    run(lambda _: _invite(access, body, as_json))


async def _invite(access: OwnerAccess, body: bytes, as_json: bool) -> int:
    answer = await access.request("POST", "/v1/invitations", body)
    click.echo(answer if as_json else msgspec.json.decode(answer)["url"])
    return OK
