"""What is wrong with token, hub or network of this machine, and what to do about it.

Every check really does what calls need: it asks the hub, signs in, and sends UDP.
"""

import asyncio
import ipaddress
import ssl
import statistics
import time
from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Literal
from urllib.parse import urlsplit

import aiohttp
import ifaddr
import msgspec
from msgspec import Struct

from media import reach
from media.engine import IceServer
from node.credential import AccessToken
from node.link import is_token_trouble
from node.runtime import ice_servers
from node.trust import distrust, is_distrust
from signaling import parts
from signaling.messages import Bye, Hello, IceServers, Ping, Pong, SessionEnd, Welcome, decode_hub, encode
from signaling.reasons import Reason
from signaling.version import version

Status = Literal["ok", "warning", "problem", "skipped"]
Check = Literal[
    "token", "hub", "clock", "voicemail", "sign-in", "network", "stun", "turn",
    "microphone", "speaker", "processing",
]  # fmt: skip

Trusted = ssl.SSLContext | bool

PATIENCE = 5.0
_ASKED = 5
_SLOW_SECONDS = 0.3
_EARLY_SECONDS = 600.0
_CLOCK_SECONDS, _CLOCK_WRONG_SECONDS = 10.0, 120.0


class Finding(Struct, frozen=True, omit_defaults=True):
    """What one check has found, and what to do about it where it is not well."""

    check: Check
    status: Status
    found: str
    advice: str = ""


class TroubleError(Exception):
    """What keeps a check from going on."""

    def __init__(self, found: str, advice: str) -> None:
        super().__init__(found)
        self.found = found
        self.advice = advice


class _Health(Struct):
    status: str
    version: str = ""
    voicemail: bool | None = None


def token(given: AccessToken, hub: str) -> Finding:
    """Look at a token without asking anybody, against the hub that is to be used."""
    left = given.expires_on - time.time()
    ends = datetime.fromtimestamp(given.expires_on).strftime("%Y-%m-%d %H:%M")
    fresh = "Get a new one where the hub runs: callnode token NAME"
    if left <= 0:
        return Finding("token", "problem", f"ended {ends}, by the clock of this machine", fresh)
    if given.issuer.rstrip("/") != hub:
        found = f"made by {given.issuer or 'nobody'}, but {hub} is asked"
        return Finding("token", "warning", found, "Leave out --hub and CALLNODE_HUB, or get a token there.")
    if left < _EARLY_SECONDS:
        return Finding("token", "warning", f"ends soon: {ends}", fresh)
    return Finding("token", "ok", f"good until {ends}, for {hub}")


async def hub(url: str, trusted: Trusted) -> AsyncIterator[Finding]:
    """Ask a hub how it is: reachable, its version, how long an answer takes, the time there, voicemail."""
    try:
        health, seconds, there = await _health(url, trusted)
    except TroubleError as trouble:
        yield Finding("hub", "problem", trouble.found, trouble.advice)
        return
    mine = version()
    said = f"{url} answers in {1000 * seconds:.0f} ms, version {health.version or 'unknown'}"
    if seconds > _SLOW_SECONDS:
        yield Finding("hub", "warning", said, "Calls are slow to set up. Is the network busy, or far away?")
    elif _release(health.version) != _release(mine):
        yield Finding("hub", "warning", f"{said}; here is {mine}", "Install the same version on both.")
    else:
        yield Finding("hub", "ok", said)
    if there is not None:
        yield _clock(there)
    if health.voicemail is False:
        yield Finding(
            "voicemail", "warning", "is not online: nobody can leave a message",
            "Run the hub by `callnode up`, or `callnode voicemail serve` beside it.",
        )  # fmt: skip
    elif health.voicemail:
        yield Finding("voicemail", "ok", "is online")


async def sign_in(url: str, given: AccessToken, trusted: Trusted) -> tuple[Finding, tuple[IceServer, ...]]:
    """Sign in as an agent does, for a moment; return besides which ICE servers the hub tells of."""
    try:
        welcome, servers = await _welcome(url, given.token, trusted)
    except TroubleError as trouble:
        return Finding("sign-in", "problem", trouble.found, trouble.advice), ()
    me = welcome.me
    name = me.display_name or me.name or me.raw_id
    if "voip" not in welcome.rights:
        found = f"as {name}, but the token does not allow calls"
        return Finding("sign-in", "problem", found, "Get a token with the scope voip."), servers
    transfer = "" if "transfer" in welcome.rights else "; this token may not transfer calls"
    return Finding("sign-in", "ok", f"as {name}{transfer}"), servers


async def network(url: str | None, servers: Iterable[IceServer]) -> AsyncIterator[Finding]:
    """Look at own addresses, let UDP pass on this machine and to the hub's, and ask STUN and TURN servers."""
    own = addresses()
    if not own:
        yield Finding(
            "network", "problem", "this machine has no address but its own loopback",
            "Connect it to a network; until then it reaches nobody but itself.",
        )  # fmt: skip
        return
    took = await reach.round_trip()
    if took is None:
        yield Finding(
            "network", "problem", f"no UDP passes on this machine itself ({', '.join(own)})",
            "Let Python send and receive UDP in the firewall of this machine.",
        )  # fmt: skip
        return
    said = f"UDP passes at {', '.join(own)}"
    if url is not None and (host := urlsplit(url).hostname) is not None:
        said += f", and to the hub's machine {host}" * await reach.answers(host)
    yield Finding("network", "ok", said)
    servers = list(servers)
    for server in servers:
        yield await _server(server)
    if url is not None and await _is_far(url) and not any(_is_turn(server) for server in servers):
        yield Finding(
            "turn", "warning", "the hub is on the Internet, and no TURN server is configured",
            "Calls between different networks may have no sound: run the hub with --ice turn:HOST.",
        )  # fmt: skip


def addresses() -> list[str]:
    """Return the addresses of this machine at which others can reach it."""
    found = []
    for adapter in ifaddr.get_adapters():
        for ip in adapter.ips:
            address = ipaddress.ip_address(ip.ip if isinstance(ip.ip, str) else ip.ip[0])
            if not (address.is_loopback or address.is_link_local):
                found.append(str(address))
    return found


async def _server(server: IceServer) -> Finding:
    check: Check = "turn" if _is_turn(server) else "stun"
    named = ", ".join(server.urls)
    try:
        reached = await reach.by_server(server)
    except ValueError as error:
        return Finding(check, "problem", f"{named} is no STUN or TURN server: {error}", "Mend --ice.")
    if not reached:
        what = "gives no relay" if check == "turn" else "does not answer"
        advice = "See that it runs, that UDP passes to it, and that it has the hub's secret (TURN)."
        return Finding(check, "problem", f"{named} {what}", advice)
    as_seen = "relays at" if check == "turn" else "sees this machine at"
    return Finding(check, "ok", f"{named} {as_seen} {reached[0].host}")


def _is_turn(server: IceServer) -> bool:
    return any(url.startswith("turn") for url in server.urls)


async def _is_far(url: str) -> bool:
    """Tell whether a hub has an address of the Internet, so that its users may be in different networks."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(urlsplit(url).hostname, None)
    except OSError:
        return False
    return any(ipaddress.ip_address(str(address[0]).partition("%")[0]).is_global for *_, address in found)


def _clock(there: datetime) -> Finding:
    ahead = time.time() - there.timestamp()
    way = "ahead of" if ahead > 0 else "behind"
    if abs(ahead) < _CLOCK_SECONDS:
        return Finding("clock", "ok", "agrees with the hub's")
    status: Status = "problem" if abs(ahead) > _CLOCK_WRONG_SECONDS else "warning"
    found = f"is {abs(ahead):.0f} s {way} the hub's: tokens end at the wrong time"
    return Finding("clock", status, found, "Let both machines set their clocks by NTP.")


def _release(of: str) -> list[str]:
    return of.split(".")[:2]


async def _health(url: str, trusted: Trusted) -> tuple[_Health, float, datetime | None]:
    """Return what a hub says of itself, the median time of an answer in s, and the time there."""
    times = []
    timeout = aiohttp.ClientTimeout(total=PATIENCE)
    try:
        async with aiohttp.ClientSession(timeout=timeout) as http:
            for _ in range(_ASKED):
                begun = time.monotonic()
                async with http.get(f"{url}/health", ssl=trusted) as response:
                    body, status, date = await response.read(), response.status, response.headers.get("Date")
                times.append(time.monotonic() - begun)
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
        raise _trouble(url, error) from None
    try:
        health = msgspec.json.decode(body, type=_Health)
        if status != 200 or health.status != "ok":
            raise ValueError(status)
    except ValueError:
        raise TroubleError(
            f"what answers at {url} is no callnode hub", "Check the address, and --hub."
        ) from None
    there = parsedate_to_datetime(date).astimezone(UTC) if date else None
    return health, statistics.median(times[1:]), there


async def _welcome(url: str, text: str, trusted: Trusted) -> tuple[Welcome, tuple[IceServer, ...]]:
    try:
        async with (
            asyncio.timeout(PATIENCE),
            aiohttp.ClientSession() as http,
            http.ws_connect(f"{url}/v1/agent", ssl=trusted) as socket,
        ):
            await socket.send_str(encode(Hello(text)).decode())
            await socket.send_str(encode(Ping()).decode())
            welcome: Welcome | None = None
            told: tuple[parts.IceServer, ...] = ()
            while not isinstance(message := await _heard(socket), Pong):
                if isinstance(message, Welcome):
                    welcome, told = message, message.ice_servers
                elif isinstance(message, IceServers):
                    told = message.servers
                elif isinstance(message, SessionEnd):
                    raise _refused(message.reason)
            await socket.send_str(encode(Bye()).decode())
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
        raise _trouble(url, error) from None
    assert welcome is not None
    return welcome, ice_servers(told)


async def _heard(socket: aiohttp.ClientWebSocketResponse) -> object:
    frame = await socket.receive()
    if frame.type is not aiohttp.WSMsgType.TEXT:
        raise TroubleError(
            f"the hub closed the connection ({socket.close_code})", "Are there too many agents of this user?"
        )
    try:
        return decode_hub(frame.data)
    except msgspec.DecodeError:
        return None  # a message of a newer hub


def _refused(reason: Reason) -> TroubleError:
    if is_token_trouble(reason):
        found = "the hub does not accept the token: revoked, or made with another access key"
        return TroubleError(found, "Get a new one where the hub runs: callnode token NAME")
    return TroubleError(reason.message, "The hub's log says more.")


def _trouble(url: str, error: BaseException) -> TroubleError:
    """Return in words why a hub cannot be reached."""
    host = urlsplit(url).hostname
    if is_distrust(error):
        return TroubleError(*distrust(url).message.split(". ", 1))
    match error:
        case aiohttp.WSServerHandshakeError(status=status):
            found = f"no WebSocket gets through to {url} (HTTP {status})"
            return TroubleError(found, "Let the proxy in between pass WebSockets at /v1/agent.")
        case aiohttp.ClientSSLError() | aiohttp.ServerDisconnectedError():
            other = "http://" if url.startswith("https://") else "https://"
            return TroubleError(
                f"what listens at {url} does not speak {urlsplit(url).scheme}",
                f"Try {other}; see `callnode up`.",
            )
        case aiohttp.ClientConnectorDNSError():
            return TroubleError(
                f"nobody knows the name {host}", "Check the address, or use the hub's number."
            )
        case aiohttp.ClientConnectorError() if isinstance(error.os_error, ConnectionRefusedError):
            return TroubleError(
                f"nothing listens at {url}", "Start the hub there: callnode up --host 0.0.0.0"
            )
        case TimeoutError():
            found = f"{url} does not answer within {PATIENCE:.0f} s"
            return TroubleError(found, "Is it the right network? Does a firewall let the hub's port through?")
    return TroubleError(
        f"{url} cannot be reached: {error or type(error).__name__}", "Check network and address."
    )
