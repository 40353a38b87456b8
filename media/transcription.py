"""What was said in a recording, as an engine of speech recognition understands it: a plug-in point.

An engine is named `pocketsphinx`, `whisper:FOLDER` (a model of faster-whisper), or `MODULE:FACTORY`: to be
imported, and called for a Transcriber. It runs in a process of its own, at a low priority: what it does
there, or fails to do, touches no call.
"""

import asyncio
import importlib
import importlib.util
import io
import logging
import os
import sys
from pathlib import Path
from typing import Any, Protocol

import msgspec
import numpy as np
import soxr
from numpy.typing import NDArray

from media.audio import SAMPLE_RATE
from media.source import load
from media.speech import Language

Samples = NDArray[np.int16]

ENGINE_RATE = 16_000
LONGEST = 16_000  # characters
_SECONDS = 900.0  # a minute of sound takes 10 to 60 s on one core
_TAIL_SECONDS = 1.0

log = logging.getLogger("callnode.media.transcription")


class Transcriber(Protocol):
    """An engine."""

    def transcribe(self, samples: Samples, language: Language) -> str | None:
        """Return what is said (int16, mono, 16 kHz), None if it does not know the language."""


class EngineError(OSError):
    """An engine that cannot be had; the message says what to do."""


class PocketSphinx:
    """CMU PocketSphinx with the English model in its wheel; what lies between pauses is a sentence."""

    def __init__(self) -> None:
        import pocketsphinx

        self._decoder = pocketsphinx.Decoder(samprate=ENGINE_RATE, loglevel="FATAL")
        self._segmenter = pocketsphinx.Segmenter(sample_rate=ENGINE_RATE)

    def transcribe(self, samples: Samples, language: Language) -> str | None:
        """Return what is said, without punctuation."""
        if language != "en":
            return None
        tail = np.zeros(int(_TAIL_SECONDS * ENGINE_RATE), np.int16)  # for it to find the end
        said = []
        for segment in self._segmenter.segment(io.BytesIO(np.concatenate((samples, tail)).tobytes())):
            self._decoder.start_utt()
            self._decoder.process_raw(segment.pcm, full_utt=True)
            self._decoder.end_utt()
            if (found := self._decoder.hyp()) is not None and found.hypstr:
                said.append(found.hypstr)
        return ". ".join(said)


class Whisper:
    """faster-whisper with a model in a folder; nothing is downloaded."""

    def __init__(self, folder: str) -> None:
        import faster_whisper

        self._model = faster_whisper.WhisperModel(
            folder, device="cpu", compute_type="int8", cpu_threads=1, local_files_only=True
        )

    def transcribe(self, samples: Samples, language: Language) -> str | None:
        """Return what is said, in sentences."""
        if language != "en" and not self._model.model.is_multilingual:
            return None
        sound = samples.astype(np.float32) / 32768
        segments, _ = self._model.transcribe(sound, language=language, vad_filter=True)
        return "".join(segment.text for segment in segments).strip()


def check(engine: str) -> None:
    """Raise EngineError for an engine that is not there, without loading it."""
    kind, _, what = engine.partition(":")
    match kind:
        case "pocketsphinx" if not what:
            _need("pocketsphinx", "pip install 'callnode[transcription]'")
        case "whisper" if what:
            _need("faster_whisper", "pip install 'callnode[whisper]'")
            if not (Path(what) / "model.bin").is_file():
                raise EngineError(f"there is no model of faster-whisper in {what}")
        case _ if what.isidentifier():
            _need(kind, "see that it can be imported")
        case _:
            raise EngineError(f"{engine!r} is no engine: pocketsphinx, whisper:FOLDER or MODULE:FACTORY")


async def transcribe(engine: str, sound: bytes, language: Language) -> str | None:
    """Return what is said in a file of sound, None where nothing is understood, whatever went wrong."""
    command = (sys.executable, "-m", "media.transcription", engine, language)
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
    except OSError as error:
        log.error("no process can be started for %s: %s", engine, error)
        return None
    try:
        async with asyncio.timeout(_SECONDS):
            out, err = await process.communicate(sound)
        if process.returncode == 0:
            return msgspec.json.decode(out, type=str | None)
        last = err.decode(errors="replace").strip().rpartition("\n")[2]
        log.error("%s has not understood a message: %s", engine, last or process.returncode)
    except TimeoutError:
        log.error("%s takes too long over a message", engine)
    except msgspec.DecodeError:
        log.error("%s has answered something else than text", engine)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return None


def _need(module: str, otherwise: str) -> None:
    try:
        found = importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        found = False
    if not found:
        raise EngineError(f"the engine {module} is not installed here: {otherwise}")


def _made(engine: str) -> Transcriber:
    kind, _, what = engine.partition(":")
    if kind == "pocketsphinx":
        return PocketSphinx()
    if kind == "whisper":
        return Whisper(what)
    factory: Any = getattr(importlib.import_module(kind), what)
    made: Transcriber = factory()
    return made


def main(engine: str, language: Language) -> None:
    """Print what is said in the file on stdin, as JSON; what an engine prints itself goes to stderr."""
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    if sys.platform != "win32":
        os.nice(10)
    sound = load(io.BytesIO(sys.stdin.buffer.read()))
    samples = np.rint(soxr.resample(sound.astype(np.float32), SAMPLE_RATE, ENGINE_RATE))
    said = _made(engine).transcribe(np.clip(samples, -32768, 32767).astype(np.int16), language)
    with out:
        out.write(msgspec.json.encode(said and " ".join(said.split())[:LONGEST]))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])  # type: ignore[arg-type]
