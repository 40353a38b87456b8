"""The make-believe network of sound: paths between two ends, made by descriptions, alive or not.

It knows nothing of codecs, ICE or loss. A description names its end and its path; a path connects once both
ends have each other's. A second path takes the place of the first as in `media.engine`.
"""

import itertools
import random
import re
from collections.abc import Callable, Mapping
from functools import partial

from media import orders
from tests.world.agent import Agent, Ends, Peer, Place

LINGER_SECONDS = 1.0

Happen = Callable[[Agent, orders.Happening, float | None], None]
Later = Callable[[float, Callable[[], None]], None]


class Sound:
    """All paths of all agents."""

    def __init__(self, agents: Mapping[str, Agent], seed: int, happen: Happen, later: Later) -> None:
        self.deaf: set[str] = set()  # agents to whom no packet of a new path comes
        self._agents = agents
        self._seed = seed
        self._chances: dict[str, random.Random] = {}
        self._happen = happen
        self._later = later
        self._serial = itertools.count(1)

    def order(self, agent: Agent, order: orders.Order) -> None:
        """Carry out an order."""
        call_id = order.call_id
        match order:
            case orders.MakeOffer():
                peer = agent.peers.setdefault(call_id, self._peer())
                self._tell(agent, orders.OfferReady(call_id, describe("offer", agent, call_id, peer)))
            case orders.MakeAnswer(sdp=sdp):
                peer = agent.peers.setdefault(call_id, self._peer())
                peer.remote = place(sdp)
                self._tell(agent, orders.AnswerReady(call_id, describe("answer", agent, call_id, peer)))
            case orders.ApplyAnswer(sdp=sdp):
                newest = agent.nexts.get(call_id) or agent.peers.get(call_id)
                if newest and newest.remote is None:
                    newest.remote = place(sdp)
                    self._later(self.soon(agent, 0.005, 0.03), lambda: self._connect(agent, call_id, newest))
            case orders.AnswerReoffer(sdp=sdp):
                known = (agent.nexts.get(call_id), agent.peers.get(call_id))
                peer = next((p for p in known if p and p.remote == place(sdp)), None) or self._peer()
                if peer not in known:
                    peer.remote = place(sdp)
                    self._renew(agent, call_id, peer)
                self._tell(agent, orders.ReofferAnswered(call_id, describe("answer", agent, call_id, peer)))
            case orders.Renew():
                peer = self._renew(agent, call_id, self._peer())
                self._tell(agent, orders.ReofferReady(call_id, describe("offer", agent, call_id, peer)))
            case orders.SetHold(offerer=offerer, local=local, remote=remote):
                self._ends(agent, call_id).held = (local, remote)
                if call_id not in agent.peers:
                    agent.peers[call_id] = self._peer()  # held from its beginning
                if held := agent.nexts.get(call_id) or agent.peers.get(call_id):
                    agent.peers[call_id].held = local or remote
                    self._go_over(agent, call_id)
                    if offerer:
                        offer = describe("offer", agent, call_id, held)
                        self._tell(agent, orders.ReofferReady(call_id, offer))
            case orders.GoOver():
                if following := agent.nexts.get(call_id):
                    following.may = True
                    self._go_over(agent, call_id)
            case orders.Mute(outgoing=outgoing, incoming=incoming):
                self._ends(agent, call_id).muted = (outgoing, incoming)
            case orders.TakeOver(old=old):
                agent.taken.append((old, call_id))
                ends = self._ends(agent, call_id)
                ends.voice, ends.takes_over = False, old
                if call_id in agent.peers and agent.peers[call_id].heard:
                    self._take_over(agent, ends)
            case orders.Close():
                self.close(agent, call_id)
            case _:
                pass

    def close(self, agent: Agent, call_id: str) -> None:
        """Close every path of a call; what it took over is given back."""
        ends = agent.ends.pop(call_id, None)
        if ends and ends.voice and (old := agent.ends.get(ends.took_over or "")):
            old.voice = True
        agent.nexts.pop(call_id, None)
        if peer := agent.peers.pop(call_id, None):
            self._closed(peer)
        self._tell(agent, orders.Closed(call_id))

    def die(self, agent: Agent) -> None:
        """Let nobody hear an agent any more that is gone without a goodbye."""
        for call_id, peer in agent.peers.items():
            if end := self._far(peer, agent, call_id):
                self._later(3.0, partial(self._miss, *end, 10.0))

    def lose(self, agent: Agent, call_id: str) -> None:
        """Let an agent hear no more of a call, until its path is made anew."""
        peer = agent.peers[call_id]
        peer.silent = True
        self._later(3.0, lambda: self._repeat(agent, call_id, peer))

    def hears(self, one: Agent, call_id: str, other: Agent) -> bool:
        """Tell whether an agent's call brings the sound of another: directly, or by a mixer of both."""
        peer = one.peers.get(call_id)
        end = self._far(peer, one, call_id) if peer and peer.heard and not peer.silent else None
        if end is None or not end[0].alive:
            return False
        far, far_call, _ = end
        if far is other:
            return True
        group = far.phone.calls[far_call].group_id if far_call in far.phone.calls else None
        for leg in far.phone.calls.values():
            at = far.peers.get(leg.id)
            to = self._far(at, far, leg.id) if at and group and leg.group_id == group else None
            if to and to[0] is other and to[0].alive:
                return True
        return False

    def voices(self, agent: Agent) -> set[tuple[str, str]]:
        """Return whose voices come to the ears of an agent, and in which call each; no mixer's."""
        heard: set[tuple[str, str]] = set()
        for call_id, peer in agent.peers.items():
            end = self._far(peer, agent, call_id) if peer.heard and not peer.silent else None
            if end is None or not end[0].alive:
                continue
            mine, theirs = self._ends(agent, call_id), self._ends(end[0], end[1])
            listens = mine.voice and not mine.held[0] and not mine.muted[1]
            if listens and end[2].heard and theirs.voice and not any(theirs.held) and not theirs.muted[0]:
                heard.add((end[0].name, call_id))
        return heard

    def other(self, agent: Agent, call_id: str) -> Agent | None:
        """Return who is at the other end of a call, once both know each other's description."""
        end = self._far(agent.peers.get(call_id), agent, call_id)
        return end[0] if end and end[1] == call_id else None

    def soon(self, agent: Agent, least: float, most: float) -> float:
        """Draw a delay; each agent has chances of its own, so that what one does leaves the others' alone."""
        chance = self._chances.get(agent.name)
        if chance is None:
            chance = self._chances[agent.name] = random.Random(f"{self._seed} {agent.name}")
        return chance.uniform(least, most)

    def _ends(self, agent: Agent, call_id: str) -> Ends:
        return agent.ends.setdefault(call_id, Ends())

    def _take_over(self, agent: Agent, ends: Ends) -> None:
        """Let mouth and ears go to the call that has audio now."""
        if old := agent.ends.get(ends.takes_over or ""):
            old.voice = False
        ends.voice, ends.took_over, ends.takes_over = True, ends.takes_over, None

    def _peer(self) -> Peer:
        return Peer(next(self._serial))

    def _renew(self, agent: Agent, call_id: str, peer: Peer) -> Peer:
        """Let a path be the next one of a call; one that was to be it is closed."""
        if before := agent.nexts.get(call_id):
            self._closed(before)
        agent.nexts[call_id] = peer
        return peer

    def _tell(self, agent: Agent, happening: orders.Happening) -> None:
        self._happen(agent, happening, None)

    def _far(self, peer: Peer | None, agent: Agent, call_id: str) -> tuple[Agent, str, Peer] | None:
        """Return the other end of a path whose ends know each other."""
        if peer is None or peer.remote is None:
            return None
        name, far_call, serial = peer.remote
        far = self._agents[name]
        for theirs in (far.nexts.get(far_call), far.peers.get(far_call), *far.lingering):
            if theirs and theirs.serial == serial and theirs.remote == (agent.name, call_id, peer.serial):
                return far, far_call, theirs
        return None

    def _connect(self, agent: Agent, call_id: str, peer: Peer) -> None:
        end = self._far(peer, agent, call_id)
        if end is None or not (agent.alive and end[0].alive):
            return
        for who, where, path in ((agent, call_id, peer), end):
            if who.name in self.deaf:
                continue
            path.heard = True
            if (ends := self._ends(who, where)).takes_over is not None:
                self._take_over(who, ends)
            self._go_over(who, where)
            if who.peers.get(where) is path and not ends.heard:
                ends.heard = True
                self._tell(who, orders.AudioUp(where))
            elif path in (who.peers.get(where), who.nexts.get(where)):
                self._tell(who, orders.PathReady(where))

    def _go_over(self, agent: Agent, call_id: str) -> None:
        before, after = agent.peers.get(call_id), agent.nexts.get(call_id)
        if not (before and after and after.heard and agent.alive):
            return
        if not (after.may or before.silent or before.held or before.closed or not before.heard):
            return
        after.held = before.held
        agent.peers[call_id] = agent.nexts.pop(call_id)
        agent.lingering.append(before)
        self._tell(agent, orders.PathBack(call_id))

        def let_go() -> None:
            agent.lingering.remove(before)
            if agent.alive:
                self._closed(before)

        self._later(0.0 if before.silent or before.held or before.closed else LINGER_SECONDS, let_go)

    def _closed(self, peer: Peer) -> None:
        """Let the other end of a path know that it is closed."""
        peer.closed = True
        if peer.remote is None:
            return
        name, call_id, serial = peer.remote
        far = self._agents[name]
        if (coming := far.nexts.get(call_id)) and coming.heard and coming.serial == serial and far.alive:
            del far.nexts[call_id]
        theirs = far.peers.get(call_id)
        connected = theirs and theirs.serial == serial and theirs.remote and theirs.remote[2] == peer.serial
        if theirs and connected and far.alive and not theirs.closed:
            theirs.closed = True
            self._go_over(far, call_id)
            if far.peers.get(call_id) is theirs:
                self._tell(far, orders.MediaLost(call_id))

    def _miss(self, agent: Agent, call_id: str, peer: Peer, seconds: float) -> None:
        if agent.peers.get(call_id) is not peer or not agent.alive or peer.held:
            return
        peer.silent = True
        self._go_over(agent, call_id)
        if agent.peers.get(call_id) is peer:
            self._repeat(agent, call_id, peer)
            self._later(seconds - 3.0, lambda: self._lost(agent, call_id, peer))

    def _lost(self, agent: Agent, call_id: str, peer: Peer) -> None:
        if agent.peers.get(call_id) is peer and agent.alive:
            self._happen(agent, orders.MediaLost(call_id), 0.0)

    def _repeat(self, agent: Agent, call_id: str, peer: Peer) -> None:
        if agent.peers.get(call_id) is peer and peer.silent and agent.alive:
            self._tell(agent, orders.PathLost(call_id))
            self._later(3.0, lambda: self._repeat(agent, call_id, peer))


def describe(kind: str, agent: Agent, call_id: str, peer: Peer) -> str:
    """Return the description of an end of a path."""
    return f"{kind} of {agent.name} in {call_id}\na=ice-ufrag:{peer.serial}"


def place(sdp: str) -> Place:
    """Return which end of which path a description is of."""
    found = re.fullmatch(r"\w+ of (\S+) in (\S+)\na=ice-ufrag:(\d+)", sdp)
    assert found, sdp
    return found[1], found[2], int(found[3])
