"""Answer every call and say back what is heard a second later, made of numpy frames.

`CALLNODE_TOKEN=… python samples/echo.py`, then call it and hear how you sound.
"""

import asyncio
import os
from collections import deque

from media.audio import SILENCE, Frame
from node import AcceptCallOptions, AudioOptions, CallClient, CommunicationTokenCredential
from node.agent import IncomingCallEvent

DELAY_FRAMES = 50


class Echo:
    """A source and a sink in one: int16 mono frames of 960 samples at 48 kHz, 50 a second."""

    def __init__(self) -> None:
        self._frames: deque[Frame] = deque([SILENCE] * DELAY_FRAMES, maxlen=DELAY_FRAMES)

    def write(self, frame: Frame) -> None:
        self._frames.append(frame)

    def read(self) -> Frame:
        return self._frames.popleft() if self._frames else SILENCE

    def close(self) -> None:
        pass


async def answer(event: IncomingCallEvent) -> None:
    echo = Echo()
    await event.incoming_call.accept(AcceptCallOptions(AudioOptions(echo, echo)))


async def main() -> None:
    credential = CommunicationTokenCredential(os.environ["CALLNODE_TOKEN"])
    async with CallClient() as client, await client.create_call_agent(credential) as agent:
        agent.on("incoming_call", answer)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
