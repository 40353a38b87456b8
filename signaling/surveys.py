"""What users say of their calls when these are over (ACS CallSurvey). Pure."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from signaling.mailboxes import Utc
from signaling.parts import Id, Party

OverallIssue = Literal[
    "CallCannotJoin", "CallCannotInvite", "HadToRejoin", "CallEndedUnexpectedly", "OtherIssues"
]  # fmt: skip
AudioIssue = Literal[
    "NoLocalAudio",
    "NoRemoteAudio",
    "Echo",
    "AudioNoise",
    "LowVolume",
    "AudioStoppedUnexpectedly",
    "DistortedSpeech",
    "AudioInterruption",
    "OtherIssues",
]
Score = Annotated[int, Meta(ge=0, le=100)]


class RatingScale(Struct, frozen=True, forbid_unknown_fields=True):
    """From where to where scores go; one up to `low_score_threshold` is a low one. Raises ValueError."""

    lower_bound: Score = 1
    upper_bound: Score = 5
    low_score_threshold: Score = 2

    def __post_init__(self) -> None:
        if not self.lower_bound <= self.low_score_threshold <= self.upper_bound:
            raise ValueError("a scale goes from lower_bound over low_score_threshold to upper_bound")
        if self.lower_bound == self.upper_bound:
            raise ValueError("a scale has more than one score")


class OverallRating(Struct, frozen=True, forbid_unknown_fields=True):
    """How good the call was as a whole, and what was wrong with it. Raises ValueError off the scale."""

    score: Score
    issues: Annotated[tuple[OverallIssue, ...], Meta(max_length=5)] = ()
    scale: RatingScale = RatingScale()

    def __post_init__(self) -> None:
        _check(self.score, self.scale)


class AudioRating(Struct, frozen=True, forbid_unknown_fields=True):
    """How good the sound was, and what was wrong with it. Raises ValueError off the scale."""

    score: Score
    issues: Annotated[tuple[AudioIssue, ...], Meta(max_length=9)] = ()
    scale: RatingScale = RatingScale()

    def __post_init__(self) -> None:
        _check(self.score, self.scale)


class CallSurvey(Struct, frozen=True, forbid_unknown_fields=True):
    """What a user says of a call: at least one rating. Raises ValueError without any."""

    overall_rating: OverallRating | None = None
    audio_rating: AudioRating | None = None

    def __post_init__(self) -> None:
        if self.overall_rating is None and self.audio_rating is None:
            raise ValueError("a survey has overall_rating, audio_rating, or both")


class SurveySubmission(Struct, frozen=True, forbid_unknown_fields=True):
    """The body of `POST /v1/surveys`."""

    call_id: Id
    survey: CallSurvey


class CallSurveyResponse(Struct, frozen=True):
    """What was filed; a user's next survey of the same call takes its place, under the same id."""

    id: str
    call_id: str
    local_participant_id: str


class SurveyEntry(Struct, frozen=True):
    """A survey as it is kept; `number` pages (`before`)."""

    number: int
    call_id: str
    user: Party
    submitted_at: Utc
    survey: CallSurvey


class SurveyPage(Struct, frozen=True):
    """Surveys, newest first; `next`, if there may be more, is the `before` of the next page."""

    surveys: tuple[SurveyEntry, ...]
    next: int | None = None


class SurveyQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """Which surveys: the latest `limit` before a number, of one call."""

    limit: Annotated[int, Meta(ge=1, le=500)] = 50
    before: Annotated[int, Meta(ge=1, le=2**31 - 1)] | None = None
    call_id: Id | None = None


def _check(score: int, scale: RatingScale) -> None:
    if not scale.lower_bound <= score <= scale.upper_bound:
        raise ValueError(f"the score is from {scale.lower_bound} to {scale.upper_bound}, not {score}")
