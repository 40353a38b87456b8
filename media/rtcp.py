"""Reports both ways: what we sent and received, and what the other end says it received (RFC 3550 §6)."""

import asyncio
import random
import struct
import time
from collections.abc import Callable
from uuid import uuid4

from aiortc.rtp import (
    AnyRtcpPacket,
    RtcpByePacket,
    RtcpPacket,
    RtcpReceiverInfo,
    RtcpRrPacket,
    RtcpSdesPacket,
    RtcpSenderInfo,
    RtcpSourceInfo,
    RtcpSrPacket,
    clamp_packets_lost,
)

from media.audio import SAMPLE_RATE
from media.rate import Report
from media.rtp import Reception

_FIRST_SECONDS = 0.25  # a first report soon: the other end learns loss and round trip from it
_EARLY_SECONDS = 0.25  # between a report and one that loss brings forward, RFC 4585 §3.5
_REORDER_SECONDS = 0.05  # that a missing packet is waited for
_NTP_EPOCH = 2_208_988_800  # seconds from 1900 to 1970
_CNAME = 1
_MAX_ROUND_TRIP = 60.0


class Reports:
    """Send a report every 0.5 to 1.5 s, sooner after a loss; read those of the other end.

    `send` takes an RTCP packet; `reported` is told what the other end says of our stream.
    """

    def __init__(
        self, ssrc: int, send: Callable[[bytes], object], reported: Callable[[Report], None]
    ) -> None:
        self.packets_sent = 0
        self.bytes_sent = 0  # of payload, RFC 3550 §6.4.1
        self.report: Report | None = None  # the last
        self.reception: Reception | None = None  # of the stream there is now
        self.packets_received = 0  # of all streams
        self._ssrc = ssrc
        self._cname = str(uuid4()).encode()  # RFC 7022 §4.2
        self._send = send
        self._reported = reported
        self._loop = asyncio.get_running_loop()
        self._clock = time.time() + _NTP_EPOCH - self._loop.time()  # steady, unlike the wall clock
        self._timer: asyncio.TimerHandle | None = None
        self._last = 0.0
        self._last_timestamp = 0
        self._last_sent = 0.0
        self._heard_ssrc = 0  # of the sender report that was heard last, its time stamp, and when
        self._heard_ntp = 0
        self._heard_at = 0.0

    def start(self, cname: str | None) -> None:
        """Report from now on, under the canonical name of our description, if we send."""
        if cname is not None:
            self._cname = cname.encode()
        if self._timer is None:
            self._last = self._loop.time()
            self._timer = self._loop.call_later(_FIRST_SECONDS, self._tick)

    def sent(self, timestamp: int | None, payload_bytes: int) -> None:
        """Count a packet of ours; `timestamp` is that of sound, at 48 kHz."""
        self.packets_sent += 1
        self.bytes_sent += payload_bytes
        if timestamp is not None:
            self._last_timestamp, self._last_sent = timestamp, self._loop.time()

    def received(self, ssrc: int, sequence: int) -> Reception:
        """Count a packet of the other end, which has one stream; return what is counted of it."""
        self.packets_received += 1
        stream = self.reception
        if stream is None or stream.ssrc != ssrc:
            lost = 0 if stream is None else stream.lost_in_all
            stream = self.reception = Reception(ssrc, sequence, lost)
        if stream.add(sequence) and self._timer is not None:
            due = max(self._loop.time() + _REORDER_SECONDS, self._last + _EARLY_SECONDS)
            if due < self._timer.when():
                self._timer.cancel()
                self._timer = self._loop.call_at(due, self._tick)
        return stream

    def receive(self, data: bytes) -> None:
        """Take a compound packet of the other end; what is malformed is ignored, and so is BYE.

        Browsers send BYE on hold, and the stream goes on later.
        """
        try:
            packets = RtcpPacket.parse(data)
        except (ValueError, IndexError, struct.error):
            return
        for packet in packets:
            if isinstance(packet, RtcpSrPacket):
                self._heard_ssrc, self._heard_at = packet.ssrc, self._loop.time()
                self._heard_ntp = packet.sender_info.ntp_timestamp >> 16 & 0xFFFFFFFF
            if isinstance(packet, RtcpSrPacket | RtcpRrPacket):
                for block in packet.reports:
                    if block.ssrc == self._ssrc:
                        self._take(block)

    def stop(self) -> None:
        """Say BYE if anything was said; no more reports."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._send(self._compound(RtcpByePacket(sources=[self._ssrc])))

    def _take(self, block: RtcpReceiverInfo) -> None:
        round_trip: float | None = None
        if block.lsr:
            trip = ((self._ntp() >> 16) - block.lsr - block.dlsr & 0xFFFFFFFF) / 65536
            round_trip = trip if trip < _MAX_ROUND_TRIP else None
        if round_trip is None and self.report is not None:
            round_trip = self.report.round_trip_time
        self.report = Report(
            block.fraction_lost / 256, block.packets_lost, block.jitter / SAMPLE_RATE, round_trip
        )
        self._reported(self.report)

    def _tick(self) -> None:
        self._last = self._loop.time()
        self._timer = self._loop.call_later(0.5 + random.random(), self._tick)
        self._send(self._compound())

    def _compound(self, *more: AnyRtcpPacket) -> bytes:
        blocks = [self._block(self.reception)] if self.reception is not None else []
        first: AnyRtcpPacket
        if self.packets_sent:
            since = self._loop.time() - self._last_sent
            info = RtcpSenderInfo(
                ntp_timestamp=self._ntp(),
                rtp_timestamp=self._last_timestamp + round(since * SAMPLE_RATE) & 0xFFFFFFFF,
                packet_count=self.packets_sent & 0xFFFFFFFF,
                octet_count=self.bytes_sent & 0xFFFFFFFF,
            )
            first = RtcpSrPacket(ssrc=self._ssrc, sender_info=info, reports=blocks)
        else:
            first = RtcpRrPacket(ssrc=self._ssrc, reports=blocks)
        name = RtcpSourceInfo(ssrc=self._ssrc, items=[(_CNAME, self._cname)])
        return b"".join(map(bytes, (first, RtcpSdesPacket(chunks=[name]), *more)))

    def _block(self, stream: Reception) -> RtcpReceiverInfo:
        heard = stream.ssrc == self._heard_ssrc
        since = min(0xFFFF, self._loop.time() - self._heard_at)
        return RtcpReceiverInfo(
            ssrc=stream.ssrc,
            fraction_lost=stream.fraction_lost(),
            packets_lost=clamp_packets_lost(stream.lost),
            highest_sequence=stream.newest & 0xFFFFFFFF,
            jitter=min(0xFFFFFFFF, int(stream.jitter * SAMPLE_RATE)),
            lsr=self._heard_ntp if heard else 0,
            dlsr=int(since * 65536) if heard else 0,
        )

    def _ntp(self) -> int:
        return int((self._clock + self._loop.time()) * 2**32)
