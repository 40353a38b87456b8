"""Sessions on a real socket: hello, numbers, resume, limits, ends."""

import random
import time
from typing import Any

import aiohttp
import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from signaling import agents, calls, hub, sessions
from signaling.config import Config
from signaling.messages import (
    MAX_FRAME,
    Bye,
    CallAnswer,
    CallAnswered,
    CallCandidate,
    CallEnd,
    CallEnded,
    CallIncoming,
    CallPlace,
    CallUp,
    Error,
    Hello,
    MailboxChanged,
    Ping,
    Pong,
    Resume,
    SessionEnd,
    TokenRefresh,
    TransferCancel,
    Welcome,
)
from signaling.parts import Candidate
from signaling.reasons import INVALID_TOKEN, NETWORK, NOT_PERMITTED, Reason
from signaling.server import HubServer
from signaling.tokens import Tokens
from tests.shell.hub_client import Agent, Client

pytestmark = pytest.mark.shell


def resume_of(agent: Agent, last_seq: int, **changes: str) -> Resume:
    welcome = agent.welcome
    return Resume(**({"session": welcome.session, "secret": welcome.secret} | changes), last_seq=last_seq)


async def refused(agent: Agent, said: str, code: int) -> None:
    error = await agent.hear()
    assert isinstance(error, Error), error
    assert error.reason.sub_code == 8523
    assert said in error.reason.message
    assert error.seq == 0
    assert await agent.closed() == code


async def test_welcome(client: Client) -> None:
    raw_id, token = await client.token("alice", display_name="Alice")
    agent = await client.join(token, "Alice at work")
    welcome = agent.welcome
    assert (welcome.me.raw_id, welcome.me.name, welcome.me.display_name) == (raw_id, "alice", "Alice at work")
    assert (welcome.resumed, welcome.last_seq, welcome.seq) == (False, 0, 0)
    other = await client.join(token)
    assert other.welcome.session != welcome.session
    assert other.welcome.me.display_name == "Alice"


@pytest.mark.parametrize("frame", ['{"type":"ping"}', '{"type":"hello","token":"t","version":2}', "nonsense"])
async def test_hello_comes_first(client: Client, frame: str) -> None:
    agent = await client.socket()
    await agent.raw(frame)
    await refused(agent, "", 4400)


async def test_hello_comes_in_time(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agents, "HELLO_SECONDS", 0.05)
    await refused(await client.socket(), "hello", 4408)


async def test_hello_comes_once(client: Client) -> None:
    _, token = await client.token("alice")
    agent = await client.join(token)
    await agent.say(Hello(token), seq=0)
    assert isinstance(await agent.hear(), Error)
    await agent.say(Ping(), seq=0)
    await agent.expect(Pong())


async def test_bad_token(client: Client) -> None:
    _, token = await client.token("alice")
    for bad in ("x", token[:-5] + "AAAAA"):
        agent = await client.socket()
        await agent.say(Hello(bad), seq=0)
        await agent.expect(SessionEnd(INVALID_TOKEN))
        assert await agent.closed() == 4401


async def test_origins(client: Client, hub: HubServer) -> None:
    _, token = await client.token("alice")
    for headers in ({}, {"Origin": hub.url}):
        agent = await client.socket(headers=headers)
        await agent.say(Hello(token), seq=0)
        assert isinstance(await agent.hear(), Welcome)
    for origin in ("http://evil.example", "null", "http://["):
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            await client.socket(headers={"Origin": origin})
        assert caught.value.status == 403


async def test_messages_are_numbered_and_acknowledged(client: Client) -> None:
    alice = await client.join((await client.token("alice"))[1])
    bob = await client.join((await client.token("bob"))[1])
    await alice.say(CallPlace("c1", "bob", "v=0"))
    incoming = await bob.hear()
    assert isinstance(incoming, CallIncoming)
    assert incoming.seq == 2  # after mailbox.changed
    for number in range(3):
        await alice.say(CallCandidate("c1", Candidate(f"candidate:{number}")))
        heard = await bob.hear()
        assert isinstance(heard, CallCandidate)
        assert heard.candidate == Candidate(f"candidate:{number}")
        assert heard.seq == 3 + number
    await alice.say(Ping(), seq=0)
    await alice.expect(Pong(ack=4))


async def test_replay_changes_nothing(client: Client) -> None:
    alice = await client.join((await client.token("alice"))[1])
    bob = await client.join((await client.token("bob"))[1])
    await alice.say(CallPlace("c1", "bob", "v=0"))
    await bob.hear()
    await alice.say(CallCandidate("c1", None))
    for _ in range(3):
        await alice.say(CallPlace("c9", "bob", "v=0"), seq=1)
        await alice.say(CallCandidate("c1", Candidate("candidate:x")), seq=2)
    await alice.say(CallEnd("c1"))
    assert isinstance(await bob.hear(), CallCandidate)
    ended = await bob.hear()
    assert isinstance(ended, CallEnded)
    assert ended.call_id == "c1"


async def test_a_gap_is_refused_and_the_session_goes_on(client: Client) -> None:
    _, token = await client.token("alice")
    agent = await client.join(token)
    await agent.say(TransferCancel("t1"))
    await agent.say(TransferCancel("t1"), seq=3)
    await refused_after_answers(agent, "expected seq 2")
    again = await client.join(token, resume=resume_of(agent, 1))
    assert (again.welcome.resumed, again.welcome.last_seq) == (True, 1)


async def refused_after_answers(agent: Agent, said: str) -> None:
    while not isinstance(heard := await agent.hear(), Error) or heard.seq:
        pass
    assert said in heard.reason.message
    assert await agent.closed() == 4400


async def test_a_message_without_a_number_is_refused(client: Client) -> None:
    agent = await client.join((await client.token("alice"))[1])
    await agent.say(CallUp("c1"), seq=0)
    error = await agent.hear()
    assert isinstance(error, Error)
    assert error.about == "call.up"
    await agent.say(Ping(), seq=0)
    await agent.expect(Pong())


@pytest.mark.parametrize("how", ["vanishes", "closes", "is superseded"])
async def test_resume_loses_nothing_and_repeats_nothing(client: Client, how: str) -> None:
    _, token = await client.token("bob")
    alice = await client.join((await client.token("alice"))[1])
    bob = await client.join(token)
    await alice.say(CallPlace("c1", "bob", "v=0"))
    assert isinstance(await bob.hear(), CallIncoming)
    if how == "vanishes":
        bob.vanish()
    elif how == "closes":
        await bob.ws.close()
    for number in range(25):
        await alice.say(CallCandidate("c1", Candidate(f"candidate:{number}")))
    await alice.say(Ping(), seq=0)
    await alice.expect(Pong(ack=26))
    back = await client.join(token, resume=resume_of(bob, 2))
    assert (back.welcome.session, back.welcome.resumed, back.welcome.last_seq) == (
        bob.welcome.session,
        True,
        0,
    )
    for number in range(25):
        heard = await back.hear()
        assert isinstance(heard, CallCandidate)
        assert (heard.candidate, heard.seq) == (Candidate(f"candidate:{number}"), 3 + number)
    await back.say(CallAnswer("c1", "v=0"))
    assert isinstance(await alice.hear(), CallAnswered)


async def test_a_superseded_socket_is_not_obeyed(client: Client) -> None:
    _, token = await client.token("alice")
    bob = await client.join((await client.token("bob"))[1])
    old = await client.join(token)
    new = await client.join(token, resume=resume_of(old, 1))
    assert new.welcome.resumed
    await old.say(CallPlace("old", "bob", "v=0"))
    await new.say(CallPlace("new", "bob", "v=0"))
    incoming = await bob.hear()
    assert isinstance(incoming, CallIncoming)
    assert incoming.call_id == "new"
    assert await old.closed() == 4409
    await new.say(Ping(), seq=0)
    await new.expect(Pong(ack=1))


async def test_stale_and_foreign_resumes_are_new_sessions(client: Client) -> None:
    _, token = await client.token("alice")
    _, without_transfer = await client.token("alice", transfer=False)
    _, other = await client.token("bob")
    agent = await client.join(token)
    for who, resume in (
        (token, resume_of(agent, 1, secret="wrong")),
        (token, resume_of(agent, 1, session="unknown")),
        (other, resume_of(agent, 1)),
        (without_transfer, resume_of(agent, 1)),
    ):
        fresh = await client.join(who, resume=resume)
        assert not fresh.welcome.resumed
        assert fresh.welcome.session != agent.welcome.session
    await agent.say(Ping(), seq=0)
    await agent.expect(Pong())
    fresh = await client.join(token, resume=resume_of(agent, 99))
    assert not fresh.welcome.resumed


async def test_acknowledged_messages_cannot_be_asked_for_again(client: Client) -> None:
    _, token = await client.token("alice")
    agent = await client.join(token)
    await agent.say(Ping(ack=1), seq=0)
    await agent.expect(Pong())
    assert not (await client.join(token, resume=resume_of(agent, 0))).welcome.resumed


async def test_a_log_that_overflowed_cannot_resume(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "LOG", 3)
    _, token = await client.token("bob")
    alice, bob = await client.join((await client.token("alice"))[1]), await client.join(token)
    await alice.say(CallPlace("c1", "bob", "v=0"))
    await bob.hear()
    bob.vanish()
    for _ in range(4):
        await alice.say(CallCandidate("c1", None))
    await alice.say(Ping(), seq=0)
    await alice.expect(Pong(ack=5))
    assert not (await client.join(token, resume=resume_of(bob, 2))).welcome.resumed


async def test_a_session_that_does_not_come_back_is_dropped(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "GRACE_SECONDS", 0.05)
    _, token = await client.token("bob")
    alice, bob = await client.join((await client.token("alice"))[1]), await client.join(token)
    await alice.say(CallPlace("c1", "bob", "v=0"))
    await bob.hear()
    await bob.say(CallAnswer("c1", "v=0"))
    await alice.hear()
    bob.vanish()
    await alice.expect(CallEnded("c1", NETWORK))
    assert not (await client.join(token, resume=resume_of(bob, 2))).welcome.resumed


async def test_bye_ends_the_session(client: Client) -> None:
    _, token = await client.token("alice")
    for seq in (None, 0):
        agent = await client.join(token)
        await agent.say(Bye(), seq=seq)
        assert await agent.closed() == 4410
        assert not (await client.join(token, resume=resume_of(agent, 1))).welcome.resumed


async def test_bad_frames_disturb_nothing(client: Client) -> None:
    agent = await client.join((await client.token("alice"))[1])
    secret = "a-secret-in-the-payload"
    for frame in (
        f'{{"type":"{secret}"}}',
        f'{{"type":"call.end","call_id":"c","cause":"{secret}","seq":1}}',
        f'{{"{secret}',
        '{"type":"ping","x":' + "[" * 50_000,
        "",
    ):
        await agent.raw(frame)
        error = await agent.hear()
        assert isinstance(error, Error)
        assert (error.reason.code, error.reason.sub_code) == (400, 8523)
        assert error.reason.message
        assert secret not in error.reason.message
    await agent.ws.send_bytes(b"\xff\xfe")
    assert isinstance(await agent.hear(), Error)
    await agent.say(Ping(), seq=0)
    await agent.expect(Pong(ack=1))  # the bad call.end bore number 1: it counts, or the next would be a gap


async def test_twenty_bad_frames_in_a_row_close(client: Client) -> None:
    _, token = await client.token("alice")
    agent = await client.join(token)
    for round_ in (19, 20):
        for _ in range(round_):
            await agent.raw("{}")
            assert isinstance(await agent.hear(), Error)
        if round_ == 19:
            await agent.say(Ping(), seq=0)
            await agent.expect(Pong())
    assert await agent.closed() == 4400
    assert (await client.join(token, resume=resume_of(agent, 1))).welcome.resumed


async def test_too_large_a_frame_closes_and_the_session_goes_on(client: Client) -> None:
    _, token = await client.token("alice")
    agent = await client.join(token)
    await agent.raw("x" * (MAX_FRAME + 1))
    assert await agent.closed() == 1009
    assert (await client.join(token, resume=resume_of(agent, 1))).welcome.resumed


async def test_too_many_messages_of_a_user_close_and_the_session_goes_on(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agents, "MESSAGES_PER_SECOND", 0.0)
    monkeypatch.setattr(agents, "MESSAGES_AT_ONCE", 5.0)
    async with HubServer(config) as server, aiohttp.ClientSession() as http:
        client = Client(server, http)
        _, token = await client.token("alice")
        bob = await client.join((await client.token("bob"))[1])
        first, agent = await client.join(token), await client.join(token)
        for each, pings in ((first, 3), (agent, 2)):
            for _ in range(pings):
                await each.say(Ping(), seq=0)
                await each.expect(Pong())
        await agent.say(Ping(), seq=0)
        await refused(agent, "Too many", 4429)
        again = await client.join(token, resume=resume_of(agent, 1))
        assert again.welcome.resumed
        await again.say(Ping(), seq=0)
        await refused(again, "Too many", 4429)
        await bob.say(Ping(), seq=0)
        await bob.expect(Pong())
        for name in ("voicemail", "mixer"):  # which have the calls of many
            service = await client.join((await client.token(name, **{name: True}))[1])
            for _ in range(50):
                await service.say(Ping(), seq=0)
                await service.expect(Pong())


async def test_limits_of_connections(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agents, "CONNECTIONS_PER_USER", 2)
    _, token = await client.token("alice")
    mine = [await client.join(token) for _ in range(2)]
    third = await client.socket()
    await third.say(Hello(token), seq=0)
    await refused(third, "Too many connections", 4429)
    assert (await client.join(token, resume=resume_of(mine[0], 1))).welcome.resumed
    bob = await client.join((await client.token("bob"))[1])
    await mine[1].say(Bye())
    await mine[1].closed()
    await client.join(token)
    await bob.say(Ping(), seq=0)
    await bob.expect(Pong())


async def test_lost_sessions_count_and_the_one_lost_first_makes_room(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agents, "CONNECTIONS_PER_USER", 3)
    raw_id, token = await client.token("alice")
    mine = [await client.join(token) for _ in range(3)]
    for agent in (mine[1], mine[0]):
        agent.vanish()
        held = client.hub._core.hub.presence.graces
        while agent.welcome.session not in held:
            await client.call("GET", "/health")
    await client.join(token)
    assert len(list(client.hub._core.sessions.of(raw_id))) == 3
    assert (await client.join(token, resume=resume_of(mine[0], 1))).welcome.resumed
    late = await client.socket()
    await late.say(Hello(token, resume=resume_of(mine[1], 1)), seq=0)
    await refused(late, "Too many connections", 4429)


async def test_limit_of_an_address(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agents, "CONNECTIONS_PER_ADDRESS", 2)
    async with HubServer(config) as server, aiohttp.ClientSession() as http:
        client = Client(server, http)
        held = [await client.socket() for _ in range(2)]
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            await client.socket()
        assert caught.value.status == 429
        await held[0].ws.close()
        await client.join((await client.token("alice"))[1])


async def test_strangers_that_ring_cannot_end_the_calls_of_somebody_who_is_away(client: Client) -> None:
    _, token = await client.token("bob")
    alice, bob = await client.join((await client.token("alice"))[1]), await client.join(token)
    await alice.say(CallPlace("c1", "bob", "v=0"))
    assert isinstance(await bob.hear(), CallIncoming)
    await bob.say(CallAnswer("c1", "v=0"))
    assert isinstance(await alice.hear(), CallAnswered)
    strangers = [await client.join((await client.token(f"mallory{number}"))[1]) for number in range(6)]
    for number, stranger in enumerate(strangers):
        for call in range(3):
            await stranger.say(CallPlace(f"evil-{number}-{call}", "bob", "v=0"))
        await stranger.say(Ping(), seq=0)
        while not isinstance(await stranger.hear(), Pong):
            pass
    bob.vanish()
    for number, stranger in enumerate(strangers):
        for step in range(150):
            await stranger.say(CallCandidate(f"evil-{number}-{step % 3}", Candidate("x")))
        await stranger.say(Ping(), seq=0)
        while not isinstance(await stranger.hear(), Pong):
            pass
    back = await client.join(token, resume=resume_of(bob, 2))
    assert back.welcome.resumed
    await alice.say(CallEnd("c1"))
    while not isinstance(heard := await back.hear(), CallEnded) or heard.call_id != "c1":
        pass


@pytest.fixture
def unlimited(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let agents send as much as they like."""
    monkeypatch.setattr(agents, "MESSAGES_PER_SECOND", 1e9)
    monkeypatch.setattr(agents, "MESSAGES_AT_ONCE", 1e9)
    monkeypatch.setattr(calls, "RELAYED_AT_ONCE", 1e9)


@pytest.mark.usefixtures("unlimited")
async def test_a_slow_reader_holds_nobody_up(client: Client) -> None:
    _, token = await client.token("bob")
    alice = await client.join((await client.token("alice"))[1])
    bob = await client.join(token)
    carol = await client.join((await client.token("carol"))[1])
    await alice.say(CallPlace("c1", "bob", "v=0"))
    await alice.say(CallPlace("c2", "carol", "v=0"))
    await carol.hear()
    for number in range(1000):
        # Bob reads nothing; after each batch for him, Carol must still be served.
        for _ in range(50):
            await alice.say(CallCandidate("c1", Candidate("x" * 1000)))
        await alice.say(CallCandidate("c2", Candidate(str(number))))
        heard = await carol.hear()
        assert isinstance(heard, CallCandidate)
        if "callnode_connections 2\n" in (await client.call("GET", "/metrics")).body.decode():
            break
    else:
        pytest.fail("the slow socket was never dropped")
    assert not (await client.join(token, resume=resume_of(bob, 1))).welcome.resumed  # its log overflowed


def expiring(config: Config, server: HubServer, raw_id: str, seconds: float) -> str:
    claims: dict[str, Any] = {
        "iss": server.url,
        "sub": raw_id,
        "aud": "callnode",
        "exp": int(time.time()) + seconds,
        "ver": 0,
        "scope": ["voip", "voip.join"],
        "transfer": True,
    }
    return jwt.encode(claims, Tokens(config.key, server.url)._key, algorithm="HS256")


async def test_a_token_that_ends_ends_the_session(client: Client, hub: HubServer, config: Config) -> None:
    raw_id, _ = await client.token("alice")
    agent = await client.join(expiring(config, hub, raw_id, 2))
    await agent.expect(SessionEnd(INVALID_TOKEN))
    assert await agent.closed() == 4401


async def test_a_refreshed_token_keeps_the_session(client: Client, hub: HubServer, config: Config) -> None:
    raw_id, token = await client.token("alice")
    agent = await client.join(expiring(config, hub, raw_id, 2))
    await agent.say(TokenRefresh(token))
    doomed = await client.join(expiring(config, hub, raw_id, 2))
    await doomed.expect(SessionEnd(INVALID_TOKEN))
    await agent.say(Ping(), seq=0)
    await agent.expect(Pong(ack=1))


async def test_refreshes_that_do_not_fit_change_nothing(client: Client) -> None:
    _, token = await client.token("alice")
    agent = await client.join(token)
    cases: list[tuple[str, Reason]] = [
        ("x", INVALID_TOKEN),
        ((await client.token("bob"))[1], NOT_PERMITTED),
        ((await client.token("alice", transfer=False))[1], NOT_PERMITTED),
    ]
    for bad, reason in cases:
        await agent.say(TokenRefresh(bad))
        await agent.expect(Error(reason, "token.refresh"))
    await agent.say(Ping(), seq=0)
    await agent.expect(Pong(ack=3))


async def test_mailbox_news_reach_all_agents_of_the_owner_only(client: Client) -> None:
    _, token = await client.token("alice")
    sockets = []
    for _ in range(2):
        agent = await client.socket()
        await agent.say(Hello(token), seq=0)
        assert isinstance(await agent.hear(), Welcome)
        assert await agent.expect(MailboxChanged(0, 0)) == 1
        sockets.append(agent)


@given(st.binary(max_size=100) | st.integers(1, 60_000).map(lambda n: b'{"x":' + b"[" * n))
def test_any_frame_decodes_or_is_refused(frame: bytes) -> None:
    try:
        agents._decode(frame)
    except agents.FrameError as error:
        assert str(error)


async def test_garbage_on_the_wire_never_hurts_others(client: Client, seed: int) -> None:
    chance = random.Random(seed)
    _, token = await client.token("alice")
    bystander = await client.join((await client.token("bob"))[1])
    for _ in range(10):
        agent = await client.socket()
        await agent.say(Hello(token), seq=0)
        try:
            for _ in range(15):
                await agent.raw(
                    chance.choice(("{", "null", '{"type":"call.up","seq":%d}'))
                    + chr(chance.randrange(32, 999))
                )
            await agent.ws.send_bytes(chance.randbytes(chance.randrange(200)))
        except ConnectionError:
            continue
        finally:
            agent.vanish()
    await bystander.say(Ping(), seq=0)
    await bystander.expect(Pong())
