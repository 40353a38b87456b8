"""One reason, one pair of codes, one sentence."""

from typing import get_args

import pytest

from signaling import reasons
from signaling.parts import EndCause
from signaling.reasons import (
    BAD_ARGUMENT,
    BUSY,
    DECLINED,
    DO_NOT_DISTURB,
    HUNG_UP,
    MEDIA_LOST,
    NO_MEDIA,
    OFFLINE,
    SETUP_FAILED,
    UNKNOWN_CALL,
    UNKNOWN_USER,
    Reason,
    bad_argument,
    ended_for,
)

pytestmark = pytest.mark.unit

ALL = {name: value for name, value in vars(reasons).items() if isinstance(value, Reason)}


@pytest.mark.parametrize(
    ("name", "code", "sub_code"),
    [
        ("HUNG_UP", 0, 0),
        ("CANCELLED", 487, 0),
        ("ANSWERED_ELSEWHERE", 487, 10003),
        ("NO_ANSWER", 487, 10004),
        ("DECLINED", 603, 0),
        ("BUSY", 486, 8539),
        ("DO_NOT_DISTURB", 486, 8539),
        ("GLARE", 491, 0),
        ("OFFLINE", 480, 10037),
        ("UNKNOWN_USER", 404, 8522),
        ("TARGET_CALL_GONE", 404, 10202),
        ("TRANSFER_CONFLICT", 409, 8607),
        ("REPLACED", 0, 7015),
        ("NETWORK", 410, 3100),
        ("MEDIA_LOST", 410, 301005),
        ("INVALID_TOKEN", 495, 4507),
        ("NOT_PERMITTED", 403, 7504),
        ("BAD_ARGUMENT", 400, 8523),
    ],
)
def test_codes_follow_acs(name: str, code: int, sub_code: int) -> None:
    assert (ALL[name].code, ALL[name].sub_code) == (code, sub_code)


def test_too_many_hops_has_its_sub_code() -> None:
    assert reasons.TOO_MANY_HOPS.sub_code == 8521


def test_every_reason_has_a_sentence_of_its_own() -> None:
    sentences = [reason.message for reason in ALL.values()]
    assert all(text.endswith(".") for text in sentences)
    assert len(set(sentences)) == len(sentences)


def test_every_reason_has_codes_of_its_own_but_the_unknown_and_the_busy() -> None:
    twins = {UNKNOWN_CALL: UNKNOWN_USER, DO_NOT_DISTURB: BUSY}
    codes = [(reason.code, reason.sub_code) for reason in ALL.values() if reason not in twins]
    assert len(set(codes)) == len(codes)
    for one, other in twins.items():
        assert (one.code, one.sub_code) == (other.code, other.sub_code)


def test_bad_argument_says_what_to_change_and_keeps_the_code() -> None:
    reason = bad_argument("Give a third person.")
    assert reason.message == "Give a third person."
    assert (reason.code, reason.sub_code, reason.category) == (400, 8523, BAD_ARGUMENT.category)


def test_what_the_causes_of_an_end_mean() -> None:
    meanings = {cause: (ended_for(cause, True), ended_for(cause, False)) for cause in get_args(EndCause)}
    assert meanings == {
        "hangup": (DECLINED, HUNG_UP),
        "declined": (DECLINED, HUNG_UP),
        "busy": (BUSY, HUNG_UP),
        "no_media": (OFFLINE, NO_MEDIA),
        "media_lost": (OFFLINE, MEDIA_LOST),
        "failed": (OFFLINE, SETUP_FAILED),
    }
