"""One peer connection: negotiate, send, receive, watch, close."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence

from aiortc import RTCConfiguration, RTCIceCandidate, RTCIceServer, RTCPeerConnection, RTCSessionDescription
from aiortc.sdp import candidate_from_sdp

from media.adapter import (
    IcePacing,
    choose_opus,
    close_connection,
    create_offer,
    receive_packets,
    received_streams,
    sent,
)
from media.audio import SAMPLE_RATE
from media.ends import Ends
from media.receiver import Receiver
from media.stats import Stats
from media.track import OutgoingTrack

_log = logging.getLogger("callnode.media")

CONNECT_SECONDS = 10.0  # from both descriptions to ICE and DTLS up
SILENT_SECONDS = 10.0  # without any packet, although none holds
WATCH_SECONDS = 1.0


class Peer:
    """A call's media path; all sound comes from and goes to `ends`.

    `audio_up` is called at the first decoded frame, before it is heard; `lost` once, if the path does not
    come up within 10 s of the descriptions, closes under us, or brings no packet for 10 s while none holds.
    """

    def __init__(
        self,
        ends: Ends,
        ice_servers: Sequence[RTCIceServer],
        audio_up: Callable[[], None],
        lost: Callable[[], None],
    ) -> None:
        self._ends = ends
        self._lost = lost
        self._loop = asyncio.get_running_loop()
        self._pc = RTCPeerConnection(RTCConfiguration(iceServers=list(ice_servers)))
        self._track = OutgoingTrack(ends.read)
        self._receiver = Receiver(ends.write, audio_up)
        self._transceiver = self._pc.addTransceiver(self._track)
        receive_packets(self._transceiver, self._receive)
        self._pacing = IcePacing(self._transceiver)
        self._pc.on("connectionstatechange", self._state_changed)
        self._watch: asyncio.TimerHandle | None = None
        self._quiet_since = 0.0  # when the wait for the next packet, or for the path, began
        self._reoffer_due = False
        self._resolving: set[asyncio.Task[None]] = set()

    @property
    def described(self) -> bool:
        """Return whether the other end's description is known, so that its candidates may be added."""
        return self._watch is not None

    async def offer(self) -> str:
        """Return an offer with all candidates, or a re-offer of the current direction."""
        self._reoffer_due = False
        await self._pc.setLocalDescription(await create_offer(self._pc, self._transceiver))
        return self._pc.localDescription.sdp

    async def answer(self, offer: str) -> str:
        """Return the answer to an offer or re-offer, with all candidates. Raises ValueError without Opus."""
        _require_fingerprint(offer)
        sdp, unresolved = _without_mdns(offer)
        await self._pc.setRemoteDescription(RTCSessionDescription(sdp=sdp, type="offer"))
        choose_opus(self._transceiver)
        for other in self._pc.getTransceivers():
            if other is not self._transceiver:
                other.direction = "inactive"
        await self._pc.setLocalDescription(await self._pc.createAnswer())
        self._begin_watch()
        await self._add_all(unresolved)
        return self._pc.localDescription.sdp

    async def apply_answer(self, answer: str) -> str | None:
        """Take the answer to our offer; return the re-offer that had to wait for it, if there is one."""
        _require_fingerprint(answer)
        sdp, unresolved = _without_mdns(answer)
        await self._pc.setRemoteDescription(RTCSessionDescription(sdp=sdp, type="answer"))
        choose_opus(self._transceiver)
        self._begin_watch()
        await self._add_all(unresolved)
        return await self.offer() if self._reoffer_due else None

    async def redirect(self, direction: str) -> str | None:
        """Return a re-offer of another direction, or nothing while an answer is awaited: it follows that."""
        self._transceiver.direction = direction
        if self._pc.signalingState == "stable":
            return await self.offer()
        self._reoffer_due = True
        return None

    async def add_candidate(self, line: str, mid: str | None, index: int | None) -> None:
        """Add a candidate (`candidate:…`; empty is the end of candidates). Raises ValueError if malformed.

        Names ending in `.local` are resolved in the background (draft-ietf-mmusic-mdns-ice-candidates).
        """
        if not line:
            await self._pc.addIceCandidate(None)
            return
        fields = line.removeprefix("a=").removeprefix("candidate:")
        if len(fields.split()) < 8:
            raise ValueError("a candidate has at least 8 fields")
        candidate = candidate_from_sdp(fields)
        candidate.sdpMid = mid
        candidate.sdpMLineIndex = 0 if mid is None and index is None else index
        if not candidate.ip.endswith(".local"):
            await self._pc.addIceCandidate(candidate)
            return
        task = asyncio.create_task(self._resolve(candidate), name="mdns candidate")
        self._resolving.add(task)
        task.add_done_callback(self._resolving.discard)

    def stats(self) -> Stats:
        """Return the figures so far."""
        packets_sent, bytes_sent, round_trip_time = sent(self._transceiver)
        received, jitter = 0, 0.0
        for stream in received_streams(self._transceiver.receiver).values():
            received, jitter = stream.packets_received, stream.jitter / SAMPLE_RATE
        incoming, buffer = self._receiver, self._receiver.jitter
        return Stats(
            packets_sent=packets_sent,
            bytes_sent=bytes_sent,
            packets_received=received,
            bytes_received=incoming.bytes_received,
            packets_lost=buffer.lost,
            packets_discarded=buffer.late + buffer.duplicates + buffer.dropped,
            jitter=jitter,
            round_trip_time=round_trip_time,
            jitter_buffer_delay=buffer.delay,
            concealed_samples=incoming.concealed_samples,
            fec_packets_received=incoming.fec_packets_received,
            audio_level_in=self._ends.level_in,
            audio_level_out=self._ends.level_out,
            frames_late=incoming.frames_late + self._track.frames_late,
        )

    def finish(self) -> None:
        """Let what was received be heard, and what was read be sent, at once; then no more."""
        self._receiver.finish()
        self._track.finish()

    async def close(self) -> None:
        """Let everything go: sockets, timers, tasks, codecs. Source and sink stay with `ends`."""
        self._lost = _nothing
        if self._watch is not None:
            self._watch.cancel()
        self._receiver.close()
        if self._resolving:
            for task in self._resolving:
                task.cancel()
            await asyncio.wait(self._resolving)
        try:
            await close_connection(self._pc, self._pacing)
        finally:
            self._track.stop()

    def _receive(self, ssrc: int, sequence: int, timestamp: int, payload: bytes) -> None:
        self._receiver.receive(ssrc, sequence, payload)
        self._ends.packet(ssrc, sequence, timestamp, payload)

    async def _resolve(self, candidate: RTCIceCandidate) -> None:
        try:
            await self._pc.addIceCandidate(candidate)
        except OSError as error:
            _log.info("mDNS is not available: %s", error)

    async def _add_all(self, lines: list[str]) -> None:
        for line in lines:
            with contextlib.suppress(ValueError):
                await self.add_candidate(line, None, 0)

    def _begin_watch(self) -> None:
        if self._watch is None:
            self._quiet_since = self._loop.time()
            self._watch = self._loop.call_later(WATCH_SECONDS, self._look)

    def _look(self) -> None:
        now = self._loop.time()
        connected = self._pc.connectionState == "connected"
        heard = self._receiver.last_packet
        if connected and (heard is None or self._ends.held):
            self._quiet_since = now
        elif connected and heard is not None:
            self._quiet_since = max(self._quiet_since, heard)
        if now - self._quiet_since > (SILENT_SECONDS if connected else CONNECT_SECONDS):
            self._tell_lost("no packet for 10 s" if connected else "not connected within 10 s")
        else:
            self._watch = self._loop.call_later(WATCH_SECONDS, self._look)

    def _state_changed(self) -> None:
        if self._pc.connectionState in ("failed", "closed"):
            self._tell_lost(f"the connection is {self._pc.connectionState}")

    def _tell_lost(self, why: str) -> None:
        lost, self._lost = self._lost, _nothing
        if lost is not _nothing:
            _log.info("media lost: %s", why)
        lost()


def _nothing() -> None:
    pass


def _require_fingerprint(sdp: str) -> None:
    # Without one, aiortc fails later, in a task that nobody awaits.
    if "a=fingerprint:" not in sdp:
        raise ValueError("the description has no DTLS fingerprint")


def _without_mdns(sdp: str) -> tuple[str, list[str]]:
    """Return a description without `.local` candidates, whose resolution takes up to 1 s, and these."""
    lines = sdp.splitlines()
    unresolved = [line for line in lines if line.startswith("a=candidate:") and ".local " in line]
    if not unresolved:
        return sdp, []
    kept = [line for line in lines if line not in unresolved and line != "a=end-of-candidates"]
    return "\r\n".join(kept) + "\r\n", unresolved
