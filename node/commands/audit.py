"""What was done with mailboxes: `callnode voicemail audit` for owners, `callnode hub audit` for all."""

from urllib.parse import urlencode

import click
import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from node.commands.event import plain
from node.commands.options import Access, OwnerAccess, json_option, owner_options, user_options
from node.commands.process import OK, run
from signaling.mailboxes import AuditEntry, AuditListing
from signaling.parts import Party

_PAGE = 500
_SHOWN_ID = 8

last_option = click.option(
    "--last",
    type=click.IntRange(1),
    default=50,
    show_default=True,
    metavar="N",
    help="How many entries, the latest.",
)


@click.command("audit")
@last_option
@json_option
@user_options
def mine(access: Access, last: int, as_json: bool) -> None:
    """Show who heard, exported, deleted, forwarded or changed what of your mailbox, and who was refused.

    Newest first. Entries go after a year.
    """
    run(lambda _: _show(access, "/v1/mailbox-audit", {}, last, as_json))


@click.command("audit")
@click.option("--of", metavar="NAME", help="Of this user's mailbox alone.")
@last_option
@json_option
@owner_options
def all_(access: OwnerAccess, of: str | None, last: int, as_json: bool) -> None:
    """Show who heard, exported, deleted, forwarded or changed what of all mailboxes, and who was refused.

    Needs the hub's data folder, or its access key in CALLNODE_ACCESS_KEY and its URL.
    """
    run(lambda _: _show(access, "/v1/audit", {"of": of} if of else {}, last, as_json))


async def _show(
    access: Access | OwnerAccess, path: str, query: dict[str, str], last: int, as_json: bool
) -> int:
    entries: list[AuditEntry] = []
    while len(entries) < last:
        query |= {"limit": str(min(_PAGE, last - len(entries)))}
        page = msgspec.json.decode(
            await access.request("GET", f"{path}?{urlencode(query)}"), type=AuditListing
        )
        entries += page.entries
        if page.next is None:
            break
        query["before"] = str(page.next)
    if as_json:
        click.echo(msgspec.json.encode(entries))
        return OK
    console = Console(highlight=False)
    if not console.is_terminal:
        for entry in entries:
            click.echo("\t".join(_cells(entry)))
        return OK
    table = Table("when", "mailbox", "who", "did", "message", "from", box=None, header_style="bold")
    for entry in entries:
        style = "yellow" if entry.action in ("refused", "wrong-pin") else ""
        table.add_row(*map(escape, _cells(entry)), style=style)
    console.print(table)
    return OK


def _cells(entry: AuditEntry) -> tuple[str, ...]:
    when = entry.at.astimezone().strftime("%Y-%m-%d %H:%M:%S")
    did = f"{entry.action} {entry.detail}".strip()
    message = (entry.message or "")[:_SHOWN_ID]
    return when, _name(entry.mailbox), _name(entry.by) or "-", plain(did), plain(message), entry.address


def _name(who: Party | None) -> str:
    return "" if who is None else plain(who.name or who.display_name or who.raw_id)
