"""Group calls in the hub core under any order of messages; phones and mixers act by themselves, or do not."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule

from signaling.call import Call
from signaling.group import Group
from signaling.hub import Back
from signaling.messages import (
    CallAnswer,
    CallCandidate,
    CallEnd,
    CallHold,
    CallJoin,
    CallMute,
    CallPlace,
    CallRenew,
    CallRinging,
    CallUp,
    CallUpdate,
    ClientMessage,
    MixerSpeakers,
    ParticipantAdd,
    ParticipantRemove,
    TransferRequest,
)
from signaling.parts import Candidate, ParticipantTarget
from tests.unit.group_board import GroupBoard
from tests.world.machine import Machine, one

pytestmark = pytest.mark.world

USERS = ("ann", "bob", "cat", "dan")
MIXERS = ("mx", "mx2")
DEVICES = (*USERS, "ann-2")
IDS = ("standup", "retro")


class GroupMachine(Machine):
    board: GroupBoard

    def __init__(self) -> None:
        super().__init__()
        self.board = GroupBoard(*USERS)
        self.board.join("ann", "ann-2")
        self.board.mixer("mx2")

    @property
    def groups(self) -> list[Group]:
        return list(self.board.hub.groups.all.values())

    def say(self, session: str, message: ClientMessage) -> None:
        """Let a session say something of a call as it knows it."""
        if session in self.sessions:
            self.board.act(self.board.say(session, message))

    def named(self, call: Call, session: str) -> str:
        return self.board.hub.names.of(session, call.id)

    # --- moves

    @rule(still=st.sets(st.sampled_from((*DEVICES, *MIXERS)), max_size=3))
    def stand_still(self, still: set[str]) -> None:
        """Let some do nothing by themselves from now on."""
        self.board.still = still

    @precondition(lambda self: len(self.calls) < 8)
    @rule(data=st.data(), callee=st.sampled_from(USERS))
    def dial(self, data: st.DataObject, callee: str) -> None:
        if people := [each for each in self.sessions if each not in MIXERS]:
            self.board.act(self.board.place(one(data, people), callee, self.fresh("c")))

    @precondition(lambda self: any(c.ringing for c in self.calls))
    @rule(data=st.data(), heard=st.booleans())
    def answer(self, data: st.DataObject, heard: bool) -> None:
        call = one(data, [c for c in self.calls if c.ringing])
        device = one(data, sorted(call.ringing))
        self.say(device, CallAnswer(call.id, "answer"))
        for leg in call.legs if heard else ():
            self.say(leg.session, CallUp(self.named(call, leg.session)))
        if heard:
            self.say(device, CallUp(call.id))

    @rule(data=st.data(), group=st.sampled_from(IDS))
    def join(self, data: st.DataObject, group: str) -> None:
        if people := [each for each in self.sessions if each not in MIXERS]:
            self.say(one(data, people), CallJoin(self.fresh("j"), group, self.board.offer()))

    @precondition(lambda self: any(c.state == "up" for c in self.calls))
    @rule(data=st.data(), whom=st.sampled_from(USERS))
    def ask_in(self, data: st.DataObject, whom: str) -> None:
        call = one(data, [c for c in self.calls if c.state == "up"])
        leg = one(data, call.legs)
        self.say(leg.session, ParticipantAdd(self.named(call, leg.session), self.fresh("p"), whom))

    @precondition(lambda self: any(c.legs for c in self.calls))
    @rule(data=st.data(), everyone=st.booleans())
    def end(self, data: st.DataObject, everyone: bool) -> None:
        call = one(data, [c for c in self.calls if c.legs])
        who = one(data, [leg.session for leg in call.legs] + sorted(call.ringing))
        self.say(who, CallEnd(self.named(call, who), for_everyone=everyone))

    @precondition(lambda self: self.calls and self.sessions)
    @rule(data=st.data())
    def say_anything(self, data: st.DataObject) -> None:
        """Let anybody say anything that groups are made of, in whatever state."""
        session, call = one(data, self.sessions), one(data, self.calls)
        call_id = one(data, [call.id, self.named(call, session)])
        members = [member.id for group in self.groups for member in group.members] or ["p0"]
        offer = self.board.offer()
        messages: list[ClientMessage] = [
            CallPlace(call_id, "ann", offer),
            CallRinging(call_id),
            CallAnswer(call_id, "answer"),
            CallUp(call_id),
            CallUpdate(call_id, "offer", offer),
            CallUpdate(call_id, "answer", "answer"),
            CallRenew(call_id),
            CallHold(call_id, data.draw(st.booleans())),
            CallMute(call_id, data.draw(st.booleans())),
            CallCandidate(call_id, Candidate("candidate:1")),
            CallEnd(call_id, "media_lost"),
            ParticipantRemove(call_id, one(data, members)),
            MixerSpeakers(one(data, [g.id for g in self.groups] or ["g"]), (call_id,)),
            TransferRequest(self.fresh("t"), call_id, ParticipantTarget("dan")),
        ]
        self.say(session, one(data, messages))

    @rule(data=st.data(), how=st.sampled_from(["lose", "lose", "back", "back", "leave", "come"]))
    def come_and_go(self, data: st.DataObject, how: str) -> None:
        present = self.board.hub.presence.sessions
        lost = sorted(name for name, session in present.items() if session.grace is not None)
        gone = [each for each in (*DEVICES, *MIXERS) if each not in present]
        if how == "back" and lost:
            self.board.act(self.board.feed(Back(one(data, lost))))
        elif how == "lose" and self.sessions:
            self.board.act(self.board.lose(one(data, self.sessions)))
        elif how == "leave" and present:
            self.board.act(self.board.leave(one(data, sorted(present))))
        elif how == "come" and gone:
            name = one(data, gone)
            if name in MIXERS:
                self.board.mixer(name)
            else:
                self.board.join(name.split("-")[0], name)

    @rule(seconds=st.sampled_from([0.5, 2.0, 9.0, 31.0]))
    def wait(self, seconds: float) -> None:
        self.board.act(self.board.wait(seconds))

    # --- what always holds

    @invariant()
    def who_is_in_a_group_has_a_call_there(self) -> None:
        hub = self.board.hub
        for group in self.groups:
            calls = [hub.calls.all[member.call] for member in group.here]
            mixed = group.direct is None and all(call.deadline is None for call in calls)
            assert group.mixer in hub.presence.sessions or not mixed, group
            here = [member.session for member in group.here]
            assert len(here) == len(set(here)), f"nobody is there twice: {group}"
            for member in group.here:
                assert hub.calls.all[member.call].leg(member.session or "") is not None, group
            for member in group.asked:
                assert member.deadline is not None or member.call in hub.calls.all, group
        for passage in hub.groups.mixing.passages.all:
            assert passage.group in hub.groups.all
            assert all(end.call in hub.calls.all for end in passage.kept), passage

    @invariant()
    def every_state_has_a_deadline_or_an_owner(self) -> None:
        for call in self.calls:
            assert call.legs
            assert call.deadline is not None or call.state == "up"

    def teardown(self) -> None:
        self.board.still = {*DEVICES, *MIXERS}
        for session in list(self.board.hub.presence.sessions):
            self.board.leave(session)
        assert self.board.empty(), (self.calls, self.groups)


TestGroups = GroupMachine.TestCase
TestGroups.settings = settings(max_examples=150, stateful_step_count=40)
