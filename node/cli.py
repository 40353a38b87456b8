"""The command `callnode`."""

from pathlib import Path

import click

from node.commands.devices import devices
from node.commands.doctor import doctor
from node.commands.history import history, surveys
from node.commands.hub import connection_string, hub, token, up
from node.commands.invite import invite
from node.commands.mixer import mixer
from node.commands.phone import call, join, listen
from node.commands.process import Commands, log_to_stderr
from node.commands.settings import settings
from node.commands.voicemail import voicemail
from signaling.version import version

_FIRST_STEPS = """\b
First steps:
  callnode demo                  see and hear it work, here
  callnode up --host 0.0.0.0     run the system for everybody
  callnode token alice           let somebody in
  callnode listen                be reachable (with that token in CALLNODE_TOKEN)
  callnode call bob              call somebody
"""


@click.group(
    cls=Commands,
    epilog=_FIRST_STEPS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option("-v", "--verbose", is_flag=True, help="Say on stderr what goes on inside.")
@click.version_option(version() or "(not installed)", prog_name="callnode")
def main(verbose: bool) -> None:
    """Call, transfer and leave messages, on your own machines."""
    log_to_stderr(verbose=verbose)


@main.command()
@click.option(
    "--json",
    "json_path",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the figures to this file.",
)
@click.option("--listen", is_flag=True, help="Play the calls on the speaker.")
def demo(json_path: Path | None, listen: bool) -> None:
    """Start a whole system here, let three people call each other, and measure what they hear."""
    from node.demo import run

    run(json_path, listen=listen)


for command in (
    up,
    hub,
    token,
    invite,
    connection_string,
    call,
    join,
    listen,
    history,
    voicemail,
    mixer,
    settings,
    devices,
    doctor,
    surveys,
):
    main.add_command(command)

if __name__ == "__main__":
    main(prog_name="callnode")
