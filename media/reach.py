"""What UDP reaches from this machine, asked by ICE itself (RFC 8445)."""

import asyncio
import contextlib
import socket
import time

from aioice import Connection
from aiortc.rtcicetransport import connection_kwargs
from msgspec import Struct

from media.engine import IceServer, configured

PATIENCE = 5.0  # of a check; ICE gives up its servers after as long
_PROBES = 3
_PROBE_SECONDS = 0.3


class Reached(Struct, frozen=True):
    """An address at which others may reach this machine: as a STUN server sees it, or a TURN server's."""

    host: str
    port: int


async def round_trip() -> float | None:
    """Return how long two ends on this machine need to connect, in s; None if nothing passes between them."""
    async with contextlib.AsyncExitStack() as stack:
        ends = [Connection(ice_controlling=controlling) for controlling in (True, False)]
        for end in ends:
            stack.push_async_callback(end.close)
            await end.gather_candidates()
        for end, other in (ends, reversed(ends)):
            end.remote_username, end.remote_password = other.local_username, other.local_password
            for candidate in other.local_candidates:
                await end.add_remote_candidate(candidate)
            await end.add_remote_candidate(None)
        begun = time.monotonic()
        try:
            async with asyncio.timeout(PATIENCE):
                await asyncio.gather(*(end.connect() for end in ends))
        except (ConnectionError, TimeoutError):
            return None
        return time.monotonic() - begun


async def by_server(server: IceServer) -> list[Reached]:
    """Return the addresses that a STUN or TURN server gives, none if it does not answer or refuses.

    Raises ValueError for a URL that is no such server's.
    """
    connection = Connection(ice_controlling=True, **connection_kwargs([configured(server)]))
    try:
        await connection.gather_candidates()
        found = [
            Reached(each.host, each.port)
            for each in connection.local_candidates
            if each.type in ("srflx", "relay")
        ]
    finally:
        await connection.close()
    return found


async def answers(host: str) -> bool:
    """Tell whether a machine sends back that a UDP port of it is closed, so that UDP passes both ways.

    Where it says nothing, a firewall may stand between, or just keep silent.
    """
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, 9, type=socket.SOCK_DGRAM)
    except OSError:
        return False
    told: asyncio.Future[None] = loop.create_future()

    class Probe(asyncio.DatagramProtocol):
        def error_received(self, exc: Exception) -> None:
            if isinstance(exc, ConnectionError) and not told.done():
                told.set_result(None)

    try:
        transport, _ = await loop.create_datagram_endpoint(Probe, remote_addr=(host, 9), family=found[0][0])
    except OSError:
        return False
    try:
        for _ in range(_PROBES):
            transport.sendto(b"callnode doctor")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_PROBE_SECONDS):
                    await asyncio.shield(told)
                    return True
    finally:
        transport.close()
    return False
