"""The hub's configuration, and the files by which local commands find the hub."""

import base64
import binascii
import os
import re
import secrets
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Literal
from urllib.parse import urlsplit

import ifaddr
import msgspec

from signaling.certificates import Files, TlsError, own_names, self_signed
from signaling.ice import TURN_SECRET_VARIABLE, Ice, IceError
from signaling.sealing import StorageKeys

if sys.platform != "win32":
    import fcntl

MIN_KEY_BYTES = 16
SELF_SIGNED = "self-signed"
ANY_HOST = ("", "0.0.0.0", "::")
MIN_STORAGE_KEY_BYTES = 32
ACCESS_KEY_VARIABLE = "CALLNODE_ACCESS_KEY"
STORAGE_KEY_VARIABLE = "CALLNODE_STORAGE_KEY"


class ConfigError(ValueError):
    """A setting that cannot be used; the message says what to change."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Everything the hub is told at start.

    `public_url` None derives it from host and port; `database_url` None is SQLite in `data`;
    `origins` are web origins allowed besides the hub's own; `mailbox_quota` messages fill a mailbox; `tls` is
    the certificate, True for one made here, None for plain http; `ice` is what agents are told of;
    `storage_keys` None keeps sound as it is.
    """

    data: Path
    access_key: str = field(repr=False)
    host: str = "127.0.0.1"
    port: int = 0
    public_url: str | None = None
    database_url: str | None = field(default=None, repr=False)
    origins: frozenset[str] = frozenset()
    mailbox_quota: int = 100
    tls: Files | Literal[True] | None = None
    ice: Ice = field(default_factory=Ice)
    storage_keys: StorageKeys | None = field(default=None, repr=False)

    @property
    def key(self) -> bytes:
        """Return the access key's bytes."""
        return _decode_key(self.access_key, "the access key")

    @property
    def database(self) -> str:
        """Return the SQLAlchemy URL of the store."""
        return self.database_url or f"sqlite:///{self.data / 'hub.sqlite'}"

    def url(self, port: int) -> str:
        """Return the URL under which others reach the hub on `port`, without a slash at its end."""
        if self.public_url:
            return self.public_url.rstrip("/")
        host = _lan_address() if self.host in ANY_HOST else self.host
        scheme = "https" if self.tls else "http"
        return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"

    def certificate(self) -> Files:
        """Return the certificate to show now, made anew if need be; raises TlsError, OSError."""
        if isinstance(self.tls, Files):
            return self.tls
        named = urlsplit(self.public_url or "").hostname or ""
        return self_signed(self.data, own_names(named, "" if self.host in ANY_HOST else self.host))


def load_config(
    data: Path,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    public_url: str | None = None,
    database_url: str | None = None,
    origins: frozenset[str] = frozenset(),
    mailbox_quota: int = 100,
    tls: str | None = None,
    tls_key: Path | None = None,
    ice_servers: tuple[str, ...] = (),
    storage_key_file: Path | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Config:
    """Return the configuration of the hub that keeps its data in `data`; makes the folder and the access key.

    `tls` is `self-signed`, or the file of a certificate, whose key is in `tls_key` or in the same file;
    `ice_servers` are URLs of STUN and TURN servers. Raises ConfigError for a key, a URL, a certificate or a
    server that cannot be used.
    """
    if public_url is not None and not public_url.startswith(("http://", "https://")):
        raise ConfigError(f"the public URL must begin with http:// or https://: {public_url!r}")
    data.mkdir(parents=True, exist_ok=True)
    return Config(
        data=data.resolve(),
        access_key=access_key(data, environ),
        host=host,
        port=port,
        public_url=public_url,
        database_url=database_url,
        origins=origins,
        mailbox_quota=mailbox_quota,
        tls=_tls(tls, tls_key),
        ice=_ice(ice_servers, environ),
        storage_keys=storage_keys(storage_key_file, environ),
    )


def access_key(data: Path, environ: Mapping[str, str] = os.environ, *, make: bool = True) -> str:
    """Return the resource's access key in base64: from the environment, or made once and kept in `data`.

    Raises ConfigError if it is not base64 of at least 16 bytes, or not there and not to be made.
    """
    given = environ.get(ACCESS_KEY_VARIABLE, "").strip()
    if given:
        _decode_key(given, ACCESS_KEY_VARIABLE)
        return given
    path = data / "access_key"
    if make and not path.exists():
        _make_key(path)
    try:
        kept = path.read_text().strip()
    except FileNotFoundError:
        raise ConfigError(f"set {ACCESS_KEY_VARIABLE} to the hub's access key; there is no {path}") from None
    _decode_key(kept, str(path))
    return kept


def storage_keys(path: Path | None, environ: Mapping[str, str] = os.environ) -> StorageKeys | None:
    """Return the keys in a file, or else in the environment: base64 of 32 bytes or more each, one a line.

    None if there are none. Raises ConfigError for a key that cannot be used.
    """
    if path is not None:
        where = str(path)
        try:
            text = path.read_text()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"the storage keys in {path} cannot be read: {error}") from None
        if not text.strip():
            raise ConfigError(f"there is no storage key in {path}; make one with `openssl rand -base64 32`")
    else:
        where, text = STORAGE_KEY_VARIABLE, environ.get(STORAGE_KEY_VARIABLE, "")
    found = [
        _decode_key(each, where, MIN_STORAGE_KEY_BYTES) for each in re.split(r"[\s,]+", text.strip()) if each
    ]
    return StorageKeys(found) if found else None


def check_keys(data: Path, keys: StorageKeys | None, *, rewrapped: bool = False) -> None:
    """Keep note, in `data`, of the keys in use; raises ConfigError if one of them was not given.

    `rewrapped` says that all sound is sealed with the first one now.
    """
    path = data / "storage-keys.json"
    try:
        used = msgspec.json.decode(path.read_bytes(), type=list[str])
    except FileNotFoundError:
        used = []
    except msgspec.DecodeError:
        raise ConfigError(f"{path} cannot be read; delete it if you have all the storage keys") from None
    given = keys.names if keys is not None else ()
    if missing := [each for each in used if each not in given]:
        raise ConfigError(
            f"sound in {data} is sealed with the storage key {', '.join(missing)}, which was not given; "
            f"nothing is lost: give it in {STORAGE_KEY_VARIABLE} or by --storage-key-file, after any new one"
        )
    wanted = [*given[:1]] if rewrapped else list(dict.fromkeys([*given[:1], *used]))
    if wanted != used:
        part = path.with_suffix(".part")
        part.write_bytes(msgspec.json.encode(wanted))
        part.replace(path)


def publish(data: Path, url: str) -> None:
    """Write `data`/hub.json, so that local commands find the hub."""
    part = data / "hub.json.part"
    part.write_bytes(msgspec.json.encode({"url": url}))
    part.replace(data / "hub.json")


def hub_url(data: Path) -> str:
    """Return the URL of the hub that keeps its data in `data`; raises ConfigError if none ever ran there."""
    try:
        return msgspec.json.decode((data / "hub.json").read_bytes(), type=dict[str, str])["url"]
    except (OSError, msgspec.DecodeError, KeyError):
        raise ConfigError(f"no hub has run with the data folder {data}; start one first") from None


def connection_string(data: Path, environ: Mapping[str, str] = os.environ) -> str:
    """Return the connection string in ACS form; raises ConfigError if no hub ever ran with `data`."""
    return format_connection_string(hub_url(data), access_key(data, environ, make=False))


def format_connection_string(url: str, key: str) -> str:
    """Return `endpoint=…/;accesskey=…`, as the ACS SDKs read it."""
    return f"endpoint={url}/;accesskey={key}"


def _tls(given: str | None, key: Path | None) -> Files | Literal[True] | None:
    if given is None or given == SELF_SIGNED:
        if key is not None:
            raise ConfigError("a key needs its certificate: name the file of that with --tls")
        return None if given is None else True
    files = Files(Path(given), key or Path(given))
    try:
        files.check()
    except TlsError as error:
        raise ConfigError(str(error)) from None
    return files


def _ice(urls: tuple[str, ...], environ: Mapping[str, str]) -> Ice:
    try:
        return Ice(urls, environ.get(TURN_SECRET_VARIABLE, "").strip())
    except IceError as error:
        raise ConfigError(str(error)) from None


def _decode_key(text: str, where: str, least: int = MIN_KEY_BYTES) -> bytes:
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ConfigError(f"{where} must be base64, such as `openssl rand -base64 32` prints") from None
    if len(key) < least:
        raise ConfigError(f"{where} must hold at least {least} bytes, it has {len(key)}")
    return key


def _make_key(path: Path) -> None:
    # Written aside and linked: of two processes that start at once, one wins and both read the same key.
    part = path.with_name(f"access_key.{secrets.token_hex(8)}.part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(base64.b64encode(secrets.token_bytes(32)) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        if not path.exists():
            os.link(part, path)
    except FileExistsError:
        return
    finally:
        part.unlink()


def hold(data: Path) -> BinaryIO:
    """Keep other hubs out of a data folder until the returned file is closed; raises ConfigError."""
    file = (data / "lock").open("ab")
    if sys.platform != "win32":  # where a database that is open elsewhere is kept by its own lock
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.close()
            raise ConfigError(f"another hub uses {data}; stop it, or give this one its own --data") from None
    return file


def _lan_address() -> str:
    # Connecting a datagram socket sends nothing; it only asks which own address the route would use.
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
            return str(probe.getsockname()[0])
        except OSError:
            # No route to anywhere, as on a LAN of its own: any address that others there can reach.
            own = (ip.ip for adapter in ifaddr.get_adapters() for ip in adapter.ips if ip.is_IPv4)
            return next((str(ip) for ip in own if not str(ip).startswith("127.")), "127.0.0.1")
