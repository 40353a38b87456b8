"""Who is there to be called, and whether they can be."""

from collections.abc import Iterable
from typing import Literal

from aiohttp import web
from msgspec import Struct

from signaling.hub import Hub
from signaling.identity import MIXER, VOICEMAIL
from signaling.rest import Gate, reply
from signaling.settings import User

Presence = Literal["available", "busy", "offline"]


class Entry(Struct, frozen=True):
    """One user as the others see it; `busy` is in a call, or being called."""

    raw_id: str
    name: str
    display_name: str
    aliases: tuple[str, ...]
    presence: Presence


class DirectoryApi:
    """List all users, for any of them."""

    def __init__(self, gate: Gate, hub: Hub) -> None:
        self._gate = gate
        self._hub = hub

    def routes(self) -> list[web.AbstractRouteDef]:
        """Return the routes."""
        return [web.get("/v1/directory", self.list)]

    async def list(self, request: web.Request) -> web.Response:
        """Return everybody but the one who asks and the services, by name."""
        me = self._gate.user(request).user.raw_id
        users = self._hub.directory.users.values()
        others = [user for user in users if user.raw_id != me and user.name not in (VOICEMAIL, MIXER)]
        busy = set(self._busy())
        entries = [
            Entry(user.raw_id, user.name, self._shown(user), user.aliases, self._presence(user, busy))
            for user in others
        ]
        return reply({"people": sorted(entries, key=lambda e: (e.display_name or e.name).casefold())})

    def _shown(self, user: User) -> str:
        """Return the display name: the user's own, or the one that a device of theirs goes by."""
        devices = sorted(self._hub.presence.devices(user.raw_id))
        names = (self._hub.presence.party(session).display_name for session in devices)
        return user.display_name or next((name for name in names if name), "")

    def _presence(self, user: User, busy: set[str]) -> Presence:
        if user.raw_id not in self._hub.presence.online:
            return "offline"
        return "busy" if user.raw_id in busy else "available"

    def _busy(self) -> Iterable[str]:
        for call in self._hub.calls.all.values():
            for session in (*(leg.session for leg in call.legs), *call.ringing):
                yield self._hub.presence.party(session).raw_id  # a mixer's leg bears another's name
