"""The hub's one door: who is connected, which calls there are, which transfers. Pure.

`handle(input, now)` returns what the shell must do next; `deadline` is when it wants a Tick at the
latest. State is keyed by session, so that nothing in flight from a dead connection is obeyed.
"""

from collections.abc import Callable
from typing import assert_never

from msgspec import Struct
from msgspec.structs import replace

from signaling.call import Call, CallRecord, Leg
from signaling.calls import MAX_CALLS, MAX_PENDING, TOO_MANY_CALLS, TOO_MANY_PENDING, Calls
from signaling.groups import Groups
from signaling.messages import (
    Bye,
    CallAnswer,
    CallAttach,
    CallCandidate,
    CallEnd,
    CallEnded,
    CallHold,
    CallJoin,
    CallMute,
    CallPlace,
    CallRenew,
    CallRinging,
    CallUp,
    CallUpdate,
    ClientMessage,
    Error,
    Hello,
    HubMessage,
    MixerSpeakers,
    ParticipantAdd,
    ParticipantRemove,
    Ping,
    TokenRefresh,
    TransferCancel,
    TransferDecline,
    TransferRequest,
)
from signaling.names import Names
from signaling.parts import Party, Right
from signaling.presence import Presence, Session
from signaling.reasons import (
    NETWORK,
    NOT_PERMITTED,
    OFFLINE,
    UNKNOWN_CALL,
    UNKNOWN_USER,
    Reason,
    bad_argument,
    ended_for,
)
from signaling.reattach import Reattachments
from signaling.regroup import Regrouping
from signaling.ringing import Ringing
from signaling.routing import Directory, Plan
from signaling.settings import User
from signaling.transfer import Transfers

GRACE_SECONDS = 8.0


class Joined(Struct, frozen=True):
    """A new session of a user."""

    session: str
    user: str
    display_name: str
    rights: frozenset[Right]


class Received(Struct, frozen=True):
    """A message of a session, decoded and seen for the first time."""

    session: str
    message: ClientMessage


class Lost(Struct, frozen=True):
    """A session's socket is gone; it may come back within the grace."""

    session: str


class Back(Struct, frozen=True):
    """A lost session has resumed on a new socket."""

    session: str


class Left(Struct, frozen=True):
    """A session is over for good."""

    session: str


class UserChanged(Struct, frozen=True):
    """A user was added or changed."""

    user: User


class UserRemoved(Struct, frozen=True):
    """A user was deleted; its sessions are told apart from this."""

    raw_id: str


class Tick(Struct, frozen=True):
    """Time has passed."""


Input = Joined | Received | Lost | Back | Left | UserChanged | UserRemoved | Tick


class Deliver(Struct, frozen=True):
    """Send a message to a session."""

    session: str
    message: HubMessage


class Drop(Struct, frozen=True):
    """Forget a session: its grace ran out."""

    session: str
    reason: Reason


class Record(Struct, frozen=True):
    """File a line of the call history."""

    record: CallRecord


Output = Deliver | Drop | Record


class Hub:
    """The whole state of one hub; `new_id` gives fresh call ids."""

    def __init__(self, new_id: Callable[[], str]) -> None:
        self.presence = Presence()
        self.directory = Directory()
        self.names = Names()
        self.calls = Calls(self.presence, self._deliver, lambda record: self._out.append(Record(record)))
        known = (self.calls, self.presence, self.directory)
        self.ringing = Ringing(*known, self._deliver, lambda raw_id: self.reattachments.engaged(raw_id))
        self.transfers = Transfers(
            self.calls,
            self.ringing,
            self.directory,
            self.presence,
            lambda call_id: self.groups.grouped(call_id),
            self._deliver,
            new_id,
        )
        self.groups = Groups(
            self.calls,
            self.ringing,
            self.presence,
            self.directory,
            self.names,
            self.transfers.concerned,
            self._deliver,
            new_id,
        )
        self.reattachments = Reattachments(
            *known,
            self.names,
            Regrouping(self.groups, self.calls, self.names, new_id),
            self.groups.mixing.passages.concern,
            self._deliver,
        )
        self.calls.watchers = (self.transfers, self.groups)
        self._out: list[Output] = []

    @property
    def deadline(self) -> float | None:
        """Return when a Tick is wanted at the latest."""
        parts = (self.calls, self.transfers, self.groups, self.reattachments)
        due = [*(part.deadline for part in parts), *self.presence.graces.values()]
        return min((each for each in due if each is not None), default=None)

    def handle(self, what: Input, now: float) -> list[Output]:
        """Take one input and return what it makes necessary, in order."""
        self._out.clear()
        sessions = self.presence.sessions
        match what:
            case Joined(session, user, display_name, rights):
                known = self.directory.users.get(user)
                name = display_name or (known.display_name if known else "")
                me = Party(user, name, known.name if known else "")
                self.presence.put(session, Session(me, rights))
                self.groups.came(session, now)
            case Received(session, message):
                if session in sessions:
                    self._received(session, self.names.inward(session, message), now)
            case Lost(session):
                if session in sessions:
                    self.presence.put(session, replace(sessions[session], grace=now + GRACE_SECONDS))
                    self.groups.lost(session, now)
            case Back(session):
                if session in sessions:
                    self.presence.put(session, replace(sessions[session], grace=None))
                    self.groups.came(session, now)
            case Left(session):
                self._leave(session, now)
            case UserChanged(user_record):
                self.directory.put(user_record)
            case UserRemoved(raw_id):
                self.directory.remove(raw_id)
            case Tick():
                self._tick(now)
            case _:
                assert_never(what)
        return list(self._out)

    def _received(self, session: str, message: ClientMessage, now: float) -> None:
        if self.groups.handle(session, message, now):
            return
        match message:
            case CallPlace():
                self._place(session, message, now)
            case CallRinging(call_id):
                if call := self._call(session, call_id, "call.ringing"):
                    self.ringing.alert(call, session)
            case CallAnswer(call_id):
                answered = self.calls.all.get(call_id)
                if answered is not None and session in answered.ringing:
                    self.ringing.answer(answered, session, message, now)
                elif answered is None or answered.leg(session) is None:
                    self._deliver(session, CallEnded(call_id, UNKNOWN_CALL))
            case CallUp(call_id):
                if call := self._call(session, call_id, "call.up"):
                    self.calls.hear(call, session, now)
            case CallEnd():
                self._end(session, message, now)
            case CallJoin():
                if not self._known(session, message.call_id):
                    self.groups.requests.join(session, message, now)
            case CallMute(call_id, on):
                self.groups.requests.mute(session, call_id, on)
            case ParticipantAdd():
                self.groups.requests.add(session, message, now)
            case ParticipantRemove():
                self.groups.requests.remove(session, message, now)
            case MixerSpeakers():
                self.groups.speakers(session, message)
            case CallAttach():
                self.reattachments.claim(session, message, now)
            case CallCandidate(call_id):
                if call := self._relayed(session, call_id, "call.candidate", now):
                    self.calls.candidate(call, session, message)
            case CallUpdate(call_id):
                call = self._relayed(session, call_id, "call.update", now)
                if call:
                    self.calls.update(call, session, message)
            case CallRenew(call_id, unanswered=unanswered):
                call = self._relayed(session, call_id, "call.renew", now)
                if call and session != call.caller.session:
                    self._deliver(call.caller.session, CallRenew(call_id, unanswered=unanswered))
            case CallHold(call_id):
                call = self._relayed(session, call_id, "call.hold", now)
                if call:
                    self.calls.hold(call, session, message)
                    self.groups.held(call, now)
            case TransferRequest():
                self.transfers.request(session, message, now)
            case TransferCancel(transfer_id):
                self.transfers.cancel(session, transfer_id, now)
            case TransferDecline(_, call_id):
                self.transfers.decline(session, call_id, now)
            case Hello() | TokenRefresh() | Ping() | Bye():
                self._deliver(session, Error(bad_argument("Not expected here."), "session"))
            case _:
                assert_never(message)

    def _place(self, session: str, message: CallPlace, now: float) -> None:
        if self.groups.place(session, message, now):
            return
        if self.transfers.expects(session, message):
            self.transfers.place(session, message, now)
            return
        if self._known(session, message.call_id):
            return
        refused = self._may_place(session, message)
        if isinstance(refused, Reason):
            self._deliver(session, CallEnded(message.call_id, refused))
            return
        if (crossing := self.ringing.crossing(session, refused)) is not None:
            self.ringing.join(crossing, session, message.call_id)
            return
        caller = Leg(session, self.presence.party(session))
        call = Call(
            id=message.call_id,
            caller=caller,
            sdp=message.sdp,
            callee=refused,
            placed_at=now,
            plan=Plan(never=frozenset({caller.party.raw_id})),
            custom_context=message.custom_context,
        )
        self.ringing.place(call, now)

    def _known(self, session: str, call_id: str) -> bool:
        """Tell whether there is a call of this id; refuse it where it is not this session's own again."""
        existing = self.calls.all.get(call_id)
        if existing is None and not (self.names.taken(call_id) or self.transfers.ordered(call_id)):
            return False
        if existing is None or existing.caller.session != session:
            refusal = bad_argument("This call id is taken; mint a random one.")
            self._deliver(session, CallEnded(call_id, refusal))
        return True

    def _may_place(self, session: str, message: CallPlace) -> User | Reason:
        if message.transfer_id is not None:
            return UNKNOWN_CALL
        if "voip" not in self.presence.sessions[session].rights:
            return NOT_PERMITTED
        if self.calls.legs(session) >= MAX_CALLS:
            return TOO_MANY_CALLS
        if self.calls.pending(self.presence.party(session).raw_id) >= MAX_PENDING:
            return TOO_MANY_PENDING
        user = self.directory.find(message.target)
        if user is None:
            return UNKNOWN_USER
        if user.raw_id == self.presence.party(session).raw_id:
            return bad_argument("You cannot call yourself.")
        return user

    def _end(self, session: str, message: CallEnd, now: float) -> None:
        if self.reattachments.withdraw(session, message.call_id, now):
            return
        call = self._call(session, message.call_id, "call.end")
        if call is None:
            return
        if session in call.ringing:
            self.ringing.refuse(call, session, ended_for(message.cause, ringing=True), now)
        elif message.cause == "hangup" and self.groups.deserts(call, session, now):
            pass  # those it mixed go on without it
        elif not self.transfers.leaves(call, session):
            if message.for_everyone:
                self.groups.requests.end(call, session, now)
            self.calls.hang_up(call, session, now, ended_for(message.cause, ringing=False))

    def _call(self, session: str, call_id: str, about: str) -> Call | None:
        """Return a call of the session; the same refusal for another's call as for none."""
        call = self.calls.all.get(call_id)
        if call is not None and (call.leg(session) or session in call.ringing):
            return call
        self._deliver(session, Error(UNKNOWN_CALL, f"{about} {call_id}"))
        return None

    def _relayed(self, session: str, call_id: str, about: str, now: float) -> Call | None:
        """Return a call of the session if its other end may be sent one more message."""
        call = self._call(session, call_id, about)
        if call is None or self.calls.may_relay(call, session, now):
            return call
        refusal = bad_argument("Too many for one call; send fewer.")
        self._deliver(session, Error(refusal, f"{about} {call_id}"))
        return None

    def _leave(self, session: str, now: float) -> None:
        if session not in self.presence.sessions:
            return
        self.groups.lost(session, now, for_good=True)
        for call_id in [call.id for call in self.calls.of(session)]:
            if (call := self.calls.all.get(call_id)) is None:
                continue  # ended with one of the others
            if session in call.ringing:
                self.ringing.refuse(call, session, OFFLINE, now)
            elif self.groups.leaves(call, session, now):
                pass  # they are on their way to another mixer
            elif call.leg(session) and not self.transfers.leaves(call, session):
                self.calls.hang_up(call, session, now, NETWORK)
        self.reattachments.forget(session, now)
        self.presence.remove(session)

    def _tick(self, now: float) -> None:
        for session in [each for each, grace in self.presence.graces.items() if grace <= now]:
            self._leave(session, now)
            self._out.append(Drop(session, NETWORK))
        self.ringing.tick(now)
        self.calls.tick(now)
        self.transfers.tick(now)
        self.groups.tick(now)
        self.reattachments.tick(now)

    def _deliver(self, session: str, message: HubMessage) -> None:
        if session in self.presence.sessions:
            self._out.append(Deliver(session, self.names.outward(session, message)))
