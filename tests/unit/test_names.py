"""The names that ends have for calls which the hub knows by another id."""

import pytest

from signaling.messages import (
    CallConnected,
    CallEnd,
    CallEnded,
    CallIncoming,
    CallOriginate,
    Pong,
    TransferRequest,
)
from signaling.names import Names
from signaling.parts import CallTarget, ParticipantTarget, Party
from signaling.reasons import HUNG_UP

pytestmark = pytest.mark.unit

ANN = Party("8:acs:ann")


@pytest.fixture
def names() -> Names:
    """Device a knows call m1 as c1."""
    names = Names()
    names.give("a", "m1", "c1")
    return names


def test_each_end_has_its_name_for_a_call(names: Names) -> None:
    assert (names.of("a", "m1"), names.of("b", "m1"), names.of("a", "c9")) == ("c1", "m1", "c9")
    assert names.inward("a", CallEnd("c1")) == CallEnd("m1")
    assert names.inward("b", CallEnd("c1")) == CallEnd("c1")
    assert names.outward("a", CallEnded("m1", HUNG_UP)) == CallEnded("c1", HUNG_UP)
    assert names.outward("b", CallEnded("m1", HUNG_UP)) == CallEnded("m1", HUNG_UP)
    assert names.outward("a", Pong()) == Pong()


def test_calls_that_a_message_is_about_besides(names: Names) -> None:
    request = TransferRequest("t1", "c1", CallTarget("c1"))
    assert names.inward("a", request) == TransferRequest("t1", "m1", CallTarget("m1"))
    other = TransferRequest("t1", "c1", ParticipantTarget("bob"))
    assert names.inward("a", other) == TransferRequest("t1", "m1", ParticipantTarget("bob"))
    incoming = CallIncoming("n1", ANN, "offer", replaces="m1")
    assert names.outward("a", incoming) == CallIncoming("n1", ANN, "offer", replaces="c1")
    assert names.outward("a", CallIncoming("n1", ANN, "offer")).call_id == "n1"  # type: ignore[union-attr]
    order = CallOriginate("n1", "t1", "m1", ANN, "participant", ANN)
    assert names.outward("a", order) == CallOriginate("n1", "t1", "c1", ANN, "participant", ANN)


def test_a_name_goes_from_one_call_to_the_next(names: Names) -> None:
    names.give("a", "m2", "c1")
    assert (names.of("a", "m1"), names.of("a", "m2")) == ("m1", "c1")
    assert names.taken("c1") and not names.taken("m1")
    names.give("a", "c1", "c1")
    assert names.empty and not names.taken("c1")


def test_a_call_that_is_over_has_no_names(names: Names) -> None:
    names.give("b", "m1", "x1")
    names.give("b", "m2", "x2")
    names.forget("m1")
    assert not names.taken("c1") and not names.taken("x1") and names.taken("x2")
    assert names.inward("a", CallEnd("c1")) == CallEnd("c1")


def test_who_has_another_name_for_a_call_learns_the_one_it_has_at_the_hub(names: Names) -> None:
    assert names.outward("a", CallConnected("m1")) == CallConnected("c1", "m1")
    assert names.outward("b", CallConnected("m1")) == CallConnected("m1")


def test_a_name_goes_to_the_new_session(names: Names) -> None:
    names.move("m1", "a", "b")
    assert (names.of("a", "m1"), names.of("b", "m1")) == ("m1", "c1")
    names.move("m2", "a", "b")
    names.forget("m1")
    assert names.empty
