"""Ends on their way to another path: who was asked, who has offered, and whose message is for whom."""

import pytest
from msgspec.structs import replace

from signaling.call import Leg
from signaling.messages import (
    CallAnswer,
    CallAnswered,
    CallCandidate,
    CallEnd,
    CallEnded,
    CallHold,
    CallIncoming,
    CallPlace,
    CallRenew,
    CallRinging,
    CallUp,
    CallUpdate,
    ClientMessage,
    MixerPlace,
)
from signaling.parts import Candidate, Outcome, Party
from signaling.passages import PASSAGE_SECONDS, End, Passages
from signaling.reasons import HUNG_UP
from tests.unit.switchboard import Switchboard, Told

pytestmark = pytest.mark.unit

BOB, MIXER = Party("8:acs:bob", "Bob", "bob"), Party("8:acs:mx")
NEW = "a=ice-ufrag:new"


class Way:
    """Ann on device a talks with Bob on device b in c1, and one or both are to move."""

    def __init__(self) -> None:
        self.board = Switchboard()
        call = self.board.call(self.board.user("bob", "b"), state="up", answerer=Leg("b", BOB))
        self.board.calls.keep(call)
        self.passages = Passages(self.board.calls, self.board.tell)
        self.ann = End("a", call.caller.party, "c1")
        self.bob = End("b", BOB, "c1")
        self.mixer = End("m", MIXER, "m1", fresh=True)

    def begin(self, one: End, two: End) -> Told:
        return self.board.hear(lambda: self.passages.begin("g", one, two, 1.0))

    def say(self, session: str, message: ClientMessage) -> Told | None:
        """Return what a message makes the passages tell, None if it is not theirs."""
        taken: list[str | None] = []
        told = self.board.hear(lambda: taken.append(self.passages.handle(session, message)))
        return told if taken == ["g"] else None


@pytest.fixture
def way() -> Way:
    return Way()


def test_the_caller_goes_to_the_mixer(way: Way) -> None:
    assert way.passages.deadline is None
    assert way.begin(way.ann, way.mixer) == [("a", CallRenew("c1", anew=True))]
    assert way.passages.deadline == 1.0 + PASSAGE_SECONDS
    assert way.say("a", CallUp("c1")) is None
    assert way.say("a", CallCandidate("c1", None)) is None
    assert way.say("a", CallUpdate("c1", "offer", "of the path that is")) is None
    incoming = CallIncoming("m1", way.ann.party, NEW, group_id="g")
    assert way.say("a", CallUpdate("c1", "offer", NEW)) == [("m", incoming)]
    assert way.say("m", CallRinging("m1")) == []
    candidate = Candidate("candidate:1")
    assert way.say("a", CallCandidate("c1", candidate, 4)) == [("m", CallCandidate("m1", candidate))]
    assert way.say("m", CallCandidate("m1", candidate, 5)) == [("a", CallCandidate("c1", candidate))]
    assert way.say("m", CallAnswer("m1", "answer")) == [("a", CallUpdate("c1", "answer", "answer"))]
    assert way.say("a", CallUpdate("c1", "offer", NEW)) == [("m", CallUpdate("m1", "offer", NEW))]
    assert way.say("m", CallUpdate("m1", "answer", "two")) == [("a", CallUpdate("c1", "answer", "two"))]
    [passage] = way.passages.of("g")
    assert (passage.kept, passage.fresh, passage.arrived) == ((way.ann,), way.mixer, False)
    assert way.say("a", CallUp("c1")) == way.say("m", CallUp("m1")) == []
    [passage] = way.passages.of("g")
    assert passage.arrived
    way.passages.finish(passage)
    assert way.say("a", CallUp("c1")) is None


def test_the_callee_is_called_by_the_mixer(way: Way) -> None:
    assert way.begin(way.mixer, way.bob) == [("m", MixerPlace("m1", "g", BOB))]
    assert way.say("b", CallUpdate("c1", "answer", "to the caller")) is None
    assert way.say("m", CallPlace("m1", "bob", NEW)) == [("b", CallUpdate("c1", "offer", NEW))]
    answered = CallAnswered("m1", "answer", Outcome("participant", BOB))
    assert way.say("b", CallUpdate("c1", "answer", "answer")) == [("m", answered)]
    assert way.say("b", CallUpdate("c1", "answer", "answer")) is None, "one answer"


def test_an_answer_that_is_still_owed_to_the_caller_comes_first(way: Way) -> None:
    calls = way.board.calls
    calls.update(way.board.now(), "a", CallUpdate("c1", "offer", "hold"))
    way.begin(way.mixer, way.bob)
    way.say("m", CallPlace("m1", "bob", NEW))
    assert way.say("b", CallUpdate("c1", "answer", "to the caller")) is None
    told = way.say("b", CallUpdate("c1", "answer", "to the mixer"))
    assert told is not None and told[0][0] == "m"


def test_an_answer_to_an_offer_that_was_made_again_is_dropped(way: Way) -> None:
    way.begin(way.ann, way.mixer)
    way.say("a", CallUpdate("c1", "offer", NEW))
    way.say("m", CallUp("m1"))
    newer = "a=ice-ufrag:newer"
    assert way.say("a", CallUpdate("c1", "offer", newer)) == [("m", CallUpdate("m1", "offer", newer))]
    assert not way.passages.all[0].arrived, "what was heard was of the path before"
    assert way.say("m", CallAnswer("m1", "to the first")) == []
    told = way.say("m", CallUpdate("m1", "answer", "to the second"))
    assert told == [("a", CallUpdate("c1", "answer", "to the second"))]


def test_two_go_to_each_other(way: Way) -> None:
    way.begin(way.ann, way.bob)
    assert way.say("a", CallUpdate("c1", "offer", NEW)) == [("b", CallUpdate("c1", "offer", NEW))]
    assert way.say("b", CallUpdate("c1", "answer", "sdp")) == [("a", CallUpdate("c1", "answer", "sdp"))]
    assert (way.say("a", CallRenew("c1")), way.say("b", CallHold("c1", True))) == ([], None)
    way.say("a", CallUp("c1"))
    assert not way.passages.all[0].arrived
    way.say("b", CallUp("c1"))
    assert way.passages.all[0].arrived and way.passages.all[0].fresh is None


def test_who_ends_it(way: Way) -> None:
    way.begin(way.ann, way.mixer)
    assert way.say("a", CallEnd("c1")) is None
    assert way.say("m", CallHold("m1", True)) == []
    assert way.say("m", CallEnd("m1")) == []
    assert way.passages.all[0].failed
    assert way.say("x", CallEnd("c1")) is None


@pytest.mark.parametrize("stage", ["asked", "offered", "answered", "over"])
def test_what_is_given_up(way: Way, stage: str) -> None:
    way.begin(way.ann, way.mixer)
    if stage != "asked":
        way.say("a", CallUpdate("c1", "offer", NEW))
    if stage == "answered":
        way.say("m", CallAnswer("m1", "answer"))
    if stage == "over":
        way.board.calls.drop("c1")
    told = way.board.hear(lambda: way.passages.abort(way.passages.all[0], HUNG_UP))
    anew = [("a", CallRenew("c1", anew=True))] if stage == "offered" else []
    assert told == [("m", CallEnded("m1", HUNG_UP)), *anew]
    assert way.passages.all == []


def test_two_who_give_up_have_no_mixer_to_tell(way: Way) -> None:
    way.begin(way.ann, way.bob)
    assert way.board.hear(lambda: way.passages.abort(way.passages.all[0], HUNG_UP)) == []


def test_whose_ends_are_on_their_way(way: Way) -> None:
    assert not way.passages.concern("c1")
    way.begin(way.ann, way.mixer)
    assert way.passages.concern("c1") and way.passages.concern("m1") and not way.passages.concern("c2")


def test_the_answer_to_an_offer_that_another_one_took_the_place_of_is_none(way: Way) -> None:
    way.begin(way.ann, replace(way.bob, call="c2"))
    way.board.calls.keep(replace(way.board.now(), id="c2"))
    for sdp in (NEW, "a=ice-ufrag:newer"):
        assert way.say("a", CallUpdate("c1", "offer", sdp)) == [("b", CallUpdate("c2", "offer", sdp))]
    assert way.say("b", CallUpdate("c2", "answer", "to the first")) == []
    second = CallUpdate("c2", "answer", "to the second")
    assert way.say("b", second) == [("a", CallUpdate("c1", "answer", "to the second"))]


def test_a_mixer_answers_the_last_of_two_offers(way: Way) -> None:
    way.begin(way.ann, way.mixer)
    for sdp in (NEW, "a=ice-ufrag:newer"):
        way.say("a", CallUpdate("c1", "offer", sdp))
    assert way.say("m", CallAnswer("m1", "to the first")) == []
    second = CallUpdate("m1", "answer", "to the second")
    assert way.say("m", second) == [("a", CallUpdate("c1", "answer", "to the second"))]
