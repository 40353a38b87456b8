"""Calls between the JavaScript client in Chromium and a Python node, asserted at the ear."""

import asyncio
from pathlib import Path

import pytest

from node import CallState
from signaling.config import load_config
from signaling.messages import CallConnected, CallRenew
from signaling.server import HubServer
from tests.browser.conftest import Join
from tests.browser.person import BrowserPerson, both, hears, silence
from tests.e2e.people import People, Person, eventually, until

pytestmark = pytest.mark.browser


async def connect(join: Join, people: People, caller: str, **options: object) -> tuple[BrowserPerson, Person]:
    """Connect Alice at a browser with Bob at a node."""
    alice, bob = await join("alice", **options), await people.join("bob")
    if caller == "alice":
        await alice.dial("bob")
        await bob.pick_up()
    else:
        bob.dial("alice")
        await alice.pick_up()
    await alice.state("Connected")
    await until(bob.agent.calls[0], CallState.CONNECTED)
    return alice, bob


@pytest.mark.parametrize("caller", ["alice", "bob"])
async def test_each_hears_the_other(join: Join, people: People, caller: str) -> None:
    alice, bob = await connect(join, people, caller)
    await both(alice, bob)
    participant = "call.remoteParticipants[0]"
    assert await alice.do(f"[{participant}.displayName, {participant}.state]") == ["Bob", "Connected"]
    await alice.do("void call.hangUp()")
    await alice.state("Disconnected")
    assert await alice.do("[call.callEndReason.code, call.callEndReason.subCode]") == [0, 0]
    assert await alice.do(f"[{participant}.state, {participant}.callEndReason.code]") == ["Disconnected", 0]
    await eventually(lambda: not bob.agent.calls)
    survey = (
        "{ overallRating: { score: 4, issues: ['HadToRejoin'] }, audioRating: { score: 9, scale: SCALE } }"
    )
    scale = "{ lowerBound: 0, upperBound: 10, lowScoreThreshold: 3 }"
    submit = f"call.feature(sdk.Features.CallSurvey).submitSurvey({survey.replace('SCALE', scale)})"
    filed = await alice.do(submit)
    [entry] = (await people.client.admin("GET", "/v1/surveys")).json["surveys"]
    assert (filed["id"], filed["callId"]) == (str(entry["number"]), entry["call_id"])
    assert filed["localParticipantId"] == entry["user"]["raw_id"]
    assert entry["survey"]["overall_rating"]["issues"] == ["HadToRejoin"]
    assert entry["survey"]["audio_rating"]["scale"]["upper_bound"] == 10
    refused = (
        "call.feature(sdk.Features.CallSurvey).submitSurvey({}).catch((error) => [error.code, error.message])"
    )
    code, message = await alice.do(refused)
    assert code == 400 and "overall_rating" in message


@pytest.mark.parametrize("caller", ["alice", "bob"])
async def test_hold_from_both_sides(join: Join, people: People, caller: str) -> None:
    """Whoever called offers; either may hold, both may, and sound is back when nobody does."""
    alice, bob = await connect(join, people, caller)
    at_bob = bob.agent.calls[0]
    await alice.do("void call.hold()")
    await alice.state("LocalHold")
    await until(at_bob, CallState.REMOTE_HOLD)
    await silence(alice, bob)
    await at_bob.hold()
    await until(at_bob, CallState.LOCAL_HOLD)
    await alice.until("call.isHeld.remote")
    assert await alice.do("call.state") == "LocalHold"
    await alice.do("void call.resume()")
    await alice.state("RemoteHold")
    assert await alice.do("call.remoteParticipants[0].state") == "Hold"
    await silence(alice, bob)
    await at_bob.resume()
    await alice.state("Connected")
    await until(at_bob, CallState.CONNECTED)
    await both(alice, bob)


async def test_mute_both_ways_and_what_is_wrong(join: Join, people: People) -> None:
    relay = {"urls": ["turn:127.0.0.1:1?transport=tcp"], "username": "alice", "credential": "none"}
    client = {"networkConfiguration": {"turn": {"iceServers": [relay]}}}
    alice, bob = await connect(join, people, "alice", client=client)
    diagnostics = "call.feature(sdk.Features.UserFacingDiagnostics)"
    for kind in ("media", "network"):
        told = "({ diagnostic, value }) => log.push([diagnostic, value])"
        await alice.do(f"void {diagnostics}.{kind}.on('diagnosticChanged', {told})")
    await alice.do("void call.mute()")
    wrong = "log.some(([what, value]) => what === '{}' && value === true)"
    await alice.until(wrong.format("speakingWhileMicrophoneIsMuted"))
    await asyncio.gather(silence(bob), hears(alice, "bob"))
    await alice.do("void call.unmute(), void call.muteIncomingAudio()")
    assert await alice.do("[call.isMuted, call.isIncomingAudioMuted]") == [False, True]
    await asyncio.gather(silence(alice), hears(bob, "alice"))
    await alice.do("void call.unmuteIncomingAudio()")
    await hears(alice, "bob")
    await alice.until(wrong.format("networkRelaysNotReachable"))
    await alice.do(
        "void (await call.localAudioStreams[0].getMediaStream()).getTracks().forEach((track) => track.stop())"
    )
    await alice.until(wrong.format("microphoneNotFunctioning"))


@pytest.mark.parametrize("caller", ["alice", "bob"])
async def test_keys_of_the_browser_reach_the_node(join: Join, people: People, caller: str) -> None:
    alice, bob = await connect(join, people, caller)
    pressed: list[str] = []
    bob.agent.calls[0].on("dtmf_received", lambda event: pressed.append(event.digit))
    for tone in ("Num1", "Num5", "Star", "Pound"):
        await alice.do(f"void call.sendDtmf('{tone}')")
    await alice.do("void call.sendDtmf('0A9')")
    await eventually(lambda: len(pressed) >= 7)
    assert pressed == list("15*#0A9")
    await both(alice, bob)


@pytest.mark.parametrize("caller", ["alice", "bob"])
async def test_keys_of_the_node_reach_the_browser(join: Join, people: People, caller: str) -> None:
    alice, bob = await connect(join, people, caller)
    await bob.agent.calls[0].send_dtmf("15*#0A9")
    await alice.until("log.filter(([what]) => what === 'dtmf').length >= 7")
    assert (
        await alice.do("log.filter(([what]) => what === 'dtmf').map(([, key]) => key).join('')") == "15*#0A9"
    )
    await both(alice, bob)


async def test_another_path_takes_the_place_of_one_that_works(
    join: Join, people: People, hub: HubServer
) -> None:
    """As when a call becomes a group call: the hub wants it, and says when to go over."""
    alice, bob = await connect(join, people, "alice")
    await both(alice, bob)
    call = bob.agent.calls[0]
    leg = bob.agent._runtime.engine._legs[call.id]
    first = leg.peer
    [page] = hub._core.sessions.of(call.remote_participants[0].identifier.identifier.raw_id)
    [node] = hub._core.sessions.of(bob.agent.identity.identifier.raw_id)
    await alice.do("void (window.streams = [...call.remoteAudioStreams])")
    page.deliver(CallRenew(call.id, anew=True))
    await eventually(lambda: leg.next is not None and leg.next.connected)
    await both(alice, bob)  # over the first one
    for session in (page, node):
        session.deliver(CallConnected(call.id))
    await alice.until("call.remoteAudioStreams[0] !== streams[0]")
    await eventually(lambda: leg.peer is not first and leg.before is None)
    await both(alice, bob)


async def test_declined_cancelled_unknown(join: Join, people: People) -> None:
    alice, bob = await join("alice"), await people.join("bob")
    await alice.dial("bob")
    await (await bob.ring()).reject()
    await alice.state("Disconnected")
    assert await alice.do("[call.callEndReason.code, call.callEndReason.subCode]") == [603, 0]
    await alice.dial("nobody")
    await alice.until("calls.length === 2 && call.state === 'Disconnected'")
    assert await alice.do("[call.callEndReason.code, call.callEndReason.subCode]") == [404, 8522]
    ringing = bob.dial("alice")
    await alice.until("rings.length > 0")
    await ringing.hang_up()
    await alice.until("rings[0].callEndReason !== undefined")
    assert await alice.do("rings[0].callEndReason.code") == 487
    refusal = "rings.shift().accept().catch((error) => [error.code, error.subCode])"
    assert await alice.do(refusal) == [400, 41006]


async def test_who_is_rung_at_a_browser_dials_back_instead(join: Join, people: People) -> None:
    """The call that rings there is taken, and what was dialled ends: one call."""
    alice, bob = await join("alice"), await people.join("bob")
    out = bob.dial("alice")
    await alice.until("rings.length > 0")
    await alice.dial("bob")
    await alice.until("calls.length === 2 && calls[0].state === 'Disconnected'")
    assert await alice.do("calls[0].callEndReason.code") == 491
    await alice.state("Connected")
    assert await alice.do("call.id") == out.id
    await until(out, CallState.CONNECTED)
    await both(alice, bob)


async def test_two_browsers(join: Join) -> None:
    alice, bob = await join("alice"), await join("bob")
    await alice.dial("bob")
    await bob.pick_up()
    await alice.state("Connected")
    await bob.state("Connected")
    await both(alice, bob)
    await bob.do("void call.hold()")
    await alice.state("RemoteHold")
    await silence(alice, bob)
    await bob.do("void call.resume()")
    await alice.state("Connected")
    await both(alice, bob)
    await alice.do("void call.hangUp()")
    await bob.state("Disconnected")


async def test_the_hub_restarts_in_a_call(join: Join, people: People, hub: HubServer, tmp_path: Path) -> None:
    """Sound needs no hub, and the call is known again to the hub that began anew."""
    alice, bob = await connect(join, people, "alice")
    port = int(hub.url.rpartition(":")[2])
    await hub.stop()
    await both(alice, bob)
    async with HubServer(load_config(tmp_path / "hub", port=port, environ={})) as again:
        await eventually(lambda: len(again._core.hub.calls.all) == 1)
        await alice.do("void call.hold()")
        await until(bob.agent.calls[0], CallState.REMOTE_HOLD)
        await alice.do("void call.resume()")
        await until(bob.agent.calls[0], CallState.CONNECTED)
        await both(alice, bob)
        await alice.do("agent.dispose()")
        await eventually(lambda: not bob.agent.calls)
    await hub.start()
