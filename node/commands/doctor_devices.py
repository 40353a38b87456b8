"""What `callnode doctor` finds out about microphone and speaker."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Literal

import numpy as np
from rich.text import Text

from media.audio import FRAME_SAMPLES, FRAME_SECONDS, SAMPLE_RATE, Frame, level_dbfs
from media.devices import AudioDevice, MicrophoneSource, SpeakerSink
from media.processing import AudioProcessing, has_processing
from media.source import ToneSource
from node.commands.devices import TONE_HERTZ, asked_for, frames, instead, meter
from node.devices import DeviceManager
from node.doctor import Finding

Show = Callable[[Text], None]

_PLAIN = AudioProcessing(echo_cancellation=False, noise_suppression=False, auto_gain_control=False)
_TONE_DBFS = -20.0
_TONE_SECONDS, _ALL_SECONDS = 1.5, 5.0
_CLIPPING, _SOFT_DBFS, _STANDS_OUT_DB = 32_000, -45.0, 10.0
_MUTED = (
    "Unmute it: a switch on the headset, the system's sound settings, or (macOS) the terminal's permission."
)
_WHAT: dict[str, str] = {"microphone": "Nobody hears you", "speaker": "You hear nobody"}


async def devices(stop: asyncio.Event, show: Show, *, sound: bool) -> AsyncIterator[Finding]:
    """Open microphone and speaker; with `sound`, play a tone, and listen while `show` gets a meter."""
    manager = DeviceManager(_PLAIN)
    source, sink = manager.microphone_source(), manager.speaker_sink()
    try:
        for end in (source, sink):
            await asyncio.to_thread(end.wait_open)
        microphone = _opened("microphone", manager.microphones, source)
        speaker = _opened("speaker", manager.speakers, sink)
        if sound and microphone.status == speaker.status == "ok":
            microphone, speaker = await _listen(stop, source, sink, show)
        yield microphone
        yield speaker
    finally:
        source.close()
        sink.close()
        await manager.dispose()
    if has_processing():
        yield Finding("processing", "ok", "echo is cancelled, noise suppressed, the level evened out")
    else:
        advice = "Use headphones; there is no pywebrtc-audio for this machine."
        yield Finding("processing", "warning", "no echo cancellation on this machine", advice)


def _opened(
    check: Literal["microphone", "speaker"],
    there: Sequence[AudioDevice],
    end: MicrophoneSource | SpeakerSink,
) -> Finding:
    there = [device for device in there if device.is_real]
    wished = asked_for(there)
    if wished is None:
        advice = "Plug one in, or use --play and --record; calls go on in silence without."
        return Finding(check, "problem", f"there is none. {_WHAT[check]}", advice)
    advice = f"Close the program that holds it, or choose another: --{check} NAME (callnode devices)."
    if not end.is_real:
        return Finding(check, "problem", f"{wished.name} does not open. {_WHAT[check]}", advice)
    if other := instead(end, wished):
        return Finding(check, "warning", other, advice)
    others = f", and there are {len(there) - 1} more" if len(there) > 1 else ""
    return Finding(check, "ok", f"{wished.name} opens{others}")


async def _listen(
    stop: asyncio.Event, source: MicrophoneSource, sink: SpeakerSink, show: Show
) -> tuple[Finding, Finding]:
    tone = ToneSource(TONE_HERTZ, _TONE_DBFS)
    during, after = list[Frame](), list[Frame]()
    async for count in frames(_ALL_SECONDS, stop):
        frame = source.read()
        plays = count * FRAME_SECONDS < _TONE_SECONDS
        (during if plays else after).append(frame)
        if plays:
            sink.write(tone.read())
        if count % 5 == 0:
            show(meter(level_dbfs(frame)))
    return _microphone([*during, *after], source.has_sounded), _speaker(during, after)


def _microphone(heard: Sequence[Frame], sounded: bool) -> Finding:
    if not sounded:
        return Finding("microphone", "problem", f"brings nothing but silence. {_WHAT['microphone']}", _MUTED)
    loudest = max(map(level_dbfs, heard))
    if sum(int(np.abs(frame.astype(np.int32)).max()) > _CLIPPING for frame in heard) > 1:
        advice = "Lower its level in the system's sound settings."
        return Finding("microphone", "warning", "is too loud, its sound is cut off", advice)
    if loudest < _SOFT_DBFS:
        advice = "If you spoke: raise its level, or come nearer. If not: speak while this runs."
        return Finding("microphone", "warning", f"is soft: {loudest:.0f} dBFS at its loudest", advice)
    return Finding("microphone", "ok", f"hears: {loudest:.0f} dBFS at its loudest")


def _speaker(during: Sequence[Frame], after: Sequence[Frame]) -> Finding:
    """Tell whether the microphone hears the tone, which it cannot on headphones."""
    # The first and the last of the tone are still, or already, on their way.
    playing, silent = _tone_dbfs(during[len(during) // 3 :]), _tone_dbfs(after[len(after) // 3 :])
    if playing > silent + _STANDS_OUT_DB:
        return Finding("speaker", "ok", "a tone was played, and the microphone heard it")
    advice = "If you did not hear it: turn the volume up, or choose another speaker (callnode devices)."
    return Finding("speaker", "ok", "a tone was played; the microphone did not hear it (headphones?)", advice)


def _tone_dbfs(heard: Sequence[Frame]) -> float:
    """Return how loud the tone is in what was heard, in the median frame."""
    wave = np.exp(-2j * np.pi * TONE_HERTZ * np.arange(FRAME_SAMPLES) / SAMPLE_RATE)
    parts = [abs(np.dot(frame, wave)) * 2 / FRAME_SAMPLES / 32768 for frame in heard]
    return 20 * float(np.log10(np.median(parts) + 1e-7)) if parts else -140.0
