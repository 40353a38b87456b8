"""The endpoint: the calling API of a laptop node and of voicemail.

Names and call model are those of the ACS Calling SDK, in Python's spelling.
"""

from media.devices import AudioDevice
from media.engine import IceServer
from media.processing import AudioProcessing
from media.source import comfort_tone, music_on_hold
from node.agent import CallAgent, ConnectionState
from node.call import (
    AcceptCallOptions,
    AudioOptions,
    Call,
    CallEndReason,
    Features,
    IncomingCall,
    RemoteParticipant,
    StartCallOptions,
)
from node.client import CallClient, CallClientOptions
from node.credential import CommunicationTokenCredential, CommunicationTokenRefreshOptions
from node.devices import DeviceManager
from node.diagnostics import DiagnosticChanged, Diagnostics, UserFacingDiagnosticsFeature
from node.errors import CallingError
from node.identity import CallerInfo
from node.judgement import DiagnosticQuality
from node.options import AddParticipantOptions, CallInfo, GroupCallLocator, JoinCallOptions
from node.samples import MediaStatsReportSample
from node.session import CallState
from node.settings import UserSettings
from node.speakers import DominantSpeakersFeature, DominantSpeakersInfo
from node.stats import MediaStatsCollector, MediaStatsFeature, MediaStatsReportSummary
from node.survey import CallSurveyFeature
from node.transfer import Transfer, TransferCallFeature, TransferRequested, TransferState
from signaling.identifiers import (
    CommunicationIdentifier,
    CommunicationUserIdentifier,
    MicrosoftTeamsUserIdentifier,
    PhoneNumberIdentifier,
    UnknownIdentifier,
)
from signaling.parts import CustomContext
from signaling.settings import Group, Settings, ToGroup, ToPerson, ToVoicemail
from signaling.surveys import AudioRating, CallSurvey, CallSurveyResponse, OverallRating, RatingScale

__all__ = [
    "AcceptCallOptions",
    "AddParticipantOptions",
    "AudioDevice",
    "AudioOptions",
    "AudioProcessing",
    "AudioRating",
    "Call",
    "CallAgent",
    "CallClient",
    "CallClientOptions",
    "CallEndReason",
    "CallInfo",
    "CallState",
    "CallSurvey",
    "CallSurveyFeature",
    "CallSurveyResponse",
    "CallerInfo",
    "CallingError",
    "CommunicationIdentifier",
    "CommunicationTokenCredential",
    "CommunicationTokenRefreshOptions",
    "CommunicationUserIdentifier",
    "ConnectionState",
    "CustomContext",
    "DeviceManager",
    "DiagnosticChanged",
    "DiagnosticQuality",
    "Diagnostics",
    "DominantSpeakersFeature",
    "DominantSpeakersInfo",
    "Features",
    "Group",
    "GroupCallLocator",
    "IceServer",
    "IncomingCall",
    "JoinCallOptions",
    "MediaStatsCollector",
    "MediaStatsFeature",
    "MediaStatsReportSample",
    "MediaStatsReportSummary",
    "MicrosoftTeamsUserIdentifier",
    "OverallRating",
    "PhoneNumberIdentifier",
    "RatingScale",
    "RemoteParticipant",
    "Settings",
    "StartCallOptions",
    "ToGroup",
    "ToPerson",
    "ToVoicemail",
    "Transfer",
    "TransferCallFeature",
    "TransferRequested",
    "TransferState",
    "UnknownIdentifier",
    "UserFacingDiagnosticsFeature",
    "UserSettings",
    "comfort_tone",
    "music_on_hold",
]
