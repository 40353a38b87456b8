"""What always holds (spec, Always): of all that was seen so far, at rest, and once everybody has hung up."""

from collections import defaultdict

from node.exchange import CallNews, HangUp, RingOver, TransferNews
from node.session import CallState, Session
from signaling.messages import TransferRequest, TransferUpdate
from signaling.parts import CallTarget
from signaling.reasons import ENDED_FOR_ALL, HUNG_UP, REMOVED, REPLACED
from tests.world.agent import Agent
from tests.world.world import World

FINAL = ("Transferred", "Failed")


def at_any_time(world: World) -> None:
    """Assert what must be true of everything that the agents have seen, whoever died meanwhile."""
    for agent in world.agents.values():
        transfers(agent)
        told: set[str] = set()
        born: dict[str, int] = {}
        before: dict[str, Session] = {}
        for at, news in enumerate(agent.news):
            if isinstance(news, CallNews):
                call_id = news.call.id
                old = before.get(call_id)
                if old is not None and old.state is CallState.DISCONNECTED:
                    # Only to a session that is new does a call come once more.
                    assert any(born[call_id] <= mark <= at for mark in agent.anew), f"one end: {news.call}"
                    old = None
                if old is None:
                    born[call_id] = at
                check_step(world, agent, old, news.call, before)
                before[news.call.id] = news.call
            elif isinstance(news, RingOver):
                assert news.call_id not in told, (
                    f"{agent.name} is told twice why {news.call_id} rings no more"
                )
                told.add(news.call_id)
    for filed in world.records:
        users = [end.user for end in filed.record.legs]
        assert len(users) == len(set(users)), f"one end for each: {filed.record}"
        assert {filed.record.caller, filed.record.callee} <= set(users), filed.record
    nobody_is_dropped(world)


def transfers(agent: Agent) -> dict[str, list[TransferUpdate]]:
    """Return the updates of each transfer, having asserted that it ends once and never goes back."""
    seen: dict[str, list[TransferUpdate]] = defaultdict(list)
    for news in agent.news:
        if isinstance(news, TransferNews):
            updates = seen[news.update.transfer_id]
            assert not updates or updates[-1].state not in FINAL, (
                f"{agent.name}: {updates[-1]}, {news.update}"
            )
            updates.append(news.update)
            failed = news.update.state == "Failed"
            assert (news.update.error is not None) == failed, news.update
            assert (news.update.outcome is not None) == (news.update.state == "Transferred"), news.update
    return seen


def check_step(
    world: World, agent: Agent, old: Session | None, new: Session, calls: dict[str, Session]
) -> None:
    """Assert that a call goes from one state to the next as its picture says."""
    where = f"{agent.name}, {new.id}: {old.state if old else None} -> {new.state}"
    if old is None:
        assert new.live, where
        return
    if not old.live:
        assert new.state is CallState.DISCONNECTED and new.end_reason == old.end_reason, (
            f"{where}: one reason"
        )
        return
    if new.up:
        assert new.heard, f"{where}: connected means heard"
    if not new.live:
        assert new.end_reason is not None, f"{where}: a reason"
        if new.end_reason == REPLACED and old.up:
            assert goes_on(world, agent, new.id, calls), (
                f"{where}: the old call lives until the new has audio"
            )


def goes_on(world: World, agent: Agent, call_id: str, calls: dict[str, Session]) -> bool:
    """Tell whether an agent whose call was replaced has handed it over, or has, or had, what replaces it."""
    for request in asked(agent).values():
        if request.call_id == call_id or request.target == CallTarget(call_id):
            return True
    if any(call.id != call_id and call.up and call.heard and call.live for call in calls.values()):
        return True
    given_up = {n.call_id for n in agent.did if isinstance(n, HangUp)}
    if any(call.replaces == call_id and call.id in given_up for call in calls.values()):
        return True
    devices = [a for a in world.agents.values() if a.user == agent.user and a is not agent]
    return any(n.call.up for a in devices for n in a.news if isinstance(n, CallNews))


def nobody_is_dropped(world: World) -> None:
    """Assert that a call that was up has ended because somebody in it hung up, or another took its place.

    In a group call one may be removed or left alone, and two who are left may know their call by two ids.
    """
    if world.faults:
        return
    left = {n.call_id for agent in world.agents.values() for n in agent.did if isinstance(n, HangUp)}
    parted = (REMOVED, ENDED_FOR_ALL, HUNG_UP)
    for agent in world.agents.values():
        for news in agent.news:
            if isinstance(news, CallNews) and news.call.up and news.call.state is CallState.DISCONNECTED:
                call = news.call
                grouped = bool(call.group_id or call.participants) and call.end_reason in parted
                assert call.end_reason == REPLACED or call.id in left or grouped, (
                    f"{agent.name} is dropped: {call}"
                )


def at_rest(world: World) -> None:
    """Assert that hub and phones are of one mind, once no message is under way and all are connected."""
    hub = world.hub.calls.all
    for agent in world.agents.values():
        if not agent.alive:
            continue
        assert agent.linked
        mine = {call.id: call for call in agent.phone.calls.values() if call.up and call.live}
        named = world.hub.names.of
        theirs = {
            named(agent.session, c.id): c for c in hub.values() if c.state == "up" and c.leg(agent.session)
        }
        assert mine.keys() == theirs.keys(), (
            f"{agent.name} is in {sorted(mine)}, says the hub {sorted(theirs)}"
        )
        for call in agent.phone.calls.values():
            assert call.up or call.deadline is not None or not call.live, f"no deadline: {call}"
        for call_id, call in mine.items():
            of_one_mind(world, agent, call)
            other = theirs[call_id].other(agent.session)
            if other is None or theirs[call_id].group is not None:
                continue
            box = theirs[call_id].kind == "voicemail" and call.direction == "Outgoing"
            party = theirs[call_id].callee.raw_id if box else other.party.raw_id
            assert call.remote.raw_id == party, (
                f"{agent.name} sees {call.remote}, it is {party}: {theirs[call_id]}"
            )
    meetings(world)


def meetings(world: World) -> None:
    """Assert that all who are in a group call hear all others, and know who is there."""
    for group in world.hub.groups.all.values():
        if not agent_of(world, group.mixer).alive:
            continue  # of a dead machine the hub learns later
        here = {member.id: agent_of(world, member.session) for member in group.here}
        for member in group.here:
            agent = here[member.id]
            if not agent.alive:
                continue
            call = agent.phone.calls[world.hub.names.of(agent.session, member.call)]
            assert call.group_id == group.id and call.me == member.id, f"{agent.name}: {call}, {group}"
            seen = {each.id: each for each in call.participants if each.state != "Disconnected"}
            others = {m.id: m.seen(world.hub.calls.all.get(m.call)) for m in group.members if m != member}
            assert seen == others, f"{agent.name} sees {seen}, there are {others}"
            for other in here.values():
                hears = other is agent or not other.alive or world.sound.hears(agent, call.id, other)
                assert hears, f"{agent.name} does not hear {other.name}: {group}"


def agent_of(world: World, session: str | None) -> Agent:
    """Return the agent of a session."""
    return next(agent for agent in world.agents.values() if agent.session == session)


def of_one_mind(world: World, agent: Agent, call: Session) -> None:
    """Assert that both ends know who holds, and that nobody hears or is heard in a call that is held."""
    other = world.sound.other(agent, call.id)
    theirs = other.phone.calls.get(call.id) if other else None
    if other is None or theirs is None or not theirs.live or not other.alive or not theirs.up:
        return
    holds = (call.local_hold, call.remote_hold)
    assert holds == (theirs.remote_hold, theirs.local_hold), f"{agent.name} and {other.name}: who holds?"
    assert call.state is call.talking and not call.renegotiating, call
    assert agent.ends[call.id].held == holds, f"{agent.name}: {holds} and {agent.ends[call.id]}"
    hears = (other.name, call.id) in world.sound.voices(agent)
    handed = any(
        c.replaces == call.id and c.heard and c.live
        for end in (agent, other)
        for c in end.phone.calls.values()
    )
    open_ends = not (
        any(holds) or call.incoming_muted or theirs.muted or handed or agent.peers[call.id].silent
    )
    assert hears == open_ends or (call.transferred or theirs.transferred), (
        f"{agent.name} hears {other.name}: {hears}, {call}, {theirs}"
    )


def asked(agent: Agent) -> dict[str, TransferRequest]:
    """Return the transfers that an application has asked for."""
    return {n.request.transfer_id: n.request for n in agent.did if hasattr(n, "request")}


def transferred_calls_are_named(world: World) -> None:
    """Assert that who answered a transferred call saw B as the caller and A as the transferor."""
    for agent in world.agents.values():
        for transfer_id, updates in transfers(agent).items():
            final = updates[-1]
            if final.state != "Transferred" or transfer_id not in asked(agent):
                continue
            rung = [
                n.call
                for other in world.agents.values()
                for n in other.news
                if isinstance(n, CallNews)
                and n.call.id == final.new_call_id
                and n.call.direction == "Incoming"
            ]
            for call in rung:
                assert call.transferor is not None and call.transferor.name == agent.user, call
                devices = "mx" in world.agents  # two devices of one user may meet in a group
                assert call.caller is not None and (call.caller.name != agent.user or devices), call
