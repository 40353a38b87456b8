"""A survey is of whole ratings on their scales."""

import json

import msgspec
import pytest

from signaling.surveys import AudioRating, CallSurvey, OverallRating, RatingScale

pytestmark = pytest.mark.unit


def decode(value: object) -> CallSurvey:
    return msgspec.json.decode(json.dumps(value), type=CallSurvey)


def test_a_survey_survives_the_wire() -> None:
    survey = CallSurvey(
        OverallRating(4, ("HadToRejoin",)), AudioRating(70, ("Echo", "LowVolume"), RatingScale(0, 100, 50))
    )
    assert msgspec.json.decode(msgspec.json.encode(survey), type=CallSurvey) == survey
    assert decode({"audio_rating": {"score": 1}}) == CallSurvey(None, AudioRating(1))
    assert decode({"overall_rating": {"score": 5}}) == CallSurvey(OverallRating(5))


@pytest.mark.parametrize(
    "value, said",
    [
        ({}, "overall_rating, audio_rating, or both"),
        ({"overall_rating": {"score": 6}}, "from 1 to 5, not 6"),
        ({"audio_rating": {"score": 0}}, "from 1 to 5, not 0"),
        ({"audio_rating": {"score": 3, "issues": ["Freezes"]}}, "Invalid enum value"),
        ({"audio_rating": {"score": 3, "scale": {"lower_bound": 5}}}, "a scale goes"),
        (
            {"audio_rating": {"score": 3, "scale": dict.fromkeys(RatingScale.__struct_fields__, 3)}},
            "more than one",
        ),
        ({"video_rating": {"score": 3}}, "unknown field"),
    ],
)
def test_what_does_not_fit(value: object, said: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=said):
        decode(value)
