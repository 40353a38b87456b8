"""A mailbox heard by calling the service: the caller's own, or one whose PIN fits, while the call lasts."""

import logging
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest

from signaling import visits
from signaling.config import Config
from signaling.messages import CallAnswer, CallConnected, CallEnd, CallEnded, CallIncoming, CallPlace, CallUp
from signaling.server import HubServer
from tests.shell.hub_client import Agent, Answer, Client
from tests.shell.test_mailbox import SOUND, put

pytestmark = pytest.mark.shell

SDP = "v=0\r\n"
PIN = "835046179284"


@dataclass
class Visit:
    """A call to the service that is up."""

    client: Client
    caller: Agent
    service: Agent
    token: str
    call_id: str = "c1"

    async def ask(self, method: str, path: str, token: str = "", **options: Any) -> Answer:
        return await self.client.call(
            method, f"/v1/visits/{self.call_id}{path}", token or self.token, **options
        )

    async def log_in(self, number: str, pin: str) -> int:
        return (await self.ask("POST", "/login", json={"number": number, "pin": pin})).status

    async def ids(self) -> list[str]:
        return [each["id"] for each in (await self.ask("GET", "/mailbox")).json["messages"]]


async def heard(agent: Agent, kind: type) -> Any:
    while not isinstance(message := await agent.hear(), kind):
        pass
    return message


async def visit(client: Client, name: str, dialled: str = "voicemail", call_id: str = "c1") -> Visit:
    """Let a user call, and the voicemail service answer."""
    _, token = await client.token("voicemail", voicemail=True)
    service = await client.join(token)
    caller = await client.join((await client.token(name))[1])
    await caller.say(CallPlace(call_id, dialled, SDP))
    await heard(service, CallIncoming)
    await service.say(CallAnswer(call_id, SDP))
    for each in (caller, service):
        await each.say(CallUp(call_id))
        if each is service:
            await heard(each, CallConnected)
    return Visit(client, caller, service, token, call_id)


async def test_the_caller_hears_their_own_mailbox_while_the_call_lasts(client: Client) -> None:
    owner, token = await client.token("alice")
    now = await visit(client, "alice")
    for name in ("m1", "m2"):
        await put(client, now.token, owner, name)
    assert sorted(await now.ids()) == ["m1", "m2"]
    assert (await now.ask("GET", "/mailbox/m1/audio")).body == SOUND
    assert (await now.ask("PATCH", "/mailbox/m1", json={"folder": "saved"})).json["folder"] == "saved"
    assert (await now.ask("DELETE", "/mailbox/m2")).status == 204
    assert (await now.ask("GET", "/mailbox-settings")).json["language"] == "en"
    assert await now.ids() == ["m1"]
    # Only the service may, and what outlives a call is not to be had by one.
    assert (await now.ask("GET", "/mailbox", token)).status == 403
    for path in ("link", "forward"):
        assert (await now.ask("POST", f"/mailbox/m1/{path}")).status == 404
    await now.caller.say(CallEnd("c1", "hangup"))
    await heard(now.service, CallEnded)
    assert (await now.ask("GET", "/mailbox")).status == 404
    assert (await now.ask("GET", "/mailbox/m1/audio")).status == 404


async def test_a_call_to_somebodys_mailbox_opens_none(client: Client) -> None:
    await client.token("alice")
    now = await visit(client, "bob", "alice")
    for path in ("/mailbox", "/mailbox-settings"):
        assert (await now.ask("GET", path)).status == 404
    assert await now.log_in("100", "8350") == 404


async def test_calls_of_others_open_nothing(client: Client) -> None:
    alice = await client.join((await client.token("alice"))[1])
    bob = await client.join((await client.token("bob"))[1])
    await alice.say(CallPlace("c2", "bob", SDP))
    await heard(bob, CallIncoming)
    await bob.say(CallAnswer("c2", SDP))
    for each in (alice, bob):
        await each.say(CallUp("c2"))
    await heard(bob, CallConnected)
    _, token = await client.token("voicemail", voicemail=True)
    for call_id in ("c2", "c9"):
        assert (await client.call("GET", f"/v1/visits/{call_id}/mailbox", token)).status == 404


async def with_pin(client: Client, name: str = "101", pin: str = "8350") -> tuple[str, str]:
    owner, token = await client.token(name)
    assert (await client.call("PUT", "/v1/mailbox-pin", token, json={"pin": pin})).status == 204
    return owner, token


@pytest.mark.parametrize("number", ["101", "4930901820", "004930901820"])
async def test_a_pin_opens_the_mailbox_of_a_number(client: Client, number: str) -> None:
    owner, _ = await with_pin(client)
    await client.admin("PUT", f"/v1/users/{owner}/aliases", {"aliases": ["+4930901820"]})
    now = await visit(client, "bob")
    await put(client, now.token, owner, "m1")
    assert await now.ids() == []
    assert await now.log_in(number, "8351") == 403
    assert await now.ids() == []
    assert await now.log_in(number, "8350") == 204
    assert await now.ids() == ["m1"]
    assert await now.log_in("x", "8350") == 400


async def test_three_wrong_pins_lock_mailbox_and_caller_alike_for_all(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    await with_pin(client, pin=PIN)
    await with_pin(client, "102")
    await client.token("103")  # who has no PIN
    now = await visit(client, "bob")
    answers = [await now.ask("POST", "/login", json={"number": "101", "pin": "0000"}) for _ in range(3)]
    with caplog.at_level(logging.WARNING, "callnode.hub.audit"):
        answers.append(await now.ask("POST", "/login", json={"number": "101", "pin": PIN}))
    assert caplog.records[-1].message.endswith("locked for a while") and PIN not in caplog.text
    # The caller is locked at every mailbox, the mailbox for every caller.
    answers.append(await now.ask("POST", "/login", json={"number": "102", "pin": "8350"}))
    other = await visit(client, "carol", call_id="c2")
    answers.append(await other.ask("POST", "/login", json={"number": "101", "pin": PIN}))
    answers.append(await other.ask("POST", "/login", json={"number": "103", "pin": "8350"}))
    assert {(answer.status, answer.body) for answer in answers} == {(403, answers[0].body)}
    assert await other.log_in("102", "8350") == 204


async def test_a_lock_outlives_the_hub(config: Config) -> None:
    async with aiohttp.ClientSession() as http:
        for wanted in ([403, 403, 403], [403]):
            async with HubServer(config) as hub:
                client = Client(hub, http)
                await with_pin(client)
                now = await visit(client, "bob")
                pins = ["0000"] * 3 if len(wanted) == 3 else ["8350"]
                assert [await now.log_in("101", pin) for pin in pins] == wanted


async def test_nobody_and_no_pin_are_refused_as_a_wrong_pin_is(client: Client) -> None:
    await with_pin(client)
    await client.token("103")
    now = await visit(client, "bob")
    answers = [
        await now.ask("POST", "/login", json={"number": number, "pin": pin})
        for number, pin in (("101", "0000"), ("103", "0000"), ("999", "0000"))
    ]
    assert {(answer.status, answer.body) for answer in answers} == {(403, answers[0].body)}


async def test_a_right_pin_is_no_failure(client: Client) -> None:
    await with_pin(client)
    now = await visit(client, "bob")
    for _ in range(visits.WRONG_PINS + 2):
        assert await now.log_in("101", "8350") == 204
