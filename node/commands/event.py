"""What a softphone tells: one event after the other, as a line or as JSON."""

import unicodedata
from datetime import datetime
from typing import Literal

from msgspec import Struct

from node.call import Call, IncomingCall
from node.devices import AudioDevice, AudioDevicesUpdated, AudioDeviceSwitched
from node.groups import GROUP
from node.identity import CallerInfo
from signaling.identifiers import identifier_from_raw_id
from signaling.parts import Party
from signaling.reasons import Reason

EventName = Literal[
    "listening", "mailbox", "incoming", "missed", "declined", "calling", "ringing", "connected", "ended",
    "held", "held-by-other", "resumed", "muted", "unmuted", "speaking-while-muted", "key",
    "no-sound", "sound-again", "speaking", "stopped-speaking",
    "transferring", "transfer-progress", "transferred", "transfer-failed", "moving",
    "participant", "not-added", "device", "plugged-in", "unplugged", "volume", "refused", "offline",
]  # fmt: skip


class Event(Struct, frozen=True, omit_defaults=True):
    """Something that happened: with whom, in which call, and what there is to say about it."""

    event: EventName
    party: str = ""
    display_name: str = ""
    call_id: str = ""
    target: str = ""
    message: str = ""
    code: int | None = None
    sub_code: int | None = None

    @property
    def line(self) -> str:
        """Return the event as one line: its name, then who, then the rest."""
        words = [self.event, self.party, f"to {self.target}" if self.target else ""]
        codes = "" if self.code is None else f" ({self.code}/{self.sub_code})"
        return plain(" ".join(filter(None, words)) + (f": {self.message}{codes}" if self.message else ""))


def about(
    event: EventName,
    call: Call | IncomingCall,
    reason: Reason | None = None,
    *,
    target: str = "",
    message: str = "",
) -> Event:
    """Return an event of a call; with a reason, that is its message."""
    who = call.caller_info if isinstance(call, IncomingCall) else other_end(call)
    codes = (reason.code, reason.sub_code) if reason else (None, None)
    message = reason.message if reason else message
    return Event(event, name_of(who), who.display_name, call.id, target, message, *codes)


def answered(call: Call) -> Event:
    """Return the event of a call that is up; it says so where not the called person answered."""
    kind = call.outcome.kind if call.outcome else ""
    said = {"voicemail": "voicemail answers", "forwarded": "the call was forwarded here"}
    return about("connected", call, message=said.get(kind, ""))


def plugged(event: AudioDevicesUpdated) -> list[Event]:
    """Return an event of each device to talk by that was plugged in or unplugged."""
    changes: tuple[tuple[EventName, tuple[AudioDevice, ...]], ...]
    changes = (("plugged-in", event.added), ("unplugged", event.removed))
    return [
        Event(what, message=f"{each.kind.lower()} {each.name}")
        for what, some in changes
        for each in some
        if each.is_real
    ]


def switched(event: AudioDeviceSwitched) -> Event:
    """Return the event of sound that goes on on another device."""
    what = "speaker to ring" if event.role == "ring" else event.kind.lower()
    is_now = f"the {what} is {event.new.name}" if event.new else f"there is no {what}, going on without"
    return Event("device", message=f"{is_now} ({event.cause})")


def other_end(call: Call) -> CallerInfo:
    """Return who is at the other end of a call; of a group call, the group."""
    there = call.remote_participants
    group = call.info.group_id
    if len(there) == 1 and group is None:
        return there[0].identifier
    return CallerInfo(identifier_from_raw_id(group or ""), GROUP)


def plain(text: str) -> str:
    """Return what others wrote without control characters (C0, C1), which a terminal would obey."""
    return "".join(char for char in text if unicodedata.category(char) != "Cc")


def when(at: datetime) -> str:
    """Return a moment in local time, to the minute."""
    return at.astimezone().strftime("%Y-%m-%d %H:%M")


def minutes(seconds: float) -> str:
    """Return a duration as m:ss."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"


def shown_name(who: Party) -> str:
    """Return the name of somebody to show."""
    return plain(who.display_name or who.name or who.raw_id)


def name_of(who: CallerInfo) -> str:
    """Return what one dials to reach someone: the short name, where there is one."""
    return who.name or who.identifier.raw_id
