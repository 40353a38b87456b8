"""Phones, hub, wires and a make-believe network of sound on one simulated clock.

Messages are encoded and decoded on every hop; wires keep order but take random time.
"""

import heapq
import itertools
import random
from collections.abc import Callable
from functools import partial
from math import inf

from media import orders
from node import exchange
from node.exchange import RingNews
from node.phone import Phone
from node.session import CallState, Session
from signaling import hub as hubs
from signaling.hub import Back, Deliver, Drop, Hub, Joined, Left, Lost, Received, Record, Tick, UserChanged
from signaling.messages import (
    ClientMessage,
    TransferRequest,
    decode_client,
    decode_hub,
    encode,
)
from signaling.parts import Right
from signaling.settings import Settings, User
from tests.world.agent import FULL, Agent
from tests.world.sound import Sound


class World:
    """Everything, deterministic by its seed."""

    def __init__(self, seed: int = 1) -> None:
        self.seed = seed
        self.random = random.Random(seed)
        self.now = 0.0
        self.steps = 0
        self.agents: dict[str, Agent] = {}
        self.records: list[Record] = []
        self.faults = 0  # kills, cuts and restarts so far
        self.after_event: Callable[[], None] | None = None
        self._ids = itertools.count(1)
        self.hub = Hub(lambda: f"n{next(self._ids)}")
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._wires: dict[tuple[str, str], float] = {}
        self._happenings: dict[str, float] = {}
        self._chances: dict[tuple[str, str], random.Random] = {}
        self._logs: dict[str, list[bytes]] = {}
        self._unsent: dict[str, list[bytes]] = {}
        self._hub_due: float | None = None
        self.sound = Sound(self.agents, seed, self._happen, self.later)

    # --- who is there

    def user(self, name: str, settings: Settings | None = None, aliases: tuple[str, ...] = ()) -> None:
        """Add a user to the directory, or change its settings."""
        user = User(f"8:acs:{name}", name, name.title(), aliases, settings or Settings())
        self._hub(UserChanged(user))

    def join(
        self, name: str, *, device: str = "", rights: frozenset[Right] = FULL, consent: bool = False
    ) -> Agent:
        """Connect an agent of a user, who is added if new."""
        if f"8:acs:{name}" not in self.hub.directory.users:
            self.user(name)
        key = name + device
        agent = Agent(key, name, f"s{next(self._ids)}-{key}", Phone(consent=consent), rights)
        self.agents[key] = agent
        self._hub(Joined(agent.session, f"8:acs:{name}", "", rights))
        return agent

    def voicemail(self, name: str = "vm") -> Agent:
        """Connect a voicemail service that answers whatever rings."""
        agent = self.join(name, rights=FULL | {"voicemail"})
        agent.on_ring = lambda call: self.do(name, exchange.Accept(call.id))
        return agent

    def mixer(self, name: str = "mx") -> Agent:
        """Connect a mixer that answers whatever rings."""
        agent = self.join(name, rights=FULL | {"mixer"})
        agent.on_ring = lambda call: self.do(name, exchange.Accept(call.id))
        return agent

    # --- what happens

    def do(self, name: str, command: exchange.Input) -> None:
        """Let the application of an agent give a command now."""
        agent = self.agents[name]
        if agent.alive:
            agent.did.append(command)
            self._feed(agent, command)

    def send(self, name: str, message: ClientMessage) -> None:
        """Let an agent send a message that its phone would not."""
        self._carry_out(self.agents[name], [exchange.Send(message)])

    def kill(self, name: str, *, noticed_after: float = 0.001) -> None:
        """Kill an agent's process: no goodbye on any wire; a dead machine is noticed by the hub later.

        Whoever talked to it misses its packets after 10 s.
        """
        agent = self.agents[name]
        if not agent.alive:
            return
        self.faults += 1
        self.sound.die(agent)
        agent.alive = agent.linked = False
        agent.due = None
        self.later(noticed_after, lambda: self._hub(Lost(agent.session)))

    def cut(self, name: str) -> None:
        """Cut an agent's socket; the hub notices at once, what was under way is kept for a resume."""
        agent = self.agents[name]
        if agent.linked:
            self.faults += 1
            agent.linked = False
            self.later(0.001, partial(self._lose, agent, agent.session))
            self._feed(agent, exchange.Linked(False))

    def resume(self, name: str) -> None:
        """Let a cut agent resume its session; the hub's log gives it what it missed.

        Where its grace ran out it begins a new one.
        """
        agent = self.agents[name]
        if not agent.alive or agent.linked:
            return
        if agent.session not in self.hub.presence.sessions:
            self.begin_anew(name)
            return
        agent.linked = True
        self._feed(agent, exchange.Linked(True))
        self._hub(Back(agent.session))
        for frame in self._unsent.pop(agent.session, []):
            self._to_hub(agent, frame)
        for frame in self._logs.pop(agent.session, []):
            self._wire("hub", name, partial(self._deliver, agent, frame, agent.session))

    def begin_anew(self, name: str) -> None:
        """Let an agent come back in a new session: the one before cannot be resumed."""
        agent = self.agents[name]
        if not agent.alive:
            return
        self.cut(name)
        self._hub(Lost(agent.session))
        self._logs.pop(agent.session, None)
        self._unsent.pop(agent.session, None)
        agent.session = f"s{next(self._ids)}-{agent.name}"
        self._greet(agent)

    def give_up(self, name: str) -> None:
        """Let an agent that was away for too long give up: no call of it can go on."""
        agent = self.agents[name]
        if agent.alive:
            self._feed(agent, exchange.Cut())
            agent.alive = False

    def restart_hub(self) -> None:
        """Start the hub anew: it knows the users and nothing else; agents come back one by one."""
        self.faults += 1
        users = list(self.hub.directory.users.values())
        self.hub = Hub(lambda: f"n{next(self._ids)}")
        for user in users:
            self._hub(UserChanged(user))
        self._logs.clear()
        self._unsent.clear()
        for agent in self._alive():
            agent.linked = False
            agent.session = f"s{next(self._ids)}-{agent.name}"
            self._feed(agent, exchange.Linked(False))
            self.later(self.random.uniform(0.5, 6.0), partial(self._greet, agent))

    def _greet(self, agent: Agent) -> None:
        if agent.alive:
            agent.anew.append(len(agent.news))
            agent.linked = True
            self._unsent.pop(agent.session, None)
            self._hub(Joined(agent.session, f"8:acs:{agent.user}", "", agent.rights))
            self._feed(agent, exchange.Anew())
            self._feed(agent, exchange.Linked(True))

    def lose_path(self, call_id: str, *names: str) -> None:
        """Let these hear no more of a call, until its path is made anew."""
        for name in names:
            self.sound.lose(self.agents[name], call_id)

    def leave(self, name: str) -> None:
        """Let an agent say goodbye."""
        agent = self.agents[name]
        agent.alive = False
        for call_id in list(agent.peers):
            self.sound.close(agent, call_id)
        self.later(0.001, lambda: self._hub(Left(agent.session)))

    def later(self, delay: float, act: Callable[[], None]) -> None:
        """Do something after so many seconds."""
        heapq.heappush(self._heap, (self.now + delay, next(self._order), act))

    def run(self, seconds: float) -> None:
        """Let so much time pass."""
        end = self.now + seconds
        while True:
            timer = inf if self._hub_due is None else self._hub_due
            for agent in self.agents.values():
                if agent.due is not None and agent.due < timer and agent.alive:
                    timer = agent.due
            event = self._heap[0][0] if self._heap else inf
            at = min(timer, event)
            if at > end:
                self.now = end
                return
            self.now = max(self.now, at)
            if event <= timer:
                heapq.heappop(self._heap)[2]()
            else:
                self._tick()
            self.steps += 1
            if self.after_event:
                self.after_event()

    def rest(self) -> None:
        """Let time pass until nothing has a deadline any more, and nothing is on its way."""
        calm = 0
        for _ in range(1000):
            self.run(1)
            waits = self._hub_due is not None or any(agent.due is not None for agent in self._alive())
            calm = 0 if waits else calm + 1
            if calm > 3:  # a path that is lost is missed after 3 s
                return
        raise AssertionError("something has no end")

    # --- calls as people make them

    def call(self, caller: str, callee: str, call_id: str) -> None:
        """Call and be answered; both talk afterwards."""
        self.do(caller, exchange.Dial(call_id, callee))
        self.run(0.5)
        self.do(callee, exchange.Accept(call_id))
        self.run(0.5)
        assert call_id in self.agents[caller].connected(), self.agents[caller].news
        assert call_id in self.agents[callee].connected()

    def hand_over(self, who: str, request: TransferRequest) -> None:
        """Ask for a transfer."""
        self.do(who, exchange.Transfer(request))

    def talking(self, one: str, other: str) -> str | None:
        """Return the call in which two agents hear each other and neither holds."""
        a, b = self.agents[one], self.agents[other]
        for call_id in set(a.connected()) & set(b.connected()):
            states = {agent.phone.calls[call_id].state for agent in (a, b)}
            if (
                states == {CallState.CONNECTED}
                and self.sound.hears(a, call_id, b)
                and self.sound.hears(b, call_id, a)
            ):
                return call_id
        return None

    def hears(self, name: str) -> set[str]:
        """Return whose voices come to the ears of an agent."""
        return {other for other, _ in self.sound.voices(self.agents[name])}

    def quiet(self) -> None:
        """Assert that nothing is left anywhere."""
        assert self.hub.calls.all == {}
        assert self.hub.transfers.all == {}
        assert self.hub.groups.all == {}
        assert self.hub.groups.mixing.passages.all == []
        assert self.hub.names.empty
        assert self.hub.deadline is None
        for agent in self._alive():
            assert agent.phone.calls == {}, (agent.name, agent.phone.calls)
            assert agent.phone.ringing == {}
            assert agent.phone.offers == {}
            assert agent.phone.transfers == {}
            assert agent.phone.deadline is None
            assert agent.peers == agent.nexts == {}

    # --- the machinery

    def _alive(self) -> list[Agent]:
        return [a for a in self.agents.values() if a.alive]

    def _wire(self, source: str, target: str, act: Callable[[], None]) -> None:
        key = (source, target)
        chance = self._chances.get(key)
        if chance is None:
            chance = self._chances[key] = random.Random(f"{self.seed} {source} {target}")
        at = max(self._wires.get(key, 0.0), self.now + chance.uniform(0.001, 0.02))
        self._wires[key] = at
        heapq.heappush(self._heap, (at, next(self._order), act))

    def _tick(self) -> None:
        if self._hub_due is not None and self._hub_due <= self.now:
            self._hub(Tick())
        for agent in self._alive():
            if agent.due is not None and agent.due <= self.now:
                self._feed(agent, exchange.Tick())

    def _feed(self, agent: Agent, what: exchange.Input) -> None:
        outputs = agent.phone.handle(what, self.now)
        agent.due = agent.phone.deadline
        self._carry_out(agent, outputs)

    def _hub(self, what: hubs.Input) -> None:
        outputs = self.hub.handle(what, self.now)
        self._hub_due = self.hub.deadline
        for output in outputs:
            match output:
                case Deliver(session, message):
                    agent = next((a for a in self.agents.values() if a.session == session), None)
                    frame = encode(message)
                    if agent is not None and agent.linked:
                        self._wire("hub", agent.name, partial(self._deliver, agent, frame, session))
                    else:
                        self._logs.setdefault(session, []).append(frame)
                case Drop(session):
                    self._logs.pop(session, None)
                case Record():
                    self.records.append(output)

    def _lose(self, agent: Agent, session: str) -> None:
        if agent.session == session and not agent.linked:
            self._hub(Lost(session))

    def _to_hub(self, agent: Agent, frame: bytes) -> None:
        what = Received(agent.session, decode_client(frame))
        self._wire(agent.name, "hub", lambda: self._hub(what))

    def _deliver(self, agent: Agent, frame: bytes, session: str) -> None:
        if agent.alive and agent.session == session:
            self._feed(agent, exchange.FromHub(decode_hub(frame)))

    def _ring(self, agent: Agent, call: Session) -> None:
        if agent.on_ring:
            agent.on_ring(call)

    def _carry_out(self, agent: Agent, outputs: list[exchange.Output]) -> None:
        for output in outputs:
            match output:
                case exchange.Send(message):
                    frame = encode(message)
                    if agent.linked:
                        self._to_hub(agent, frame)
                    else:
                        self._unsent.setdefault(agent.session, []).append(frame)
                case exchange.Do(order):
                    self.sound.order(agent, order)
                case RingNews(call):
                    agent.news.append(output)
                    if agent.on_ring:
                        self.later(0.0, partial(self._ring, agent, call))
                case _:
                    agent.news.append(output)

    def _happen(self, agent: Agent, happening: orders.Happening, delay: float | None) -> None:
        def act() -> None:
            if agent.alive:
                self._feed(agent, exchange.FromMedia(happening))

        # An engine tells of things in the order in which they happen.
        soon = self.now + (self.sound.soon(agent, 0.001, 0.01) if delay is None else delay)
        at = self._happenings[agent.name] = max(self._happenings.get(agent.name, 0.0), soon)
        heapq.heappush(self._heap, (at, next(self._order), act))
