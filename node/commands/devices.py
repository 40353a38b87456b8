"""`callnode devices`: which microphones and speakers there are, whether they work, what happens to them."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import click
import msgspec
from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from media.audio import FRAME_SECONDS, level_dbfs
from media.devices import MicrophoneSource, SpeakerSink
from media.source import ToneSource
from node.commands.options import json_option
from node.commands.process import OK, CommandError, run
from node.devices import AudioDevice, AudioDevicesUpdated, AudioDeviceSwitched, DeviceManager

TONE_HERTZ = 440.0
_TONE_DBFS = -24.0
_TONE_SECONDS = 1.0
_SILENT_DBFS = -80.0
_METER_WIDTH = 30
_METER_FLOOR_DBFS = -60.0


@click.command(short_help="List and test microphones and speakers.")
@json_option
@click.option("--test", is_flag=True, help="Play a tone on the speaker and show what the microphone hears.")
@click.option("--watch", is_flag=True, help="Go on, and tell what is plugged in and out.")
@click.option("--microphone", metavar="NAME", help="Choose a microphone, by a part of its name.")
@click.option("--speaker", metavar="NAME", help="Choose a speaker, by a part of its name.")
@click.option("--seconds", type=click.FloatRange(1.0), default=5.0, show_default=True, help="Of --test.")
def devices(
    as_json: bool, test: bool, watch: bool, microphone: str | None, speaker: str | None, seconds: float
) -> None:
    """List the microphones and speakers of this machine."""
    manager = DeviceManager()
    try:
        if microphone:
            manager.select_microphone(microphone)
        if speaker:
            manager.select_speaker(speaker)
    except ValueError as error:
        raise CommandError(str(error)) from error
    _list(manager, as_json=as_json)
    if test:
        run(lambda stop: _test(stop, manager, seconds))
    if watch:
        run(lambda stop: _watch(stop, manager, as_json=as_json))


def _list(manager: DeviceManager, *, as_json: bool) -> None:
    found = [*manager.microphones, *manager.speakers]
    if as_json:
        click.echo(msgspec.json.encode(found))
        return
    for kind, listed in (("microphone", manager.microphones), ("speaker", manager.speakers)):
        if not listed:
            click.echo(f"There is no {kind}; calls go on without. Plug one in, or use --play and --record.")
    selected = (manager.selected_microphone, manager.selected_speaker)
    console = Console(highlight=False)
    if found and console.is_terminal:
        table = Table("kind", "name", "default", "selected", box=None, header_style="bold")
        for device in found:
            marks = ("[green]✓[/]" if mark else "" for mark in (device.is_system_default, device in selected))
            table.add_row(device.kind, escape(device.name), *marks)
        console.print(table)
    elif found:
        for device in found:
            marked = "  (default)" * device.is_system_default + "  (selected)" * (device in selected)
            click.echo(f"{device.kind.lower():<10}  {device.name}{marked}")


async def _test(stop: asyncio.Event, manager: DeviceManager, seconds: float) -> int:
    """Play a tone and show a meter; on a terminal it moves, elsewhere there is a line each second."""
    source, sink = manager.microphone_source(), manager.speaker_sink()
    console = Console(highlight=False)
    loudest = second = -96.0
    try:
        for end in (source, sink):
            await asyncio.to_thread(end.wait_open)
        microphone = manager.selected_microphone or asked_for(manager.microphones)
        speaker = manager.selected_speaker or asked_for(manager.speakers)
        for what, other in (("microphone", instead(source, microphone)), ("speaker", instead(sink, speaker))):
            if other:
                click.echo(f"{what}: {other}")
        tone = ToneSource(TONE_HERTZ, _TONE_DBFS)
        with Live(console=console, auto_refresh=False, transient=True) as live:
            async for count in frames(seconds, stop):
                level = level_dbfs(source.read())
                loudest, second = max(loudest, level), max(second, level)
                if count * FRAME_SECONDS < _TONE_SECONDS:
                    sink.write(tone.read())
                if console.is_terminal:
                    live.update(meter(level), refresh=count % 5 == 0)
                elif (count + 1) % 50 == 0:
                    click.echo(f"microphone  {second:.0f} dBFS")
                    second = -96.0
        played = "a tone was played" if sink.is_real else "no speaker"
        heard = f"loudest {loudest:.0f} dBFS" if loudest > _SILENT_DBFS else "silent: is it muted?"
        click.echo(f"microphone: {heard if source.is_real else 'none'}; {played}")
    finally:
        source.close()
        sink.close()
        await manager.dispose()
    return OK


def asked_for(there: Sequence[AudioDevice]) -> AudioDevice | None:
    """Return what is used where nothing is selected: the system's default, or else the first to talk by."""
    real = [device for device in there if device.is_real]
    return next((device for device in real if device.is_system_default), real[0] if real else None)


def instead(end: MicrophoneSource | SpeakerSink, wished: AudioDevice | None) -> str:
    """Say that another device is used than is asked for; nothing where that is not so."""
    if wished is None or end.device is None or end.device.id == wished.id:
        return ""
    return f"{wished.name} does not open, {end.device.name} is used instead"


async def frames(seconds: float, stop: asyncio.Event) -> AsyncIterator[int]:
    """Count frames in their time, for so long or until told to stop."""
    loop = asyncio.get_running_loop()
    begun = loop.time()
    for count in range(round(seconds / FRAME_SECONDS)):
        if stop.is_set():
            return
        yield count
        await asyncio.sleep(begun + (count + 1) * FRAME_SECONDS - loop.time())


def meter(level: float) -> Text:
    """Return a bar for the level of the microphone, in dBFS."""
    lit = round(_METER_WIDTH * max(0.0, 1 - level / _METER_FLOOR_DBFS))
    return Text.assemble(
        "microphone  ",
        ("█" * lit, "green"),
        ("─" * (_METER_WIDTH - lit), "bright_black"),
        f" {level:4.0f} dBFS",
    )


async def _watch(stop: asyncio.Event, manager: DeviceManager, *, as_json: bool) -> int:
    def tell(event: AudioDevicesUpdated | AudioDeviceSwitched) -> None:
        if as_json:
            click.echo(msgspec.json.encode(event))
        elif isinstance(event, AudioDevicesUpdated):
            for device in event.added:
                click.echo(f"plugged in   {_named(device)}")
            for device in event.removed:
                click.echo(f"unplugged    {_named(device)}")

    manager.on("audio_devices_updated", tell)
    try:
        await stop.wait()
    finally:
        await manager.dispose()
    return OK


def _named(device: AudioDevice) -> str:
    return f"{device.kind.lower():<10}  {device.name}"
