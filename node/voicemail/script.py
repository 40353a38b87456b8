"""What voicemail does with one call, from the greeting to the filed message. Pure.

    waiting ──connected──► greeting ──finished──► beep ──finished──► recording ──silence, maximum──► done
    any ──hung up──► done        recording ──recorder failed──► done

What was recorded is filed if enough of it is loud enough to be speech, and discarded otherwise. A greeting
or a beep that does not finish is given up: a caller is never left waiting for one.
"""

from dataclasses import dataclass
from typing import Literal, assert_never

from msgspec import Struct

from media.audio import FRAME_SECONDS

Stage = Literal["waiting", "greeting", "beep", "recording", "done"]
Why = Literal["hangup", "silence", "maximum", "error"]


@dataclass(frozen=True)
class Limits:
    """How long each stage may last, in seconds, and what counts as speech.

    `silence` ends a recording; `speech` is how much of it must be above `speech_dbfs` (RMS of a frame).
    """

    greeting: float = 120.0
    beep: float = 5.0
    silence: float = 10.0
    maximum: float = 300.0
    speech: float = 0.3
    speech_dbfs: float = -45.0


class Connected(Struct, frozen=True):
    """The caller and the service hear each other."""


class GreetingFinished(Struct, frozen=True):
    """The last of the greeting was said."""


class BeepFinished(Struct, frozen=True):
    """The last of the beep was said."""


class Heard(Struct, frozen=True):
    """A frame of the caller was recorded; its RMS level in dBFS."""

    level_dbfs: float


class HungUp(Struct, frozen=True):
    """The call is over."""


class RecorderFailed(Struct, frozen=True):
    """Nothing more can be recorded."""


class Tick(Struct, frozen=True):
    """Time has passed."""


Input = Connected | GreetingFinished | BeepFinished | Heard | HungUp | RecorderFailed | Tick


class PlayGreeting(Struct, frozen=True):
    """Say the greeting; ends in GreetingFinished."""


class PlayBeep(Struct, frozen=True):
    """Say the beep; ends in BeepFinished."""


class StartRecording(Struct, frozen=True):
    """Record what the caller says from now on."""


class HangUp(Struct, frozen=True):
    """End the call."""


class File(Struct, frozen=True):
    """Stop recording and file the message; the last output of a call."""

    why: Why


class Discard(Struct, frozen=True):
    """Stop recording if that was begun, and keep nothing; the last output of a call."""


Output = PlayGreeting | PlayBeep | StartRecording | HangUp | File | Discard


class Script:
    """One call to a mailbox."""

    def __init__(self, limits: Limits) -> None:
        self.stage: Stage = "waiting"
        self._limits = limits
        self._ends: float | None = None
        self._silent = 0.0
        self._loud = 0

    @property
    def recording(self) -> bool:
        """Tell whether what the caller says belongs to the message."""
        return self.stage == "recording"

    @property
    def deadline(self) -> float | None:
        """Return when a Tick is wanted at the latest."""
        if self._ends is None or not self.recording:
            return self._ends
        return min(self._ends, self._silent)

    def handle(self, what: Input, now: float) -> list[Output]:
        """Take one input and return what it makes necessary, in order."""
        match what:
            case Connected():
                return self._greet(now) if self.stage == "waiting" else []
            case GreetingFinished():
                return self._beep(now) if self.stage == "greeting" else []
            case BeepFinished():
                return self._record(now) if self.stage == "beep" else []
            case Heard(level_dbfs):
                if level_dbfs > self._limits.speech_dbfs:
                    self._loud += 1
                    self._silent = now + self._limits.silence
                return []
            case HungUp():
                return self._end("hangup")
            case RecorderFailed():
                return self._end("error")
            case Tick():
                return self._tick(now)
            case _:
                assert_never(what)

    def _greet(self, now: float) -> list[Output]:
        self.stage = "greeting"
        self._ends = now + self._limits.greeting
        return [PlayGreeting()]

    def _beep(self, now: float) -> list[Output]:
        self.stage = "beep"
        self._ends = now + self._limits.beep
        return [PlayBeep()]

    def _record(self, now: float) -> list[Output]:
        self.stage = "recording"
        self._loud = 0
        self._ends = now + self._limits.maximum
        self._silent = now + self._limits.silence
        return [StartRecording()]

    def _tick(self, now: float) -> list[Output]:
        deadline = self.deadline
        if deadline is None or now < deadline:
            return []
        if self.stage == "greeting":
            return self._beep(now)
        if self.stage == "beep":
            return self._record(now)
        return self._end("maximum" if deadline == self._ends else "silence")

    def _end(self, why: Why) -> list[Output]:
        if self.stage == "done":
            return []
        spoken = self.recording and self._loud * FRAME_SECONDS >= self._limits.speech
        self.stage = "done"
        self._ends = None
        last: Output = File(why) if spoken else Discard()
        return [last] if why == "hangup" else [HangUp(), last]
