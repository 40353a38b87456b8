"""Cards on trial: when one is opened, waited for, taken, given up and tried again."""

from concurrent.futures import Future

import pytest

from media.trials import BAN_SECONDS, HEALTHY_SECONDS, LONGEST_BAN_SECONDS, TRIAL_SECONDS, Trials

pytestmark = pytest.mark.unit


class Tried:
    """An open card, which works once it is told to."""

    works = False


class Opener:
    """What was begun to be opened, in order."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.openings: list[Future[Tried]] = []

    def __call__(self, key: str) -> Future[Tried]:
        self.begun.append(key)
        self.openings.append(Future())
        return self.openings[-1]

    def open(self) -> Tried:
        tried = Tried()
        self.openings[-1].set_result(tried)
        return tried

    def fail(self) -> None:
        self.openings[-1].set_exception(OSError("busy"))


@pytest.fixture
def opener() -> Opener:
    return Opener()


@pytest.fixture
def trials(opener: Opener) -> Trials[str, Tried]:
    return Trials(opener)


def test_a_card_is_opened_once_and_taken_when_it_works(opener: Opener, trials: Trials[str, Tried]) -> None:
    assert not trials
    assert trials.take("headset", 0.0) is None
    assert trials.take("headset", 0.1) is None
    assert opener.begun == ["headset"] and trials
    tried = opener.open()
    assert trials.take("headset", 0.2) is None
    tried.works = True
    assert trials.take("headset", 0.3) is tried
    assert not trials and trials.give_up() == []


def test_a_card_is_taken_once_it_has_been_open_for_so_long(
    opener: Opener, trials: Trials[str, Tried]
) -> None:
    trials.take("headset", 0.0)
    tried = opener.open()
    tried.works = True
    assert trials.take("headset", 1.0, 0.5) is None
    assert trials.take("headset", 1.25, 0.5) is None
    assert trials.take("headset", 1.5, 0.5) is tried


def test_a_card_that_does_not_open_is_tried_again_later_each_time(
    opener: Opener, trials: Trials[str, Tried]
) -> None:
    now = 0.0
    for seconds in (1.0, 2.0, 4.0, 8.0, 8.0):
        trials.take("headset", now)
        opener.fail()
        assert trials.take("headset", now) is None and not trials
        count = len(opener.begun)
        trials.take("headset", now + seconds - 0.01)
        assert len(opener.begun) == count
        now += seconds
    assert (BAN_SECONDS, LONGEST_BAN_SECONDS) == (1.0, 8.0)
    assert trials.give_up() == []  # there is nothing to close


def test_a_failure_long_after_the_last_trial_is_the_first_again(
    opener: Opener, trials: Trials[str, Tried]
) -> None:
    trials.ban("headset", 0.0)
    trials.ban("headset", 0.0)  # it was never tried here: as good as now
    trials.take("headset", 2.0)
    opener.open().works = True
    assert trials.take("headset", 2.0) is not None
    trials.ban("headset", 2.0 + HEALTHY_SECONDS)
    trials.take("headset", 2.0 + HEALTHY_SECONDS + BAN_SECONDS)
    assert len(opener.begun) == 2


def test_a_card_that_opens_but_does_not_call_is_given_up(opener: Opener, trials: Trials[str, Tried]) -> None:
    trials.take("headset", 0.0)
    opener.open()
    assert trials.take("headset", 1.0) is None
    assert trials.take("headset", 1.0 + TRIAL_SECONDS) is None and trials
    assert trials.take("headset", 1.1 + TRIAL_SECONDS) is None and not trials
    assert trials.give_up({"headset"}) == opener.openings
    trials.take("headset", 1.2 + TRIAL_SECONDS)
    assert len(opener.begun) == 1
    trials.forgive()
    trials.take("headset", 1.2 + TRIAL_SECONDS)
    assert len(opener.begun) == 2


def test_what_nobody_waits_for_is_given_up(opener: Opener, trials: Trials[str, Tried]) -> None:
    for key in ("headset", "laptop"):
        trials.take(key, 0.0)
    headset, laptop = opener.openings
    assert trials.give_up({"headset", "hall"}) == [laptop]
    assert trials.running(["headset"]) and not trials.running(["laptop"])
    assert trials.give_up() == [headset]


def test_trials_are_young_for_a_while(trials: Trials[str, Tried]) -> None:
    assert not trials.young(0.0, 1.0)
    trials.take("headset", 0.0)
    trials.take("laptop", 1.0)
    assert trials.young(1.5, 1.0) and not trials.young(2.0, 1.0)
    assert trials.young(1.5, 1.0, ["laptop"]) and not trials.young(1.5, 1.0, ["headset"])
