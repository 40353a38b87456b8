"""What a user says of a call (ACS CallSurvey)."""

from node.feature import CallFeature
from node.identity import validated
from signaling.surveys import CallSurvey, CallSurveyResponse, SurveySubmission


class CallSurveyFeature(CallFeature):
    """Ask the user how the call was, best when it is over, and file the answer in the hub."""

    async def submit_survey(self, survey: CallSurvey) -> CallSurveyResponse:
        """File what the user says of this call; the next one takes its place.

        Raises CallingError: 400/8523 for what is off the scale, 404/8523 for a call that never came to the
        hub, 410/3100 when the hub cannot be reached, 495/4507 for a token that it does not accept.
        """
        submission = validated(SurveySubmission(self._call.id, survey))
        rest = self._call._agent._runtime.rest
        return await rest.ask("POST", "/v1/surveys", CallSurveyResponse, submission, what="survey")
