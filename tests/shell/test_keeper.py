"""Cards and sound servers that are slow, which virtual ones are not: where sound is, and what is told."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from media.cards import AudioDevice, CardError
from media.device_ends import End
from media.devices import AudioDeviceSwitched, DeviceEvent, Devices

pytestmark = pytest.mark.shell

PATIENCE = 20.0
HEADSET = AudioDevice("headset", "Headset", "Speaker", True)
LAPTOP = AudioDevice("laptop", "Laptop", "Speaker", False)


class Machine:
    """A sound server and its speakers; each card opens in its time, None if it cannot be opened."""

    def __init__(self) -> None:
        self.there = [HEADSET, LAPTOP]
        self.scan_seconds = 0.0
        self.scans = 0
        self.opens: dict[str, float | None] = {"headset": 0.0, "laptop": 0.0}
        self.close_seconds = 0.0
        self.opened: list[str] = []
        self.open = 0

    def cards(self) -> list[AudioDevice]:
        time.sleep(self.scan_seconds)
        self.scans += 1
        return list(self.there)

    def card(self, _: str, device_id: str | None, turn: object) -> "Card":
        name = device_id or "headset"
        seconds = 0.0 if device_id is None else self.opens[name]
        if seconds is None:
            raise CardError("busy")
        time.sleep(seconds)
        self.open += 1
        self.opened.append("null" if device_id is None else name)
        return Card(self, device_id)


class Card:
    """A card that works until it is dead."""

    missed = 0
    works = True
    dead = False

    def __init__(self, machine: Machine, device_id: str | None) -> None:
        self.device_id = device_id
        self._machine = machine

    @property
    def last(self) -> float:
        return 0.0 if self.dead else time.monotonic()

    def close(self) -> None:
        if self.device_id is not None:
            time.sleep(self._machine.close_seconds)
        self._machine.open -= 1


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    machine = Machine()
    monkeypatch.setattr("media.scanner.cards", machine.cards)
    monkeypatch.setattr("media.keeper.Card", machine.card)
    return machine


def story(events: list[DeviceEvent]) -> list[tuple[Any, ...]]:
    return [
        (event.cause, event.old and event.old.id, event.new and event.new.id)
        if isinstance(event, AudioDeviceSwitched)
        else (event.added, event.removed)
        for event in events
    ]


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


def die(end: End) -> None:
    """Let the card that is behind a source or sink call no more."""
    assert end.stream is not None and isinstance(end.stream.card, Card)
    end.stream.card.dead = True


def uses(end: End) -> str | None:
    return None if end.device is None else end.device.id


@pytest.mark.parametrize("there", [[HEADSET], [HEADSET, LAPTOP]])
def test_a_call_waits_for_a_headset_that_opens_slowly(machine: Machine, there: list[AudioDevice]) -> None:
    machine.there = there
    machine.opens["headset"] = 0.9
    told: list[DeviceEvent] = []
    devices = Devices(told.append)
    speaker = devices.speaker()
    assert speaker.wait_open() and speaker.is_real and uses(speaker) == "headset"
    devices.close()
    assert story(told) == [] and machine.opened == ["headset"] and machine.open == 0


def test_a_call_goes_on_without_waiting_for_a_card_that_does_not_open(machine: Machine) -> None:
    machine.opens["headset"] = None
    told: list[DeviceEvent] = []
    devices = Devices(told.append)
    speaker = devices.speaker()
    assert speaker.wait_open() and uses(speaker) == "laptop"
    devices.close()
    assert story(told) == [("failed", "headset", "laptop")] and machine.open == 0


def test_what_sounded_goes_on_on_the_next_best_while_the_best_opens_slowly(machine: Machine) -> None:
    told: list[DeviceEvent] = []
    devices = Devices(told.append)
    speaker = devices.speaker()
    assert speaker.wait_open() and uses(speaker) == "headset"
    machine.opens["headset"] = 3.0
    die(speaker)
    until(lambda: story(told) == [("failed", "headset", "laptop")])
    until(lambda: story(told)[1:] == [("returned", "laptop", "headset")])
    devices.close()
    assert machine.open == 0


def test_a_card_that_fails_at_once_does_not_stop_a_slow_one_from_opening(machine: Machine) -> None:
    machine.opens = {"headset": 1.2, "laptop": None}  # the one is tried again while the other opens
    told: list[DeviceEvent] = []
    devices = Devices(told.append)
    devices.select("speaker", "laptop")
    speaker = devices.speaker()
    assert speaker.wait_open() and uses(speaker) == "headset"
    devices.close()
    assert story(told) == [("failed", "laptop", "headset")] and machine.opened == ["headset"]


def test_a_slow_server_changes_nothing(machine: Machine) -> None:
    machine.scan_seconds = 0.6
    told: list[DeviceEvent] = []
    devices = Devices(told.append)
    assert devices.speakers() == []
    devices.watch(True)
    speaker = devices.speaker()
    assert speaker.wait_open() and uses(speaker) == "headset"
    before = machine.scans
    until(lambda: machine.scans > before)
    assert story(told) == [] and devices.speakers() == [HEADSET, LAPTOP]
    machine.there = [HEADSET]
    until(lambda: story(told) == [((), (LAPTOP,))])
    devices.close()


def test_closing_waits_for_cards_that_close_slowly(machine: Machine) -> None:
    machine.close_seconds = 0.9
    devices = Devices()
    assert devices.speaker().wait_open()
    devices.close()
    assert machine.open == 0


def test_a_dead_card_is_closed_though_nobody_can_be_told(machine: Machine) -> None:
    def told(event: DeviceEvent) -> None:
        raise RuntimeError("told what it cannot hear")

    devices = Devices(told)
    speaker = devices.speaker()
    assert speaker.wait_open()
    machine.there = []
    die(speaker)
    until(lambda: machine.open == 0 or speaker.null)
    devices.close()
    assert machine.open == 0
