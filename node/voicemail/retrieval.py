"""How a mailbox is heard by calling it, driven by keys. Pure.

    waiting ──connected──► opening ──opened──► counting ──finished──► envelope ──► playing ──► after
    counting … after ──1──► playing      ──4, 6──► envelope      ──7, 9──► moving ──moved──► after
    opening … after ──*──► number ──#──► pin ──#──► opening ──refused──► number, after three farewell
    any ──#, trouble, nothing pressed──► farewell ──finished──► done        any ──hung up──► done

The caller's own mailbox is open; another one needs its number and PIN, which the hub judges. A new message
that was heard to its end is saved; what does not finish is given up.
"""

from datetime import datetime
from typing import Literal, assert_never

from msgspec import Struct
from msgspec.structs import replace

from node.voicemail import phrases
from node.voicemail.dialogue import Connected, Finished, HangUp, HungUp, Pressed, Say, Spoken, Tick
from signaling.mailboxes import Language, Message

Stage = Literal[
    "waiting",
    "opening",
    "counting",
    "envelope",
    "playing",
    "moving",
    "after",
    "number",
    "pin",
    "farewell",
    "done",
]

SAYING_SECONDS = 120.0  # longer than any row of prompts
ASKING_SECONDS = 20.0  # longer than the hub may take
PLAYING_SECONDS = 3600.0  # longer than any message
KEY_SECONDS = 8.0  # without a key, it goes on by itself
ENTRY_SECONDS = 20.0
MOST_REFUSALS = 3
MOST_DIGITS = 32
SPEEDS = (1.0, 1.5, 2.0)


class Opened(Struct, frozen=True):
    """A mailbox is open: its messages, in the local time of `now`, and its language."""

    messages: tuple[Message, ...]
    language: Language
    now: datetime


class Refused(Struct, frozen=True):
    """Number and PIN did not open a mailbox."""


class Moved(Struct, frozen=True):
    """The message was put where it was to be put."""


class SoundLost(Struct, frozen=True):
    """The message cannot be played."""


class Failed(Struct, frozen=True):
    """The hub did not do what was asked."""


Input = Connected | Finished | Pressed | HungUp | Tick | Opened | Refused | Moved | SoundLost | Failed


class Open(Struct, frozen=True):
    """Read the mailbox that this call may hear; ends in Opened or Failed."""


class LogIn(Struct, frozen=True):
    """Open the mailbox of a number by its PIN, and read it; ends in Opened, Refused or Failed."""

    number: str
    pin: str

    def __repr__(self) -> str:
        return f"LogIn(number={self.number!r})"


class Play(Spoken, frozen=True):
    """Say a message at a speed; ends in Finished or SoundLost."""

    message: Message
    speed: float


class SetSpeed(Struct, frozen=True):
    """Go on at another speed with the message that is being said."""

    speed: float


class Move(Struct, frozen=True):
    """Put a message into a folder; ends in Moved or Failed."""

    message_id: str
    folder: Literal["saved", "deleted"]


class Leave(Struct, frozen=True):
    """Nothing is to be done any more; the last output of a call."""


Output = Say | Open | LogIn | Play | SetSpeed | Move | HangUp | Leave


class Retrieval:
    """One call of somebody who wants to hear a mailbox."""

    def __init__(self) -> None:
        self.stage: Stage = "waiting"
        self.language: Language = "en"
        self._messages: list[Message] = []
        self._now = datetime.min
        self._at = -1  # of the message that is heard
        self._gone = False  # that message: the next one has taken its place
        self._speed = 0
        self._moving: Literal["saved", "deleted"] = "saved"
        self._heard = False  # to its end: it is saved without a word
        self._number = ""
        self._digits = ""
        self._refusals = 0
        self._ends: float | None = None

    @property
    def deadline(self) -> float | None:
        """Return when a Tick is wanted at the latest."""
        return self._ends

    def handle(self, what: Input, now: float) -> list[Output]:
        """Take one input and return what it makes necessary, in order."""
        match what:
            case Connected():
                return self._enter("opening", now, Open()) if self.stage == "waiting" else []
            case HungUp():
                return self._end(hang_up=False)
            case Pressed(key):
                return self._pressed(key, now)
            case Finished():
                return self._finished(now)
            case Opened():
                return self._opened(what, now) if self.stage == "opening" else []
            case Refused():
                return self._refused(now) if self.stage == "opening" else []
            case Moved():
                return self._moved(now) if self.stage == "moving" else []
            case SoundLost():
                return self._enter("after", now, Say(("sound-lost",))) if self.stage == "playing" else []
            case Failed():
                trouble = self.stage in ("opening", "moving")
                return self._farewell(now, "trouble", "goodbye") if trouble else []
            case Tick():
                return self._tick(now)
            case _:
                assert_never(what)

    @property
    def _current(self) -> Message | None:
        there = not self._gone and 0 <= self._at < len(self._messages)
        return self._messages[self._at] if there else None

    def _opened(self, box: Opened, now: float) -> list[Output]:
        self.language, self._now = box.language, box.now
        order = sorted(box.messages, key=lambda m: (m.folder != "new", not m.urgent, m.received_at))
        self._messages, self._at, self._gone = order, -1, False
        new = sum(message.folder == "new" for message in order)
        said = phrases.waiting(new, len(order) - new, self.language)
        return self._enter("counting", now, Say(tuple(said)))

    def _refused(self, now: float) -> list[Output]:
        self._refusals += 1
        if self._refusals == MOST_REFUSALS:
            return self._farewell(now, "login-incorrect", "goodbye")
        return self._ask_number(now, "login-incorrect")

    def _moved(self, now: float) -> list[Output]:
        message = self._messages[self._at]
        if self._moving == "deleted":
            del self._messages[self._at]
            self._gone = True
        else:
            self._messages[self._at] = replace(message, folder="saved")
        if self._heard:
            return self._enter("after", now, Say(("after-message",)))
        return self._enter("after", now, Say((self._moving,)))

    def _finished(self, now: float) -> list[Output]:
        match self.stage:
            case "counting":
                return self._step(1, now) if self._messages else self._wait(now)
            case "envelope":
                return self._play(now)
            case "playing":
                message = self._messages[self._at]
                if message.folder == "new":
                    return self._move("saved", now, heard=True)
                return self._enter("after", now, Say(("after-message",)))
            case "after":
                return self._wait(now)
            case "number" | "pin":
                self._ends = now + ENTRY_SECONDS
                return []
            case "farewell":
                return self._end()
            case _:
                return []

    def _pressed(self, key: str, now: float) -> list[Output]:
        match self.stage:
            case "number" | "pin":
                return self._entered(key, now)
            case "counting" | "envelope" | "playing" | "after":
                return self._driven(key, now)
            case _:
                return []

    def _driven(self, key: str, now: float) -> list[Output]:
        match key:
            case "1" if self._current:
                return self._play(now)
            case "2" if self._current:
                return self._faster(now)
            case "4":
                return self._step(-1, now)
            case "6":
                return self._step(1, now)
            case "7" if self._current:
                return self._move("deleted", now)
            case "9" if self._current:
                return self._move("saved", now)
            case "0":
                return self._enter("after", now, Say(("help",)))
            case "*":
                return self._ask_number(now)
            case "#":
                return self._farewell(now, "goodbye")
            case _:
                return []

    def _entered(self, key: str, now: float) -> list[Output]:
        if key == "*":
            return self._ask_number(now)
        if key != "#":
            self._digits = (self._digits + key)[:MOST_DIGITS]
            self._ends = now + ENTRY_SECONDS
            return []
        digits, self._digits = self._digits, ""
        if not digits:
            return self._refused(now)
        if self.stage == "number":
            self._number = digits
            return self._enter("pin", now, Say(("enter-pin",)))
        return self._enter("opening", now, LogIn(self._number, digits))

    def _ask_number(self, now: float, *before: str) -> list[Output]:
        self._digits = ""
        return self._enter("number", now, Say((*before, "enter-number")))

    def _step(self, by: int, now: float) -> list[Output]:
        """Go to another message; before the first there is the first, after the last there is none."""
        self._at = min(max(0, self._at + (min(by, 0) if self._gone else by)), len(self._messages))
        self._gone = False
        message = self._current
        if message is None:
            said = "no-more" if self._messages else "no-messages"
            return self._enter("after", now, Say((said,)))
        said_of_it = phrases.envelope(self._at + 1, message, self._now, self.language)
        return self._enter("envelope", now, Say(tuple(said_of_it)))

    def _play(self, now: float) -> list[Output]:
        return self._enter("playing", now, Play(self._messages[self._at], SPEEDS[self._speed]))

    def _faster(self, now: float) -> list[Output]:
        self._speed = (self._speed + 1) % len(SPEEDS)
        if self.stage == "playing":
            return [SetSpeed(SPEEDS[self._speed])]
        return self._enter("after", now, Say((f"speed-{self._speed + 1}",)))

    def _move(self, folder: Literal["saved", "deleted"], now: float, *, heard: bool = False) -> list[Output]:
        self._moving, self._heard = folder, heard
        return self._enter("moving", now, Move(self._messages[self._at].id, folder))

    def _wait(self, now: float) -> list[Output]:
        self._ends = now + KEY_SECONDS
        return []

    def _tick(self, now: float) -> list[Output]:
        if self._ends is None or now < self._ends:
            return []
        match self.stage:
            case "counting" | "after" if self._at + (not self._gone) < len(self._messages):
                return self._step(1, now)
            case "envelope":
                return self._play(now)
            case "opening" | "moving" | "playing":
                return self._farewell(now, "trouble", "goodbye")
            case "farewell":
                return self._end()
            case _:
                return self._farewell(now, "goodbye")

    def _farewell(self, now: float, *prompts: str) -> list[Output]:
        return self._enter("farewell", now, Say(prompts))

    def _enter(self, stage: Stage, now: float, output: Output) -> list[Output]:
        self.stage = stage
        asking = stage in ("opening", "moving")
        self._ends = now + (
            PLAYING_SECONDS if stage == "playing" else ASKING_SECONDS if asking else SAYING_SECONDS
        )
        return [output]

    def _end(self, *, hang_up: bool = True) -> list[Output]:
        if self.stage == "done":
            return []
        self.stage = "done"
        self._ends = None
        return [HangUp(), Leave()] if hang_up else [Leave()]
