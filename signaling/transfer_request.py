"""Transfers that are asked for: who hands whom over to whom, or is refused at once (spec §4). Pure."""

from collections.abc import Callable
from typing import Literal, assert_never

from msgspec import Struct

from signaling.call import Call, Leg
from signaling.calls import Calls
from signaling.messages import TransferRequest
from signaling.parts import CallTarget, ParticipantTarget, VoicemailTarget
from signaling.presence import Presence
from signaling.reasons import (
    GROUP_CALL,
    NO_VOICEMAIL,
    NOT_ESTABLISHED,
    NOT_PERMITTED,
    TARGET_CALL_GONE,
    TRANSFER_CONFLICT,
    UNKNOWN_CALL,
    UNKNOWN_USER,
    Reason,
    bad_argument,
)
from signaling.routing import Directory
from signaling.settings import User

THIRD_PERSON = bad_argument("The target of a transfer must be a third person.")

Stage = Literal["target", "recall", "unanswered"]


class Transfer(Struct, frozen=True, kw_only=True):
    """One transfer under way; `asked` are the requests it answers, the first one and those that joined."""

    request: TransferRequest
    asked: tuple[str, ...]
    transferor: Leg
    transferee: Leg
    user: User
    target_call: str | None = None
    new_call: str = ""
    stage: Stage = "target"
    deadline: float | None = None


class TransferRequests:
    """The checks; `concerned` tells whether a call is part of a transfer, `grouped` of a group call."""

    def __init__(
        self,
        calls: Calls,
        presence: Presence,
        directory: Directory,
        grouped: Callable[[str], bool],
        concerned: Callable[[str], bool],
    ) -> None:
        self._calls = calls
        self._presence = presence
        self._directory = directory
        self._grouped = grouped
        self._concerned = concerned

    def check(self, session: str, message: TransferRequest) -> Transfer | Reason:
        """Return the transfer that is asked for, or why there is none."""
        if "transfer" not in self._presence.sessions[session].rights:
            return NOT_PERMITTED
        call = self._calls.all.get(message.call_id)
        a = call.leg(session) if call else None
        if call is None or a is None:
            return UNKNOWN_CALL
        b = call.other(session)
        if call.state != "up" or b is None:
            return NOT_ESTABLISHED
        if self._grouped(call.id):
            return GROUP_CALL
        if self._concerned(call.id):
            return TRANSFER_CONFLICT
        parties = (a.party.raw_id, b.party.raw_id)
        target_call: Call | None = None
        match message.target:
            case ParticipantTarget(identifier):
                user = self._directory.find(identifier)
                if user is not None and user.raw_id in parties:
                    return THIRD_PERSON
            case VoicemailTarget(identifier):
                user = self._directory.find(identifier)
                if user is not None and user.raw_id == b.party.raw_id:
                    return bad_argument("A person cannot be transferred to their own mailbox.")
                if user is not None and not self._presence.voicemail_online:
                    return NO_VOICEMAIL
            case CallTarget(call_id):
                if call_id == call.id:
                    return bad_argument("The call to transfer to must be another call.")
                target_call = self._calls.all.get(call_id)
                if target_call is None or target_call.leg(session) is None:
                    return TARGET_CALL_GONE
                if self._grouped(call_id):
                    return GROUP_CALL
                if self._concerned(call_id):
                    return TRANSFER_CONFLICT
                c = target_call.other(session)
                if target_call.kind == "voicemail":
                    user = target_call.callee
                elif target_call.state == "ringing" or c is not None:
                    raw_id = c.party.raw_id if c is not None else target_call.dialled
                    user = self._directory.users.get(raw_id)
                else:
                    return TARGET_CALL_GONE
                if user is not None and user.raw_id in parties:
                    return THIRD_PERSON
            case _:
                assert_never(message.target)
        if user is None:
            return UNKNOWN_USER
        return Transfer(
            request=message,
            asked=(message.transfer_id,),
            transferor=a,
            transferee=b,
            user=user,
            target_call=target_call.id if target_call else None,
        )
