"""Call somebody, say a file and keep what was heard: `python samples/call_and_say.py bob say.wav heard.wav`.

CALLNODE_TOKEN holds your token (`callnode token NAME`); the token names the hub.
"""

import asyncio
import os
import sys
from pathlib import Path

from media.sink import FileSink
from media.source import FileSource
from node import (
    AudioOptions,
    CallClient,
    CallState,
    CommunicationTokenCredential,
    StartCallOptions,
)


async def main(whom: str, say: Path, keep: Path) -> None:
    credential = CommunicationTokenCredential(os.environ["CALLNODE_TOKEN"])
    async with CallClient() as client, await client.create_call_agent(credential) as agent:
        said = asyncio.Event()
        source = FileSource(say)
        source.on_finished = said.set
        call = agent.start_call([whom], StartCallOptions(AudioOptions(source, FileSink(keep))))
        call.on("state_changed", lambda event: print(event.new_state))
        await call.wait_for(CallState.CONNECTED)
        await said.wait()
        await call.hang_up()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])))
