"""Sessions outlive their sockets: what was not acknowledged is kept and sent again on resume.

Both directions are numbered from 1. The hub keeps its last 2048 messages until they are acknowledged; a
client message whose number was seen is ignored, so that nothing is obeyed twice.
"""

import asyncio
import secrets
import time
from collections import deque
from collections.abc import Callable, Iterator

from msgspec.structs import replace

from signaling.connection import SUPERSEDED, UNAUTHORIZED, Connection
from signaling.hub import Back, Input, Joined, Left, Lost
from signaling.messages import Hello, HubMessage, Resume, SessionEnd, Welcome, encode
from signaling.parts import IceServer, Party
from signaling.reasons import INVALID_TOKEN, Reason
from signaling.tokens import Grant

LOG = 2048


class Session:
    """One agent's session: its numbering, its log, its socket if it has one."""

    def __init__(self, grant: Grant, me: Party) -> None:
        self.id = secrets.token_urlsafe(16)
        self.secret = secrets.token_urlsafe(32)
        self.grant = grant
        self.me = me
        self.received = 0
        self.resumed = False
        self.connection: Connection | None = None
        self.timer: asyncio.TimerHandle | None = None
        self._sent = 0
        self._log: deque[tuple[int, bytes]] = deque(maxlen=LOG)

    def deliver(self, message: HubMessage) -> None:
        """Number a message, keep it until acknowledged, and send it if there is a socket."""
        self._sent += 1
        frame = encode(replace(message, seq=self._sent))
        self._log.append((self._sent, frame))
        if self.connection is not None:
            self.connection.send_frames([frame])

    def acknowledge(self, seq: int) -> None:
        """Forget the messages up to `seq`."""
        while self._log and self._log[0][0] <= seq:
            self._log.popleft()

    def can_resume(self, last_seq: int) -> bool:
        """Tell whether everything after `last_seq` is still here."""
        oldest = self._log[0][0] if self._log else self._sent + 1
        return oldest - 1 <= last_seq <= self._sent

    def welcome(
        self, connection: Connection, last_seq: int | None, ice_servers: tuple[IceServer, ...]
    ) -> None:
        """Greet on a socket, and send all that was missed since `last_seq`; None for a new session."""
        self.connection = connection
        self.resumed = last_seq is not None
        greeting = Welcome(
            session=self.id,
            secret=self.secret,
            me=self.me,
            rights=tuple(sorted(self.grant.rights)),
            resumed=self.resumed,
            last_seq=self.received,
            ice_servers=ice_servers,
        )
        self.acknowledge(last_seq or 0)
        connection.replay([encode(greeting), *(frame for _, frame in self._log)])


class Sessions:
    """All sessions of the hub, by id and by user; `ice` returns the ICE servers for a user."""

    def __init__(self, feed: Callable[[Input], None], ice: Callable[[str], tuple[IceServer, ...]]) -> None:
        self._feed = feed
        self._ice = ice
        self._sessions: dict[str, Session] = {}
        self._of: dict[str, dict[str, Session]] = {}

    def __len__(self) -> int:
        return len(self._sessions)

    def get(self, session_id: str) -> Session | None:
        """Return a session by its id, None if it is over."""
        return self._sessions.get(session_id)

    def all(self) -> Iterator[Session]:
        """Return every session."""
        return iter(tuple(self._sessions.values()))

    def of(self, raw_id: str) -> Iterator[Session]:
        """Return the sessions of a user; those without a socket in the order in which they lost it."""
        return iter(tuple(self._of.get(raw_id, {}).values()))

    def resumable(self, resume: Resume | None, grant: Grant) -> Session | None:
        """Return the session to go on with: same secret, user and rights, and nothing missing."""
        session = self._sessions.get(resume.session) if resume else None
        if resume is None or session is None:
            return None
        if not secrets.compare_digest(session.secret.encode(), resume.secret.encode()):
            return None
        if (session.grant.raw_id, session.grant.rights) != (grant.raw_id, grant.rights):
            return None
        if not session.can_resume(resume.last_seq):
            self._forget(session)
            if session.connection is not None:
                session.connection.close(SUPERSEDED)
            self._feed(Lost(session.id))  # its calls have a moment to be attached to the new session
            return None
        return session

    def resume(self, session: Session, connection: Connection, hello: Hello, grant: Grant) -> None:
        """Go on with a session on a new socket; the old one is not obeyed any more."""
        if session.connection is not None:
            session.connection.close(SUPERSEDED)
        self.renew(session, grant)
        last_seq = hello.resume.last_seq if hello.resume else 0
        session.welcome(connection, last_seq, self._ice(grant.raw_id))
        self._feed(Back(session.id))

    def open(self, connection: Connection, grant: Grant, me: Party) -> Session:
        """Begin a session."""
        session = Session(grant, me)
        self._sessions[session.id] = session
        self._of.setdefault(grant.raw_id, {})[session.id] = session
        self.renew(session, grant)
        session.welcome(connection, None, self._ice(grant.raw_id))
        self._feed(Joined(session.id, grant.raw_id, me.display_name, grant.rights))
        return session

    def renew(self, session: Session, grant: Grant) -> None:
        """Let a session live as long as a fresh token."""
        session.grant = grant
        if session.timer is not None:
            session.timer.cancel()
        left = max(0.0, grant.expires_at - time.time())
        session.timer = asyncio.get_running_loop().call_later(left, self._expire, session)

    def lose(self, session: Session, connection: Connection) -> None:
        """Take note that a socket is gone; the session waits for a resume."""
        if session.connection is connection:
            session.connection = None
            if session.id in self._sessions:
                mine = self._of[session.grant.raw_id]
                mine[session.id] = mine.pop(session.id)
                self._feed(Lost(session.id))

    def end(self, session: Session, reason: Reason | None, code: int) -> None:
        """End a session for good, and say why if there is a reason to say."""
        if self._forget(session):
            if session.connection is not None:
                if reason is not None:
                    session.connection.send(SessionEnd(reason))
                session.connection.close(code)
            self._feed(Left(session.id))

    def revoke(self, raw_id: str) -> None:
        """End all sessions of a user whose tokens are void."""
        for session in self.of(raw_id):
            self.end(session, INVALID_TOKEN, UNAUTHORIZED)

    def close(self) -> None:
        """Forget all sessions; their sockets are their connections' business."""
        for session in tuple(self._sessions.values()):
            self._forget(session)

    def _expire(self, session: Session) -> None:
        # The loop's clock may run ahead of the calendar.
        if time.time() < session.grant.expires_at:
            self.renew(session, session.grant)
        else:
            self.end(session, INVALID_TOKEN, UNAUTHORIZED)

    def _forget(self, session: Session) -> bool:
        if self._sessions.pop(session.id, None) is None:
            return False
        if session.timer is not None:
            session.timer.cancel()
        mine = self._of[session.grant.raw_id]
        del mine[session.id]
        if not mine:
            del self._of[session.grant.raw_id]
        return True
