"""Which sessions are connected, whose they are, and what they may do. Pure."""

from collections.abc import Callable

from msgspec import Struct

from signaling.messages import Party, Right


class Session(Struct, frozen=True):
    """One agent: its user as others see it, its rights, and until when it may resume if it was lost."""

    party: Party
    rights: frozenset[Right]
    grace: float | None = None


class Presence:
    """All sessions; a lost one keeps its calls but rings for no new one."""

    def __init__(self) -> None:
        self.sessions: dict[str, Session] = {}

    @property
    def online(self) -> set[str]:
        """Return the raw ids of all users that can ring."""
        return {s.party.raw_id for s in self.sessions.values() if _rings(s)}

    def devices(self, raw_id: str) -> set[str]:
        """Return the sessions of a user that can ring."""
        return {i for i, s in self.sessions.items() if _rings(s) and s.party.raw_id == raw_id}

    def party(self, session: str) -> Party:
        """Return who a session is."""
        return self.sessions[session].party

    def voicemail(self, load: Callable[[str], int], besides: str = "") -> str | None:
        """Return the voicemail service with the least to do, None if there is none besides that one."""
        services = [i for i, s in self.sessions.items() if "voicemail" in s.rights and s.grace is None]
        return min((i for i in services if i != besides), key=lambda i: (load(i), i), default=None)


def _rings(session: Session) -> bool:
    return session.grace is None and "voip" in session.rights and "voicemail" not in session.rights
