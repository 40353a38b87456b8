"""Options of the commands that run hub and voicemail: whom they tell of new messages, and what."""

from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click

from media.recorder import export
from node.commands.options import Command

_OPTIONS = (
    click.option(
        "--webhook",
        metavar="URL",
        envvar="CALLNODE_WEBHOOK",
        help="Tell this URL of everybody's new messages, signed with the secret in CALLNODE_WEBHOOK_SECRET. "
        "[env: CALLNODE_WEBHOOK]",
    ),
    click.option(
        "--private-webhooks",
        is_flag=True,
        envvar="CALLNODE_PRIVATE_WEBHOOKS",
        help="Let users' webhooks lead to http and to addresses that are not public. "
        "[env: CALLNODE_PRIVATE_WEBHOOKS]",
    ),
    click.option(
        "--smtp",
        metavar="URL",
        envvar="CALLNODE_SMTP",
        help="Server that takes mail: smtp://USER@HOST:PORT (STARTTLS) or smtps:// (TLS); "
        "its password is in CALLNODE_SMTP_PASSWORD. [env: CALLNODE_SMTP]",
    ),
    click.option(
        "--mail-from",
        metavar="ADDRESS",
        envvar="CALLNODE_MAIL_FROM",
        help="Where mail comes from; by default the USER of --smtp. [env: CALLNODE_MAIL_FROM]",
    ),
)


transcription_option = click.option(
    "--transcription",
    metavar="ENGINE",
    envvar="CALLNODE_TRANSCRIPTION",
    help="Write down what is said in messages: pocketsphinx (English), whisper:FOLDER with a model of "
    "faster-whisper, or MODULE:FACTORY of your own. [env: CALLNODE_TRANSCRIPTION]",
)


def telling_options(command: Command) -> Command:
    """Add the options to a command, which gets them by the names of `load_telling`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def environment(options: Mapping[str, Any]) -> dict[str, str]:
    """Return options as another command finds them in its environment, where no other user sees them."""
    return {f"CALLNODE_{name.upper()}": str(value) for name, value in options.items() if value}


def mp3(ogg: bytes) -> bytes:
    """Return Ogg Opus as MP3; raises OSError for what is no sound."""
    with TemporaryDirectory(prefix="callnode-") as folder:
        target = Path(folder) / "message.mp3"
        export(BytesIO(ogg), target)
        return target.read_bytes()
