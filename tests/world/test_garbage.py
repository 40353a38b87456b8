"""The hub among messages that make no sense: no crash, no state change, nothing told to anybody else."""

import json
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from pytest import mark

from signaling.messages import (
    CallAnswer,
    CallAnswered,
    CallAttach,
    CallCandidate,
    CallConnected,
    CallEnd,
    CallEnded,
    CallHold,
    CallIncoming,
    CallOriginate,
    CallPlace,
    CallProgress,
    CallRenew,
    CallRinging,
    CallUp,
    CallUpdate,
    ClientMessage,
    Error,
    HubMessage,
    MailboxChanged,
    Ping,
    TransferCancel,
    TransferDecline,
    TransferRequest,
    TransferUpdate,
    decode_client,
    decode_hub,
    encode,
)
from signaling.parts import CallTarget, Candidate, Outcome, ParticipantTarget, Party, VoicemailTarget
from signaling.reasons import HUNG_UP
from tests.unit.board import Board
from tests.world.stories import begin

pytestmark = mark.world

TALK, RING, HANDED = "c1", "c2", "n1"  # ann and bob talk, ann calls dan; bob is offered n1
SDP = "offer of cat in n2\na=ice-ufrag:99"  # the modelled network knows no others
CLIENT: list[ClientMessage] = [
    CallPlace(TALK, "cat", "offer"),
    CallPlace(HANDED, "cat", "offer", "t1"),
    CallRinging(RING),
    CallAnswer(RING, "answer"),
    CallUp(TALK),
    CallEnd(TALK),
    CallAttach(TALK, "8:acs:bob", True),
    CallAttach("n9", "8:acs:bob", True, server_call_id=TALK, group_id="g1", more=True),
    CallCandidate(TALK, Candidate("candidate:1", "0", 0)),
    CallUpdate(TALK, "offer", "sdp"),
    CallRenew(TALK),
    CallHold(TALK, True),
    TransferRequest("t2", TALK, ParticipantTarget("cat")),
    TransferRequest("t2", TALK, CallTarget(RING), ring_target=True),
    TransferRequest("t2", TALK, VoicemailTarget("cat")),
    TransferCancel("t1"),
    TransferDecline("t1", HANDED),
    Ping(ack=7),
]
HUB: list[HubMessage] = [
    CallEnded(TALK, HUNG_UP),
    TransferUpdate("t1", TALK, "Transferring", "ringing"),
    Error(HUNG_UP, "call.up"),
    CallIncoming("n2", Party("8:acs:cat"), SDP),
    CallIncoming("n3", Party("8:acs:cat"), SDP, replaces=TALK),
    CallOriginate("n4", "t1", TALK, Party("8:acs:cat"), "participant", Party("8:acs:ann")),
    CallAnswered("n4", SDP, Outcome("participant", Party("8:acs:cat"))),
    CallConnected("n4"),
    CallProgress("n4", "ringing", Party("8:acs:cat")),
    CallUpdate(TALK, "answer", SDP),
    CallHold(TALK, True),
    CallRenew(TALK),
    MailboxChanged(1, 2),
]
NAMES = st.sampled_from([TALK, RING, HANDED, "t1", "c9", "ann", "bob", "8:acs:cat", ""]) | st.text(
    max_size=80
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | NAMES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)


@st.composite
def spoilt(draw: st.DrawFn, frames: list[bytes]) -> bytes:
    """Return a frame with a few of its fields replaced, gone or added, or cut off, or with a byte flipped."""
    frame = draw(st.sampled_from(frames))
    fields: dict[str, Any] = json.loads(frame)
    for _ in range(draw(st.integers(0, 3))):
        name = draw(st.sampled_from([*fields, "seq", "x"]))
        match draw(st.sampled_from(["replace", "replace", "drop"])):
            case "replace":
                fields[name] = draw(JSON)
            case _:
                fields.pop(name, None)
    frame = json.dumps(fields).encode()
    if draw(st.integers(0, 9)) == 0:
        frame = frame[: draw(st.integers(0, len(frame)))]
    if draw(st.integers(0, 9)) == 0 and frame:
        at = draw(st.integers(0, len(frame) - 1))
        frame = frame[:at] + bytes([draw(st.integers(0, 255))]) + frame[at + 1 :]
    return frame


FROM_CLIENTS = spoilt([encode(message) for message in CLIENT])
FROM_HUBS = spoilt([encode(message) for message in HUB])


@given(FROM_CLIENTS | FROM_HUBS | st.binary(max_size=200))
@settings(max_examples=500)
def test_a_frame_is_a_message_or_is_refused_with_a_sentence(frame: bytes) -> None:
    for decode in (decode_client, decode_hub):
        try:
            message = decode(frame)
        except msgspec.DecodeError as error:
            assert str(error)
        else:
            assert decode(encode(message)) == message, "what is taken is what is sent on"


def scene() -> Board:
    """Ann and bob talk, and he is offered a transfer to cat; ann calls dan too. Eve has no part in it."""
    board = Board("ann", "bob", "cat", "dan", "eve")
    board.talk("ann", "bob", TALK)
    board.place("ann", "dan", RING)
    board.ask(ParticipantTarget("cat"))
    return board


@given(st.lists(FROM_CLIENTS, min_size=1, max_size=12))
@settings(max_examples=150)
def test_a_stranger_changes_no_call_and_reaches_nobody_in_it(frames: list[bytes]) -> None:
    board = scene()
    calls, transfers = dict(board.hub.calls.all), dict(board.hub.transfers.all)
    for frame in frames:
        try:
            message = decode_client(frame)
        except msgspec.DecodeError:
            continue
        for session, told in board.say("eve", message):
            about = getattr(told, "call_id", "")
            assert session == "eve" or about not in (TALK, RING, HANDED), (message, session, told)
        assert HANDED not in board.hub.calls.all
    now = {call_id: call for call_id, call in board.hub.calls.all.items() if call_id in calls}
    assert now == calls and board.hub.transfers.all == transfers


@given(st.lists(st.tuples(st.sampled_from(["ann", "bob", "cat", "dan"]), FROM_CLIENTS), max_size=25))
@settings(max_examples=150)
def test_whatever_those_in_it_say_the_hub_goes_on_and_everything_has_an_end(
    said: list[tuple[str, bytes]],
) -> None:
    board = scene()
    for session, frame in said:
        try:
            message = decode_client(frame)
        except msgspec.DecodeError:
            continue
        board.say(session, message)
        for call in board.hub.calls.all.values():
            assert call.deadline is not None or call.state == "up"
    board.wait(1000)
    for session in list(board.hub.presence.sessions):
        board.leave(session)
    board.wait(1000)
    assert board.empty()


@given(st.lists(FROM_HUBS, max_size=20))
@settings(max_examples=100)
def test_a_phone_survives_a_hub_that_makes_no_sense(frames: list[bytes]) -> None:
    world = begin(1)
    for frame in frames:
        try:
            message = decode_hub(frame)
        except msgspec.DecodeError:
            continue
        if getattr(message, "sdp", SDP) != SDP:
            continue
        bob = world.agents["bob"]
        world._deliver(bob, frame, bob.session)
    world.run(1000)
    assert all(call.up for call in world.agents["bob"].phone.calls.values()), "all else has a deadline"
