"""What a softphone tells: names of others cannot steer the terminal."""

import pytest

from node.commands.event import Event, plain

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    "written, shown",
    [
        ("Zoë 🎧 Müller", "Zoë 🎧 Müller"),
        ("\x1b]0;owned\x07Eve", "]0;ownedEve"),
        ("Eve\r\n\x9b2J\x7f", "Eve2J"),
    ],
)
def test_control_characters_are_not_shown(written: str, shown: str) -> None:
    assert plain(written) == shown
    assert Event("incoming", party=written, message=written).line == f"incoming {shown}: {shown}"
