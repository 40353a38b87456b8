"""What is wrong with network or devices in a call, for its user to see (ACS UserFacingDiagnostics)."""

from collections import deque
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from media.devices import AudioDevice, MicrophoneSource, SpeakerSink
from node.devices import speaker_in
from node.events import Events
from node.feature import CallFeature
from node.judgement import Device, DiagnosticName, DiagnosticQuality, Observed, Said, media, network
from node.samples import MediaStatsReportSample, together
from node.session import CallState
from node.stats import MediaStatsCollector

if TYPE_CHECKING:
    from node.call import Call

RECENT_SECONDS = 3
SILENT_SECONDS = 10.0
"""A microphone that works brings noise; one that is muted by a switch or by the system brings zeros."""

ValueType = Literal["DiagnosticFlag", "DiagnosticQuality"]


class Diagnostic(Struct, frozen=True):
    """The latest value of a diagnostic: a flag, True if it is so, or a quality."""

    value: bool | DiagnosticQuality
    value_type: ValueType


class DiagnosticChanged(Struct, frozen=True):
    """The event `diagnostic_changed`; `media_type` is "Audio" for what is about devices."""

    diagnostic: DiagnosticName
    value: bool | DiagnosticQuality
    value_type: ValueType
    media_type: Literal["Audio"] | None = None


class Diagnostics(Events):
    """The diagnostics of one kind; they are told when they change, first when something is wrong."""

    EVENTS = ("diagnostic_changed",)

    def __init__(self, call: "Call", media_type: Literal["Audio"] | None = None) -> None:
        super().__init__(call._tasks)
        self._media_type = media_type
        self._latest: dict[DiagnosticName, Diagnostic] = {}

    def get_latest(self) -> dict[DiagnosticName, Diagnostic]:
        """Return the latest value of each diagnostic that has been told, by its name in ACS."""
        return dict(self._latest)

    def _set(self, said: Said) -> None:
        for name, value in said.items():
            known = self._latest.get(name)
            wrong = value is not False and value is not DiagnosticQuality.GOOD
            if value == known.value if known else not wrong:
                continue
            kind: ValueType = "DiagnosticFlag" if isinstance(value, bool) else "DiagnosticQuality"
            self._latest[name] = Diagnostic(value, kind)
            self._emit("diagnostic_changed", DiagnosticChanged(name, value, kind, self._media_type))


class UserFacingDiagnosticsFeature(CallFeature):
    """Watch a call from the first time that the feature is asked for.

    `network`: noNetwork, networkReconnect, networkReceiveQuality, networkSendQuality. `media`, of the devices
    where the call uses them: speakingWhileMicrophoneIsMuted, noMicrophoneDevicesEnumerated,
    microphoneNotFunctioning (does not open, or only zeros), microphoneMuteUnexpectedly (zeros after sound),
    noSpeakerDevicesEnumerated, speakerNotFunctioning. Judged once a second, lost and muted at once.
    """

    def __init__(self, call: "Call") -> None:
        super().__init__(call)
        self.network = Diagnostics(call)
        self.media = Diagnostics(call, "Audio")
        self._recent: deque[MediaStatsReportSample] = deque(maxlen=RECENT_SECONDS)
        self._collector = MediaStatsCollector(call, 1, 1)
        self._collector.on("sample_reported", self._sampled)
        for event in _AT_ONCE:
            call.on(event, self._judge)

    def dispose(self) -> None:
        """Watch no more."""
        self._collector.dispose()
        for event in _AT_ONCE:
            self._call.off(event, self._judge)

    def _sampled(self, taken: MediaStatsReportSample) -> None:
        self._recent.append(taken)
        self._judge()

    def _judge(self, _: object = None) -> None:
        call = self._call
        if call.state is CallState.DISCONNECTED:
            return
        connected = call.state is CallState.CONNECTED
        if not connected:
            self._recent.clear()
        stats = call.stats
        source, sink = call._agent._runtime.engine.ends(call.id)
        devices, speaker = call._agent._devices, speaker_in(sink)
        seen = Observed(
            connected=connected,
            reconnecting=call.is_reconnecting,
            linked=call._agent._runtime.linked,
            speaking_while_muted=call.is_speaking_while_muted,
            recent=together(self._recent) if self._recent else None,
            fraction_lost=stats.remote_fraction_lost if stats else None,
            microphone=_microphone(source, devices.microphones)
            if isinstance(source, MicrophoneSource)
            else None,
            speaker=_speaker(speaker, devices.speakers) if speaker else None,
        )
        self.network._set(network(seen))
        self.media._set(media(seen))


_AT_ONCE = ("is_reconnecting_changed", "speaking_while_muted_changed")


def _microphone(source: MicrophoneSource, there: list[AudioDevice]) -> Device:
    if source.null:
        return _null(there)
    if source.silent_seconds >= SILENT_SECONDS:
        return "fell silent" if source.has_sounded else "silent"
    return "works"


def _speaker(sink: SpeakerSink, there: list[AudioDevice]) -> Device:
    return _null(there) if sink.null else "works"


def _null(there: list[AudioDevice]) -> Device:
    return "does not open" if any(device.is_real for device in there) else "none"
