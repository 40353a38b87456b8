"""Calls that are over: what their parties say of them and see of them, by REST, client API and command."""

import asyncio
import json

import pytest

from media.sink import NullSink
from media.source import SilenceSource
from node import (
    AudioOptions,
    AudioRating,
    CallClient,
    CallingError,
    CallState,
    CallSurvey,
    CommunicationTokenCredential,
    Features,
    OverallRating,
    StartCallOptions,
)
from signaling.group import Group
from signaling.messages import CallAnswer, CallConnected, CallEnd, CallEnded, CallIncoming, CallPlace, CallUp
from signaling.reasons import HUNG_UP
from signaling.server import HubServer
from tests.program import one_line, result
from tests.shell.hub_client import PATIENCE, Agent, Answer, Client

pytestmark = pytest.mark.shell

SURVEY = {"overall_rating": {"score": 2, "issues": ["CallEndedUnexpectedly"]}, "audio_rating": {"score": 1}}


async def until(agent: Agent, kind: type) -> None:
    while not isinstance(await agent.hear(), kind):
        pass


async def called(client: Client) -> dict[str, str]:
    """Let alice call bob, say what she thinks of it, and hang up; return the tokens of the town."""
    tokens = {name: (await client.token(name))[1] for name in ("alice", "bob", "carol")}
    alice, bob = await client.join(tokens["alice"]), await client.join(tokens["bob"])
    await alice.say(CallPlace("c1", "bob", "v=0"))
    await until(bob, CallIncoming)
    await bob.say(CallAnswer("c1", "v=0"))
    for agent in (alice, bob):
        await agent.say(CallUp("c1"))
    await until(alice, CallConnected)
    assert (await submit(client, tokens["alice"], "c1", {"overall_rating": {"score": 5}})).status == 200
    await alice.say(CallEnd("c1"))
    await until(bob, CallConnected)
    await bob.expect(CallEnded("c1", HUNG_UP))
    return tokens


async def submit(client: Client, token: str, call_id: str, survey: object) -> Answer:
    return await client.call("POST", "/v1/surveys", token, json={"call_id": call_id, "survey": survey})


async def test_a_call_that_is_up_is_known_by_the_id_that_the_end_has(client: Client, hub: HubServer) -> None:
    """As one is that was a group call, and that the hub knows by another id."""
    token = (await client.token("alice"))[1]
    alice, bob = await client.join(token), await client.join((await client.token("bob"))[1])
    await alice.say(CallPlace("n1", "bob", "v=0"))
    await until(bob, CallIncoming)
    hub._core.hub.names.give(alice.welcome.session, "n1", "c1")
    assert [(await submit(client, token, call_id, SURVEY)).status for call_id in ("c1", "n1")] == [200, 404]


async def test_who_left_a_group_that_was_a_call_of_two_had_a_part_in_it(
    client: Client, hub: HubServer
) -> None:
    token = (await client.token("alice"))[1]
    alice, bob = await client.join(token), await client.join((await client.token("bob"))[1])
    await alice.say(CallPlace("c1", "bob", "v=0"))
    await until(bob, CallIncoming)
    core = hub._core.hub
    core.groups.all["g1"] = Group(id="g1", mixer="m", promoted=True, origin=core.calls.all.pop("c1"))
    assert [(await submit(client, token, call_id, SURVEY)).status for call_id in ("c1", "n1")] == [200, 404]


async def test_who_had_a_part_in_a_call_says_how_it_was(client: Client, hub: HubServer) -> None:
    tokens = await called(client)
    first = await submit(client, tokens["alice"], "c1", SURVEY)
    assert (first.status, first.json["call_id"]) == (200, "c1")
    assert (await submit(client, tokens["bob"], "c1", {"audio_rating": {"score": 4}})).status == 200
    assert (await submit(client, tokens["carol"], "c1", SURVEY)).status == 404
    assert (await submit(client, tokens["alice"], "c2", SURVEY)).status == 404
    assert (await submit(client, "", "c1", SURVEY)).status == 401
    for wrong, said in (({}, "or both"), ({"overall_rating": {"score": 9}}, "from 1 to 5")):
        refused = await submit(client, tokens["alice"], "c1", wrong)
        assert refused.status == 400 and said in refused.json["error"]["message"]

    page = (await client.admin("GET", "/v1/surveys?limit=1")).json
    assert [entry["user"]["name"] for entry in page["surveys"]] == ["bob"]
    page = (await client.admin("GET", f"/v1/surveys?before={page['next']}")).json
    [entry] = page["surveys"]
    assert (str(entry["number"]), entry["user"]["name"], page["next"]) == (first.json["id"], "alice", None)
    assert entry["survey"]["overall_rating"]["issues"] == ["CallEndedUnexpectedly"]  # not the one before
    assert (await client.admin("GET", "/v1/surveys?limit=0")).status == 400
    assert (await client.call("GET", "/v1/surveys", tokens["alice"])).status == 401

    shown = await result("surveys", "--data", hub._config.data)
    assert shown.code == 0 and "call 2/5 (CallEndedUnexpectedly); sound 1/5" in shown.out
    assert "bob" in shown.out.splitlines()[0]
    told = await result("surveys", "--data", hub._config.data, "--json", "--limit", "1")
    assert [entry["user"]["name"] for entry in json.loads(told.out)["surveys"]] == ["bob"]


async def test_the_history_of_a_person(client: Client) -> None:
    tokens = await called(client)
    caller = await client.join(tokens["alice"])
    await caller.say(CallPlace("c2", "carol", "v=0"))
    await until(caller, CallEnded)
    mine = await result("history", token=tokens["alice"])
    assert mine.code == 0, mine
    missed, talked = mine.out.splitlines()
    assert "→  carol  The called person has no device online." in missed
    assert "→  bob" in talked and talked.endswith("0:00")
    assert (await result("history", "--missed", token=tokens["carol"])).out.count("←  alice") == 1
    assert (await result("history", "--missed", token=tokens["bob"])).out == "There is no such call."
    with_bob = await result(
        "history", "--with", "bob", "--direction", "outgoing", "--json", token=tokens["alice"]
    )
    assert [call["call_id"] for call in json.loads(with_bob.out)["calls"]] == ["c1"]
    page = await result("history", "--limit", "1", token=tokens["alice"])
    number = page.out.rpartition("--before ")[2]
    before = await result("history", "--before", number, token=tokens["alice"])
    assert "bob" in before.out and "carol" not in before.out
    assert "token" in one_line(await result("history", token=tokens["alice"][:-4] + "AAAA"), 6)


async def test_a_survey_through_the_client_api(client: Client, hub: HubServer) -> None:
    _, token = await client.token("alice")
    await client.token("bob")
    async with CallClient() as calls:
        agent = await calls.create_call_agent(CommunicationTokenCredential(token))
        audio = AudioOptions(SilenceSource(), NullSink())
        call = agent.start_call(["bob"], StartCallOptions(audio))
        async with asyncio.timeout(PATIENCE):
            await call.wait_for(CallState.DISCONNECTED)
        survey = call.feature(Features.CALL_SURVEY)
        filed = await survey.submit_survey(CallSurvey(OverallRating(1, ("CallCannotJoin",)), AudioRating(3)))
        assert (filed.call_id, filed.local_participant_id) == (call.id, agent.identity.identifier.raw_id)
        assert await survey.submit_survey(CallSurvey(OverallRating(2))) == filed
        with pytest.raises(ValueError, match="from 1 to 5"):
            OverallRating(6)
        await client.admin(
            "POST", f"/identities/{filed.local_participant_id}/:revokeAccessTokens?api-version=2023-10-01"
        )
        with pytest.raises(CallingError) as refused:
            await survey.submit_survey(CallSurvey(OverallRating(2)))
        assert refused.value.code == 495


async def test_an_invitation_is_a_link_for_one_sign_in(client: Client, hub: HubServer) -> None:
    made = await result("invite", "carol", "--display-name", "Carol C.", "--data", hub._config.data)
    assert (made.code, made.err) == (0, "") and made.out.startswith(f"{hub.url}/#code=")
    code = {"code": made.out.partition("=")[2]}
    signed_in = await client.call("POST", "/v1/sign-in", json=code)
    assert signed_in.json["name"] == "carol"
    assert (await client.call("POST", "/v1/sign-in", json=code)).status == 403
    told = await result("invite", "carol", "--minutes", "1", "--json", "--data", hub._config.data)
    assert json.loads(told.out)["url"].startswith(hub.url)
    assert "name" in one_line(await result("invite", "Not A Name", "--data", hub._config.data), 1)
