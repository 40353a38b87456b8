"""Microphones and speakers for the calls of a client (ACS DeviceManager)."""

import asyncio
import contextlib

from msgspec import Struct

from media.audio import Sink
from media.devices import (
    AudioDevice,
    AudioDevicesUpdated,
    AudioDeviceSwitched,
    DeviceEvent,
    Devices,
    MicrophoneSource,
    Role,
    SpeakerSink,
)
from media.processing import AudioProcessing
from media.sink import TeeSink
from node.events import Events, Handler, Tasks

__all__ = [
    "AudioDevice",
    "AudioDeviceSwitched",
    "AudioDevicesUpdated",
    "DeviceManager",
    "SelectedDeviceChanged",
]

_WATCHED = ("audio_devices_updated", "audio_device_switched")


def speaker_in(sink: Sink | None) -> SpeakerSink | None:
    """Return the speaker of this machine that a sink is, or that a tee gives to; None if it is not heard."""
    if isinstance(sink, TeeSink):
        return next(filter(None, map(speaker_in, sink.sinks)), None)
    return sink if isinstance(sink, SpeakerSink) else None


class SelectedDeviceChanged(Struct, frozen=True):
    """The events `selected_microphone_changed`, `selected_speaker_changed`; None is the system's default."""

    device: AudioDevice | None


class DevicePermission(Struct, frozen=True):
    """What `ask_device_permission` found: whether the microphone can be used; a camera never can."""

    audio: bool
    video: bool = False


class DeviceManager(Events):
    """Choose microphone and speaker, also while calls use them, and hear of what happens to them.

    Calls that use the devices follow what is selected here. Where a device fails or is unplugged they go on
    on the system's default one or else another, without any in silence, and back when it returns. Monitors of
    speakers, and what a sound server has in place of a card, are used only when asked for. The events:
    `audio_devices_updated` (added, removed), `selected_microphone_changed`, `selected_speaker_changed`
    (device), and `audio_device_switched` (kind, role, old, new, cause): sound goes on on another device.
    """

    is_speaker_selection_available = True
    EVENTS = ("audio_devices_updated", "selected_microphone_changed", "selected_speaker_changed", _WATCHED[1])

    def __init__(self, audio_processing: AudioProcessing | None = None) -> None:
        super().__init__(Tasks())
        self._loop: asyncio.AbstractEventLoop | None = None
        self._devices = Devices(self._told)
        self.audio_processing = audio_processing or AudioProcessing()

    @property
    def microphones(self) -> list[AudioDevice]:
        """Return the microphones there are."""
        return self._devices.microphones()

    @property
    def speakers(self) -> list[AudioDevice]:
        """Return the speakers there are."""
        return self._devices.speakers()

    @property
    def selected_microphone(self) -> AudioDevice | None:
        """Return the microphone that was selected; None is the system's default."""
        return self._devices.selected("microphone")

    @property
    def selected_speaker(self) -> AudioDevice | None:
        """Return the speaker that was selected; None is the system's default."""
        return self._devices.selected("speaker")

    @property
    def selected_ring_speaker(self) -> AudioDevice | None:
        """Return the speaker selected to ring; None is the one to talk."""
        return self._devices.selected("ring")

    def select_microphone(self, device: AudioDevice | str | None) -> AudioDevice | None:
        """Use a microphone, by id or part of its name, at once and from now on; None is the system's default.

        Raises ValueError, listing the choices, for an unknown one.
        """
        return self._select("microphone", device)

    def select_speaker(self, device: AudioDevice | str | None) -> AudioDevice | None:
        """Use a speaker, by id or part of its name, at once and from now on; None is the system's default.

        Raises ValueError, listing the choices, for an unknown one.
        """
        return self._select("speaker", device)

    def select_ring_speaker(self, device: AudioDevice | str | None) -> AudioDevice | None:
        """Ring on a speaker, by id or part of its name; None is the one to talk.

        Raises ValueError, listing the choices, for an unknown one.
        """
        return self._select("ring", device)

    @property
    def microphone_volume(self) -> float:
        """The gain of the microphone, 1.0 as it is; setting it raises ValueError unless it is from 0 to 4."""
        return self._devices.volume("Microphone")

    @microphone_volume.setter
    def microphone_volume(self, volume: float) -> None:
        self._devices.set_volume("Microphone", volume)

    @property
    def speaker_volume(self) -> float:
        """The volume of the speaker, 1.0 as it is; setting it raises ValueError unless it is from 0 to 4."""
        return self._devices.volume("Speaker")

    @speaker_volume.setter
    def speaker_volume(self, volume: float) -> None:
        self._devices.set_volume("Speaker", volume)

    @property
    def audio_processing(self) -> AudioProcessing:
        """What is done to the microphone's sound; setting it takes effect at once, also in a call."""
        return self._processing

    @audio_processing.setter
    def audio_processing(self, options: AudioProcessing) -> None:
        self._processing = options
        self._devices.process(options)

    async def ask_device_permission(self) -> DevicePermission:
        """Open the microphone for a moment, so that the system asks if it does, and tell whether it works."""
        source = self.microphone_source()
        try:
            opened = await asyncio.to_thread(source.wait_open)
            return DevicePermission(audio=opened and source.is_real)
        finally:
            source.close()

    def microphone_source(self) -> MicrophoneSource:
        """Return a source that says what the selected microphone hears; silence where there is none."""
        return self._devices.microphone()

    def speaker_sink(self) -> SpeakerSink:
        """Return a sink that plays on the selected speaker; nothing is heard where there is none."""
        return self._devices.speaker()

    def ring_sink(self) -> SpeakerSink:
        """Return a sink that plays on the speaker selected to ring, by default the one to talk."""
        return self._devices.speaker(ring=True)

    def on(self, event: str, handler: Handler) -> None:
        """Call a handler, plain or async, on this event loop with every event of a name."""
        super().on(event, handler)
        if event in _WATCHED:
            self._loop = asyncio.get_running_loop()
        if event == _WATCHED[0]:
            self._devices.watch(True)

    def off(self, event: str, handler: Handler) -> None:
        """Stop calling a handler; one that is not registered is ignored."""
        super().off(event, handler)
        if not self._handlers[_WATCHED[0]]:
            self._devices.watch(False)

    def close(self) -> None:
        """Let every device go, and wait until they are closed: tens of milliseconds, 2 s at most."""
        self._devices.close()

    async def dispose(self) -> None:
        """Let every device go without holding up the event loop; may be called more than once."""
        await asyncio.to_thread(self.close)
        await self._tasks.close()

    def _select(self, role: Role, device: AudioDevice | str | None) -> AudioDevice | None:
        before = self._devices.selected(role)
        chosen = self._devices.select(role, device)
        if chosen != before and role != "ring":
            self._emit(f"selected_{role}_changed", SelectedDeviceChanged(chosen))
        return chosen

    def _told(self, event: DeviceEvent) -> None:
        name = _WATCHED[0] if isinstance(event, AudioDevicesUpdated) else _WATCHED[1]
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(self._emit, name, event)
