"""Orders and happenings: plain values, each about one call."""

from typing import get_args

import pytest

from media import orders
from media.orders import AddCandidate, Happening, Mute, Order, SetHold

pytestmark = pytest.mark.unit


def test_every_order_and_happening_is_a_frozen_value_about_one_call() -> None:
    kinds = [*get_args(Order), *get_args(Happening)]
    for kind in kinds:
        assert kind.__struct_config__.frozen
        assert kind.__struct_fields__[0] == "call_id"
    assert set(kinds) == {
        kind
        for kind in vars(orders).values()
        if isinstance(kind, type) and kind.__module__ == orders.__name__
    }


def test_nothing_is_both_asked_and_told() -> None:
    assert not set(get_args(Order)) & set(get_args(Happening))


def test_orders_are_compared_by_content() -> None:
    assert AddCandidate("c1", "candidate:1") == AddCandidate("c1", "candidate:1", None, None)
    assert SetHold("c1", True, False, True) != SetHold("c1", False, True, True)
    assert hash(Mute("c1", True, False)) == hash(Mute("c1", True, False))
