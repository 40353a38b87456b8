"""Which sessions are connected, whose they are, and what they may do. Pure."""

from collections.abc import Callable, Collection

from msgspec import Struct

from signaling.parts import Party, Right


class Session(Struct, frozen=True):
    """One agent: its user as others see it, its rights, and until when it may resume if it was lost."""

    party: Party
    rights: frozenset[Right]
    grace: float | None = None


class Presence:
    """All sessions; a lost one keeps its calls but rings for no new one.

    A voicemail service answers for others, and rings itself for those who want to hear their mailbox. A mixer
    takes its part in group calls, and never rings.
    """

    def __init__(self) -> None:
        self.sessions: dict[str, Session] = {}
        self.graces: dict[str, float] = {}
        self._devices: dict[str, set[str]] = {}
        self._services: dict[Right, set[str]] = {"voicemail": set(), "mixer": set()}

    def put(self, session: str, state: Session) -> None:
        """Add a session, or replace what is known of it."""
        self.remove(session)
        self.sessions[session] = state
        if state.grace is not None:
            self.graces[session] = state.grace
            return
        for right, services in self._services.items():
            if right in state.rights:
                services.add(session)
        if "voip" in state.rights and "mixer" not in state.rights:
            self._devices.setdefault(state.party.raw_id, set()).add(session)

    def remove(self, session: str) -> None:
        """Forget a session."""
        state = self.sessions.pop(session, None)
        self.graces.pop(session, None)
        for services in self._services.values():
            services.discard(session)
        if state is not None and (devices := self._devices.get(state.party.raw_id)):
            devices.discard(session)
            if not devices:
                del self._devices[state.party.raw_id]

    @property
    def online(self) -> Collection[str]:
        """Return the raw ids of all users that can ring."""
        return self._devices.keys()

    def devices(self, raw_id: str) -> set[str]:
        """Return the sessions of a user that can ring."""
        return set(self._devices.get(raw_id, ()))

    def here(self, session: str) -> bool:
        """Tell whether a session is connected: neither over nor lost."""
        return session in self.sessions and session not in self.graces

    def party(self, session: str) -> Party:
        """Return who a session is."""
        return self.sessions[session].party

    @property
    def voicemail_online(self) -> bool:
        """Tell whether there is a voicemail service."""
        return bool(self._services["voicemail"])

    def voicemail(self, load: Callable[[str], int], besides: str = "") -> str | None:
        """Return the voicemail service with the least to do, None if there is none besides that one."""
        return self._least("voicemail", load, besides)

    def mixer(self, load: Callable[[str], int], besides: str = "") -> str | None:
        """Return the mixer with the least to do, None if there is none besides that one."""
        return self._least("mixer", load, besides)

    def _least(self, right: Right, load: Callable[[str], int], besides: str) -> str | None:
        others = (each for each in self._services[right] if each != besides)
        return min(others, key=lambda each: (load(each), each), default=None)
