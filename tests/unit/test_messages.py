"""Every message survives the wire; what does not fit is refused with a sentence, and nothing else."""

import json
from typing import get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from signaling import messages
from signaling.messages import (
    CallCandidate,
    CallEnd,
    CallPlace,
    CallUp,
    ClientMessage,
    Hello,
    HubMessage,
    Ping,
    Resume,
    TransferRequest,
    TransferUpdate,
    decode_client,
    decode_hub,
    encode,
)
from signaling.parts import (
    CallTarget,
    Candidate,
    CustomContext,
    Outcome,
    ParticipantTarget,
    Party,
    VoicemailTarget,
)
from signaling.reasons import BAD_ARGUMENT, bad_argument

pytestmark = pytest.mark.unit

CONTEXT = CustomContext("hello", {"X-Case": "42"})

CLIENT_MESSAGES: list[ClientMessage] = [
    Hello("t", "Alice", resume=Resume("s", "secret", 7)),
    Ping(ack=3),
    CallPlace("c1", "bob", "v=0", custom_context=CONTEXT, seq=1),
    CallEnd("c1", "declined", seq=2),
    CallCandidate("c1", Candidate("candidate:1", "0", 0), seq=3),
    CallCandidate("c1", None, seq=4),
    TransferRequest("t1", "c1", ParticipantTarget("4:+4930"), custom_context=CONTEXT, seq=5),
    TransferRequest("t1", "c1", CallTarget("c2"), ring_target=True, seq=6),
    TransferRequest("t1", "c1", VoicemailTarget("carol"), hang_up_when_transferred=True, seq=7),
]
HUB_MESSAGES: list[HubMessage] = [
    messages.Welcome("s", "secret", Party("8:acs:x", "Alice", "alice"), ("voip", "transfer")),
    messages.CallIncoming("c1", Party("a"), "v=0", replaces="c0", mailbox=Party("b"), seq=1),
    messages.CallEnded("c1", bad_argument("Say something else."), seq=2),
    TransferUpdate(
        "t1", "c1", "Transferred", outcome=Outcome("forwarded", Party("d"), ("c",)), new_call_id="c9"
    ),
    messages.MailboxChanged(2, 3, seq=9),
]


@pytest.mark.parametrize("message", CLIENT_MESSAGES)
def test_client_message_survives_the_wire(message: ClientMessage) -> None:
    assert decode_client(encode(message)) == message
    assert decode_client(encode(message).decode()) == message


@pytest.mark.parametrize("message", HUB_MESSAGES)
def test_hub_message_survives_the_wire(message: HubMessage) -> None:
    assert decode_hub(encode(message)) == message


def test_every_message_has_a_type_of_its_own_and_a_number() -> None:
    for union in (ClientMessage, HubMessage):
        kinds = get_args(union)
        tags = [kind.__struct_config__.tag for kind in kinds]
        assert len(set(tags)) == len(kinds)
        assert all("seq" in kind.__struct_fields__ for kind in kinds)


def test_unknown_fields_are_ignored() -> None:
    assert decode_client(b'{"type":"call.up","call_id":"c","seq":1,"later":{"x":[1]}}') == CallUp("c", seq=1)


@pytest.mark.parametrize(
    "frame",
    [
        {"type": "nope"},
        {"type": "welcome", "session": "s"},
        {"call_id": "c"},
        {"type": "call.up"},
        {"type": "call.up", "call_id": ""},
        {"type": "call.up", "call_id": "x" * 65},
        {"type": "call.up", "call_id": "a/b"},
        {"type": "call.up", "call_id": 5},
        {"type": "call.up", "call_id": "c", "seq": -1},
        {"type": "call.end", "call_id": "c", "cause": "bored"},
        {"type": "call.place", "call_id": "c", "target": "b", "sdp": "x" * (32 * 1024 + 1)},
        {"type": "call.place", "call_id": "c", "target": "", "sdp": "x"},
        {"type": "transfer.request", "transfer_id": "t", "call_id": "c", "target": {"kind": "moon"}},
        {"type": "transfer.request", "transfer_id": "t", "call_id": "c", "target": {"identifier": "b"}},
        [],
        "hello",
        None,
    ],
)
def test_what_does_not_fit_is_refused(frame: object) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode_client(json.dumps(frame))


@pytest.mark.parametrize("frame", [b'"\xff"', b'{"type":"call.up","call_id":"\xc3"}', b"[" * 60_000, b""])
def test_what_is_no_text_or_no_end_of_brackets_is_refused(frame: bytes) -> None:
    for decode in (decode_client, decode_hub):
        with pytest.raises(msgspec.DecodeError):
            decode(frame)


@given(st.binary(max_size=200))
def test_garbage_is_refused_with_a_sentence(frame: bytes) -> None:
    for decode in (decode_client, decode_hub):
        try:
            decode(frame)
        except msgspec.DecodeError as error:
            assert str(error)


def test_reason_with_a_sentence_keeps_the_code() -> None:
    reason = bad_argument("No such target.")
    assert (reason.code, reason.sub_code, reason.category) == (400, 8523, BAD_ARGUMENT.category)
    assert reason.message == "No such target."
