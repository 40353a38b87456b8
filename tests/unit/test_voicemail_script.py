"""The voicemail script: every stage, every end, in every order."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.voicemail.script import (
    BeepFinished,
    Connected,
    Discard,
    File,
    GreetingFinished,
    HangUp,
    Heard,
    HungUp,
    Input,
    Limits,
    Output,
    PlayBeep,
    PlayGreeting,
    RecorderFailed,
    Script,
    StartRecording,
    Tick,
)

pytestmark = pytest.mark.unit

LIMITS = Limits()
OPENING: list[Input] = [Connected(), GreetingFinished(), BeepFinished()]
LOUD = -20.0
QUIET = -60.0


def script_at(stage: str) -> Script:
    """Return a script that came to a stage at 0 s."""
    script = Script(LIMITS)
    for what in OPENING:
        if script.stage == stage:
            break
        script.handle(what, 0.0)
    assert script.stage == stage
    return script


def speak(script: Script, frames: int, now: float, level: float = LOUD) -> float:
    """Let the caller say so many frames; return when they end."""
    for _ in range(frames):
        assert script.handle(Heard(level), now) == []
        now += 0.02
    return now


def test_greeting_then_beep_then_recording() -> None:
    script = Script(LIMITS)
    assert script.deadline is None and not script.recording
    assert script.handle(Connected(), 1.0) == [PlayGreeting()]
    assert script.handle(GreetingFinished(), 6.0) == [PlayBeep()]
    assert not script.recording
    assert script.handle(BeepFinished(), 6.4) == [StartRecording()]
    assert script.recording


def test_what_was_said_is_filed_when_the_caller_hangs_up() -> None:
    script = script_at("recording")
    now = speak(script, 100, 0.0)
    assert script.handle(HungUp(), now) == [File("hangup")]
    assert script.stage == "done" and script.deadline is None


@pytest.mark.parametrize("stage", ["waiting", "greeting", "beep", "recording"])
def test_nothing_said_is_not_filed_in_any_stage(stage: str) -> None:
    script = script_at(stage)
    assert script.handle(HungUp(), 1.0) == [Discard()]
    assert script.stage == "done" and script.deadline is None


@pytest.mark.parametrize(("frames", "last"), [(14, Discard()), (15, File("hangup"))])
def test_speech_begins_at_its_least(frames: int, last: Output) -> None:
    script = script_at("recording")
    now = speak(script, frames, 0.0)
    now = speak(script, 200, now, QUIET)
    assert script.handle(HungUp(), now) == [last]


def test_speech_before_the_recording_does_not_count() -> None:
    script = script_at("greeting")
    speak(script, 100, 0.0)
    script.handle(GreetingFinished(), 2.0)
    speak(script, 20, 2.0)
    script.handle(BeepFinished(), 2.4)
    assert script.handle(HungUp(), 2.5) == [Discard()]


def test_silence_ends_a_message() -> None:
    script = script_at("recording")
    assert script.deadline == LIMITS.silence
    now = speak(script, 50, 5.0)
    spoken = now - 0.02
    speak(script, 50, now, QUIET)
    assert script.deadline == pytest.approx(spoken + LIMITS.silence)
    assert script.handle(Tick(), spoken + LIMITS.silence - 0.1) == []
    assert script.handle(Tick(), spoken + LIMITS.silence) == [HangUp(), File("silence")]


def test_a_silent_caller_is_hung_up_on_and_nothing_is_filed() -> None:
    script = script_at("recording")
    assert script.handle(Tick(), LIMITS.silence) == [HangUp(), Discard()]


def test_the_maximum_ends_a_message() -> None:
    script = script_at("recording")
    speak(script, 50, LIMITS.maximum - 2.0)
    assert script.deadline == LIMITS.maximum
    assert script.handle(Tick(), LIMITS.maximum) == [HangUp(), File("maximum")]


@pytest.mark.parametrize(("frames", "last"), [(0, Discard()), (50, File("error"))])
def test_a_failing_recorder_keeps_what_was_said(frames: int, last: Output) -> None:
    script = script_at("recording")
    now = speak(script, frames, 0.0)
    assert script.handle(RecorderFailed(), now) == [HangUp(), last]
    assert script.handle(HungUp(), now) == []


def test_a_greeting_that_never_ends_is_given_up() -> None:
    script = script_at("greeting")
    assert script.deadline == LIMITS.greeting
    assert script.handle(Tick(), LIMITS.greeting) == [PlayBeep()]
    assert script.handle(GreetingFinished(), LIMITS.greeting + 1.0) == []


def test_a_beep_that_never_ends_is_given_up() -> None:
    script = script_at("beep")
    assert script.deadline == LIMITS.beep
    assert script.handle(Tick(), LIMITS.beep) == [StartRecording()]
    assert script.handle(BeepFinished(), LIMITS.beep + 1.0) == []


def test_ticks_without_a_deadline_do_nothing() -> None:
    assert Script(LIMITS).handle(Tick(), 1e9) == []


def test_the_limits_can_be_chosen() -> None:
    script = Script(Limits(silence=2.0, maximum=3.0, speech=0.02))
    for what in OPENING:
        script.handle(what, 0.0)
    speak(script, 1, 1.5)
    assert script.deadline == 3.0
    assert script.handle(Tick(), 3.0) == [HangUp(), File("maximum")]


INPUTS = st.sampled_from([*OPENING, Heard(LOUD), Heard(QUIET), HungUp(), RecorderFailed(), Tick()])
ORDER = [PlayGreeting, PlayBeep, StartRecording, HangUp, File, Discard]


@given(st.lists(st.tuples(INPUTS, st.floats(0, 400)), max_size=40))
def test_whatever_comes_every_output_comes_once_and_in_order(steps: list[tuple[Input, float]]) -> None:
    script = Script(LIMITS)
    now = 0.0
    outputs: list[Output] = []
    for what, later in steps:
        now += later
        outputs += script.handle(what, now)
        # Every stage but the wait for the connection ends by itself, and nothing follows the end.
        assert (script.deadline is None) == (script.stage in ("waiting", "done"))
    ranks = [ORDER.index(type(output)) for output in outputs]
    assert ranks == sorted(set(ranks))
    ends = [output for output in outputs if isinstance(output, File | Discard)]
    assert len(ends) == (script.stage == "done")
