"""What goes into a phone and comes out of it: plain values, compared by content."""

from typing import Any, get_args

import pytest
from msgspec.structs import replace

from node import exchange
from node.exchange import Cut, Dial, Hold, Input, Mute, Output
from signaling.reasons import INTERNAL, NETWORK

pytestmark = pytest.mark.unit


def test_every_input_and_output_is_a_frozen_value() -> None:
    kinds = {*get_args(Input), *get_args(Output)}
    assert all(kind.__struct_config__.frozen and kind.__doc__ for kind in kinds)
    assert kinds == {
        kind
        for kind in vars(exchange).values()
        if isinstance(kind, type) and kind.__module__ == exchange.__name__
    }


def test_values_are_compared_by_content_and_cannot_be_changed() -> None:
    hold: Any = Hold("c1", True)
    assert hold == Hold("c1", True) != replace(hold, on=False)
    with pytest.raises(AttributeError):
        hold.on = False


def test_what_is_left_out_changes_nothing() -> None:
    assert (Dial("c1", "bob").custom_context, Dial("c1", "bob").muted) == (None, False)
    assert (Mute("c1").outgoing, Mute("c1").incoming) == (None, None)
    assert (Cut().reason, Cut(INTERNAL).reason) == (NETWORK, INTERNAL)
