"""Under which id each end knows a call, where the hub has another one for it. Pure.

An end keeps the id of its call when the other end becomes a mixer, or ceases to be one; for the hub that is
another call.
"""

from typing import TypeVar

from msgspec.structs import replace

from signaling.messages import (
    CallConnected,
    CallIncoming,
    CallOriginate,
    ClientMessage,
    HubMessage,
    TransferRequest,
)
from signaling.parts import CallTarget

_Message = TypeVar("_Message", ClientMessage, HubMessage)


class Names:
    """The names of calls that have more than one."""

    def __init__(self) -> None:
        self._theirs: dict[tuple[str, str], str] = {}
        self._ours: dict[tuple[str, str], str] = {}

    def give(self, session: str, call_id: str, name: str) -> None:
        """Let a session know a call under a name, which it had for another one until now."""
        before = self._ours.pop((session, name), None)
        if before is not None:
            del self._theirs[session, before]
        if call_id != name:
            self._theirs[session, call_id] = name
            self._ours[session, name] = call_id

    def move(self, call_id: str, old: str, new: str) -> None:
        """Let a new session know a call under the name that it had at a lost one."""
        name = self.of(old, call_id)
        self.give(old, name, name)
        self.give(new, call_id, name)

    def of(self, session: str, call_id: str) -> str:
        """Return the name of a call at a session."""
        return self._theirs.get((session, call_id), call_id)

    def taken(self, name: str) -> bool:
        """Tell whether somebody knows a call under this name."""
        return any(name == each for _, each in self._ours)

    @property
    def empty(self) -> bool:
        """Tell whether every call has but one name."""
        return not self._ours

    def forget(self, call_id: str) -> None:
        """Drop the names of a call that is over."""
        for session, each in [key for key in self._theirs if key[1] == call_id]:
            del self._ours[session, self._theirs.pop((session, each))]

    def inward(self, session: str, message: ClientMessage) -> ClientMessage:
        """Return a message of a session with the hub's ids."""
        message = self._renamed(session, message, self._ours)
        if isinstance(message, TransferRequest) and isinstance(message.target, CallTarget):
            target = message.target.call_id
            return replace(message, target=CallTarget(self._ours.get((session, target), target)))
        return message

    def outward(self, session: str, message: HubMessage) -> HubMessage:
        """Return a message to a session with the ids that it knows."""
        known = self._renamed(session, message, self._theirs)
        if isinstance(known, CallConnected) and isinstance(message, CallConnected) and known is not message:
            return replace(known, server_call_id=message.call_id)
        if isinstance(known, CallIncoming | CallOriginate) and known.replaces is not None:
            return replace(known, replaces=self.of(session, known.replaces))
        return known

    def _renamed(self, session: str, message: _Message, names: dict[tuple[str, str], str]) -> _Message:
        name = names.get((session, getattr(message, "call_id", "")))
        return message if name is None else replace(message, call_id=name)
