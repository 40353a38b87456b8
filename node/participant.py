"""Who else is in a call (ACS RemoteParticipant)."""

import uuid

from msgspec import Struct
from msgspec.structs import replace

from node.errors import CallingError
from node.events import Events, Tasks
from node.exchange import AddParticipant
from node.identity import CallerInfo, caller_info, raw_id_of, validated
from node.options import AddParticipantOptions
from node.session import CallState, Session
from signaling.identifiers import CommunicationIdentifier, identifier_from_raw_id
from signaling.messages import ParticipantAdd
from signaling.parts import Participant, ParticipantState
from signaling.reasons import NOT_PRESENT, Reason


class ParticipantStateChanged(Struct, frozen=True):
    """The event `state_changed` of a participant."""

    old_state: ParticipantState
    new_state: ParticipantState


class RemoteParticipant(Events):
    """Somebody else in a call; `state_changed`, `is_muted_changed`, `is_speaking_changed` tell what happens.

    `state` ends with Disconnected, `call_end_reason` then says why; a call of two does not know who is muted.
    """

    EVENTS = ("state_changed", "is_muted_changed", "is_speaking_changed")

    def __init__(self, tasks: Tasks, participant_id: str, identifier: CallerInfo) -> None:
        super().__init__(tasks)
        self.id = participant_id
        self.identifier = identifier
        self.state: ParticipantState = "Connecting"
        self.is_muted = False
        self.is_speaking = False
        self.call_end_reason: Reason | None = None

    @property
    def display_name(self) -> str:
        """Return the name to show."""
        return self.identifier.display_name

    def _follow(self, seen: Participant, speaking: bool) -> None:
        self.identifier = caller_info(seen.party)
        self._be(seen.state, seen.muted, speaking, seen.reason)

    def _be(
        self,
        state: ParticipantState,
        muted: bool = False,
        speaking: bool = False,
        reason: Reason | None = None,
    ) -> None:
        before = (self.state, self.is_muted, self.is_speaking)
        self.state, self.is_muted, self.is_speaking = state, muted, speaking
        self.call_end_reason = reason or self.call_end_reason
        if before[0] != state:
            self._emit("state_changed", ParticipantStateChanged(before[0], state))
        if before[1] is not muted:
            self._emit("is_muted_changed", None)
        if before[2] is not speaking:
            self._emit("is_speaking_changed", None)


class Participants:
    """The others in one call, and those who are asked into it; `all` are those who are there."""

    def __init__(self, tasks: Tasks) -> None:
        self.all: list[RemoteParticipant] = []
        self._asked: dict[str, RemoteParticipant] = {}
        self._tasks = tasks

    def ask(self, participant_id: str, raw_id: str) -> RemoteParticipant:
        """Return somebody who is asked in, whom the hub has yet to tell of."""
        who = CallerInfo(identifier_from_raw_id(raw_id))
        asked = self._asked[participant_id] = RemoteParticipant(self._tasks, participant_id, who)
        return asked

    def find(self, wanted: CommunicationIdentifier | str | RemoteParticipant) -> list[RemoteParticipant]:
        """Return who it is, on all their devices; raises CallingError 404/8558 if nobody is."""
        if isinstance(wanted, RemoteParticipant):
            found = [each for each in self.all if each is wanted]
        else:
            name = raw_id_of(wanted)
            found = [
                each for each in self.all if name in (each.identifier.identifier.raw_id, each.identifier.name)
            ]
        if not found:
            raise CallingError.of(NOT_PRESENT)
        return found

    def follow(self, session: Session) -> tuple[list[RemoteParticipant], list[RemoteParticipant]]:
        """Take over who is there by now; return who has come and who has gone."""
        before = {each.id: each for each in self.all}
        there: list[RemoteParticipant] = []
        for seen in _seen(session):
            known = before.get(seen.id) or self._asked.pop(seen.id, None)
            if known is None and seen.state == "Disconnected":
                continue  # gone before, as the hub still tells
            who = known or RemoteParticipant(self._tasks, seen.id, caller_info(seen.party))
            talks = seen.id in session.speakers if session.group_id else session.remote_speaking
            who._follow(seen, talks and seen.state == "Connected")
            if seen.state != "Disconnected" or not session.live:
                there.append(who)
        gone = [each for each in self.all if each not in there]
        over = [*gone, *(self._asked.values() if session.state is CallState.DISCONNECTED else ())]
        for each in over:
            each._be("Disconnected", reason=None if each.call_end_reason else session.end_reason)
            self._asked.pop(each.id, None)
        added, self.all = [each for each in there if each.id not in before], there
        return added, gone


def add_order(
    call_id: str, identifier: CommunicationIdentifier | str, options: AddParticipantOptions
) -> AddParticipant:
    """Return the order to ask somebody in; raises CallingError 400/8523 for what is not within the limits."""
    wanted = ParticipantAdd(call_id, uuid.uuid4().hex, raw_id_of(identifier), options.custom_context)
    validated(wanted)
    return AddParticipant(call_id, wanted.participant_id, wanted.target, wanted.custom_context)


def _seen(session: Session) -> list[Participant]:
    """Return everybody else in a call; of two, the other end, by the id that it would have in a group."""
    if session.group_id is not None:
        others = session.participants
    else:
        there = [each for each in session.participants if each.state != "Disconnected"]
        known = there[0].id if there else "callee" if session.direction == "Outgoing" else "caller"
        over = (each for each in session.participants if each.state == "Disconnected")
        others = (Participant(known, session.remote, _state(session)), *over)
    return [each if session.live else replace(each, state="Disconnected") for each in others]


def _state(session: Session) -> ParticipantState:
    if session.state is CallState.RINGING:
        return "Ringing"
    return "Connecting" if not session.up else "Hold" if session.remote_hold else "Connected"
