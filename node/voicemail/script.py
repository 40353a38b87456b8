"""What voicemail does with one caller, from the greeting to the filed message. Pure.

    waiting ──connected──► greeting ──finished, key──► beep ──finished──► recording
    recording ──#, silence, maximum──► review ──#, nothing pressed──► farewell ──finished──► done
    review ──1──► listening ──finished──► review        review ──2──► beep
    greeting … review ──0──► operator ──failed──► greeting or review        any ──hung up──► done

What was recorded is filed if enough of it is loud enough to be speech, and discarded otherwise. What does not
finish is given up: a caller is never left waiting for it.
"""

from dataclasses import dataclass
from typing import Literal, assert_never

from msgspec import Struct

from media.audio import FRAME_SECONDS
from node.voicemail.dialogue import Connected, Finished, HangUp, HungUp, Pressed, Say, Spoken, Tick
from signaling.mailboxes import Reception

Stage = Literal[
    "waiting", "greeting", "beep", "recording", "review", "listening", "operator", "farewell", "done"
]

ONLY_GREETING = ("nobody-there", "goodbye")
_OPERATOR_STAGES = ("greeting", "beep", "recording", "review", "listening")


@dataclass(frozen=True)
class Limits:
    """How long each stage may last, in seconds, and what counts as speech.

    `silence` ends a recording; `speech` is how much of it must be above `speech_dbfs` (RMS of a frame).
    `review` is how long a caller may think about what to do with it; `greeting` holds for all that is said.
    """

    greeting: float = 120.0
    beep: float = 5.0
    silence: float = 10.0
    maximum: float = 300.0
    review: float = 5.0
    speech: float = 0.3
    speech_dbfs: float = -45.0


class Heard(Struct, frozen=True):
    """A frame of the caller was recorded; its RMS level in dBFS."""

    level_dbfs: float


class RecorderFailed(Struct, frozen=True):
    """Nothing more can be recorded; what was recorded before is `kept` or not."""

    kept: bool


class OperatorFailed(Struct, frozen=True):
    """The operator did not take the caller, who is still here."""


Input = Connected | Finished | Pressed | Heard | HungUp | RecorderFailed | OperatorFailed | Tick


class PlayGreeting(Spoken, frozen=True):
    """Say the greeting."""


class PlayBeep(Spoken, frozen=True):
    """Say the beep."""


class PlayRecording(Spoken, frozen=True):
    """Say what was recorded."""


class StartRecording(Struct, frozen=True):
    """Record what the caller says from now on; what was recorded before is forgotten."""


class CallOperator(Struct, frozen=True):
    """Hand the caller over to the person whom the owner has chosen; ends in HungUp or OperatorFailed."""


class Mark(Struct, frozen=True):
    """Keep that the message is urgent, or is not, from now on."""

    urgent: bool


class File(Struct, frozen=True):
    """Stop recording and file the message; the last output of a call."""


class Discard(Struct, frozen=True):
    """Stop recording if that was begun, and keep nothing; the last output of a call."""


Output = (
    Say
    | PlayGreeting
    | PlayBeep
    | PlayRecording
    | StartRecording
    | CallOperator
    | Mark
    | HangUp
    | File
    | Discard
)


class Script:
    """One call to a mailbox that receives its callers in a certain way."""

    def __init__(self, limits: Limits, reception: Reception) -> None:
        self.stage: Stage = "waiting"
        self._limits = limits
        self._records = reception.settings.answer == "record"
        self._full = reception.full
        self._operator = reception.settings.operator is not None
        self._ends: float | None = None
        self._silent = 0.0
        self._loud = 0
        self._urgent = False

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
                return self._answered(now) if self.stage == "waiting" else []
            case Finished():
                return self._finished(now)
            case Pressed(key):
                return self._pressed(key, now)
            case Heard(level_dbfs):
                if self.recording and level_dbfs > self._limits.speech_dbfs:
                    self._loud += 1
                    self._silent = now + self._limits.silence
                return []
            case HungUp():
                return self._end(hang_up=False)
            case RecorderFailed(kept):
                return self._failed(kept, now)
            case OperatorFailed():
                return self._operator_failed(now) if self.stage == "operator" else []
            case Tick():
                return self._tick(now)
            case _:
                assert_never(what)

    @property
    def _spoken(self) -> bool:
        return self._loud * FRAME_SECONDS >= self._limits.speech

    def _answered(self, now: float) -> list[Output]:
        if self._full:
            return self._farewell(now, "mailbox-full", "goodbye")
        return self._enter("greeting", self._limits.greeting, now, PlayGreeting())

    def _finished(self, now: float) -> list[Output]:
        match self.stage:
            case "greeting":
                return self._beep(now) if self._records else self._end()
            case "beep":
                return self._record(now)
            case "review":
                self._ends = now + self._limits.review
                return []
            case "listening":
                return self._review(now)
            case "operator":
                self._ends = None  # the hub has the deadlines
                return [CallOperator()]
            case "farewell":
                return self._end()
            case _:
                return []

    def _pressed(self, key: str, now: float) -> list[Output]:
        if key == "0" and self._operator and self.stage in _OPERATOR_STAGES:
            return self._enter("operator", self._limits.greeting, now, Say(("one-moment",)))
        match self.stage:
            case "greeting":
                return self._beep(now) if self._records else []
            case "recording":
                return self._stop(now) if key == "#" else []
            case "review" | "listening":
                return self._reviewed(key, now)
            case _:
                return []

    def _reviewed(self, key: str, now: float) -> list[Output]:
        match key:
            case "1":
                return self._enter("listening", self._limits.maximum + 5.0, now, PlayRecording())
            case "2":
                return self._beep(now)
            case "3":
                self._urgent = not self._urgent
                said = self._review(now, "urgent-on" if self._urgent else "urgent-off")
                return [Mark(self._urgent), *said]
            case "#":
                return self._farewell(now, "sent", "goodbye")
            case _:
                return []

    def _beep(self, now: float) -> list[Output]:
        self._loud = 0
        return self._enter("beep", self._limits.beep, now, PlayBeep())

    def _record(self, now: float) -> list[Output]:
        self._silent = now + self._limits.silence
        return self._enter("recording", self._limits.maximum, now, StartRecording())

    def _stop(self, now: float) -> list[Output]:
        """End the recording for a caller who is there, and has pressed `#`."""
        if self._spoken:
            return self._review(now)
        return self._enter("greeting", self._limits.greeting, now, Say(("nothing-recorded",)))

    def _review(self, now: float, *before: str) -> list[Output]:
        menu = (*before, "review", "operator") if self._operator else (*before, "review")
        return self._enter("review", self._limits.greeting, now, Say(menu))

    def _failed(self, kept: bool, now: float) -> list[Output]:
        if self.stage in ("waiting", "farewell", "done"):
            return []
        if not kept:
            self._loud = 0
        return self._farewell(now, "cut-short" if self._spoken else "not-recorded", "goodbye")

    def _operator_failed(self, now: float) -> list[Output]:
        if self._spoken:
            return self._review(now, "nobody-there")
        return self._enter("greeting", self._limits.greeting, now, Say(("nobody-there",)))

    def _farewell(self, now: float, *prompts: str) -> list[Output]:
        return self._enter("farewell", self._limits.greeting, now, Say(prompts))

    def _enter(self, stage: Stage, seconds: float, now: float, output: Output) -> list[Output]:
        self.stage = stage
        self._ends = now + seconds
        return [output]

    def _tick(self, now: float) -> list[Output]:
        deadline = self.deadline
        if deadline is None or now < deadline:
            return []
        if self.stage == "recording":
            return self._review(now) if self._spoken else self._end()
        if self.stage == "review":
            return self._farewell(now, "sent", "goodbye")
        return self._finished(now)

    def _end(self, *, hang_up: bool = True) -> list[Output]:
        if self.stage == "done":
            return []
        self.stage = "done"
        self._ends = None
        last: Output = File() if self._spoken else Discard()
        return [HangUp(), last] if hang_up else [last]
