"""One person of the demo: a process with an agent that says its sentence and remembers what it hears.

Commands come as JSON lines on standard input, events go as JSON lines to standard output; times are those
of the machine's monotonic clock, in seconds, the same for all processes.
"""

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from media.audio import Sink
from media.sink import MeterSink, NumpySink, TeeSink
from media.source import NumpySource
from media.speech import speech
from node import (
    AcceptCallOptions,
    AudioOptions,
    Call,
    CallClient,
    CallState,
    CommunicationTokenCredential,
    Features,
    IncomingCall,
    StartCallOptions,
    Transfer,
)
from node.call import Updated
from node.commands.stdin import lines


def say(event: str, **figures: object) -> None:
    """Write one event."""
    print(json.dumps({"event": event, "at": time.monotonic(), **figures}), flush=True)


class Actor:
    """Carry out commands on one agent."""

    def __init__(self, name: str, client: CallClient, commands: asyncio.Queue[str], listen: bool) -> None:
        self._name = name
        self._client = client
        self._commands = commands
        self._listen = listen
        self._ear = NumpySink(max_seconds=300)
        self._rings: dict[str, IncomingCall] = {}
        self._calls: dict[str, Call] = {}

    async def run(self, token: str) -> None:
        """Obey until cancelled."""
        self._devices = await self._client.get_device_manager()
        self._agent = await self._client.create_call_agent(
            CommunicationTokenCredential(token), display_name=self._name.title()
        )
        self._agent.on("incoming_call", lambda event: self._rung(event.incoming_call))
        self._agent.on("calls_updated", self._watch)
        self._agent.on("mailbox_changed", lambda event: say("mailbox", new=event.new))
        say("ready")
        while True:
            command = json.loads(await self._commands.get())
            try:
                await self._obey(**command)
            except Exception as error:
                say("error", what=f"{command['do']}: {error}")

    async def _obey(self, do: str, **given: Any) -> None:
        match do:
            case "dial":
                self._agent.start_call([given["whom"]], StartCallOptions(self._audio()))
            case "accept":
                incoming = self._rings.pop(given["call"])
                say("accepting", call=incoming.id)
                await incoming.accept(AcceptCallOptions(self._audio()))
            case "reject":
                await self._rings.pop(given["call"]).reject()
            case "hold":
                await self._calls[given["call"]].hold()
            case "transfer":
                call = self._calls[given.pop("call")]
                self._follow(call.feature(Features.TRANSFER).transfer(**given))
            case "hang_up":
                for call in list(self._calls.values()):
                    await call.hang_up()
                say("idle")
            case "dump":
                frames = self._ear.frames
                times = np.array([at for at, _ in frames])
                samples = np.concatenate([f for _, f in frames]) if frames else np.zeros(0, np.int16)
                await asyncio.to_thread(np.savez, Path(given["path"]), times=times, samples=samples)
                say("dumped")

    def _audio(self) -> AudioOptions:
        self._ear = NumpySink(max_seconds=300)
        ears: list[Sink] = [self._ear, MeterSink(lambda level: say("level", dbfs=round(level, 1)))]
        if self._listen:
            ears.append(self._devices.speaker_sink())
        return AudioOptions(NumpySource(speech(self._name), loop=True), TeeSink(*ears))

    def _rung(self, incoming: IncomingCall) -> None:
        self._rings[incoming.id] = incoming
        transferor = incoming.transferor_info
        say(
            "ring",
            call=incoming.id,
            caller=incoming.caller_info.name,
            transferor=transferor.name if transferor else None,
        )

    def _watch(self, event: Updated[Call]) -> None:
        for call in event.added:
            self._calls[call.id] = call
            self._report(call)

    def _report(self, call: Call) -> None:
        def changed(event: object) -> None:
            reason = call.call_end_reason
            if call.state is CallState.DISCONNECTED:
                self._calls.pop(call.id, None)
            say(
                "state",
                call=call.id,
                state=call.state,
                code=[reason.code, reason.sub_code] if reason else None,
            )

        call.on("state_changed", changed)
        changed(None)

    def _follow(self, transfer: Transfer) -> None:
        def changed(event: object) -> None:
            error, outcome = transfer.error, transfer.outcome
            say(
                "transfer",
                state=transfer.state,
                progress=transfer.progress,
                code=[error.code, error.sub_code] if error else None,
                outcome=outcome.kind if outcome else None,
            )

        transfer.on("state_changed", changed)
        transfer.on("progress_changed", changed)


async def main() -> None:
    """Play the person named on the command line, with the token in the environment, until stdin ends."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    loop.add_signal_handler(signal.SIGTERM, task.cancel)
    commands: asyncio.Queue[str] = asyncio.Queue()

    def quit_() -> None:
        task.cancel()

    with lines(commands.put_nowait, quit_):
        async with CallClient() as client:
            actor = Actor(sys.argv[1], client, commands, "--listen" in sys.argv)
            await actor.run(os.environ["CALLNODE_TOKEN"])


if __name__ == "__main__":
    with contextlib.suppress(asyncio.CancelledError, KeyboardInterrupt):
        asyncio.run(main())
