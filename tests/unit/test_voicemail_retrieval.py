"""Hearing a mailbox by keys: every stage, every key, every end."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from node.voicemail.dialogue import Connected, Finished, HangUp, HungUp, Pressed, Say, Tick
from node.voicemail.retrieval import (
    ASKING_SECONDS,
    ENTRY_SECONDS,
    KEY_SECONDS,
    PLAYING_SECONDS,
    SAYING_SECONDS,
    Failed,
    Input,
    Leave,
    LogIn,
    Move,
    Moved,
    Open,
    Opened,
    Output,
    Play,
    Refused,
    Retrieval,
    SetSpeed,
    SoundLost,
)
from signaling.mailboxes import Folder, Message
from signaling.parts import Party

pytestmark = pytest.mark.unit

NOW = datetime(2026, 3, 20, 15, 0, tzinfo=UTC)
AFTER = Say(("after-message",))
GOODBYE = Say(("goodbye",))
TROUBLE = Say(("trouble", "goodbye"))
NO_MORE = Say(("no-more",))
ASK_NUMBER = Say(("enter-number",))


def message(name: str, minutes_ago: int, folder: Folder = "new", urgent: bool = False) -> Message:
    received = NOW - timedelta(minutes=minutes_ago)
    return Message(name, folder, Party("8:acs:c"), received, 12.0, urgent=urgent)


FIRST, SECOND = message("m1", 20), message("m2", 10)


def opened(*messages: Message) -> Retrieval:
    """Return a script that says how many messages there are."""
    script = Retrieval()
    assert script.handle(Connected(), 0.0) == [Open()]
    [said] = script.handle(Opened(messages, "en", NOW), 0.0)
    assert isinstance(said, Say) and said.prompts[0] in ("you-have", "no-messages")
    return script


def played(*messages: Message) -> Retrieval:
    """Return a script that plays the first message."""
    script = opened(*messages)
    script.handle(Finished(), 0.0)
    assert script.handle(Finished(), 0.0) == [Play(messages[0], 1.0)]
    return script


def press(script: Retrieval, key: str) -> list[Output]:
    return script.handle(Pressed(key), 1.0)


def names(script: Retrieval) -> str:
    """Return which message a script tells of next, by its place; ends at the last."""
    [said] = press(script, "6")
    assert isinstance(said, Say)
    return said.prompts[1] if said.prompts[0] == "message" else said.prompts[0]


def test_the_messages_are_played_one_after_the_other_and_saved() -> None:
    script = opened(SECOND, FIRST)  # the hub's order: newest first
    [said] = script.handle(Finished(), 1.0)
    assert isinstance(said, Say) and said.prompts[:3] == ("message", "1", "received")
    assert script.handle(Finished(), 2.0) == [Play(FIRST, 1.0)]
    assert script.handle(Finished(), 9.0) == [Move("m1", "saved")]
    assert script.handle(Moved(), 9.1) == [AFTER]
    assert script.handle(Finished(), 12.0) == [] and script.deadline == 12.0 + KEY_SECONDS
    [said] = script.handle(Tick(), 12.0 + KEY_SECONDS)
    assert isinstance(said, Say) and said.prompts[:2] == ("message", "2")
    assert script.handle(Finished(), 22.0) == [Play(SECOND, 1.0)]
    script.handle(Finished(), 25.0)
    script.handle(Moved(), 25.0)
    script.handle(Finished(), 26.0)
    assert script.handle(Tick(), 60.0) == [GOODBYE]
    assert script.handle(Finished(), 61.0) == [HangUp(), Leave()]
    assert script.handle(HungUp(), 62.0) == [] and script.deadline is None


def test_urgent_ones_first_then_new_then_saved_each_oldest_first() -> None:
    saved = message("m0", 90, "saved")
    urgent = message("m3", 5, urgent=True)
    script = opened(urgent, SECOND, FIRST, saved)
    order = []
    for _ in range(4):
        press(script, "6")
        [output] = press(script, "1")
        assert isinstance(output, Play)
        order.append(output.message.id)
    assert order == ["m3", "m1", "m2", "m0"]
    assert press(script, "6") == [NO_MORE]
    assert press(script, "1") == press(script, "7") == press(script, "9") == press(script, "2") == []


def test_a_saved_message_is_not_saved_again() -> None:
    script = played(message("m0", 90, "saved"))
    assert script.handle(Finished(), 5.0) == [AFTER]


def test_back_and_forth() -> None:
    script = played(FIRST, SECOND)
    assert press(script, "1") == [Play(FIRST, 1.0)]
    [said] = press(script, "4")
    assert isinstance(said, Say) and said.prompts[1] == "1"
    assert names(script) == "2" and names(script) == "no-more" and names(script) == "no-more"
    [said] = press(script, "4")
    assert isinstance(said, Say) and said.prompts[1] == "2"


def test_a_deleted_message_is_gone_and_the_next_takes_its_place() -> None:
    script = played(FIRST, SECOND)
    assert press(script, "7") == [Move("m1", "deleted")]
    assert press(script, "7") == []
    assert script.handle(Moved(), 1.0) == [Say(("deleted",))]
    # Nothing is deleted twice, nor another in its place.
    assert press(script, "7") == press(script, "9") == press(script, "1") == []
    assert script.handle(Finished(), 2.0) == []
    [said] = script.handle(Tick(), 20.0)
    assert isinstance(said, Say) and said.prompts[:2] == ("message", "1")
    assert press(script, "1") == [Play(SECOND, 1.0)]
    press(script, "7")
    script.handle(Moved(), 1.0)
    assert press(script, "6") == [Say(("no-messages",))]


def test_back_from_a_deleted_message() -> None:
    script = played(FIRST, SECOND)
    press(script, "6")
    press(script, "7")
    script.handle(Moved(), 1.0)
    press(script, "4")
    assert press(script, "1") == [Play(FIRST, 1.0)]


def test_a_message_is_saved_by_a_key() -> None:
    script = played(FIRST)
    assert press(script, "9") == [Move("m1", "saved")]
    assert script.handle(Moved(), 1.0) == [Say(("saved",))]
    assert press(script, "1") == [Play(replace(FIRST, folder="saved"), 1.0)]


def test_speeds() -> None:
    script = played(FIRST)
    assert [press(script, "2") for _ in range(3)] == [[SetSpeed(1.5)], [SetSpeed(2.0)], [SetSpeed(1.0)]]
    press(script, "0")
    assert press(script, "2") == [Say(("speed-2",))]
    assert press(script, "1") == [Play(FIRST, 1.5)]


def test_help_and_the_end() -> None:
    script = opened()
    assert press(script, "3") == []
    assert press(script, "0") == [Say(("help",))]
    assert press(script, "#") == [GOODBYE]
    assert press(script, "1") == []
    assert script.handle(HungUp(), 2.0) == [Leave()]


def test_an_empty_mailbox_waits_for_a_key() -> None:
    script = opened()
    assert script.handle(Finished(), 2.0) == [] and script.deadline == 2.0 + KEY_SECONDS
    assert script.handle(Tick(), 5.0) == []
    assert script.handle(Tick(), 2.0 + KEY_SECONDS) == [GOODBYE]


def enter(script: Retrieval, number: str, pin: str) -> list[Output]:
    for digit in number:
        assert press(script, digit) == []
    assert press(script, "#") == [Say(("enter-pin",))]
    for digit in pin:
        assert press(script, digit) == []
    return press(script, "#")


def test_another_mailbox_by_number_and_pin() -> None:
    script = opened(FIRST)
    assert press(script, "*") == [ASK_NUMBER]
    assert script.handle(Finished(), 3.0) == [] and script.deadline == 3.0 + ENTRY_SECONDS
    assert enter(script, "101", "8350") == [LogIn("101", "8350")]
    assert press(script, "1") == []
    [said] = script.handle(Opened((), "de", NOW), 4.0)
    assert said == Say(("no-messages",)) and script.language == "de"


def test_a_pin_is_not_shown() -> None:
    assert "8350" not in repr(LogIn("101", "8350"))


def test_a_star_begins_the_number_again_and_digits_have_a_limit() -> None:
    script = opened()
    press(script, "*")
    press(script, "9")
    assert press(script, "*") == [ASK_NUMBER]
    assert enter(script, "1" * 50, "2" * 50) == [LogIn("1" * 32, "2" * 32)]


def test_three_refusals_end_the_call() -> None:
    script = opened()
    press(script, "*")
    again = [Say(("login-incorrect", "enter-number"))]
    enter(script, "101", "0000")
    assert script.handle(Refused(), 1.0) == again
    assert press(script, "#") == again  # nothing entered is wrong too
    enter(script, "102", "0000")
    assert script.handle(Refused(), 1.0) == [Say(("login-incorrect", "goodbye"))]
    assert script.handle(Refused(), 1.0) == [] and press(script, "*") == []
    assert script.handle(Finished(), 1.0) == [HangUp(), Leave()]


def test_trouble_is_told() -> None:
    script = Retrieval()
    assert script.handle(Finished(), 0.0) == [] and press(script, "1") == []
    script.handle(Connected(), 0.0)
    assert script.handle(Connected(), 0.0) == []
    assert script.handle(Failed(), 1.0) == [TROUBLE]
    assert script.handle(Failed(), 1.0) == []
    script = played(FIRST)
    assert script.handle(Moved(), 1.0) == [] and script.handle(Opened((), "en", NOW), 1.0) == []
    assert script.handle(SoundLost(), 1.0) == [Say(("sound-lost",))]
    assert script.handle(SoundLost(), 1.0) == []
    press(script, "7")
    assert script.handle(Failed(), 1.0) == [TROUBLE]


def test_what_never_ends_is_given_up() -> None:
    script = Retrieval()
    assert script.handle(Tick(), 1e9) == []
    script.handle(Connected(), 0.0)
    assert script.handle(Tick(), ASKING_SECONDS) == [TROUBLE]
    assert script.handle(Tick(), ASKING_SECONDS + SAYING_SECONDS) == [HangUp(), Leave()]
    script = opened(FIRST)
    script.handle(Tick(), SAYING_SECONDS)
    assert script.handle(Tick(), 2 * SAYING_SECONDS) == [Play(FIRST, 1.0)]
    assert script.handle(Tick(), 2 * SAYING_SECONDS + PLAYING_SECONDS) == [TROUBLE]
    script = opened()
    press(script, "*")
    assert script.handle(Tick(), 500.0) == [GOODBYE]


INPUTS: st.SearchStrategy[Input] = st.sampled_from("0123456789*#").map(Pressed) | st.sampled_from(
    [
        *(Connected(), Finished(), Tick(), Moved(), Refused(), SoundLost(), Failed()),
        *(Opened((FIRST, SECOND), "en", NOW), Opened((), "de", NOW)),
    ]
)


@given(st.lists(st.tuples(INPUTS, st.floats(0, 400)), max_size=80))
def test_whatever_comes_every_stage_ends_by_itself_and_there_is_one_end(
    steps: list[tuple[Input, float]],
) -> None:
    script = Retrieval()
    now = 0.0
    outputs: list[Output] = []
    for what, later in steps:
        now += later
        outputs += script.handle(what, now)
        assert (script.deadline is None) == (script.stage in ("waiting", "done"))
    outputs += script.handle(HungUp(), now)
    assert outputs.count(Leave()) == 1 and outputs[-1] == Leave()
