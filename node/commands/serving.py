"""Run a service in a command: until told to stop, with a token of its own that is renewed."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from node.admin import create_token
from node.commands import stdin
from node.commands.options import hub_access_key
from node.commands.process import OK
from node.credential import CommunicationTokenCredential
from signaling.certificates import authority
from signaling.config import hub_url
from signaling.identity import CreateToken


def credential_of(
    data: Path, url: str | None, wanted: CreateToken
) -> tuple[str, CommunicationTokenCredential]:
    """Return the URL of the hub and a credential that makes its tokens with the access key."""
    key = hub_access_key(data)
    hub = (url or hub_url(data)).rstrip("/")

    async def mint() -> str:
        return (await create_token(hub, key, wanted, authority(data))).token

    return hub, CommunicationTokenCredential(token_refresher=mint, refresh_proactively=True)


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
