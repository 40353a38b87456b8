"""One peer connection: negotiate, send, receive, watch, close."""

import asyncio
import contextlib
import logging
from collections.abc import Callable

from aiortc import RTCConfiguration, RTCIceCandidate, RTCPeerConnection, RTCSessionDescription
from aiortc.sdp import candidate_from_sdp

from media.adapter import IcePacing, choose_formats, close_connection, create_offer, formats, legible
from media.audio import Frame
from media.dtmf import Event, EventReceiver
from media.ends import Ends
from media.opus import Wishes
from media.rate import Rate, Report
from media.receiver import Receiver
from media.rtp import RtpPacket
from media.rtp_session import RtpSession
from media.sender import Sender
from media.stats import Stats

_log = logging.getLogger("callnode.media")

CONNECT_SECONDS = 10.0  # from both descriptions to ICE and DTLS up
SILENT_SECONDS = 10.0  # without any packet, although none holds
WARN_SECONDS = 3.0
WATCH_SECONDS = 1.0
SOONEST_SECONDS = 0.01  # from the last frame of a path to the first of the one that takes its place
EVENT_SECONDS = 0.5  # without a packet of it, until a keypad digit whose end was lost is over


class Peer:
    """A call's media path; it says what `said` returns, and `ends` hear it unless it is `deaf`.

    `audio_up` is called at the first decoded frame, before it is heard; `lost` once, if the path does not
    come up within 10 s of the descriptions, closes under us, or brings no packet for 10 s while none holds;
    `silent` with True every 3 s of such silence, with False when it is over; `connected` whenever the path is
    up; `pressed` with each keypad digit of the other end.
    """

    def __init__(
        self,
        ends: Ends,
        said: Callable[[], Frame],
        ice: RTCConfiguration,
        audio_up: Callable[[], None],
        lost: Callable[[], None],
        pressed: Callable[[Event], None],
        silent: Callable[[bool], None],
        connected: Callable[[], object],
        direction: str = "sendrecv",
        *,
        deaf: bool = False,
    ) -> None:
        self._ends = ends
        self._deaf = deaf
        self._relieves: Peer | None = None  # is heard until this one has a frame
        self._written_at = 0.0  # loop time
        self._lost = lost
        self._pressed = pressed
        self._silent = silent
        self._connected = connected
        self._loop = asyncio.get_running_loop()
        self._pc = RTCPeerConnection(ice)
        self._receiver = Receiver(self._write, audio_up)
        self._transceiver = self._pc.addTransceiver("audio", direction=direction)
        self._session = RtpSession(
            self._transceiver,
            sending=self._start_sending,
            sound=self._hear,
            event=self._hear_event,
            reported=self._adapt,
        )
        self._sender = Sender(said, self._session.send)
        self._rate = Rate()
        self._events: EventReceiver | None = None
        self._event_rate = 0
        self._pacing = IcePacing(self._transceiver)
        self._pc.on("connectionstatechange", self._state_changed)
        self._flush: asyncio.TimerHandle | None = None
        self._watch: asyncio.TimerHandle | None = None
        self._quiet_since = 0.0  # when the wait for the next packet, or for the path, began
        self._warned_at: float | None = None  # loop time
        self._reoffer_due = False
        self._offered = self._applied = ""  # the last descriptions of the other end
        self._resolving: set[asyncio.Task[None]] = set()

    @property
    def described(self) -> bool:
        """Return whether the other end's description is known, so that its candidates may be added."""
        return self._watch is not None

    @property
    def connected(self) -> bool:
        """Whether the path is up."""
        return self._pc.connectionState == "connected"

    @property
    def heard(self) -> bool:
        """Whether a frame of it has been decoded."""
        return self._receiver.heard

    @property
    def silent(self) -> bool:
        """Whether no packet has come for 3 s although none holds."""
        return self._warned_at is not None

    @property
    def closed(self) -> bool:
        """Whether the path is gone for good, by this end or by the other one (DTLS close_notify)."""
        return self._pc.signalingState == "closed"

    def describes(self, sdp: str) -> bool:
        """Return whether a description of the other end is of this path, and not of another one."""
        description = self._pc.remoteDescription
        return description is not None and _ice_user(description.sdp) == _ice_user(sdp)

    def take_place_of(self, before: "Peer") -> None:
        """Be heard in the place of another path of the call: at once, after what it holds, if that is lost.

        Else that one is heard until this one has a frame, and what it holds never: both carry the same sound.
        """
        if before.closed or before.silent:
            before._receiver.finish()
            before._deaf, self._deaf = True, False
        else:
            self._relieves = before

    async def offer(self) -> str:
        """Return an offer with all candidates, or a re-offer of the current direction."""
        self._reoffer_due = False
        offer = await create_offer(self._pc, self._transceiver)
        self._session.formats = formats(self._transceiver)
        await self._pc.setLocalDescription(offer)
        return self._pc.localDescription.sdp

    async def answer(self, offer: str) -> str:
        """Return the answer to an offer or re-offer, with all candidates. Raises ValueError without Opus.

        One that is made twice, in case it was lost, has the same answer twice.
        """
        if offer == self._offered:
            return self._pc.localDescription.sdp
        _require_fingerprint(offer)
        sdp, unresolved = _without_mdns(legible(offer))
        await self._pc.setRemoteDescription(RTCSessionDescription(sdp=sdp, type="offer"))
        self._negotiated(choose_formats(self._transceiver, sdp))
        for other in self._pc.getTransceivers():
            if other is not self._transceiver:
                other.direction = "inactive"
        await self._pc.setLocalDescription(await self._pc.createAnswer())
        self._begin_watch()
        await self._add_all(unresolved)
        self._offered = offer
        return self._pc.localDescription.sdp

    async def apply_answer(self, answer: str) -> str | None:
        """Take the answer to our offer; return the re-offer that had to wait for it, if there is one.

        An offer that was made twice, in case it was lost, may be answered twice: the second changes nothing.
        """
        if answer == self._applied or self._pc.signalingState == "stable":
            return None
        self._applied = answer
        _require_fingerprint(answer)
        sdp, unresolved = _without_mdns(legible(answer))
        await self._pc.setRemoteDescription(RTCSessionDescription(sdp=sdp, type="answer"))
        self._negotiated(choose_formats(self._transceiver, sdp))
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
        """Return the figures of this path so far."""
        reports, counters = self._session.reports, self._receiver.counters
        stream, remote, target = reports.reception, reports.report, self._sender.target
        round_trip = remote.round_trip_time if remote else None
        return Stats(
            packets_received=reports.packets_received,
            bytes_received=self._receiver.bytes_received,
            jitter=stream.jitter if stream else 0.0,
            packets_lost=stream.lost_in_all if stream else 0,
            packets_discarded=counters.packets_discarded,
            jitter_buffer_delay=counters.jitter_buffer_delay,
            jitter_buffer_target_delay=counters.jitter_buffer_target_delay,
            jitter_buffer_emitted_count=counters.jitter_buffer_emitted_count,
            total_samples_received=counters.total_samples_received,
            concealed_samples=counters.concealed_samples,
            silent_concealed_samples=counters.silent_concealed_samples,
            concealment_events=counters.concealment_events,
            inserted_samples_for_deceleration=counters.inserted_samples_for_deceleration,
            removed_samples_for_acceleration=counters.removed_samples_for_acceleration,
            fec_packets_received=counters.fec_packets_received,
            fec_packets_discarded=counters.fec_packets_discarded,
            packets_sent=reports.packets_sent,
            bytes_sent=reports.bytes_sent,
            retransmitted_packets_sent=self._session.packets_repeated,
            target_bitrate=target.bitrate,
            expected_loss=target.expected_loss,
            fec=target.fec,
            remote_packets_lost=remote.packets_lost if remote else None,
            remote_fraction_lost=remote.fraction_lost if remote else None,
            remote_jitter=remote.jitter if remote else None,
            round_trip_time=round_trip,
            current_round_trip_time=round_trip,
            payload_type=self._session.formats.opus,
            audio_level_in=self._ends.level_in,
            audio_level_out=self._ends.level_out,
            frames_late=self._receiver.frames_late + self._sender.frames_late,
            unknown_packets=self._session.unknown_packets,
            microphone_underruns=getattr(self._ends.source, "underruns", 0),
            speaker_underruns=getattr(self._ends.sink, "underruns", 0),
        )

    def press(self, digits: str) -> None:
        """Send keypad digits. Raises ValueError for what is not on a keypad."""
        self._sender.press(digits)

    def finish(self) -> None:
        """Let what was received be heard, and what was read be sent, at once; then no more."""
        self._receiver.finish()
        self._sender.finish()

    async def close(self) -> None:
        """Let everything go: sockets, timers, tasks, codecs. Source and sink stay with `ends`."""
        self._lost = _nothing
        if self._watch is not None:
            self._watch.cancel()
        if self._flush is not None:
            self._flush.cancel()
        self._receiver.close()
        if self._resolving:
            for task in self._resolving:
                task.cancel()
            await asyncio.wait(self._resolving)
        try:
            await close_connection(self._pc, self._pacing)
        finally:
            self._sender.close()

    def _write(self, frame: Frame) -> None:
        now, before = self._loop.time(), self._relieves
        if before is not None:
            before._deaf = True
            if now < before._written_at + SOONEST_SECONDS:
                return
            self._deaf, self._relieves = False, None
        if not self._deaf:
            self._written_at = now
            self._ends.write(frame, self)

    def _negotiated(self, wishes: Wishes) -> None:
        self._session.formats = formats(self._transceiver)
        event_type, rate = next(iter(self._session.formats.events.items()), (0, 0))
        self._sender.configure(wishes, event_type, rate)
        self._session.repeat = self._sender.target.repeat

    def _start_sending(self) -> None:
        self._sender.start()

    def _hear(self, packet: RtpPacket) -> None:
        self._receiver.receive(packet.ssrc, packet.sequence, packet.timestamp, packet.payload)
        if not self._deaf:
            self._ends.packet(packet.ssrc, packet.sequence, packet.timestamp, packet.payload)

    def _hear_event(self, packet: RtpPacket, clock_rate: int) -> None:
        self._receiver.pass_over(packet.ssrc, packet.sequence)
        if self._events is None or clock_rate != self._event_rate:
            self._events, self._event_rate = EventReceiver(clock_rate), clock_rate
        self._tell_pressed(self._events.receive(packet.timestamp, packet.payload))
        if self._flush is not None:
            self._flush.cancel()
        self._flush = self._loop.call_later(EVENT_SECONDS, self._flush_event)

    def _flush_event(self) -> None:
        if self._events is not None:
            self._tell_pressed(self._events.flush())

    def _tell_pressed(self, event: Event | None) -> None:
        if event is not None:
            self._pressed(event)

    def _adapt(self, report: Report) -> None:
        self._sender.set_target(self._rate.report(report, self._loop.time()))
        self._session.repeat = self._sender.target.repeat

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
        connected, heard = self.connected, self._session.last_packet
        if connected and (heard is None or self._ends.held or not self._session.may_receive):
            self._quiet_since = now
        elif connected and heard is not None:
            self._quiet_since = max(self._quiet_since, heard)
        self._warn(now)
        if now - self._quiet_since > (SILENT_SECONDS if connected else CONNECT_SECONDS):
            self._tell_lost("no packet for 10 s" if connected else "not connected within 10 s")
        else:
            self._watch = self._loop.call_later(WATCH_SECONDS, self._look)

    def _warn(self, now: float) -> None:
        if now - self._quiet_since < WARN_SECONDS:
            if self._warned_at is not None:
                self._warned_at = None
                self._silent(False)
        elif self._warned_at is None or now - self._warned_at >= WARN_SECONDS:
            self._warned_at = now
            self._silent(True)

    def _state_changed(self) -> None:
        if self.connected:
            self._connected()
        elif self._pc.connectionState in ("failed", "closed"):
            self._tell_lost(f"the connection is {self._pc.connectionState}")

    def _tell_lost(self, why: str) -> None:
        lost, self._lost = self._lost, _nothing
        if lost is not _nothing:
            _log.info("media lost: %s", why)
        lost()


def _nothing() -> None:
    pass


def _ice_user(sdp: str) -> set[str]:
    """Return what tells one path from another: a new one has another ICE user (RFC 8839 §5.4)."""
    return {line for line in sdp.splitlines() if line.startswith("a=ice-ufrag:")}


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
