"""What a softphone tells: names of others cannot steer the terminal, and devices are those to talk by."""

import pytest

from node.commands.event import Event, plain, plugged
from node.devices import AudioDevice, AudioDevicesUpdated

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


def test_only_devices_to_talk_by_are_told() -> None:
    headset = AudioDevice("headset", "Headset", "Speaker", False)
    monitor = AudioDevice("headset.monitor", "Monitor of Headset", "Microphone", False)
    dummy = AudioDevice("auto_null", "Dummy Output", "Speaker", True)
    told = plugged(AudioDevicesUpdated((headset, monitor), (dummy,)))
    assert [each.line for each in told] == ["plugged-in: speaker Headset"]
