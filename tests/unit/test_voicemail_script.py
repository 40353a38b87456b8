"""The voicemail script: every stage, every end, in every order."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.voicemail.dialogue import Connected, Finished, HangUp, HungUp, Pressed, Say, Tick
from node.voicemail.script import (
    CallOperator,
    Discard,
    File,
    Heard,
    Input,
    Limits,
    Mark,
    OperatorFailed,
    Output,
    PlayBeep,
    PlayGreeting,
    PlayRecording,
    RecorderFailed,
    Script,
    StartRecording,
)
from signaling.mailboxes import MailboxSettings, Reception

pytestmark = pytest.mark.unit

LIMITS = Limits()
OPENING: list[Input] = [Connected(), Finished(), Finished()]
LOUD = -20.0
QUIET = -60.0
MENU = Say(("review",))
WITH_OPERATOR = Reception(settings=MailboxSettings(operator="bob"))
ONLY_GREETING = Reception(settings=MailboxSettings(answer="greeting_only", operator="bob"))


def script_at(stage: str, reception: Reception = Reception()) -> Script:  # noqa: B008 (frozen)
    """Return a script that came to a stage at 0 s; at review and beyond, with a second of speech."""
    script = Script(LIMITS, reception)
    for what in OPENING:
        if script.stage == stage:
            break
        script.handle(what, 0.0)
    if stage in ("review", "listening", "farewell"):
        speak(script, 50, 0.0)
        script.handle(Pressed("#"), 0.0)
    if stage in ("listening", "farewell"):
        script.handle(Pressed("1" if stage == "listening" else "#"), 0.0)
    assert script.stage == stage
    return script


def speak(script: Script, frames: int, now: float, level: float = LOUD) -> float:
    """Let the caller say so many frames; return when they end."""
    for _ in range(frames):
        assert script.handle(Heard(level), now) == []
        now += 0.02
    return now


def test_greeting_then_beep_then_recording() -> None:
    script = Script(LIMITS, Reception())
    assert script.deadline is None and not script.recording
    assert script.handle(Finished(), 0.0) == [] and script.handle(Pressed("1"), 0.0) == []
    assert script.handle(Connected(), 1.0) == [PlayGreeting()]
    assert script.handle(Connected(), 2.0) == []
    assert script.handle(Finished(), 6.0) == [PlayBeep()]
    assert not script.recording
    assert script.handle(Finished(), 6.4) == [StartRecording()]
    assert script.recording
    assert script.handle(Finished(), 6.5) == []


@pytest.mark.parametrize("key", list("0123456789*#"))
def test_any_key_skips_the_greeting(key: str) -> None:
    script = script_at("greeting")
    assert script.handle(Pressed(key), 1.0) == [PlayBeep()]
    assert script.handle(Pressed(key), 1.1) == []


def test_what_was_said_is_filed_when_the_caller_hangs_up() -> None:
    script = script_at("recording")
    now = speak(script, 100, 0.0)
    assert script.handle(HungUp(), now) == [File()]
    assert script.stage == "done" and script.deadline is None
    assert script.handle(HungUp(), now) == []


@pytest.mark.parametrize("stage", ["waiting", "greeting", "beep", "recording"])
def test_nothing_said_is_not_filed_in_any_stage(stage: str) -> None:
    script = script_at(stage)
    assert script.handle(HungUp(), 1.0) == [Discard()]
    assert script.stage == "done" and script.deadline is None


@pytest.mark.parametrize("stage", ["review", "listening", "farewell"])
def test_what_was_said_is_filed_in_every_stage_after(stage: str) -> None:
    assert script_at(stage).handle(HungUp(), 1.0) == [File()]


@pytest.mark.parametrize(("frames", "last"), [(14, Discard()), (15, File())])
def test_speech_begins_at_its_least(frames: int, last: Output) -> None:
    script = script_at("recording")
    now = speak(script, frames, 0.0)
    now = speak(script, 200, now, QUIET)
    assert script.handle(HungUp(), now) == [last]


def test_speech_beside_the_recording_does_not_count() -> None:
    script = script_at("greeting")
    speak(script, 100, 0.0)
    script.handle(Finished(), 2.0)
    speak(script, 20, 2.0)
    script.handle(Finished(), 2.4)
    assert script.handle(HungUp(), 2.5) == [Discard()]


def test_silence_ends_a_recording_which_is_sent_unless_a_key_is_pressed() -> None:
    script = script_at("recording")
    assert script.deadline == LIMITS.silence
    now = speak(script, 50, 5.0)
    spoken = now - 0.02
    speak(script, 50, now, QUIET)
    assert script.deadline == pytest.approx(spoken + LIMITS.silence)
    assert script.handle(Tick(), spoken + LIMITS.silence - 0.1) == []
    assert script.handle(Tick(), spoken + LIMITS.silence) == [MENU]
    assert not script.recording
    assert script.handle(Finished(), 30.0) == [] and script.deadline == 30.0 + LIMITS.review
    assert script.handle(Tick(), 35.0) == [Say(("sent", "goodbye"))]
    assert script.handle(Finished(), 37.0) == [HangUp(), File()]


def test_a_silent_caller_is_hung_up_on_and_nothing_is_filed() -> None:
    script = script_at("recording")
    assert script.handle(Tick(), LIMITS.silence) == [HangUp(), Discard()]


def test_the_maximum_ends_a_recording() -> None:
    script = script_at("recording")
    speak(script, 50, LIMITS.maximum - 2.0)
    assert script.deadline == LIMITS.maximum
    assert script.handle(Tick(), LIMITS.maximum) == [MENU]


def test_a_caller_reviews() -> None:
    script = script_at("recording")
    speak(script, 50, 0.0)
    assert script.handle(Pressed("5"), 1.0) == []
    assert script.handle(Pressed("#"), 1.0) == [MENU]
    assert script.handle(Pressed("9"), 2.0) == []
    assert script.handle(Pressed("1"), 2.0) == [PlayRecording()]
    assert script.handle(Finished(), 3.0) == [MENU]
    assert script.handle(Pressed("3"), 4.0) == [Mark(True), Say(("urgent-on", "review"))]
    assert script.handle(Pressed("3"), 4.1) == [Mark(False), Say(("urgent-off", "review"))]
    assert script.handle(Pressed("3"), 4.2) == [Mark(True), Say(("urgent-on", "review"))]
    assert script.handle(Pressed("1"), 5.0) == [PlayRecording()]
    assert script.handle(Pressed("#"), 5.5) == [Say(("sent", "goodbye"))]
    assert script.handle(Pressed("2"), 5.6) == []
    assert script.handle(HungUp(), 6.0) == [File()]


def test_what_is_recorded_again_stands_alone() -> None:
    script = script_at("review")
    assert script.handle(Pressed("2"), 1.0) == [PlayBeep()]
    assert script.handle(Finished(), 1.4) == [StartRecording()]
    assert script.handle(HungUp(), 2.0) == [Discard()]


def test_a_hash_after_nothing_begins_again() -> None:
    script = script_at("recording")
    assert script.handle(Pressed("#"), 1.0) == [Say(("nothing-recorded",))]
    assert script.handle(Finished(), 2.0) == [PlayBeep()]


@pytest.mark.parametrize(
    ("frames", "kept", "said", "last"),
    [
        (0, True, "not-recorded", Discard()),
        (50, True, "cut-short", File()),
        (50, False, "not-recorded", Discard()),
    ],
)
def test_a_failing_recorder_is_told(frames: int, kept: bool, said: str, last: Output) -> None:
    script = script_at("recording")
    now = speak(script, frames, 0.0)
    assert script.handle(RecorderFailed(kept), now) == [Say((said, "goodbye"))]
    assert script.handle(RecorderFailed(kept), now) == [] and not script.recording
    assert script.handle(Finished(), now) == [HangUp(), last]


def test_a_full_mailbox_is_told_and_nothing_is_recorded() -> None:
    script = Script(LIMITS, Reception(full=True))
    assert script.handle(Connected(), 0.0) == [Say(("mailbox-full", "goodbye"))]
    assert script.handle(Pressed("1"), 1.0) == []
    assert script.handle(Finished(), 3.0) == [HangUp(), Discard()]


def test_a_greeting_alone() -> None:
    script = Script(LIMITS, ONLY_GREETING)
    assert script.handle(Connected(), 0.0) == [PlayGreeting()]
    assert script.handle(Pressed("1"), 1.0) == []
    assert script.handle(Finished(), 3.0) == [HangUp(), Discard()]


@pytest.mark.parametrize("stage", ["greeting", "beep", "recording", "review", "listening"])
def test_the_operator_takes_the_caller(stage: str) -> None:
    script = script_at(stage, WITH_OPERATOR)
    if stage == "recording":
        speak(script, 50, 0.0)
    assert script.handle(Pressed("0"), 1.0) == [Say(("one-moment",))]
    assert not script.recording
    assert script.handle(Finished(), 2.0) == [CallOperator()] and script.deadline is None
    last: Output = File() if stage in ("recording", "review", "listening") else Discard()
    assert script.handle(HungUp(), 9.0) == [last]
    assert script.handle(OperatorFailed(), 9.0) == []


def test_an_operator_who_is_not_there() -> None:
    script = script_at("greeting", WITH_OPERATOR)
    script.handle(Pressed("0"), 1.0)
    script.handle(Finished(), 2.0)
    assert script.handle(OperatorFailed(), 30.0) == [Say(("nobody-there",))]
    assert script.handle(Finished(), 31.0) == [PlayBeep()]
    script.handle(Finished(), 32.0)
    speak(script, 50, 32.0)
    script.handle(Pressed("0"), 34.0)
    assert script.handle(OperatorFailed(), 60.0) == [Say(("nobody-there", "review", "operator"))]
    assert script.handle(HungUp(), 61.0) == [File()]


def test_what_never_ends_is_given_up() -> None:
    for stage, seconds, after in (
        ("greeting", LIMITS.greeting, PlayBeep()),
        ("beep", LIMITS.beep, StartRecording()),
        ("review", LIMITS.greeting, Say(("sent", "goodbye"))),
        ("listening", LIMITS.maximum + 5.0, MENU),
    ):
        script = script_at(stage)
        assert script.deadline == seconds
        assert script.handle(Tick(), seconds) == [after]
    assert script_at("farewell").handle(Tick(), LIMITS.greeting) == [HangUp(), File()]


def test_ticks_without_a_deadline_do_nothing() -> None:
    assert Script(LIMITS, Reception()).handle(Tick(), 1e9) == []


def test_the_limits_can_be_chosen() -> None:
    script = Script(Limits(silence=2.0, maximum=3.0, speech=0.02), Reception())
    for what in OPENING:
        script.handle(what, 0.0)
    speak(script, 1, 1.5)
    assert script.deadline == 3.0
    assert script.handle(Tick(), 3.0) == [MENU]


KEYS = st.sampled_from("0123456789*#").map(Pressed)
INPUTS = KEYS | st.sampled_from(
    [
        *(Connected(), Finished(), Heard(LOUD), Heard(QUIET), HungUp(), Tick()),
        *(RecorderFailed(True), RecorderFailed(False), OperatorFailed()),
    ]
)
RECEPTIONS = st.sampled_from([Reception(), WITH_OPERATOR, ONLY_GREETING, Reception(full=True)])


@given(RECEPTIONS, st.lists(st.tuples(INPUTS, st.floats(0, 400)), max_size=60))
def test_whatever_comes_there_is_one_end_and_no_stage_without_one(
    reception: Reception, steps: list[tuple[Input, float]]
) -> None:
    script = Script(LIMITS, reception)
    now = 0.0
    outputs: list[Output] = []
    for what, later in steps:
        now += later
        outputs += script.handle(what, now)
        # Every stage but the wait for the connection and for the operator ends by itself.
        waits = script.stage in ("waiting", "done") or outputs[-1] == CallOperator()
        assert (script.deadline is None) == waits
    ends = [output for output in outputs if isinstance(output, File | Discard)]
    assert len(ends) == (script.stage == "done")
    assert not ends or outputs[-1] == ends[0]
    if reception not in (Reception(), WITH_OPERATOR):
        assert not any(isinstance(output, StartRecording | File) for output in outputs)
