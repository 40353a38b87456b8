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


def kinds() -> dict[str, type[CallFeature]]:
    """Return what there is to ask for, by name."""
    found = vars(Features).items()
    return {name: kind for name, kind in found if isinstance(kind, type) and issubclass(kind, CallFeature)}
