"""Group calls at an endpoint: joined, asked for, and who is in them. Pure.

A mixer is an endpoint too: it is called, and ordered to call, as whoever joins calls it.
"""

from msgspec.structs import replace

from media import orders
from node.calls import Calls
from node.exchange import AddParticipant, RemoveParticipant, Speakers
from node.handovers import SETUP_SECONDS
from node.session import Session
from signaling import messages as wire
from signaling.parts import Party

GROUP = "Group call"


class Groups:
    """What the calls of an endpoint have to do with groups."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def join(self, call_id: str, remote: Party, group_id: str, now: float, *, muted: bool = False) -> None:
        """Join a group, or as its mixer call somebody into it."""
        call = Session(
            id=call_id,
            direction="Outgoing",
            remote=remote,
            group_id=group_id,
            muted=muted,
            deadline=now + SETUP_SECONDS,
        )
        self._calls.add(call)
        self._calls.do(orders.MakeOffer(call_id))

    def ask(self, what: AddParticipant | RemoveParticipant | Speakers) -> None:
        """Pass on what is wanted of a group."""
        if isinstance(what, Speakers):
            self._calls.send(wire.MixerSpeakers(what.group_id, what.calls))
        elif self._calls.talking(what.call_id) is None:
            return
        elif isinstance(what, AddParticipant):
            who = (what.participant_id, what.target, what.custom_context)
            self._calls.send(wire.ParticipantAdd(what.call_id, *who))
        else:
            self._calls.send(wire.ParticipantRemove(what.call_id, what.participant_id))

    def told(self, message: wire.CallParticipants | wire.CallSpeakers) -> None:
        """Take note of who is in a call, or talks there; a group learns at first that this end is muted."""
        call = self._calls.live(message.call_id)
        if call is None:
            return
        if isinstance(message, wire.CallSpeakers):
            self._calls.put(replace(call, speakers=message.speakers))
            return
        is_new = call.me == "" or call.group_id is None
        present = [each for each in message.participants if each.state != "Disconnected"]
        of_two = message.group_id is None and len(present) == 1
        self._calls.put(
            replace(
                call,
                group_id=message.group_id,
                me=message.me,
                participants=message.participants,
                remote=present[0].party if of_two else call.remote,
                speakers=call.speakers if message.group_id is not None else (),
            )
        )
        if is_new and message.group_id is not None and call.muted:
            self._calls.send(wire.CallMute(call.id, True))
