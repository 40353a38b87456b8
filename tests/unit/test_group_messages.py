"""The messages of group calls survive the wire, and keep to their limits."""

import msgspec
import pytest

from signaling.group_messages import (
    MAX_PARTICIPANTS,
    CallJoin,
    CallMute,
    CallParticipants,
    CallSpeakers,
    MixerPlace,
    MixerSpeakers,
    ParticipantAdd,
    ParticipantRemove,
)
from signaling.messages import ClientMessage, HubMessage, decode_client, decode_hub, encode
from signaling.parts import CustomContext, Participant, Party
from signaling.reasons import DECLINED

pytestmark = pytest.mark.unit

FROM_CLIENT: list[ClientMessage] = [
    CallJoin("c1", "g1", "v=0", seq=1),
    CallMute("c1", True),
    ParticipantAdd("c1", "p1", "carol", CustomContext("hello")),
    ParticipantRemove("c1", "p1"),
    MixerSpeakers("g1", ("m1", "m2")),
]
FROM_HUB: list[HubMessage] = [
    CallParticipants("c1", None, "me", (Participant("p1", Party("x"), "Disconnected", reason=DECLINED),)),
    CallSpeakers("c1", ("p1",)),
    MixerPlace("m1", "g1", Party("x")),
]


@pytest.mark.parametrize("message", FROM_CLIENT, ids=lambda m: type(m).__name__)
def test_client_messages_survive_the_wire(message: ClientMessage) -> None:
    assert decode_client(encode(message)) == message


@pytest.mark.parametrize("message", FROM_HUB, ids=lambda m: type(m).__name__)
def test_hub_messages_survive_the_wire(message: HubMessage) -> None:
    assert decode_hub(encode(message)) == message


def test_nobody_says_that_more_talk_than_can_be_there() -> None:
    too_many = MixerSpeakers("g1", tuple(f"m{n}" for n in range(MAX_PARTICIPANTS + 1)))
    with pytest.raises(msgspec.DecodeError):
        decode_client(encode(too_many))
