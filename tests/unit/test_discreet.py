"""No message and no token shows in a repr what must not stand in a log."""

from typing import get_args

import msgspec
import pytest

from signaling.call import Call
from signaling.discreet import SECRETS, Discreet
from signaling.identity import AccessToken, NamedToken
from signaling.messages import ClientMessage, HubMessage, Resume
from signaling.parts import Candidate, Sdp, Token

pytestmark = pytest.mark.unit

MESSAGES = dict.fromkeys((*get_args(ClientMessage), *get_args(HubMessage)))
OTHERS = (Resume, Candidate, NamedToken, AccessToken, Call)


@pytest.mark.parametrize("kind", (*MESSAGES, *OTHERS))
def test_what_is_secret_is_left_out_and_all_else_is_there(kind: type[msgspec.Struct]) -> None:
    secret = {n for n, hint in kind.__annotations__.items() if hint in (Token, Sdp) or n in SECRETS}
    if kind.__name__ == "CallCandidate":
        secret = set()  # it shows a Candidate, which leaves out its text
    shown = set(kind.__struct_fields__) - secret
    text = repr(kind(**{n: "SECRET" if n in secret else f"<{n}>" for n in kind.__struct_fields__}))
    assert "SECRET" not in text
    assert all(f"{name}='<{name}>'" in text for name in shown)
    assert issubclass(kind, Discreet) == bool(secret)


def test_a_repr_reads_like_any_other() -> None:
    assert repr(Resume("s1", "SECRET", 7)) == "Resume(session='s1', last_seq=7)"
    assert repr(Candidate("candidate:1 1 udp 1 192.0.2.1 5000", "0", 0)) == (
        "Candidate(sdp_mid='0', sdp_mline_index=0)"
    )
