"""What the messages of the wire consist of: ids, names, people, targets, outcomes, and their limits. Pure."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from signaling.discreet import Discreet
from signaling.reasons import Reason

Id = Annotated[str, Meta(min_length=1, max_length=64, pattern="^[A-Za-z0-9_-]+$")]
RawId = Annotated[str, Meta(min_length=1, max_length=256)]
Name = Annotated[str, Meta(max_length=256)]
Token = Annotated[str, Meta(min_length=1, max_length=8192)]
Sdp = Annotated[str, Meta(min_length=1, max_length=32 * 1024)]
Seq = Annotated[int, Meta(ge=0)]
ContextKey = Annotated[str, Meta(min_length=1, max_length=64)]
ContextValue = Annotated[str, Meta(max_length=256)]


class Party(Struct, frozen=True, omit_defaults=True):
    """A person as others see them: raw id, display name, short name."""

    raw_id: RawId
    display_name: Name = ""
    name: Name = ""


class CustomContext(Struct, frozen=True, omit_defaults=True):
    """What an application sends along with a call or transfer (ACS CustomContext)."""

    user_to_user: ContextValue = ""
    voip_headers: Annotated[dict[ContextKey, ContextValue], Meta(max_length=5)] = {}


class Candidate(Discreet, frozen=True, omit_defaults=True):
    """One trickled ICE candidate (W3C RTCIceCandidateInit)."""

    candidate: Annotated[str, Meta(max_length=1024)]
    sdp_mid: Annotated[str, Meta(max_length=32)] | None = None
    sdp_mline_index: Annotated[int, Meta(ge=0, le=16)] | None = None


class IceServer(Discreet, frozen=True, omit_defaults=True):
    """A STUN or TURN server (W3C RTCIceServer); TURN credentials end after an hour."""

    urls: Annotated[tuple[Annotated[str, Meta(max_length=512)], ...], Meta(min_length=1, max_length=16)]
    username: Name = ""
    credential: Name = ""


class ParticipantTarget(Struct, frozen=True, tag_field="kind", tag="participant"):
    """Transfer to a person, who rings."""

    identifier: RawId


class CallTarget(Struct, frozen=True, tag_field="kind", tag="call"):
    """Transfer to the far end of another call of the transferor."""

    call_id: Id


class VoicemailTarget(Struct, frozen=True, tag_field="kind", tag="voicemail"):
    """Transfer to a person's mailbox; the person does not ring."""

    identifier: RawId


Target = ParticipantTarget | CallTarget | VoicemailTarget

OutcomeKind = Literal["participant", "forwarded", "voicemail", "call", "group"]
Progress = Literal["trying", "ringing", "forwarded", "voicemail"]
TransferStateName = Literal["Transferring", "Transferred", "Failed"]
EndCause = Literal["hangup", "declined", "busy", "no_media", "media_lost", "failed"]
Right = Literal["voip", "voip.join", "transfer", "voicemail", "mixer"]
ParticipantState = Literal["Connecting", "Ringing", "Connected", "Hold", "Disconnected"]


class Outcome(Struct, frozen=True, omit_defaults=True):
    """Who or what answered, and over which forwards; for a group call the party is the group."""

    kind: OutcomeKind
    party: Party
    via: tuple[RawId, ...] = ()


class Participant(Struct, frozen=True, omit_defaults=True):
    """Somebody else in a call; Disconnected is told once, with the reason, and is final."""

    id: Id
    party: Party
    state: ParticipantState
    muted: bool = False
    reason: Reason | None = None
