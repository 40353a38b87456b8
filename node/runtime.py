"""One agent's pump: the only place where phone, link and media meet.

Everything enters by `give` and is handled one after the other on the event loop; outputs are carried out
in order. News go to the owner, who may give again from within.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence

import tenacity

from media.audio import Source
from media.engine import Engine, IceServer, IceTransportPolicy
from media.orders import Happening, PathLost
from node.credential import EARLY_SECONDS, CommunicationTokenCredential, TokenCredential, token_of
from node.events import Tasks
from node.exchange import Anew, Cut, Do, FromHub, FromMedia, HangUp, Input, Linked, News, Output, Send, Tick
from node.link import Link
from node.phone import Phone
from node.rest import Rest
from signaling import parts
from signaling.messages import HubMessage, IceServers, TokenRefresh, Welcome
from signaling.parts import Party
from signaling.reasons import Reason

log = logging.getLogger("callnode.node")

TOKEN_SECONDS = 30.0


class Runtime:
    """Run one phone until closed or until the hub is lost for good."""

    def __init__(
        self,
        credential: TokenCredential,
        url: str,
        *,
        display_name: str,
        consent: bool,
        ice_servers: Sequence[IceServer],
        ice_transport_policy: IceTransportPolicy,
        hold_audio: Callable[[], Source] | None,
        on_news: Callable[[News], None],
        on_lost: Callable[[Reason], None],
    ) -> None:
        self.me = Party("8:unknown")
        self.tasks = Tasks()
        self.engine = Engine(
            self._happened,
            ice_servers=ice_servers,
            ice_transport_policy=ice_transport_policy,
            hold_audio=hold_audio,
        )
        self._ice_servers = tuple(ice_servers)  # those that the application knows
        self.linked = False
        self._phone = Phone(consent=consent)
        self._credential = credential
        self.rest = Rest(url, credential)
        self._link = Link(url, self._token, display_name, self)
        self._on_news = on_news
        self._on_lost = on_lost
        self._inputs: deque[Input] = deque()
        self._news: deque[News] = deque()
        self._pumping = False
        self._timer: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        self._expires_on = 0.0
        self._renewal: asyncio.Task[None] | None = None

    async def open(self) -> Reason | None:
        """Connect; return why that is impossible, or None."""
        reason = await self._link.open()
        if reason is None and getattr(self._credential, "refresh_proactively", False):
            self._renewal = self.tasks.spawn(self._renew())
        return reason

    def give(self, what: Input) -> None:
        """Take one input and carry out what follows, after what is under way."""
        self._inputs.append(what)
        if self._pumping:
            return
        self._pumping = True
        try:
            while self._inputs:
                for output in self._phone.handle(self._inputs.popleft(), self._loop.time()):
                    self._carry_out(output)
        finally:
            self._pumping = False
            self._arm()
        while self._news:
            news = self._news.popleft()
            try:
                self._on_news(news)
            except Exception:
                log.exception("%s could not be told", type(news).__name__)

    def _carry_out(self, output: Output) -> None:
        try:
            match output:
                case Send(message):
                    self._link.send(message)
                case Do(order):
                    self.engine.carry_out(order)
                case _:
                    self._news.append(output)
        except Exception:
            # A bug with one call must not take the others with it.
            log.exception("%s could not be carried out", type(output).__name__)

    async def close(self) -> None:
        """Hang up every call; let those that ring, the link and every task go."""
        for call_id in list(self._phone.calls):
            self.give(HangUp(call_id))
        self.give(Cut())
        await self._link.close()
        await self.engine.close()
        if self._timer is not None:
            self._timer.cancel()
        await self.tasks.close()

    def welcomed(self, welcome: Welcome, *, again: bool) -> None:
        """Take a session; where the earlier one is lost, the calls that are up are attached to it."""
        self.me = welcome.me
        self._use(welcome.ice_servers)
        if again and not welcome.resumed:
            log.warning("the hub no longer knows this session; what was not up yet has ended")
            self.give(Anew())
        self.linked = True
        self.give(Linked(True))

    def away(self) -> None:
        """Let the phone know that the hub cannot be heard for a while."""
        self.linked = False
        self.give(Linked(False))

    def received(self, message: HubMessage) -> None:
        """Hand a message to the phone."""
        if isinstance(message, IceServers):
            self._use(message.servers)
        self.give(FromHub(message))

    def refused(self, token: str) -> None:
        """Have the next token be another, if the credential can get one."""
        if isinstance(self._credential, CommunicationTokenCredential):
            self._credential.forget(token)

    def closed(self, reason: Reason) -> None:
        """End every call, and tell the owner."""
        if self._renewal is not None:
            self._renewal.cancel()
        self.linked = False
        self.give(Cut(reason))
        self._on_lost(reason)

    def _use(self, servers: Sequence[parts.IceServer]) -> None:
        """Seek new paths with the application's servers and these of the hub."""
        self.engine.set_ice_servers((*self._ice_servers, *ice_servers(servers)))

    def _happened(self, happening: Happening) -> None:
        if isinstance(happening, PathLost):
            self._link.doubt()
        self.give(FromMedia(happening))

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        deadline = self._phone.deadline
        self._timer = self._loop.call_at(deadline, self.give, Tick()) if deadline is not None else None

    async def _token(self) -> str:
        token = await token_of(self._credential)
        self._expires_on = token.expires_on
        return token.token

    async def _renew(self) -> None:
        """Send a fresh token before the current one expires, however often it takes to get it."""
        while True:
            left = self._expires_on - time.time()
            await asyncio.sleep(max(1.0, left - EARLY_SECONDS if left > EARLY_SECONDS else left / 2))
            async for attempt in tenacity.AsyncRetrying(
                wait=tenacity.wait_random_exponential(multiplier=0.5, max=30),
                before_sleep=lambda _: log.warning("the token cannot be renewed now"),
            ):
                with attempt:
                    async with asyncio.timeout(TOKEN_SECONDS):
                        token = await self._token()
            self._link.send(TokenRefresh(token))


def ice_servers(told: Iterable[parts.IceServer]) -> tuple[IceServer, ...]:
    """Return the servers that a hub tells of as the media takes them."""
    return tuple(IceServer(each.urls, each.username, each.credential) for each in told)
