"""A hub core whose phones and mixers do by themselves what group calls ask of them."""

import itertools

from signaling.group import Group
from signaling.messages import (
    CallAnswer,
    CallAnswered,
    CallConnected,
    CallIncoming,
    CallParticipants,
    CallPlace,
    CallRenew,
    CallUp,
    CallUpdate,
    ClientMessage,
    HubMessage,
    MixerPlace,
    ParticipantAdd,
)
from tests.unit.board import FULL, Board, Told


class GroupBoard(Board):
    """Whoever is in `still` does nothing by itself; nobody takes a call that rings."""

    def __init__(self, *names: str) -> None:
        super().__init__(*names)
        self.still: set[str] = set()
        self._paths = itertools.count(1)
        self.mixer("mx")

    def mixer(self, session: str) -> None:
        if f"8:acs:{session}" not in self.hub.directory.users:
            self.user(session)
        self.join(session, rights=FULL | {"mixer"})

    def act(self, told: Told) -> Told:
        """Let all react to what they were told, and to what comes of it."""
        waiting, everything = list(told), list(told)
        while waiting:
            session, message = waiting.pop(0)
            acts = session in self.hub.presence.sessions and session not in self.still
            for reply in self.reply(session, message) if acts else ():
                if session in self.hub.presence.sessions:
                    more = self.say(session, reply)
                    waiting += more
                    everything += more
        return everything

    def reply(self, session: str, message: HubMessage) -> list[ClientMessage]:
        """Return what a phone or a mixer says to a message."""
        mixes = "mixer" in self.hub.presence.sessions[session].rights
        match message:
            case MixerPlace(call_id, _, target):
                return [CallPlace(call_id, target.raw_id, self.offer())]
            case CallIncoming(call_id) if mixes:
                return [CallAnswer(call_id, "answer"), CallUp(call_id)]
            case CallAnswered(call_id) | CallUpdate(call_id, "answer"):
                return [CallUp(call_id)]
            case CallRenew(call_id):
                return [CallUpdate(call_id, "offer", self.offer())]
            case CallUpdate(call_id, "offer"):
                return [CallUpdate(call_id, "answer", "answer"), CallUp(call_id)]
            case _:
                return []

    def offer(self) -> str:
        return f"a=ice-ufrag:{next(self._paths)}"

    def ask_in(self, who: str, whom: str, call_id: str = "c1", participant_id: str = "") -> Told:
        """Ask somebody in."""
        return self.act(self.say(who, ParticipantAdd(call_id, participant_id or f"p-{whom}", whom)))

    def take(self, session: str) -> Told:
        """Answer what rings at a session, and hear it."""
        [call] = [call for call in self.hub.calls.all.values() if session in call.ringing]
        told = self.act(self.say(session, CallAnswer(call.id, "answer")))
        return told + self.act(self.say(session, CallUp(call.id)))

    def three(self) -> str:
        """Let ann, bob and cat talk; return the call of cat."""
        self.talk("ann", "bob")
        self.ask_in("ann", "cat")
        self.take("cat")
        assert self.group.direct is None and len(self.group.here) == 3
        [cat] = [member for member in self.group.members if member.session == "cat"]
        return cat.call

    @property
    def group(self) -> Group:
        [group] = self.hub.groups.all.values()
        return group

    def empty(self) -> bool:
        groups = self.hub.groups
        return super().empty() and not groups.all and not groups.mixing.passages.all and self.hub.names.empty


def rosters(told: Told, session: str) -> list[CallParticipants]:
    """Return what a session was told of who is there."""
    return [m for who, m in told if who == session and isinstance(m, CallParticipants)]


def gone_over(told: Told) -> list[str]:
    """Return who was told to go over, in order."""
    return [who for who, message in told if isinstance(message, CallConnected)]
