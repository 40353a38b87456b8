"""The wire of group calls: more than two, whose sound a mixer puts together (RFC 4353). Pure.

A person's end of a group call is a call like any other; it learns from the roster who else is in it.
"""

from typing import Annotated

from msgspec import Meta, Struct

from signaling.discreet import Discreet
from signaling.parts import CustomContext, Id, Participant, Party, RawId, Sdp, Seq

MAX_PARTICIPANTS = 16

# --- client to hub ---------------------------------------------------------------------------------


class CallJoin(Discreet, frozen=True, omit_defaults=True, tag="call.join"):
    """Join the group call of this id, under a call id this end mints; the first to join makes it."""

    call_id: Id
    group_id: Id
    sdp: Sdp
    seq: Seq = 0


class CallMute(Struct, frozen=True, omit_defaults=True, tag="call.mute"):
    """Tell the others of a group call that this end is muted, or no longer is."""

    call_id: Id
    on: bool
    seq: Seq = 0


class ParticipantAdd(Struct, frozen=True, omit_defaults=True, tag="participant.add"):
    """Ask somebody into a call that is up, under a participant id this end mints: their devices ring.

    A call of two becomes a group call. What becomes of it, a refusal too, `call.participants` tells.
    """

    call_id: Id
    participant_id: Id
    target: RawId
    custom_context: CustomContext | None = None
    seq: Seq = 0


class ParticipantRemove(Struct, frozen=True, omit_defaults=True, tag="participant.remove"):
    """Remove somebody else from a group call, or call off that they are asked into it."""

    call_id: Id
    participant_id: Id
    seq: Seq = 0


class MixerSpeakers(Struct, frozen=True, omit_defaults=True, tag="mixer.speakers"):
    """Tell, as the mixer, in which of its calls somebody talks, the dominant one first."""

    group_id: Id
    calls: Annotated[tuple[Id, ...], Meta(max_length=MAX_PARTICIPANTS)]
    seq: Seq = 0


# --- hub to client ---------------------------------------------------------------------------------


class CallParticipants(Struct, frozen=True, omit_defaults=True, tag="call.participants"):
    """Tell everybody else who is in a call, whole and whenever it changes; without a group id it is of two.

    Whoever is Disconnected is in it once more, and then no longer. `me` is this end's participant id.
    """

    call_id: Id
    group_id: Id | None
    me: Id
    participants: tuple[Participant, ...]
    seq: Seq = 0


class CallSpeakers(Struct, frozen=True, omit_defaults=True, tag="call.speakers"):
    """Tell who talks in a group call, by participant ids, the dominant one first; `me` may be among them."""

    call_id: Id
    speakers: tuple[Id, ...]
    seq: Seq = 0


class MixerPlace(Struct, frozen=True, omit_defaults=True, tag="mixer.place"):
    """Order the mixer to place a call under this id to somebody of a group: by call.place, as if to them."""

    call_id: Id
    group_id: Id
    target: Party
    seq: Seq = 0
