"""`callnode hub rewrap`: encrypt all recordings with the first storage key."""

import asyncio
from contextlib import closing
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from node.commands.options import data_option, json_option, storage_key_option
from node.commands.process import ERROR, OK, CommandError, run
from signaling.config import STORAGE_KEY_VARIABLE, Config, check_keys, hold, load_config
from signaling.sealing import HEAD_BYTES


@click.command(
    epilog="""\b
To change the key:
  1. give the hub the new key and the old one, the new one first, and start it again
  2. when it may rest for a while, stop it and run this; then the old key can go
""",
)
@data_option
@storage_key_option
@json_option
def rewrap(data: Path, storage_key_file: Path | None, as_json: bool) -> None:
    """Encrypt all recordings and greetings with the first of the storage keys.

    Also those that were stored before there was a key. The hub must not run meanwhile. Broken off, it goes on
    where it was when it is run again.
    """
    run(lambda stop: _rewrap(stop, load_config(data, storage_key_file=storage_key_file), as_json))


async def _rewrap(stop: asyncio.Event, config: Config, as_json: bool) -> int:
    from signaling.sealed_blobs import SealedBlobs, open_blobs
    from signaling.sql import SqlStore

    if config.storage_keys is None:
        raise CommandError(f"There is no storage key: set {STORAGE_KEY_VARIABLE} or give --storage-key-file.")
    check_keys(config.data, config.storage_keys)
    with closing(hold(config.data)), closing(open_blobs(config)) as blobs:
        assert isinstance(blobs, SealedBlobs)
        store = await SqlStore.open(config.database)
        try:
            owners = [account.user.raw_id for account in await store.accounts()]
        finally:
            await store.close()
        console = Console(stderr=True, highlight=False)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        done, wrong = 0, _waiting(config)
        with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
            task = bar.add_task("encrypting", total=None)
            async for done, total, failure in blobs.rewrap(owners):
                bar.update(task, completed=done, total=total)
                if failure:
                    wrong.append(failure)
                if stop.is_set():
                    raise CommandError(f"Stopped after {done} of {total}; run it again to go on.")
    for failure in wrong:
        click.echo(f"callnode: {failure}", err=True)
    key = config.storage_keys.names[0]
    if not wrong:
        check_keys(config.data, config.storage_keys, rewrapped=True)
    if as_json:
        click.echo(msgspec.json.encode({"key": key, "sounds": done, "failed": wrong}))
    elif wrong:
        click.echo(f"The rest is encrypted with the key {key}; the older ones are still needed.")
    else:
        click.echo(f"All {done} sounds are encrypted with the key {key}; no other is needed any more.")
    return ERROR if wrong else OK


def _waiting(config: Config) -> list[str]:
    """Return a sentence for each recording that voicemail has yet to file and that needs another key."""
    assert config.storage_keys is not None
    found = []
    for path in sorted((config.data / "recordings").glob("*.ogg*")):
        with path.open("rb") as file:
            if config.storage_keys.is_outdated(file.read(HEAD_BYTES)):
                found.append(f"{path} waits to be filed; run voicemail once with all keys")
    return found
