"""Cards on trial: opened, taken once they have called back, and left alone for a while where they fail."""

from collections.abc import Callable, Collection, Hashable
from concurrent.futures import Future
from typing import Generic, Protocol, TypeVar

from msgspec import Struct

TRIAL_SECONDS = 2.0  # for a card to open, and then to call, as a wireless one may take
BAN_SECONDS = 1.0  # doubled with every failure soon after the one before
LONGEST_BAN_SECONDS = 8.0
HEALTHY_SECONDS = 10.0


class Working(Protocol):
    """What is tried."""

    @property
    def works(self) -> bool:
        """Whether its card has called back."""
        ...


K = TypeVar("K", bound=Hashable)
S = TypeVar("S", bound=Working)


class _Trial(Struct, Generic[S]):
    opening: Future[S]
    begun: float
    opened: float | None = None  # when that was first seen


class _Ban(Struct, frozen=True):
    until: float
    seconds: float


class Trials(Generic[K, S]):
    """What is being opened, by key, and what may not be for now; `begin` starts to open something."""

    def __init__(self, begin: Callable[[K], Future[S]]) -> None:
        self._begin = begin
        self._trials: dict[K, _Trial[S]] = {}
        self._begun: dict[K, float] = {}  # the last trial of each
        self._bans: dict[K, _Ban] = {}
        self._failed: list[Future[S]] = []

    def __bool__(self) -> bool:
        return bool(self._trials)

    def take(self, key: K, now: float, least: float = 0.0) -> S | None:
        """Return what works and has been open for `least` seconds; None where nothing does yet.

        It is the caller's from then on. Begins the trial if there is none, unless one just failed.
        """
        trial = self._trials.get(key)
        if trial is None:
            ban = self._bans.get(key)
            if ban is None or now >= ban.until:
                self._begun[key] = now
                self._trials[key] = _Trial(self._begin(key), now)
            return None
        if not trial.opening.done():
            return None
        if trial.opening.exception() is not None:
            del self._trials[key]
            self.ban(key, now)
            return None
        if trial.opened is None:
            trial.opened = now
        tried = trial.opening.result()
        if tried.works and now - trial.opened >= least:
            del self._trials[key]
            return tried
        if not tried.works and now - trial.opened > TRIAL_SECONDS:
            self._failed.append(self._trials.pop(key).opening)
            self.ban(key, now)
        return None

    def young(self, now: float, seconds: float, among: Collection[K] | None = None) -> bool:
        """Return whether a trial began less than so many seconds ago, and goes on; of these, or any."""
        return any(
            now - trial.begun < seconds
            for key, trial in self._trials.items()
            if among is None or key in among
        )

    def running(self, keys: Collection[K]) -> bool:
        """Return whether one of these is on trial, for however long."""
        return any(key in self._trials for key in keys)

    def ban(self, key: K, now: float) -> None:
        """Leave something that failed alone for a while, longer each time that it fails soon."""
        before = self._bans.get(key)
        recent = before is not None and now - self._begun.get(key, now) < HEALTHY_SECONDS
        seconds = min(2 * before.seconds, LONGEST_BAN_SECONDS) if before and recent else BAN_SECONDS
        self._bans[key] = _Ban(now + seconds, seconds)

    def forgive(self) -> None:
        """Let everything be tried again at once."""
        self._bans.clear()

    def give_up(self, but: Collection[K] = ()) -> list[Future[S]]:
        """End all trials but these; return theirs, and those that failed, for what they open to be closed."""
        ended = [self._trials.pop(key).opening for key in [*self._trials] if key not in but]
        failed, self._failed = self._failed, []
        return failed + ended
