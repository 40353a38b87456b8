"""What `call.feature()` gives (ACS Features)."""

from node.diagnostics import UserFacingDiagnosticsFeature
from node.feature import CallFeature
from node.speakers import DominantSpeakersFeature
from node.stats import MediaStatsFeature
from node.survey import CallSurveyFeature
from node.transfer import TransferCallFeature


class Features:
    """The features that a call has."""

    TRANSFER = TransferCallFeature
    MEDIA_STATS = MediaStatsFeature
    USER_FACING_DIAGNOSTICS = UserFacingDiagnosticsFeature
    DOMINANT_SPEAKERS = DominantSpeakersFeature
    CALL_SURVEY = CallSurveyFeature


def names() -> list[str]:
    """Return what there is to ask for."""
    kinds = vars(Features).items()
    return [
        f"Features.{name}" for name, kind in kinds if isinstance(kind, type) and issubclass(kind, CallFeature)
    ]
