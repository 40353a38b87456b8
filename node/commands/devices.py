"""`callnode devices`: which microphones and speakers there are."""

import click
import msgspec
from rich.console import Console
from rich.table import Table

from node.commands.options import json_option
from node.devices import DeviceManager


@click.command(short_help="List microphones and speakers.")
@json_option
def devices(as_json: bool) -> None:
    """List the microphones and speakers of this machine."""
    manager = DeviceManager()
    found = [*manager.microphones, *manager.speakers]
    if as_json:
        click.echo(msgspec.json.encode(found))
        return
    for kind, listed in (("microphone", manager.microphones), ("speaker", manager.speakers)):
        if not listed:
            click.echo(f"There is no {kind}; calls go on without. Plug one in, or use --play and --record.")
    console = Console(highlight=False)
    if found and console.is_terminal:
        table = Table("kind", "name", "default", box=None, header_style="bold")
        for device in found:
            table.add_row(device.kind, device.name, "[green]✓[/]" if device.is_system_default else "")
        console.print(table)
    elif found:
        for device in found:
            default = "  (default)" if device.is_system_default else ""
            click.echo(f"{device.kind.lower():<10}  {device.name}{default}")
