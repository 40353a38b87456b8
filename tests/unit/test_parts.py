"""The parts of messages: what they leave out when it says nothing, and where their limits are."""

import msgspec
import pytest

from signaling.parts import Candidate, CustomContext, Id, Outcome, ParticipantTarget, Party, Target

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("part", "text"),
    [
        (Party("8:acs:x"), b'{"raw_id":"8:acs:x"}'),
        (CustomContext(), b"{}"),
        (Outcome("voicemail", Party("b")), b'{"kind":"voicemail","party":{"raw_id":"b"}}'),
        (ParticipantTarget("bob"), b'{"kind":"participant","identifier":"bob"}'),
    ],
)
def test_what_says_nothing_is_left_out(part: msgspec.Struct, text: bytes) -> None:
    assert msgspec.json.encode(part) == text


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (Id, "a/b"),
        (Id, "x" * 65),
        (Party, {"raw_id": ""}),
        (Party, {"raw_id": "x" * 257}),
        (CustomContext, {"voip_headers": dict.fromkeys("abcdef", "")}),
        (CustomContext, {"voip_headers": {"k": "x" * 257}}),
        (Candidate, {"candidate": "x" * 1025}),
        (Candidate, {"candidate": "", "sdp_mline_index": 17}),
        (Target, {"kind": "call", "call_id": ""}),
        (Target, {"kind": "moon"}),
    ],
)
def test_what_goes_over_a_limit_is_refused(kind: object, value: object) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(value, kind)


def test_a_candidate_shows_no_address_when_printed() -> None:
    assert "192.0.2.1" not in repr(Candidate("candidate:1 1 udp 1 192.0.2.1 9 typ host"))
