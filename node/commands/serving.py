"""Run a service in a command: until told to stop, with a token of its own that is renewed."""

import asyncio
from collections.abc import Awaitable, Callable

from node.admin import create_token
from node.commands import stdin
from node.commands.options import OwnerAccess
from node.commands.process import OK
from node.credential import CommunicationTokenCredential
from signaling.identity import CreateToken


def credential_of(access: OwnerAccess, wanted: CreateToken) -> CommunicationTokenCredential:
    """Return a credential that makes its tokens with the access key; raises CommandError without one."""
    key, hub = access.key, access.hub

    async def mint() -> str:
        return (await create_token(hub, key, wanted, access.authority)).token

    return CommunicationTokenCredential(token_refresher=mint, refresh_proactively=True)


async def serve(stop: asyncio.Event, supervised: bool, work: Callable[[], Awaitable[None]]) -> int:
    """Run a service until told to stop, and raise why it ended by itself."""
    serving = asyncio.ensure_future(work())
    stopping = asyncio.create_task(stop.wait())
    try:
        with stdin.until_end(stop, supervised):
            await asyncio.wait([serving, stopping], return_when=asyncio.FIRST_COMPLETED)
        if serving.done():
            await serving
    finally:
        for task in (serving, stopping):
            task.cancel()
        await asyncio.gather(serving, stopping, return_exceptions=True)
    return OK
