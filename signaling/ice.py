"""The ICE servers that agents are told of, TURN ones with credentials that soon end (the TURN REST form)."""

import asyncio
import base64
import hashlib
import hmac
import re
import time
from contextlib import suppress
from dataclasses import dataclass, field

from signaling.messages import IceServers
from signaling.parts import IceServer
from signaling.sessions import Sessions

LIFE_SECONDS = 3600
TURN_SECRET_VARIABLE = "CALLNODE_TURN_SECRET"

# RFC 7064, RFC 7065.
_URL = re.compile(r"stuns?:[^\s/?@]+|turns?:[^\s/?@]+(\?transport=(udp|tcp))?")


class IceError(ValueError):
    """A server or secret that cannot be used; the message says what to change."""


@dataclass(frozen=True)
class Ice:
    """Which servers there are, and the secret (`static-auth-secret`) that a coturn shares."""

    urls: tuple[str, ...] = ()
    secret: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        for url in self.urls:
            if not _URL.fullmatch(url):
                raise IceError(
                    f"an ICE server is such as stun:HOST:3478 or turn:HOST:3478?transport=udp: {url!r}"
                )
        if any(url.startswith("turn") for url in self.urls) and not self.secret:
            raise IceError(
                f"a TURN server needs {TURN_SECRET_VARIABLE}, the static-auth-secret of its configuration"
            )

    def servers(self, raw_id: str, now: float | None = None) -> tuple[IceServer, ...]:
        """Return the servers for a user at a Unix time, by default now; the credentials end an hour later."""
        now = time.time() if now is None else now
        turn = tuple(url for url in self.urls if url.startswith("turn"))
        stun = tuple(url for url in self.urls if url not in turn)
        # The relay learns that it is always the same user, and not which one.
        user = hashlib.sha256(raw_id.encode()).hexdigest()[:16]
        name = f"{int(now) + LIFE_SECONDS}:{user}"
        password = base64.b64encode(hmac.digest(self.secret.encode(), name.encode(), "sha1")).decode()
        every = (IceServer(stun), IceServer(turn, name, password))
        return tuple(server for server in every if server.urls)


class Renewal:
    """Tell every session of fresh credentials before those it has end."""

    def __init__(self, ice: Ice, sessions: Sessions) -> None:
        self._ice = ice
        self._sessions = sessions
        self._task = asyncio.create_task(self._run(), name="ice") if ice.urls else None

    async def close(self) -> None:
        """Tell no more."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    def renew(self) -> None:
        """Tell every session now."""
        for session in self._sessions.all():
            session.deliver(IceServers(self._ice.servers(session.grant.raw_id)))

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(LIFE_SECONDS / 2)
            self.renew()
