"""`callnode voicemail`: read a mailbox, say what it does, or run the service that fills it."""

import asyncio
from pathlib import Path

import click

from node.commands import stdin
from node.commands.audit import mine as audit
from node.commands.options import OwnerAccess, owner_options, storage_key_option
from node.commands.process import Commands, run
from node.commands.serving import credential_of
from node.commands.serving import serve as run_service
from node.commands.telling import transcription_option
from node.commands.voicemail_box import delete, export, forward, list_, mark, undelete
from node.commands.voicemail_greeting import greeting, settings
from node.commands.voicemail_play import play
from node.voicemail import VoicemailService
from signaling.config import storage_keys
from signaling.identity import VOICEMAIL, CreateToken
from signaling.sealing import StorageKeys


@click.group(cls=Commands)
def voicemail() -> None:
    """Hear the messages that were left for you.

    Messages are named by the beginning of their id, as `callnode voicemail list` shows it.
    """


for command in (list_, play, mark, delete, undelete, forward, export, greeting, settings, audit):
    voicemail.add_command(command)


@voicemail.command()
@owner_options
@click.option(
    "--prompts",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder with sounds of your own, such as en/greeting.wav, in place of those built in.",
)
@transcription_option
@storage_key_option
@stdin.supervised_option
def serve(
    access: OwnerAccess,
    prompts: Path | None,
    transcription: str | None,
    storage_key_file: Path | None,
    supervised: bool,
) -> None:
    """Run the voicemail service, which answers for people who do not.

    Needs the hub's data folder, or its access key in CALLNODE_ACCESS_KEY and its URL. Prints one line when
    ready; stops on Ctrl-C or SIGTERM. `callnode up` runs hub and voicemail together.
    """
    keys = storage_keys(storage_key_file)
    run(lambda stop: _serve(stop, access, prompts, transcription, keys, supervised))


async def _serve(
    stop: asyncio.Event,
    access: OwnerAccess,
    prompts: Path | None,
    transcription: str | None,
    keys: StorageKeys | None,
    supervised: bool,
) -> int:
    credential = credential_of(access, CreateToken(VOICEMAIL, "Voicemail", voicemail=True))
    hub, engine = access.hub, transcription or ""
    service = VoicemailService(credential, access.data, hub=hub, prompts=prompts, engine=engine, sealing=keys)
    return await run_service(
        stop, supervised, lambda: service.serve(lambda: click.echo(f"voicemail is ready at {hub}"))
    )
