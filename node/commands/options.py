"""Options that several commands share: which hub is asked, and in whose name."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from typing import Any

import click
import platformdirs

from node.admin import request, signed_request
from node.commands.process import TOKEN, CommandError
from node.credential import read_token
from node.trust import trusted
from signaling.certificates import authority
from signaling.config import ACCESS_KEY_VARIABLE, access_key, hub_url

Command = Callable[..., Any]

DEFAULT_DATA = platformdirs.user_data_path("callnode", appauthor=False)

data_option = click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    envvar="CALLNODE_DATA",
    default=DEFAULT_DATA,
    show_default=True,
    help="Folder in which the hub keeps its data. [env: CALLNODE_DATA]",
)
hub_option = click.option(
    "--hub",
    envvar="CALLNODE_HUB",
    metavar="URL",
    help="The hub, such as http://192.168.1.5:8400. [env: CALLNODE_HUB; default: the token names it]",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")
storage_key_option = click.option(
    "--storage-key-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Encrypt recordings with the key in this file. [default: the key in CALLNODE_STORAGE_KEY]",
)


@dataclass(frozen=True)
class Access:
    """Which hub to use, and the token of the user to be there."""

    hub: str
    token: str = field(repr=False)

    async def request(self, method: str, path: str, body: bytes = b"") -> bytes:
        """Return the body of the hub's answer to a request in the user's name; raises CallingError."""
        headers = {"Authorization": f"Bearer {self.token}"}
        return await request(method, self.hub + path, headers, body, ssl=trusted(self.token))


@dataclass(frozen=True)
class OwnerAccess:
    """The hub in its owner's name: that at `url`, by default the one that keeps its data in the folder."""

    data: Path
    url: str | None = None

    @property
    def hub(self) -> str:
        """Return the hub's URL; raises ConfigError if neither is known."""
        return (self.url or hub_url(self.data)).rstrip("/")

    @property
    def key(self) -> str:
        """Return the access key, of the environment or the folder; raises CommandError without one."""
        if not os.environ.get(ACCESS_KEY_VARIABLE) and not (self.data / "access_key").exists():
            raise CommandError(
                f"There is no access key in {self.data}: start a hub with this folder "
                f"(`callnode up --data …`), name the hub's folder with --data, or set {ACCESS_KEY_VARIABLE}."
            )
        return access_key(self.data)

    @property
    def authority(self) -> bytes | None:
        """Return the certificate (DER) that vouches for the hub, if it was made here."""
        return authority(self.data)

    async def request(self, method: str, path: str, body: bytes = b"") -> bytes:
        """Return the body of the hub's answer to a request with the access key; raises CallingError."""
        key = self.key
        return await signed_request(method, self.hub + path, key, body, self.authority)


token_file_option = click.option(
    "--token-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File that holds your token. [default: the token in CALLNODE_TOKEN]",
)


def token_text(token_file: Path | None) -> str:
    """Return what the option or the environment gives as a token, empty if neither does."""
    return (token_file.read_text() if token_file else os.environ.get("CALLNODE_TOKEN", "")).strip()


def user_options(command: Command) -> Command:
    """Add --token-file and --hub to a command, which gets them as `access`."""

    @token_file_option
    @hub_option
    @wraps(command)
    def wrapped(*args: Any, token_file: Path | None, hub: str | None, **options: Any) -> Any:
        return command(*args, access=_access(token_file, hub), **options)

    return wrapped


def owner_options(command: Command) -> Command:
    """Add --data and --hub to a command of the hub's owner, which gets them as `access`."""

    @data_option
    @click.option("--hub", envvar="CALLNODE_HUB", metavar="URL", help="The hub. [env: CALLNODE_HUB]")
    @wraps(command)
    def wrapped(*args: Any, data: Path, hub: str | None, **options: Any) -> Any:
        return command(*args, access=OwnerAccess(data, hub), **options)

    return wrapped


def _access(token_file: Path | None, hub: str | None) -> Access:
    text = token_text(token_file)
    if not text:
        where = f"{token_file} is empty" if token_file else "There is no token"
        message = (
            f"{where}: get one with `callnode token NAME`, then set CALLNODE_TOKEN or give --token-file."
        )
        raise CommandError(message, TOKEN)
    token = read_token(text)
    url = hub or token.issuer
    if not url.startswith(("http://", "https://")):
        raise CommandError(f"The hub's address must begin with http:// or https://, not {url!r}; see --hub.")
    return Access(url.rstrip("/"), token.token)
