"""What is known of a message that is being recorded outlives a crash."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from media.audio import FRAME_SAMPLES
from media.speech import speech
from node.voicemail.outbox import Note, Outbox
from signaling.parts import Party
from tests.shell.recording import encoded

pytestmark = pytest.mark.shell


def test_that_a_message_is_urgent_is_kept_at_once(tmp_path: Path) -> None:
    note = Note("m1", "a", Party("b"), None, datetime(2026, 1, 2, tzinfo=UTC))
    outbox = Outbox(tmp_path)
    recorder = outbox.record(note)
    for number, packet in enumerate(encoded(speech("alice")[:96_000])):
        recorder.packet(1, number, number * FRAME_SAMPLES, packet)
    recorder.close()
    outbox.keep(Note(note.id, note.owner, note.caller, None, note.received_at, urgent=True))
    outbox.close()  # as a crash leaves it: not finished
    outbox = Outbox(tmp_path)
    [found] = outbox.recover()
    assert found.urgent and outbox.sound(found).startswith(b"OggS")
    outbox.close()
