"""Carry out media orders: one peer connection per call, sources and sinks attached to calls.

A path that does not come up is MediaLost, like one that breaks; Failed is an order that could not be carried
out. A candidate that cannot be used is logged and ignored: the others may do.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from typing import Literal

from aiortc import RTCConfiguration, RTCIceServer
from aiortc.rtcconfiguration import RTCIceTransportPolicy
from msgspec import Struct

from media.audio import Sink, Source
from media.ends import Ends
from media.leg import Leg
from media.orders import (
    AddCandidate,
    AnswerReady,
    AnswerReoffer,
    ApplyAnswer,
    AudioUp,
    Close,
    Closed,
    DtmfReceived,
    Failed,
    GoOver,
    Happening,
    MakeAnswer,
    MakeOffer,
    MediaLost,
    Mute,
    OfferReady,
    Order,
    PathBack,
    PathLost,
    PathReady,
    RemoteSpeaking,
    Renew,
    ReofferAnswered,
    ReofferReady,
    SendDtmf,
    SetHold,
    SpeakingWhileMuted,
    TakeOver,
)
from media.peer import Peer
from media.stats import Stats

_log = logging.getLogger("callnode.media")

SETTLE_SECONDS = 0.3  # until what others say into a mixer has come through a path to it
LINGER_SECONDS = 1.0  # that a path goes on after another one has taken its place
ORDER_SECONDS = 5.0  # that an order may take; none needs a second
_REMEMBERED_CALLS = 256  # closed ones, whose late orders are ignored


class IceServer(Struct, frozen=True):
    """A STUN or TURN server, as in W3C RTCIceServer."""

    urls: tuple[str, ...]
    username: str = ""
    credential: str = ""

    def __repr__(self) -> str:
        return f"IceServer(urls={self.urls!r})"


def configured(server: IceServer) -> RTCIceServer:
    """Return a server as aiortc takes it."""
    return RTCIceServer(list(server.urls), server.username or None, server.credential or None)


IceTransportPolicy = Literal["all", "relay"]


class Engine:
    """Own the media of all calls of an endpoint; `happened` is called on the event loop.

    `hold_audio` opens what the other end hears while it is held: silence without it. `ice_transport_policy`
    `relay` lets sound pass by TURN servers only, as in W3C RTCConfiguration.
    """

    def __init__(
        self,
        happened: Callable[[Happening], None],
        *,
        ice_servers: Sequence[IceServer] = (),
        ice_transport_policy: IceTransportPolicy = "all",
        hold_audio: Callable[[], Source] | None = None,
    ) -> None:
        self._happened = happened
        self._hold_audio = hold_audio
        self._ice_transport_policy = RTCIceTransportPolicy(ice_transport_policy)
        self.set_ice_servers(ice_servers)
        self._legs: dict[str, Leg] = {}
        self._closed: deque[str] = deque(maxlen=_REMEMBERED_CALLS)
        self._tasks: set[asyncio.Task[None]] = set()
        self._ended = False

    def set_ice_servers(self, servers: Sequence[IceServer]) -> None:
        """Seek the paths of new peer connections with these servers."""
        self._ice = RTCConfiguration(
            [configured(server) for server in servers], iceTransportPolicy=self._ice_transport_policy
        )

    def carry_out(self, order: Order) -> None:
        """Accept an order; those of one call are carried out one after the other."""
        leg = self._leg(order.call_id)
        if leg is None:
            return
        match order:
            case Mute(outgoing=outgoing, incoming=incoming):
                leg.ends.muted, leg.ends.incoming_muted = outgoing, incoming
            case TakeOver(old=old):
                leg.takes_over = old
                leg.ends.waiting = True
                if leg.audio_up:
                    self._take_over(leg)
            case Close(call_id):
                del self._legs[call_id]
                leg.stop_timers()
                self._closed.append(call_id)
                self._finish(leg)
                self._detach(leg)
                leg.orders.clear()
                self._enqueue(leg, order)
            case _:
                self._enqueue(leg, order)

    def set_source(self, call_id: str, source: Source | None) -> None:
        """Say this source into a call, from now or from its beginning; None is silence."""
        leg = self._leg(call_id)
        if leg is not None:
            leg.ends.set_source(source)
        elif source is not None:
            source.close()

    def set_sink(self, call_id: str, sink: Sink | None) -> None:
        """Let this sink hear a call, from now or from its beginning; None is nobody."""
        leg = self._leg(call_id)
        if leg is not None:
            leg.ends.set_sink(sink)
        elif sink is not None:
            sink.close()

    def set_volume(
        self, call_id: str, *, outgoing: float | None = None, incoming: float | None = None
    ) -> None:
        """Set how loud a call is said and heard, from 0 over 1 (as it is) to 4; None leaves as it is.

        Raises ValueError for another volume.
        """
        leg = self._leg(call_id)
        if leg is not None:
            ends = leg.ends
            ends.outgoing.volume = ends.outgoing.volume if outgoing is None else outgoing
            ends.incoming.volume = ends.incoming.volume if incoming is None else incoming

    def stats(self, call_id: str) -> Stats | None:
        """Return the figures of a call, or None when it has no peer connection."""
        leg = self._legs.get(call_id)
        return leg.peer.stats().after(leg.former) if leg is not None and leg.peer is not None else None

    def ends(self, call_id: str) -> tuple[Source | None, Sink | None]:
        """Return what is said into a call and what hears it, nothing for a call that is not there."""
        leg = self._legs.get(call_id)
        return (leg.ends.source, leg.ends.sink) if leg is not None else (None, None)

    async def close(self) -> None:
        """Close every call and wait until nothing of them is left: at most 5 s after the order under way."""
        for call_id in list(self._legs):
            self.carry_out(Close(call_id))
        self._ended = True
        while self._tasks:
            await asyncio.wait(self._tasks)

    def _leg(self, call_id: str) -> Leg | None:
        if call_id not in self._legs:
            if self._ended or call_id in self._closed:
                return None
            self._legs[call_id] = Leg(call_id, self._ends(call_id))
        return self._legs[call_id]

    def _ends(self, call_id: str) -> Ends:
        return Ends(
            self._hold_audio,
            lambda on: self._tell(RemoteSpeaking(call_id, on)),
            lambda on: self._tell(SpeakingWhileMuted(call_id, on)),
        )

    def _enqueue(self, leg: Leg, order: Order) -> None:
        leg.orders.append(order)
        if not leg.working:
            leg.working = True
            self._own(self._work(leg), f"media of {leg.call_id}")

    def _own(self, work: Coroutine[None, None, None], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _work(self, leg: Leg) -> None:
        while leg.orders:
            order = leg.orders.popleft()
            try:
                async with asyncio.timeout(ORDER_SECONDS):
                    await self._carry_out(leg, order)
            except Exception as error:
                what = f"{type(order).__name__}: {type(error).__name__}: {str(error)[:120]}"
                _log.warning("an order failed, call %s: %s", leg.call_id, what)
                if not isinstance(order, AddCandidate | SendDtmf | Close):
                    self._tell(Failed(leg.call_id, what))
        leg.working = False

    async def _carry_out(self, leg: Leg, order: Order) -> None:
        match order:
            case MakeOffer(call_id):
                self._tell(OfferReady(call_id, await self._open(leg).offer()))
            case MakeAnswer(call_id, sdp):
                self._tell(AnswerReady(call_id, await self._open(leg).answer(sdp)))
                await leg.add_early_candidates()
            case GoOver():
                leg.settle(SETTLE_SECONDS, self._go_over)
            case ApplyAnswer(call_id) if leg.newest.closed:
                self._tell(PathLost(call_id))  # the other end closed this path before its answer came
            case ApplyAnswer(call_id, sdp):
                reoffer = await leg.newest.apply_answer(sdp)
                await leg.add_early_candidates()
                if reoffer is not None:
                    self._tell(ReofferReady(call_id, reoffer))
            case AnswerReoffer(call_id, sdp):
                known = (path for path in (leg.next, leg.peer) if path is not None and path.describes(sdp))
                peer = next(known, None) or await self._renew(leg)
                self._tell(ReofferAnswered(call_id, await peer.answer(sdp)))
                await leg.add_early_candidates()
            case Renew():
                await self._offer_anew(leg)
            case AddCandidate():
                await leg.add_candidate(order)
            case SetHold():
                await self._hold(leg, order)
            case SendDtmf(_, digits):
                leg.opened.press(digits)
            case Close(call_id):
                try:
                    for path in filter(None, (leg.next, leg.before, leg.peer)):
                        await path.close()
                finally:
                    self._tell(Closed(call_id))
            case Mute() | TakeOver():
                pass  # done when they came

    def _open(self, leg: Leg) -> Peer:
        if leg.peer is not None:
            raise ValueError("the call has a peer connection already")
        leg.peer = self._peer(leg)
        return leg.peer

    async def _renew(self, leg: Leg, direction: str = "sendrecv") -> Peer:
        """Open another peer connection, which is to take the place of the one that is."""
        if leg.opened and leg.next is not None:
            await leg.next.close()
        leg.may_go_over = False
        leg.next = self._peer(leg, direction, deaf=True)
        return leg.next

    async def _offer_anew(self, leg: Leg) -> None:
        peer = await self._renew(leg, _DIRECTIONS[leg.ends.local_hold, leg.ends.remote_hold])
        self._tell(ReofferReady(leg.call_id, await peer.offer()))

    def _peer(self, leg: Leg, direction: str = "sendrecv", *, deaf: bool = False) -> Peer:
        peer = Peer(
            leg.ends,
            leg.said.reader(),
            self._ice,
            audio_up=lambda: self._audio_up(leg, peer),
            lost=lambda: self._lost(leg, peer),
            pressed=lambda event: self._tell(DtmfReceived(leg.call_id, event.digit, event.duration)),
            silent=lambda on: self._silent(leg, peer, on),
            connected=lambda: self._go_over(leg),
            direction=direction,
            deaf=deaf,
        )
        return peer

    def _silent(self, leg: Leg, peer: Peer, on: bool) -> None:
        if peer is leg.peer and not self._go_over(leg):
            self._tell(PathLost(leg.call_id) if on else PathBack(leg.call_id))

    def _lost(self, leg: Leg, peer: Peer) -> None:
        if peer is leg.next:
            leg.next = None
            self._own(self._close_peer(peer), f"path of {leg.call_id}")
        elif peer is leg.peer and not self._go_over(leg):
            self._tell(MediaLost(leg.call_id))

    def _go_over(self, leg: Leg) -> bool:
        """Let the new path take the place of the one before if it can and may; tell whether it did."""
        peer, before = leg.next, leg.peer
        if peer is None or before is None or not peer.connected:
            return False
        lost = before.closed or before.silent or leg.ends.held or not leg.audio_up
        if not lost and not leg.may_go_over:
            return False
        leg.peer, leg.next = peer, None
        peer.take_place_of(before)
        leg.former = before.stats().after(leg.former)
        if leg.linger is not None:
            leg.linger.cancel()
            self._let_go(leg)
        leg.before = before
        # Still says what this end says: the other one may not have gone over yet.
        leg.linger = asyncio.get_running_loop().call_later(0 if lost else LINGER_SECONDS, self._let_go, leg)
        self._tell(PathBack(leg.call_id))
        if peer.heard and not leg.audio_up:
            self._audio_up(leg, peer)
        return True

    def _let_go(self, leg: Leg) -> None:
        before, leg.before, leg.linger = leg.before, None, None
        if before is not None:
            self._own(self._close_peer(before), f"path of {leg.call_id}")

    async def _close_peer(self, peer: Peer) -> None:
        try:
            async with asyncio.timeout(ORDER_SECONDS):
                await peer.close()
        except Exception as error:
            _log.warning("a path did not close: %s: %s", type(error).__name__, error)

    async def _hold(self, leg: Leg, order: SetHold) -> None:
        leg.ends.local_hold, leg.ends.remote_hold, leg.ends.quiet = order.local, order.remote, order.quiet
        self._go_over(leg)
        if order.offerer and leg.newest.closed:
            await self._offer_anew(leg)
        elif order.offerer:
            direction = _DIRECTIONS[order.local, order.remote]
            reoffer = await leg.newest.redirect(direction)
            if reoffer is not None:
                self._tell(ReofferReady(leg.call_id, reoffer))

    def _audio_up(self, leg: Leg, peer: Peer) -> None:
        if peer is not leg.peer or leg.audio_up:
            if peer in (leg.next, leg.peer):
                self._tell(PathReady(leg.call_id))
            return
        leg.audio_up = True
        if leg.takes_over is not None:
            self._take_over(leg)
        self._tell(AudioUp(leg.call_id))

    def _take_over(self, leg: Leg) -> None:
        old = self._legs.get(leg.takes_over or "")
        if old is not None:
            old.ends.move_to(leg.ends)
        leg.took_over, leg.takes_over = leg.takes_over, None
        leg.ends.waiting = False

    def _finish(self, leg: Leg) -> None:
        try:
            if leg.peer is not None:
                leg.peer.finish()
        except Exception:
            _log.exception("the last sound of a call is lost, call %s", leg.call_id)

    def _detach(self, leg: Leg) -> None:
        """Part a call from its source and sink at once: back to where they came from, or on, or closed."""
        heir = self._legs.get(leg.took_over or "")
        if heir is None:
            heir = next((other for other in self._legs.values() if other.takes_over == leg.call_id), None)
        if heir is not None:
            leg.ends.move_to(heir.ends)
        leg.ends.close()
        leg.takes_over = leg.took_over = None

    def _tell(self, happening: Happening) -> None:
        try:
            self._happened(happening)
        except Exception:
            _log.exception("the listener failed on %s", type(happening).__name__)


_DIRECTIONS = {
    (False, False): "sendrecv",
    (True, False): "sendonly",
    (False, True): "recvonly",
    (True, True): "inactive",
}
