"""The wire of transfers (spec §4). Pure."""

from msgspec import Struct

from signaling.parts import (
    CustomContext,
    Id,
    Outcome,
    OutcomeKind,
    Party,
    Progress,
    Seq,
    Target,
    TransferStateName,
)
from signaling.reasons import Reason

# --- client to hub ---------------------------------------------------------------------------------


class TransferRequest(Struct, frozen=True, omit_defaults=True, tag="transfer.request"):
    """Ask to transfer the other end of a call (spec §4)."""

    transfer_id: Id
    call_id: Id
    target: Target
    disable_forwarding_and_unanswered: bool = False
    ring_target: bool = False
    hang_up_when_transferred: bool = False
    custom_context: CustomContext | None = None
    seq: Seq = 0


class TransferCancel(Struct, frozen=True, omit_defaults=True, tag="transfer.cancel"):
    """Call off a transfer that is under way."""

    transfer_id: Id
    seq: Seq = 0


class TransferDecline(Struct, frozen=True, omit_defaults=True, tag="transfer.decline"):
    """Refuse, as the transferee, the call.originate of a transfer."""

    transfer_id: Id
    call_id: Id
    seq: Seq = 0


# --- hub to client ---------------------------------------------------------------------------------


class CallOriginate(Struct, frozen=True, omit_defaults=True, tag="call.originate"):
    """Order the transferee to place a call that takes over from `replaces` once it has audio."""

    call_id: Id
    transfer_id: Id
    replaces: Id
    target: Party
    kind: OutcomeKind
    transferor: Party
    custom_context: CustomContext | None = None
    seq: Seq = 0


class TransferUpdate(Struct, frozen=True, omit_defaults=True, tag="transfer.update"):
    """Tell the transferor how the transfer stands; Transferred and Failed are final."""

    transfer_id: Id
    call_id: Id
    state: TransferStateName
    progress: Progress | None = None
    error: Reason | None = None
    outcome: Outcome | None = None
    new_call_id: Id | None = None
    seq: Seq = 0
