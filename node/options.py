"""How calls are made, taken and joined (ACS options and locators)."""

from dataclasses import dataclass

from media.audio import Sink, Source
from signaling.parts import CustomContext


@dataclass(frozen=True)
class AudioOptions:
    """What is said into a call and what listens to it; by default the microphone and the speaker.

    A source and a sink belong to the call: they are closed with it.
    """

    source: Source | None = None
    sink: Sink | None = None
    muted: bool = False


@dataclass(frozen=True)
class AcceptCallOptions:
    """How to answer, and whether the other calls that are up are held meanwhile, as a person wants it."""

    audio_options: AudioOptions = AudioOptions()
    hold_other_calls: bool = True


@dataclass(frozen=True)
class StartCallOptions:
    """How to call; the custom context travels to the other end."""

    audio_options: AudioOptions = AudioOptions()
    custom_context: CustomContext | None = None


@dataclass(frozen=True)
class JoinCallOptions:
    """How to join a group call."""

    audio_options: AudioOptions = AudioOptions()


@dataclass(frozen=True)
class AddParticipantOptions:
    """How to ask somebody in; the custom context travels to them."""

    custom_context: CustomContext | None = None


@dataclass(frozen=True)
class GroupCallLocator:
    """The group call of an id, which all who know it can join: a UUID, or 1 to 64 of A-Z a-z 0-9 _ -."""

    group_id: str


@dataclass(frozen=True)
class CallInfo:
    """What is known of a call besides: the id of its group, None if it has none, and this end's in it."""

    group_id: str | None = None
    participant_id: str = ""
