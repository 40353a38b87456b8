"""The messages of a mailbox on the command line: list, mark, delete, forward, export."""

import asyncio
import tempfile
from io import BytesIO
from pathlib import Path
from typing import Literal

import click
import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from media.recorder import export as export_recording
from media.recorder import profile
from node.commands.event import minutes, plain, shown_name, when
from node.commands.options import Access, json_option, user_options
from node.commands.process import OK, CommandError, run
from node.voicemail import Mailbox, Message
from signaling.mailboxes import Folder

_SHOWN_ID = 8
_BARS = "▁▂▃▄▅▆▇█"
_WAVEFORM = 24
_SHOWN_WORDS = 200  # characters
_STYLES: dict[Folder, str] = {"new": "bold green", "saved": "dim", "deleted": "dim strike"}

message_argument = click.argument("message_id", metavar="ID")


@click.command("list")
@click.option("--deleted", is_flag=True, help="List those you deleted; they can be had back for 30 days.")
@json_option
@user_options
def list_(access: Access, deleted: bool, as_json: bool) -> None:
    """List your messages, newest first."""
    run(lambda _: _list(access, "deleted" if deleted else None, as_json))


async def _list(access: Access, folder: Folder | None, as_json: bool) -> int:
    messages = await Mailbox(access.hub, access.token).list(folder)
    if as_json:
        click.echo(msgspec.json.encode(messages))
        return OK
    if not messages:
        click.echo("There are no messages.")
        return OK
    console = Console(highlight=False)
    if not console.is_terminal:
        for message in messages:
            said = plain(message.transcript or "")
            click.echo("\t".join([message.id, message.folder, *envelope(message), said]))
        return OK
    table = Table(
        "id", "", "received", "length", "from", "sound", box=None, header_style="bold", padding=(0, 2, 0, 0)
    )
    for message in messages:
        urgent = " [bold red]urgent[/]" if message.urgent else ""
        table.add_row(
            message.id[:_SHOWN_ID],
            f"[{_STYLES[message.folder]}]{message.folder}[/]{urgent}",
            *map(escape, envelope(message)),
            f"[cyan]{_waveform(message.peaks)}[/]",
        )
        if message.transcript:
            said = plain(message.transcript)
            shown = said if len(said) <= _SHOWN_WORDS else said[: _SHOWN_WORDS - 1] + "…"
            table.add_row("", "", "", "", f"[dim]{escape(shown)}[/]", "")
    console.print(table)
    return OK


@click.command()
@message_argument
@click.argument("folder", type=click.Choice(["new", "saved"]))
@user_options
def mark(access: Access, message_id: str, folder: Literal["new", "saved"]) -> None:
    """Mark the message ID as new, or as saved: heard."""

    async def work(_: asyncio.Event) -> int:
        mailbox = Mailbox(access.hub, access.token)
        await mailbox.mark((await find(mailbox, message_id)).id, folder)
        return OK

    run(work)


@click.command()
@message_argument
@click.option("--for-good", is_flag=True, help="Not to be had back.")
@user_options
def delete(access: Access, message_id: str, for_good: bool) -> None:
    """Delete the message ID; `undelete` has it back for 30 days."""

    async def work(_: asyncio.Event) -> int:
        mailbox = Mailbox(access.hub, access.token)
        message = await find(mailbox, message_id, deleted=for_good)
        if message.folder != "deleted":
            await mailbox.delete(message.id)
        if for_good:
            await mailbox.delete(message.id)
        return OK

    run(work)


@click.command()
@message_argument
@user_options
def undelete(access: Access, message_id: str) -> None:
    """Have the deleted message ID back."""

    async def work(_: asyncio.Event) -> int:
        mailbox = Mailbox(access.hub, access.token)
        await mailbox.undelete((await find(mailbox, message_id, deleted=True)).id)
        return OK

    run(work)


@click.command()
@message_argument
@click.argument("to", metavar="NAME")
@click.option(
    "--introduction",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Sound file with your words, which are heard before the message.",
)
@user_options
def forward(access: Access, message_id: str, to: str, introduction: Path | None) -> None:
    """Put a copy of the message ID into the mailbox of NAME."""

    async def work(_: asyncio.Event) -> int:
        mailbox = Mailbox(access.hub, access.token)
        message = await find(mailbox, message_id)
        with tempfile.TemporaryDirectory(prefix="callnode-") as folder:
            words, seconds = None, None
            if introduction is not None:
                words = Path(folder) / "introduction.ogg"
                await asyncio.to_thread(export_recording, introduction, words)
                seconds = (await asyncio.to_thread(profile, words)).duration
            await mailbox.forward(message.id, to, words, seconds)
        return OK

    run(work)


@click.command()
@message_argument
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@user_options
def export(access: Access, message_id: str, file: Path) -> None:
    """Save the message ID as FILE.

    The ending of FILE says what it becomes: .ogg, .wav, .mp3 or .flac.
    """
    run(lambda _: _export(access, message_id, file))


async def _export(access: Access, message_id: str, file: Path) -> int:
    mailbox = Mailbox(access.hub, access.token)
    message = await find(mailbox, message_id, deleted=True)
    sound = BytesIO(await mailbox.export(message.id))
    try:
        await asyncio.to_thread(export_recording, sound, file)
    except ValueError as error:
        raise CommandError(str(error)) from None
    click.echo(file)
    return OK


async def find(mailbox: Mailbox, beginning: str, *, deleted: bool = False) -> Message:
    """Return the message whose id begins so, the newest for none; raises CommandError unless it is one.

    With `deleted` it may be a deleted one.
    """
    messages = await mailbox.list()
    if deleted:
        messages += await mailbox.list("deleted")
    found = [message for message in messages if message.id.startswith(beginning)]
    if found and (len(found) == 1 or not beginning):
        return found[0]
    if not messages:
        raise CommandError("There are no messages.")
    what = "Several messages begin" if found else "No message begins"
    raise CommandError(f"{what} with {beginning!r}; see `callnode voicemail list`.")


def envelope(message: Message) -> tuple[str, str, str]:
    """Return when it came (local time), how long it is, and from whom."""
    by = f" (transferred by {shown_name(message.transferor)})" if message.transferor else ""
    by += f" (forwarded by {shown_name(message.forwarded_by)})" if message.forwarded_by else ""
    return when(message.received_at), minutes(message.duration), shown_name(message.caller) + by


def _waveform(peaks: tuple[int, ...]) -> str:
    if not peaks:
        return ""
    step = max(1, len(peaks) // _WAVEFORM)
    tops = [max(peaks[at : at + step]) for at in range(0, len(peaks), step)]
    return "".join(_BARS[min(len(_BARS) - 1, top * len(_BARS) // 256)] for top in tops)
