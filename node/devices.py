"""Microphones and speakers for the calls of a client (ACS DeviceManager)."""

from media.audio import Sink, Source
from media.devices import AudioDevice, Devices


class DeviceManager:
    """Choose the microphone and the speaker that calls use by default."""

    def __init__(self) -> None:
        self._devices = Devices()
        self.selected_microphone: AudioDevice | None = None
        self.selected_speaker: AudioDevice | None = None

    @property
    def microphones(self) -> list[AudioDevice]:
        """Return the microphones there are now."""
        return self._devices.microphones()

    @property
    def speakers(self) -> list[AudioDevice]:
        """Return the speakers there are now."""
        return self._devices.speakers()

    def select_microphone(self, device: AudioDevice | str) -> AudioDevice:
        """Use a microphone, by id or part of its name, for calls from now on; raises ValueError."""
        self.selected_microphone = _pick(device, self.microphones)
        return self.selected_microphone

    def select_speaker(self, device: AudioDevice | str) -> AudioDevice:
        """Use a speaker, by id or part of its name, for calls from now on; raises ValueError."""
        self.selected_speaker = _pick(device, self.speakers)
        return self.selected_speaker

    def microphone_source(self) -> Source:
        """Open the selected microphone; silence where there is none, with a warning in the log."""
        return self._devices.microphone(self.selected_microphone)

    def speaker_sink(self) -> Sink:
        """Open the selected speaker; nothing is heard where there is none, with a warning in the log."""
        return self._devices.speaker(self.selected_speaker)

    def ring_sink(self) -> Sink:
        """Open the device that rings for incoming calls: the selected speaker."""
        return self.speaker_sink()

    def close(self) -> None:
        """Let every device go."""
        self._devices.close()


def _pick(device: AudioDevice | str, among: list[AudioDevice]) -> AudioDevice:
    wanted = device if isinstance(device, str) else device.id
    for found in among:
        if found.id == wanted:
            return found
    for found in among:
        if wanted.lower() in found.name.lower():
            return found
    choices = ", ".join(found.name for found in among) or "none"
    raise ValueError(f"no device {wanted!r}; there are: {choices}")
