"""The transfer feature of a call (spec §4, ACS Features.Transfer)."""

import asyncio
import uuid
from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, TypedDict, Unpack

from msgspec import Struct

from node.errors import CallingError
from node.events import Events
from node.exchange import CancelTransfer, Consent
from node.exchange import Transfer as AskTransfer
from node.feature import CallFeature
from node.identity import CallerInfo, caller_info, raw_id_of, validated
from signaling.identifiers import CommunicationIdentifier
from signaling.messages import CallOriginate, TransferRequest, TransferUpdate
from signaling.parts import (
    CallTarget,
    CustomContext,
    Outcome,
    OutcomeKind,
    ParticipantTarget,
    Progress,
    Target,
    VoicemailTarget,
)
from signaling.reasons import BAD_ARGUMENT, Reason

if TYPE_CHECKING:
    from node.call import Call


class TransferState(StrEnum):
    """The states of a transfer; the last two are final."""

    NONE = "None"
    TRANSFERRING = "Transferring"
    TRANSFERRED = "Transferred"
    FAILED = "Failed"


class TransferTarget(TypedDict, total=False):
    """Where to: exactly one of the three."""

    target_participant: CommunicationIdentifier | str
    target_call_id: str
    target_participant_voicemail: CommunicationIdentifier | str


class TransferOptions(TypedDict, total=False):
    """How: whether C's own settings apply, whether a call target rings, what travels along."""

    disable_forwarding_and_unanswered: bool
    ring_target: bool
    hang_up_when_transferred: bool
    custom_context: CustomContext | None


class TransferKeywords(TransferTarget, TransferOptions, total=False):
    """Target and options together."""


class TransferStateChanged(Struct, frozen=True):
    """The event `state_changed` of a transfer."""

    old_state: TransferState
    new_state: TransferState


class TransferAccepted(Struct, frozen=True):
    """The event `transfer_accepted`: this end is being transferred, `target_call` is the new call."""

    target_call: "Call"


class TransferRequested:
    """The event `transfer_requested`: accept or reject, or the hub gives up after 30 s."""

    def __init__(self, call: "Call", offer: CallOriginate) -> None:
        self.transferor: CallerInfo = caller_info(offer.transferor)
        self.target: CallerInfo = caller_info(offer.target)
        self.kind: OutcomeKind = offer.kind
        self.custom_context = offer.custom_context
        self._call = call
        self._transfer_id = offer.transfer_id

    def accept(self) -> None:
        """Let the transfer go on."""
        self._call._give(Consent(self._transfer_id, True))

    def reject(self) -> None:
        """Refuse; the call stays as it is."""
        self._call._give(Consent(self._transfer_id, False))


class Transfer(Events):
    """One attempt to transfer; a new attempt is a new object.

    `progress` and `state_changed` tell how it goes; `outcome` says who or what answered.
    """

    EVENTS = ("state_changed", "progress_changed")

    def __init__(self, call: "Call", transfer_id: str) -> None:
        super().__init__(call._tasks)
        self.id = transfer_id
        self.state = TransferState.NONE
        self.error: Reason | None = None
        self.progress: Progress | None = None
        self.outcome: Outcome | None = None
        self.new_call_id: str | None = None
        self._call = call
        self._final: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def cancel(self) -> None:
        """Call the transfer off; it then fails with 487/0, unless it is already over."""
        self._call._give(CancelTransfer(self.id))

    async def wait(self) -> TransferState:
        """Return the final state, Transferred or Failed, once it is reached."""
        await asyncio.shield(self._final)
        return self.state

    def _set(self, update: TransferUpdate) -> None:
        if self._final.done():
            return
        if update.progress is not None and update.progress != self.progress:
            self.progress = update.progress
            self._emit("progress_changed", update.progress)
        old, new = self.state, TransferState(update.state)
        if old is new:
            return
        self.state, self.error, self.outcome = new, update.error, update.outcome
        self.new_call_id = update.new_call_id
        if new is not TransferState.TRANSFERRING:
            self._final.set_result(None)
        self._emit("state_changed", TransferStateChanged(old, new))


class TransferCallFeature(CallFeature):
    """Transfer the other end of a call, and learn that this end is being transferred."""

    EVENTS = ("transfer_accepted", "transfer_requested")

    def __init__(self, call: "Call") -> None:
        super().__init__(call)
        self._transfers: dict[str, Transfer] = {}

    def transfer(
        self,
        target: TransferTarget | None = None,
        options: TransferOptions | None = None,
        **keywords: Unpack[TransferKeywords],
    ) -> Transfer:
        """Hand the other end over to a person, to another call, or to a mailbox; return at once.

        Target and options are given as keywords, or as two mappings as in ACS. Raises CallingError
        400/8523 if it is not exactly one target.
        """
        if not isinstance(target or {}, Mapping) or not isinstance(options or {}, Mapping):
            raise CallingError(BAD_ARGUMENT.code, BAD_ARGUMENT.sub_code, "Give target and options by name.")
        given: TransferKeywords = {**(target or {}), **(options or {}), **keywords}
        transfer = Transfer(self._call, uuid.uuid4().hex)
        request = TransferRequest(
            transfer.id,
            self._call.id,
            _target(given),
            given.get("disable_forwarding_and_unanswered", False),
            given.get("ring_target", False),
            given.get("hang_up_when_transferred", False),
            given.get("custom_context"),
        )
        self._transfers[transfer.id] = transfer
        # Later, so that a refusal at once still finds the handlers of the caller.
        asyncio.get_running_loop().call_soon(self._call._give, AskTransfer(validated(request)))
        return transfer

    def _set(self, update: TransferUpdate) -> None:
        transfer = self._transfers.get(update.transfer_id)
        if transfer is not None:
            transfer._set(update)
            if transfer._final.done():
                del self._transfers[update.transfer_id]


def _target(given: TransferKeywords) -> Target:
    unknown = set(given) - set(TransferKeywords.__annotations__)
    targets: list[Target] = []
    if (person := given.get("target_participant")) is not None:
        targets.append(ParticipantTarget(raw_id_of(person)))
    if (call_id := given.get("target_call_id")) is not None:
        targets.append(CallTarget(call_id))
    if (owner := given.get("target_participant_voicemail")) is not None:
        targets.append(VoicemailTarget(raw_id_of(owner)))
    if len(targets) != 1 or unknown:
        message = (
            f"Unknown transfer option {', '.join(sorted(unknown))}."
            if unknown
            else "Give exactly one of target_participant, target_call_id, target_participant_voicemail."
        )
        raise CallingError(BAD_ARGUMENT.code, BAD_ARGUMENT.sub_code, message)
    return targets[0]
