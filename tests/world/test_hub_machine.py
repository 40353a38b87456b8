"""The hub core under any order of messages, guided by what is possible now; what must always hold, does."""

from collections import Counter

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule
from msgspec.structs import replace

from signaling.call import Call
from signaling.hub import Back, Input, Joined, Left, Received
from signaling.messages import (
    CallAnswer,
    CallCandidate,
    CallEnd,
    CallEnded,
    CallHold,
    CallIncoming,
    CallOriginate,
    CallPlace,
    CallRinging,
    CallUp,
    CallUpdate,
    ClientMessage,
    Error,
    HubMessage,
    TransferCancel,
    TransferDecline,
    TransferRequest,
    TransferUpdate,
)
from signaling.parts import CallTarget, Candidate, EndCause, ParticipantTarget, Right, Target, VoicemailTarget
from signaling.reasons import GLARE
from signaling.settings import Companion, Destination, Group, Settings, ToGroup, ToPerson, ToVoicemail
from signaling.transfer_request import Transfer
from tests.unit.board import FULL, Board, Told
from tests.world.machine import Machine, one

pytestmark = pytest.mark.world

USERS = ("ann", "bob", "cat", "dan")
DEVICES = (*USERS, "ann-2", "vm", "vm-2")
REFUSALS = {400, 403, 404}  # answers to a message that asks for what is not there
CAUSES: list[EndCause] = ["hangup", "declined", "busy", "no_media", "media_lost", "failed"]
PERSONS = [ToPerson(name) for name in USERS]
RULES = st.sampled_from([None, None, None, ToVoicemail(), *PERSONS, ToGroup(), ToGroup("ann")])
COMPANIONS = st.sampled_from([None, None, *PERSONS, ToGroup(), ToGroup("ann")])
GROUPS = st.builds(
    Group,
    st.lists(st.sampled_from(USERS), min_size=1, max_size=3, unique=True).map(tuple),
    st.sampled_from(["simultaneous", "in_order"]),
    st.just(10),
)


class Witness(Board):
    """A board that checks every step."""

    def __init__(self) -> None:
        super().__init__()
        self.members: dict[str, set[str]] = {}  # who was ever told or told us of a call
        self.over: Counter[tuple[str, str]] = Counter()  # ends told, by session and call
        self.final: set[str] = set()  # transfers that are Transferred or Failed

    def feed(self, what: Input) -> Told:
        before = dict(self.hub.calls.all)
        dropped = len(self.dropped)
        told = super().feed(what)
        sender = what.session if isinstance(what, Received) else None
        if isinstance(what, Received) and isinstance(what.message, CallPlace):
            call = self.hub.calls.all.get(what.message.call_id)
            if call is None or call.caller.session == sender:
                self.members.setdefault(what.message.call_id, set()).add(what.session)
        left = isinstance(what, Left) or len(self.dropped) > dropped
        for session, message in told:
            self.check(session, message, sender)
            if isinstance(message, TransferUpdate) and message.state == "Failed" and not left:
                self.undisturbed(message.call_id, what, before)
        return told

    def check(self, session: str, message: HubMessage, sender: str | None) -> None:
        if isinstance(message, TransferUpdate):
            assert message.transfer_id not in self.final, "one terminal state, never back"
            if message.state != "Transferring":
                self.final.add(message.transfer_id)
            return
        if isinstance(message, Error):
            assert session == sender
            return
        call_id: str = getattr(message, "call_id", "")
        if isinstance(message, CallEnded) and message.reason.code in REFUSALS and session == sender:
            return
        if isinstance(message, CallIncoming | CallOriginate):
            self.members.setdefault(call_id, set()).add(session)
        assert session in self.members.get(call_id, ()), f"{session} is told {message} of others"
        assert not self.over[session, call_id], f"{session} is told {message} after the end"
        self.over[session, call_id] += isinstance(message, CallEnded)

    def undisturbed(self, call_id: str, what: Input, before: dict[str, Call]) -> None:
        """Assert that a failed transfer has left the call between A and B as it was."""
        message = what.message if isinstance(what, Received) else None
        ends = isinstance(message, CallEnd) and message.call_id == call_id
        if call_id in before and not ends:
            assert self.hub.calls.all[call_id].legs == before[call_id].legs


class HubMachine(Machine):
    board: Witness

    def __init__(self) -> None:
        super().__init__()
        self.board = Witness()

    # --- what there is to draw from

    @property
    def transfers(self) -> list[Transfer]:
        return list(self.board.hub.transfers.all.values())

    def say(self, session: str, message: ClientMessage, *, twice: bool = False) -> None:
        """Send a message, and once more: then nothing may change."""
        if session not in self.sessions:
            return
        self.board.say(session, message)
        if twice:
            state = (dict(self.board.hub.calls.all), dict(self.board.hub.transfers.all))
            for _, answer in self.board.say(session, message):
                assert isinstance(answer, Error | CallEnded)
            assert state == (self.board.hub.calls.all, self.board.hub.transfers.all)

    # --- moves

    @initialize(data=st.data())
    def begin(self, data: st.DataObject) -> None:
        self.board.user("vm")
        for name in USERS:
            self.board.user(name, data.draw(st.builds(rules, RULES, RULES, RULES, RULES, COMPANIONS, GROUPS)))
        for device in DEVICES:
            self.join(device)

    def join(self, device: str) -> None:
        """Connect a device; a session id is never used again."""
        rights: frozenset[Right] = FULL | {"voicemail"} if device.startswith("vm") else FULL
        user = device.split("-")[0]
        self.board.feed(Joined(f"{device}.{self.fresh('s')}", f"8:acs:{user}", "", rights))

    @precondition(lambda self: len(self.calls) < 8)
    @rule(data=st.data(), callee=st.sampled_from(USERS))
    def dial(self, data: st.DataObject, callee: str) -> None:
        if self.sessions:
            self.board.place(one(data, self.sessions), callee, self.fresh("c"))

    @precondition(lambda self: any(c.ringing for c in self.calls) and len(self.calls) < 8)
    @rule(data=st.data(), up=st.integers(0, 2))
    def dial_back(self, data: st.DataObject, up: int) -> None:
        """Let a device dial the one whose call rings there: it must join that call."""
        call = one(data, [c for c in self.calls if c.ringing])
        device = one(data, sorted(call.ringing))
        if device not in self.sessions or "vm" in device:
            return
        told = self.board.place(device, call.caller.party.raw_id, dialled := self.fresh("c"))
        joins = [m.call_id for _, m in told if isinstance(m, CallIncoming) and m.replaces == dialled]
        if call.replaces is not None or not joins:
            return
        assert (device, CallEnded(dialled, GLARE)) in told
        assert dialled not in self.board.hub.calls.all
        self.say(device, CallAnswer(joins[0], "answer"), twice=True)
        for leg in call_legs(self, joins[0])[:up]:
            self.say(leg, CallUp(joins[0]), twice=True)

    @rule(data=st.data(), name=st.sampled_from(USERS), disturb=st.booleans(), waiting=st.booleans())
    def set_up(self, data: st.DataObject, name: str, disturb: bool, waiting: bool) -> None:
        """Let a user change settings, whatever goes on."""
        now = self.board.hub.directory.users[f"8:acs:{name}"].settings
        changed = replace(now, do_not_disturb=disturb, call_waiting=waiting, group=data.draw(GROUPS))
        self.board.user(name, changed)

    @precondition(lambda self: any(c.ringing for c in self.calls))
    @rule(data=st.data(), up=st.integers(0, 3))
    def answer(self, data: st.DataObject, up: int) -> None:
        self.pick_up(data, one(data, [c for c in self.calls if c.ringing]), up)

    @precondition(lambda self: len(self.sessions) > 1 and len(self.calls) < 8)
    @rule(data=st.data())
    def talk(self, data: st.DataObject) -> None:
        """Call and be answered at once, wherever the rules of the callee lead."""
        call_id = self.fresh("c")
        self.board.place(one(data, self.sessions), one(data, USERS), call_id)
        if (call := self.board.hub.calls.all.get(call_id)) and call.ringing:
            self.pick_up(data, call, 2)

    def pick_up(self, data: st.DataObject, call: Call, up: int) -> None:
        device = one(data, sorted(call.ringing))
        self.say(device, CallRinging(call.id), twice=True)
        self.say(device, CallAnswer(call.id, "answer"), twice=True)
        for leg in call_legs(self, call.id)[:up]:
            self.say(leg, CallUp(call.id), twice=True)

    @precondition(lambda self: any(c.state == "answered" for c in self.calls))
    @rule(data=st.data())
    def hear(self, data: st.DataObject) -> None:
        call = one(data, [c for c in self.calls if c.state == "answered"])
        for leg in call_legs(self, call.id):
            self.say(leg, CallUp(call.id), twice=True)

    @precondition(lambda self: self.calls)
    @rule(data=st.data(), cause=st.sampled_from(CAUSES))
    def end(self, data: st.DataObject, cause: EndCause) -> None:
        call = one(data, self.calls)
        who = one(data, [leg.session for leg in call.legs] + sorted(call.ringing))
        self.say(who, CallEnd(call.id, cause), twice=True)

    @precondition(lambda self: any(c.state == "up" for c in self.calls))
    @rule(data=st.data(), options=st.tuples(st.booleans(), st.booleans(), st.booleans()))
    def transfer(self, data: st.DataObject, options: tuple[bool, bool, bool]) -> None:
        call = one(data, [c for c in self.calls if c.state == "up"])
        who = one(data, call.legs).session
        consulted = [c for c in self.calls if c is not call and c.state == "up" and c.leg(who)]
        parties = {leg.party.name for leg in call.legs}
        names = [name for name in USERS if name not in parties] * 3 + list(USERS)
        targets: list[Target] = [kind(n) for kind in (ParticipantTarget, VoicemailTarget) for n in names]
        targets += [CallTarget(c.id) for c in consulted] * 8 + [CallTarget(c.id) for c in self.calls]
        self.say(who, TransferRequest(self.fresh("t"), call.id, one(data, targets), *options))

    @precondition(lambda self: self.transfers)
    @rule(data=st.data(), up=st.sampled_from([0, 1, 2, 2]))
    def obey(self, data: st.DataObject, up: int) -> None:
        """Let B place the new call, and perhaps C answer it."""
        transfer = one(data, self.transfers)
        message = CallPlace(transfer.new_call, "x", "offer", transfer.request.transfer_id)
        self.say(transfer.transferee.session, message)
        call = self.board.hub.calls.all.get(transfer.new_call)
        if call is not None:
            self.say(transfer.transferee.session, message, twice=True)
            if up and call.ringing:
                self.pick_up(data, call, up)

    @precondition(lambda self: self.transfers)
    @rule(data=st.data(), what=st.sampled_from(["join", "decline", "cancel", "leave"]))
    def go_on(self, data: st.DataObject, what: str) -> None:
        transfer = one(data, self.transfers)
        asked = one(data, transfer.asked)
        match what:
            case "leave":
                self.say(transfer.transferor.session, CallEnd(transfer.request.call_id), twice=True)
            case "join":
                request = transfer.request
                again = TransferRequest(self.fresh("t"), request.call_id, request.target)
                self.say(transfer.transferor.session, again)
            case "decline":
                self.say(transfer.transferee.session, TransferDecline(asked, transfer.new_call))
            case _:
                self.say(transfer.transferor.session, TransferCancel(asked), twice=True)

    @precondition(lambda self: self.calls and self.sessions)
    @rule(data=st.data())
    def meddle(self, data: st.DataObject) -> None:
        """Let anybody say anything about a call that is, was, or never was."""
        session = one(data, self.sessions)
        over = [record.call_id for record in self.board.records[-3:]]
        call_id = one(data, [*(call.id for call in self.calls), *over, "c0"])
        asked = one(data, [*(t.request.transfer_id for t in self.transfers), "t0"])
        call = self.board.hub.calls.all.get(call_id)
        stranger = call is None or not (call.leg(session) or session in call.ringing)
        messages: list[ClientMessage] = [
            CallRinging(call_id),
            CallHold(call_id, True),
            CallCandidate(call_id, Candidate("candidate:1")),
            CallUpdate(call_id, "offer", "sdp"),
            CallUpdate(call_id, "answer", "sdp"),
            CallUp(call_id),
        ]
        if stranger:
            messages += [CallAnswer(call_id, "sdp"), CallEnd(call_id), TransferCancel(asked)]
            messages += [TransferRequest(self.fresh("t"), call_id, ParticipantTarget("dan"))]
            messages += [TransferDecline(asked, call_id)]
        message = one(data, messages)
        before = (dict(self.board.hub.calls.all), dict(self.board.hub.transfers.all))
        mine = any(t.transferor.session == session for t in self.transfers)
        self.say(session, message)
        if stranger and not mine:
            assert before == (self.board.hub.calls.all, self.board.hub.transfers.all), message

    @rule(data=st.data(), how=st.sampled_from(["lose", "lose", "back", "back", "leave", "join", "join"]))
    def come_and_go(self, data: st.DataObject, how: str) -> None:
        present = self.board.hub.presence.sessions
        lost = sorted(name for name, session in present.items() if session.grace is not None)
        if how == "join" and len(present) < 8:
            self.join(one(data, DEVICES))
        elif how == "back" and lost:
            self.board.feed(Back(one(data, lost)))
        elif how == "lose" and self.sessions:
            self.board.lose(one(data, self.sessions))
        elif how == "leave" and present:
            self.board.leave(one(data, sorted(present)))

    @rule(seconds=st.sampled_from([0.5, 2.0, 8.0, 10.0, 31.0]))
    def wait(self, seconds: float) -> None:
        self.board.wait(seconds)

    # --- what always holds

    @invariant()
    def every_state_has_a_deadline_or_an_owner(self) -> None:
        hub = self.board.hub
        present = hub.presence.sessions.keys()
        handed = {call_id for t in self.transfers for call_id in (t.request.call_id, t.target_call)}
        for call in self.calls:
            assert call.legs
            assert {leg.session for leg in call.legs} | call.ringing <= present
            assert call.deadline is not None or call.state == "up"
            assert (call.state == "ringing") == bool(call.ringing)
            assert len(call.legs) == 2 or call.state == "ringing" or call.deadline or call.id in handed
        for transfer in self.transfers:
            assert transfer.request.call_id in hub.calls.all
            assert transfer.target_call is None or transfer.target_call in hub.calls.all
            assert transfer.deadline is not None or transfer.new_call in hub.calls.all

    @invariant()
    def every_call_is_filed_once_with_one_end_for_each(self) -> None:
        for record in self.board.records:
            users = [end.user for end in record.legs]
            assert len(users) == len(set(users)) and record.caller in users and record.callee in users
        assert max(Counter(r.call_id for r in self.board.records).values(), default=0) <= 1

    def teardown(self) -> None:
        for session in list(self.board.hub.presence.sessions):
            self.board.leave(session)
        assert self.board.empty(), (self.calls, self.transfers)


def rules(
    forwarding: Destination | None,
    unanswered: Destination | None,
    declined: Destination | None,
    busy: Destination | None,
    companion: Companion | None,
    group: Group,
) -> Settings:
    return Settings(None if companion else forwarding, unanswered, 10, declined, busy, companion, group=group)


def call_legs(machine: HubMachine, call_id: str) -> list[str]:
    call = machine.board.hub.calls.all.get(call_id)
    return [leg.session for leg in call.legs] if call else []


TestHub = HubMachine.TestCase
TestHub.settings = settings(max_examples=300, stateful_step_count=40)
