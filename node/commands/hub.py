"""Commands for whoever runs the hub: `hub`, `up`, `token`, `connection-string`."""

import asyncio
import os
import re
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import msgspec
from click.core import ParameterSource

from node.admin import create_token
from node.commands import stdin
from node.commands.audit import all_ as audit
from node.commands.options import (
    DEFAULT_DATA,
    Command,
    OwnerAccess,
    data_option,
    json_option,
    owner_options,
    storage_key_option,
)
from node.commands.process import OK, CommandError, Commands, run
from node.commands.rewrap import rewrap
from node.commands.supervisor import Service, supervise
from node.commands.telling import environment, mp3, telling_options, transcription_option
from signaling.certificates import authority, fingerprint
from signaling.config import SELF_SIGNED, Config, load_config
from signaling.config import connection_string as connection_string_of
from signaling.ice import TURN_SECRET_VARIABLE
from signaling.identity import CreateToken
from signaling.telling_config import TellingConfig, load_telling
from signaling.tokens import MAX_MINUTES, MIN_MINUTES

DEFAULT_PORT = 8400

host_option = click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Address to listen on; 0.0.0.0 lets other machines in.",
)
port_option = click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=DEFAULT_PORT,
    show_default=True,
    help="Port to listen on; 0 takes a free one.",
)

ice_option = click.option(
    "--ice",
    metavar="URL",
    multiple=True,
    help="STUN or TURN server to tell everybody of, such as stun:HOST:3478; may be given more than once. "
    f"For turn:HOST:3478, {TURN_SECRET_VARIABLE} holds the server's static-auth-secret.",
)


def tls_options(command: Command) -> Command:
    """Add --tls and --tls-key."""
    command = click.option(
        "--tls-key",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="Private key (PEM) of the certificate, if it is in a file of its own.",
    )(command)
    return click.option(
        "--tls",
        metavar="FILE",
        help=f"Speak https: FILE holds the certificate (PEM), or `{SELF_SIGNED}` makes one for a LAN.",
    )(command)


@click.group(cls=Commands, invoke_without_command=True, short_help="Run the hub alone.")
@host_option
@port_option
@data_option
@tls_options
@ice_option
@click.option("--public-url", metavar="URL", help="URL by which others reach the hub, if it is another.")
@storage_key_option
@telling_options
@stdin.supervised_option
@click.pass_context
def hub(
    context: click.Context,
    /,
    host: str,
    port: int,
    data: Path,
    tls: str | None,
    tls_key: Path | None,
    ice: tuple[str, ...],
    public_url: str | None,
    storage_key_file: Path | None,
    supervised: bool,
    **telling: Any,
) -> None:
    """Run the hub, which connects everybody; it stops on Ctrl-C or SIGTERM.

    Prints one line, its URL, as soon as it is ready. `callnode up` runs hub, voicemail and mixer together.
    """
    if context.invoked_subcommand is not None:
        given = map(context.get_parameter_source, context.params)
        if ParameterSource.COMMANDLINE in given:
            raise click.UsageError(f"Options of {context.invoked_subcommand} come after its name.")
        return
    config = load_config(
        data,
        host=host,
        port=port,
        public_url=public_url,
        tls=tls,
        tls_key=tls_key,
        ice_servers=ice,
        storage_key_file=storage_key_file,
    )
    run(lambda stop: _hub(stop, config, load_telling(**telling), supervised))


for command in (rewrap, audit):
    hub.add_command(command)


async def _hub(stop: asyncio.Event, config: Config, telling: TellingConfig, supervised: bool) -> int:
    from signaling.server import HubServer

    host, port = config.host, config.port
    server = HubServer(config, telling, mp3)
    try:
        await server.start()
    except OSError as error:
        why = os.strerror(error.errno) if error.errno and error.errno > 0 else str(error)
        raise CommandError(
            f"The hub cannot listen on {host} port {port}: {why}. "
            "Is another hub running? Choose another --port, or --port 0 for any that is free."
        ) from None
    try:
        click.echo(server.url)
        with stdin.until_end(stop, supervised):
            await stop.wait()
    finally:
        await server.stop()
    return OK


@click.command(short_help="Run the whole system: hub, voicemail, mixer.")
@host_option
@port_option
@data_option
@tls_options
@ice_option
@storage_key_option
@telling_options
@transcription_option
def up(
    host: str,
    port: int,
    data: Path,
    tls: str | None,
    tls_key: Path | None,
    ice: tuple[str, ...],
    storage_key_file: Path | None,
    **telling: Any,
) -> None:
    """Run the whole system, hub, voicemail and mixer, and say how to call; Ctrl-C stops it.

    Example for several laptops, and for their browsers: callnode up --host 0.0.0.0 --tls self-signed
    """
    secured = [*(["--tls", tls] if tls else []), *(["--tls-key", str(tls_key)] if tls_key else [])]
    more = [*secured, *(f"--ice={url}" for url in ice)]
    run(lambda stop: _up(stop, host, port, data, more, storage_key_file, telling))


async def _up(
    stop: asyncio.Event,
    host: str,
    port: int,
    data: Path,
    more: list[str],
    storage_key_file: Path | None,
    telling: Mapping[str, Any],
) -> int:
    keys = ["--storage-key-file", str(storage_key_file)] if storage_key_file is not None else []
    address = ["--host", host, "--port", str(port), "--data", str(data), *more, "--supervised"]

    async def started(url: str) -> None:
        # Again on the same port, so that agents find it after a restart.
        hub_service.arguments[hub_service.arguments.index("--port") + 1] = url.rpartition(":")[2]
        click.echo(_welcome(url, data, others=host not in ("127.0.0.1", "localhost", "::1")))

    os.environ.update(environment(telling))
    hub_service = Service("hub", ["hub", *address, *keys], started)
    voicemail = Service("voicemail", ["voicemail", "serve", "--data", str(data), "--supervised", *keys])
    mixer = Service("mixer", ["mixer", "serve", "--data", str(data), "--supervised"])
    return await supervise(stop, [hub_service, voicemail, mixer])


def _welcome(url: str, data: Path, *, others: bool) -> str:
    program = "callnode" if Path(sys.argv[0]).name.startswith("callnode") else "python -m node.cli"
    known = Path(os.environ.get("CALLNODE_DATA") or DEFAULT_DATA)
    where = "" if data == known else f" --data {shlex.quote(str(data))}"
    lines = [
        f"callnode is up at {url}, with voicemail. Ctrl-C stops it.",
        "",
        "1. Make a token for each person, here:",
        f"     {program} token alice{where}",
        f"     {program} token bob{where}",
        "2. On each laptop, paste that person's token, and be reachable:",
        "     export CALLNODE_TOKEN=…",
        f"     {program} listen",
        "3. Or call somebody:",
        f"     {program} call bob",
    ]
    if url.startswith("https://") and authority(data) is not None:
        lines += [
            f"4. Or open {url} in a browser, which warns once. Its certificate has the SHA-256 fingerprint",
            f"     {fingerprint(data / 'tls' / 'hub.pem')}",
            f"   Devices that install {url}/ca.crt as an authority do not warn at all.",
        ]
    if not others:
        lines += ["", f"Only this machine can reach it. For others: {program} up --host 0.0.0.0"]
    return "\n".join(lines)


@click.command(
    short_help="Let somebody in: make a token.",
    epilog="Example: export CALLNODE_TOKEN=$(callnode token alice)",
)
@click.argument("name")
@owner_options
@click.option(
    "--minutes",
    type=click.IntRange(MIN_MINUTES, MAX_MINUTES),
    default=MAX_MINUTES,
    show_default=True,
    help="How long the token is valid.",
)
@click.option("--display-name", metavar="TEXT", help="The name that others see.")
@click.option("--no-transfer", is_flag=True, help="Do not let this token transfer calls.")
@click.option("--voicemail", is_flag=True, help="Make a token for a voicemail service, not for a person.")
@json_option
def token(
    access: OwnerAccess,
    name: str,
    minutes: int,
    display_name: str | None,
    no_transfer: bool,
    voicemail: bool,
    as_json: bool,
) -> None:
    """Make a token for NAME, and the user of that name if there is none.

    Prints the token alone. Needs the hub's data folder, or its access key in CALLNODE_ACCESS_KEY and its URL.
    """
    if not re.fullmatch(r"[a-z0-9._-]{1,64}", name):
        raise click.BadParameter("a name has 1 to 64 of a-z 0-9 . _ -", param_hint="NAME")
    wanted = CreateToken(name, display_name, minutes, not no_transfer, voicemail)
    run(lambda _: _token(access, wanted, as_json))


async def _token(access: OwnerAccess, wanted: CreateToken, as_json: bool) -> int:
    key = access.key
    made = await create_token(access.hub, key, wanted, access.authority)
    if as_json:
        click.echo(msgspec.json.encode(made))
        return OK
    if sys.stderr.isatty():
        until = made.expires_on.astimezone().strftime("%Y-%m-%d %H:%M")
        click.echo(f"{made.name} is {made.identity}. Keep this token secret; it ends {until}:", err=True)
    click.echo(made.token)
    return OK


@click.command(short_help="For the Azure Communication Services SDKs.")
@data_option
def connection_string(data: Path) -> None:
    """Print the connection string, for the Azure Communication Services SDKs.

    It holds the access key, which lets its holder make tokens for anybody: keep it secret.
    """
    click.echo(connection_string_of(data))
