"""Answer every call and hand it over: `python samples/receptionist.py carol`.

Whom the receptionist cannot reach gets into the mailbox of that person. CALLNODE_TOKEN holds the token.
"""

import asyncio
import os
import sys

from media.sink import NullSink
from media.source import ToneSource
from node import (
    AcceptCallOptions,
    AudioOptions,
    CallClient,
    CallState,
    CommunicationTokenCredential,
    Features,
    TransferState,
)
from node.agent import IncomingCallEvent


async def hand_over(event: IncomingCallEvent, to: str) -> None:
    audio = AudioOptions(ToneSource(440, level_dbfs=-30), NullSink())
    call = await event.incoming_call.accept(AcceptCallOptions(audio))
    await call.wait_for(CallState.CONNECTED)
    transfer = call.feature(Features.TRANSFER).transfer(target_participant=to)
    transfer.on("progress_changed", lambda progress: print(f"{to}: {progress}"))
    if await transfer.wait() is TransferState.FAILED and transfer.error:
        print(f"{to}: {transfer.error.message} Trying voicemail.")
        transfer = call.feature(Features.TRANSFER).transfer(target_participant_voicemail=to)
        await transfer.wait()
    print(f"{to}: {transfer.state}")
    await call.hang_up()


async def main(to: str) -> None:
    credential = CommunicationTokenCredential(os.environ["CALLNODE_TOKEN"])
    async with CallClient() as client, await client.create_call_agent(credential) as agent:
        agent.on("incoming_call", lambda event: hand_over(event, to))
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
