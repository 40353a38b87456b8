"""`callnode mixer`: the service that puts the sound of group calls together."""

import asyncio

import click

from node.commands import stdin
from node.commands.options import OwnerAccess, owner_options
from node.commands.process import Commands, run
from node.commands.serving import credential_of
from node.commands.serving import serve as run_service
from node.mixer import MixerService
from signaling.identity import MIXER, CreateToken


@click.group(cls=Commands)
def mixer() -> None:
    """Run a mixer, for calls of more than two."""


@mixer.command()
@owner_options
@stdin.supervised_option
def serve(access: OwnerAccess, supervised: bool) -> None:
    """Run a mixer, which puts the sound of group calls together; several share the calls.

    Needs the hub's data folder, or its access key in CALLNODE_ACCESS_KEY and its URL. Prints one line when
    ready; stops on Ctrl-C or SIGTERM. `callnode up` runs one.
    """
    run(lambda stop: _serve(stop, access, supervised))


async def _serve(stop: asyncio.Event, access: OwnerAccess, supervised: bool) -> int:
    credential = credential_of(access, CreateToken(MIXER, "Mixer", mixer=True))
    service = MixerService(credential, hub=access.hub)
    return await run_service(
        stop, supervised, lambda: service.serve(lambda: click.echo(f"the mixer is ready at {access.hub}"))
    )
