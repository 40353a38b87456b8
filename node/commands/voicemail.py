"""`callnode voicemail`: read a mailbox, or run the service that fills them."""

import asyncio
import tempfile
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table

from media.audio import FRAME_SECONDS
from media.recorder import export as export_recording
from media.source import FileSource
from node.admin import create_token
from node.commands import stdin
from node.commands.event import plain
from node.commands.options import Access, data_option, hub_access_key, json_option, user_options
from node.commands.process import OK, CommandError, Commands, run
from node.credential import CommunicationTokenCredential
from node.devices import DeviceManager
from node.voicemail import Mailbox, Message, VoicemailService
from signaling.config import hub_url
from signaling.identity import CreateToken

SERVICE_NAME = "voicemail"

_SHOWN_ID = 8
_BARS = "▁▂▃▄▅▆▇█"
_WAVEFORM = 24
_DRAIN_SECONDS = 0.3


@click.group(cls=Commands)
def voicemail() -> None:
    """Hear the messages that were left for you.

    Messages are named by the beginning of their id, as `callnode voicemail list` shows it.
    """


@voicemail.command("list")
@json_option
@user_options
def list_(access: Access, as_json: bool) -> None:
    """List your messages, newest first."""
    run(lambda _: _list(access, as_json))


async def _list(access: Access, as_json: bool) -> int:
    messages = await Mailbox(access.hub, access.token).list()
    if as_json:
        click.echo(msgspec.json.encode(messages))
        return OK
    if not messages:
        click.echo("There are no messages.")
        return OK
    console = Console(highlight=False)
    if not console.is_terminal:
        for message in messages:
            click.echo("\t".join([message.id, message.folder, *_envelope(message)]))
        return OK
    table = Table(
        "id", "", "received", "length", "from", "sound", box=None, header_style="bold", padding=(0, 2, 0, 0)
    )
    for message in messages:
        new = "[bold green]new[/]" if message.folder == "new" else "[dim]saved[/]"
        table.add_row(
            message.id[:_SHOWN_ID],
            new,
            *map(escape, _envelope(message)),
            f"[cyan]{_waveform(message.peaks)}[/]",
        )
    console.print(table)
    return OK


@voicemail.command()
@click.argument("message_id", metavar="[ID]", default="")
@click.option("--speaker", metavar="NAME", help="Speaker, by a part of its name (`callnode devices`).")
@user_options
def play(access: Access, message_id: str, speaker: str | None) -> None:
    """Play a message on the speaker: the newest, or that of ID.

    Played to its end, it counts as saved.
    """
    run(lambda stop: _play(stop, access, message_id, speaker))


async def _play(stop: asyncio.Event, access: Access, message_id: str, speaker: str | None) -> int:
    mailbox = Mailbox(access.hub, access.token)
    message = await _find(mailbox, message_id)
    devices = DeviceManager()
    if not devices.speakers:
        raise CommandError(
            f"There is no speaker here; try `callnode voicemail export {message.id[:_SHOWN_ID]} FILE.wav`."
        )
    if speaker:
        devices.select_speaker(speaker)
    with tempfile.TemporaryDirectory(prefix="callnode-") as folder:
        path = Path(folder) / "message.ogg"
        await mailbox.audio(message.id, path)
        source = FileSource(path)
        try:
            await _say(stop, source, devices, message)
        finally:
            source.close()
            devices.close()
    if not stop.is_set():
        await mailbox.mark(message.id, "saved")
    return OK


async def _say(stop: asyncio.Event, source: FileSource, devices: DeviceManager, message: Message) -> None:
    """Play a source in its own time until its end, with a bar on a terminal."""
    received, length, caller = _envelope(message)
    console = Console(highlight=False)
    if not console.is_terminal:
        click.echo(f"playing {message.id}: {caller}, {received}, {length}")
    sink = devices.speaker_sink()
    loop = asyncio.get_running_loop()
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[at]} / " + length))
    with Progress(*columns, console=console, disable=not console.is_terminal, auto_refresh=False) as bar:
        task = bar.add_task(escape(f"{caller}, {received}"), total=message.duration, at="0:00")
        begun, said = loop.time(), 0.0
        while not source.finished and not stop.is_set():
            sink.write(source.read())
            said += FRAME_SECONDS
            bar.update(task, completed=said, at=_minutes(said))
            if int(said / FRAME_SECONDS) % 5 == 0:
                bar.refresh()
            await asyncio.sleep(begun + said - loop.time())
        if not stop.is_set():
            await asyncio.sleep(_DRAIN_SECONDS)  # what is still in the card
    sink.close()


@voicemail.command()
@click.argument("message_id", metavar="ID")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@user_options
def export(access: Access, message_id: str, file: Path) -> None:
    """Save the message ID as FILE.

    The ending of FILE says what it becomes: .ogg, .wav, .mp3 or .flac.
    """
    run(lambda _: _export(access, message_id, file))


async def _export(access: Access, message_id: str, file: Path) -> int:
    mailbox = Mailbox(access.hub, access.token)
    message = await _find(mailbox, message_id)
    with tempfile.TemporaryDirectory(prefix="callnode-") as folder:
        path = Path(folder) / "message.ogg"
        await mailbox.audio(message.id, path)
        try:
            await asyncio.to_thread(export_recording, path, file)
        except ValueError as error:
            raise CommandError(str(error)) from None
    click.echo(file)
    return OK


@voicemail.command()
@data_option
@click.option("--hub", "url", envvar="CALLNODE_HUB", metavar="URL", help="The hub. [env: CALLNODE_HUB]")
@stdin.supervised_option
def serve(data: Path, url: str | None, supervised: bool) -> None:
    """Run the voicemail service, which answers for people who do not.

    Needs the hub's data folder, or its access key in CALLNODE_ACCESS_KEY and its URL. Prints one line when
    ready; stops on Ctrl-C or SIGTERM. `callnode up` runs hub and voicemail together.
    """
    run(lambda stop: _serve(stop, data, url, supervised))


async def _serve(stop: asyncio.Event, data: Path, url: str | None, supervised: bool) -> int:
    key = hub_access_key(data)
    hub = (url or hub_url(data)).rstrip("/")

    async def mint() -> str:
        return (await create_token(hub, key, CreateToken(SERVICE_NAME, "Voicemail", voicemail=True))).token

    credential = CommunicationTokenCredential(token_refresher=mint, refresh_proactively=True)
    service = VoicemailService(credential, data, hub=hub)
    serving = asyncio.create_task(service.serve(lambda: click.echo(f"voicemail is ready at {hub}")))
    stopping = asyncio.create_task(stop.wait())
    try:
        with stdin.until_end(stop, supervised):
            await asyncio.wait([serving, stopping], return_when=asyncio.FIRST_COMPLETED)
        if serving.done():
            await serving  # raises why it ended
    finally:
        for task in (serving, stopping):
            task.cancel()
        await asyncio.gather(serving, stopping, return_exceptions=True)
    return OK


async def _find(mailbox: Mailbox, beginning: str) -> Message:
    """Return the message whose id begins so, the newest for none; raises CommandError unless it is one."""
    messages = await mailbox.list()
    found = [message for message in messages if message.id.startswith(beginning)]
    if found and (len(found) == 1 or not beginning):
        return found[0]
    if not messages:
        raise CommandError("There are no messages.")
    what = "Several messages begin" if found else "No message begins"
    raise CommandError(f"{what} with {beginning!r}; see `callnode voicemail list`.")


def _envelope(message: Message) -> tuple[str, str, str]:
    """Return when it came (local time), how long it is, and from whom."""
    caller = message.caller.display_name or message.caller.name or message.caller.raw_id
    via = message.transferor
    by = f" (transferred by {via.display_name or via.name or via.raw_id})" if via else ""
    when = message.received_at.astimezone().strftime("%Y-%m-%d %H:%M")
    return when, _minutes(message.duration), plain(caller + by)


def _minutes(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"


def _waveform(peaks: tuple[int, ...]) -> str:
    if not peaks:
        return ""
    step = max(1, len(peaks) // _WAVEFORM)
    tops = [max(peaks[at : at + step]) for at in range(0, len(peaks), step)]
    return "".join(_BARS[min(len(_BARS) - 1, top * len(_BARS) // 256)] for top in tops)
