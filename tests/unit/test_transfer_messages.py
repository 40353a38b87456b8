"""The messages of transfers: what a request leaves open is the plain case."""

import pytest

from signaling.messages import decode_client
from signaling.parts import ParticipantTarget
from signaling.transfer_messages import TransferRequest

pytestmark = pytest.mark.unit


def test_a_plain_request_forwards_and_rings_as_the_target_wants_it() -> None:
    frame = b'{"type":"transfer.request","transfer_id":"t1","call_id":"c1","target":'
    frame += b'{"kind":"participant","identifier":"carol"}}'
    request = TransferRequest("t1", "c1", ParticipantTarget("carol"))
    assert decode_client(frame) == request
    assert not request.disable_forwarding_and_unanswered and not request.hang_up_when_transferred
