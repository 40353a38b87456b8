"""What the user hears besides calls, by the state of these: rings, ringback, busy, waiting, keys. Pure.

Tones of a call are played only where its sound goes to a speaker of this machine: who brings another sink,
such as a program, hears nothing here.
"""

from typing import Protocol

import numpy as np

from media.audio import SAMPLE_RATE
from media.tones import Samples, Tone, dtmf_tone, ring, tone
from node.session import CallState, Session
from signaling.reasons import BUSY, DECLINED, DO_NOT_DISTURB, HUNG_UP, UNKNOWN_USER, Reason

MOMENT_SECONDS = 2.0
KEY_DBFS = -30.0


class Plays(Protocol):
    """A device that repeats one sound, or plays one once in its place (media.player)."""

    def repeat(self, samples: Samples | None) -> None:
        """Play over and over, after what is played once; None is nothing."""
        ...

    def play(self, samples: Samples | None) -> None:
        """Play once, then go on with what repeats; None is nothing."""
        ...

    def close(self) -> None:
        """Let the device go."""
        ...


class Ringer:
    """Play the tones of a country on the talk device, and with `rings` ring on the bell."""

    def __init__(self, talk: Plays, bell: Plays, country: str, *, rings: bool) -> None:
        self._talk = talk
        self._bell = bell
        self._country = country
        self._rings = rings
        self._audible: set[str] = set()
        self._left: set[str] = set()
        self._calls: dict[str, Session] = {}
        self._incoming: set[str] = set()
        self._playing: Tone | None = None
        self._belling = False

    def attach(self, call_id: str) -> None:
        """Note that the sound of a call, also of one to come, goes to the devices."""
        self._audible.add(call_id)
        self._refresh()

    def detach(self, call_id: str) -> None:
        """Note that its sound goes elsewhere."""
        self._audible.discard(call_id)
        self._refresh()

    def leave(self, call_id: str) -> None:
        """Note that the user hangs up, and needs no tone to know that."""
        self._left.add(call_id)

    def rang(self, call_id: str) -> None:
        """Note that a call rings here."""
        self._incoming.add(call_id)
        self._refresh()

    def silenced(self, call_id: str) -> None:
        """Note that a call no longer rings here."""
        self._incoming.discard(call_id)
        self._refresh()

    def called(self, call: Session) -> None:
        """Note that a call is new, has changed or is over."""
        before = self._calls.get(call.id)
        self._calls[call.id] = call
        self._incoming.discard(call.id)
        if call.replaces in self._audible:
            self._audible.add(call.id)
        ended = before is not None and before.live and not call.live
        if before is None:
            self._talk.play(None)
        self._refresh()
        if ended and (told := self._told(call)) is not None:
            self._talk.play(told)
        if call.state is CallState.DISCONNECTED:
            del self._calls[call.id]
            self._audible.discard(call.id)
            self._left.discard(call.id)

    def pressed(self, call_id: str, digits: str) -> None:
        """Let the user hear the keys pressed in a call."""
        if call_id in self._audible:
            self._talk.play(dtmf_tone(digits, KEY_DBFS))

    def close(self) -> None:
        """Be silent for good."""
        self._rings = False
        self._audible.clear()
        self._incoming.clear()
        self._talk.close()
        self._bell.close()

    def _refresh(self) -> None:
        due = self._due()
        if due is not self._playing:
            self._playing = due
            self._talk.repeat(None if due is None else tone(due, self._country))
        belling = self._rings and bool(self._incoming) and not any(c.live for c in self._calls.values())
        if belling is not self._belling:
            self._belling = belling
            self._bell.repeat(ring() if belling else None)

    def _due(self) -> Tone | None:
        audible = [call for call in self._calls.values() if call.live and call.id in self._audible]
        if any(call.state is CallState.RINGING and not self._talks_on(call) for call in audible):
            return Tone.RINGBACK
        return Tone.CALL_WAITING if audible and self._incoming else None

    def _talks_on(self, call: Session) -> bool:
        """Tell whether a call waits to take the place of one that still goes on."""
        old = self._calls.get(call.replaces or "")
        return old is not None and old.live

    def _told(self, call: Session) -> Samples | None:
        """Return what tells the user that, and why, a call has ended without their doing."""
        reason = call.end_reason
        replaced = any(other.replaces == call.id and other.live for other in self._calls.values())
        if reason is None or replaced or call.id in self._left or call.id not in self._audible:
            return None
        if reason == HUNG_UP:
            return tone(Tone.END, self._country)
        if reason.category == "Success":
            return None
        turn = tone(_TONES.get(reason, Tone.CONGESTION), self._country)
        return np.tile(turn, 1 + int(MOMENT_SECONDS * SAMPLE_RATE) // len(turn))


_TONES: dict[Reason, Tone] = {
    BUSY: Tone.BUSY,
    DO_NOT_DISTURB: Tone.BUSY,
    DECLINED: Tone.BUSY,
    UNKNOWN_USER: Tone.INFORMATION,
}
