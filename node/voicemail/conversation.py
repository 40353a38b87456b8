"""One call as a script has it: what happens goes in, what it wants done comes out in order."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from media.audio import Frame, Source
from media.source import NumpySource, SilenceSource
from media.speech import Prompts
from node.agent import CallAgent
from node.call import (
    AcceptCallOptions,
    AudioOptions,
    Call,
    DtmfReceived,
    Features,
    IncomingCall,
    StateChanged,
    Updated,
)
from node.session import CallState
from node.transfer import TransferRequested
from node.voicemail.dialogue import Connected, Finished, HungUp, Pressed, Spoken, Tick
from signaling.mailboxes import Language

In = TypeVar("In", contravariant=True)
Out = TypeVar("Out", covariant=True)
_Given = TypeVar("_Given")
_Wanted = TypeVar("_Wanted")

Common = Connected | Finished | Pressed | HungUp | Tick


class Script(Protocol[In, Out]):
    """What decides: pure, with one door."""

    @property
    def deadline(self) -> float | None:
        """Return when a Tick is wanted at the latest."""
        ...

    def handle(self, what: In | Common, now: float) -> Sequence[Out]:
        """Take one input and return what it makes necessary, in order."""
        ...


class EndingSource(Source, Protocol):
    """A source that tells its end."""

    on_finished: Callable[[], None] | None


class Conversation(Generic[_Given, _Wanted]):
    """Let a script talk with one caller, in a language.

    It is the sink of the call, which is over when its sink is closed: a call that takes over from another
    brings the sink along, and is talked to from then on.
    """

    def __init__(self, script: Script[_Given, _Wanted], prompts: Prompts, language: Language) -> None:
        self._script = script
        self._prompts = prompts
        self._language = language
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._outputs: asyncio.Queue[_Wanted] = asyncio.Queue()
        self._saying: Source | None = None
        self._agent: CallAgent | None = None
        self._call: Call

    async def answer(self, incoming: IncomingCall) -> None:
        """Accept a call; raises CallingError if it no longer rings."""
        audio = AudioOptions(source=SilenceSource(), sink=self)
        self._call = await incoming.accept(AcceptCallOptions(audio, hold_other_calls=False))
        self._follow(self._call)
        self._agent = incoming._agent
        self._agent.on("calls_updated", self._calls_updated)

    async def next(self) -> _Wanted:
        """Return what the script wants done next."""
        return await self._outputs.get()

    def give(self, what: _Given | Common) -> None:
        """Tell the script what happened."""
        for output in self._script.handle(what, self._loop.time()):
            if isinstance(output, Spoken):
                self._saying = None  # its end would be taken for the end of what comes now
            self._outputs.put_nowait(output)
        deadline = self._script.deadline
        if self._timer is not None and (deadline is None or deadline < self._timer.when()):
            self._timer.cancel()
            self._timer = None
        # A deadline that moves on with every word is looked at when the earlier one has come.
        if self._timer is None and deadline is not None:
            self._timer = self._loop.call_at(deadline, self._tick)

    async def say(self, prompts: Sequence[str]) -> None:
        """Say prompts, by name."""
        self.play(await asyncio.to_thread(self._prompts.sound, self._language, prompts))

    def play(self, sound: "NDArray[np.int16] | EndingSource") -> None:
        """Say a sound, and tell the script when it has ended."""
        source = sound if not isinstance(sound, np.ndarray) else NumpySource(sound)
        source.on_finished = lambda: self.give(Finished()) if self._saying is source else None
        self._saying = source
        self._call.start_audio(source)

    def write(self, frame: Frame) -> None:
        """Take a frame of the caller."""

    def close(self) -> None:
        """Take note that nobody calls any more."""
        if self._agent is not None:
            self._agent.off("calls_updated", self._calls_updated)
        self.give(HungUp())

    def _follow(self, call: Call) -> None:
        def state_changed(event: StateChanged) -> None:
            if event.new_state in (CallState.CONNECTED, CallState.REMOTE_HOLD):
                self._call = call
                self.give(Connected())

        call.on("state_changed", state_changed)
        call.on("dtmf_received", self._pressed)
        call.feature(Features.TRANSFER).on("transfer_requested", _refuse)

    def _calls_updated(self, event: Updated[Call]) -> None:
        for call in event.added:
            if call._session.replaces == self._call.id:
                self._taken_over(call)

    def _taken_over(self, call: Call) -> None:
        """Go on with the call that somebody was handed over to this one with."""
        self._follow(call)

    def _pressed(self, event: DtmfReceived) -> None:
        self.give(Pressed(event.digit))

    def _tick(self) -> None:
        self._timer = None
        self.give(Tick())


def _refuse(event: TransferRequested) -> None:
    """Refuse to be handed on: whoever came next would be recorded into this mailbox, or hear it."""
    event.reject()
