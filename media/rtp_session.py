"""The RTP session of a call: number and count packets, report, sort what comes by payload type."""

import asyncio
import random
from collections.abc import Callable

from aiortc import RTCRtpTransceiver
from aiortc.rtcrtpparameters import RTCRtpParameters

from media.adapter import Formats, RtpTransport, extension_ids
from media.audio import FRAME_SAMPLES
from media.rate import Report
from media.rtcp import Reports
from media.rtp import Packer, RtpPacket, parse


class RtpSession:
    """Send and receive the packets of a call.

    `sending` is called when packets may be sent, `sound` with each Opus packet, `event` with each packet of a
    keypad digit and its clock rate, `reported` with what the other end says of our stream.
    """

    def __init__(
        self,
        transceiver: RTCRtpTransceiver,
        *,
        sending: Callable[[], None],
        sound: Callable[[RtpPacket], None],
        event: Callable[[RtpPacket, int], None],
        reported: Callable[[Report], None],
    ) -> None:
        self.formats = Formats(0, {})
        self.last_packet: float | None = None  # loop time
        self.unknown_packets = 0  # of payload types that were not negotiated, and malformed ones
        self.repeat = False  # send each packet of sound again, after the next
        self.packets_repeated = 0
        self._before: tuple[int, bytes] | None = None  # the last one sent, and its timestamp
        self._sending, self._sound, self._event = sending, sound, event
        self._loop = asyncio.get_running_loop()
        self._transceiver = transceiver
        self._packer: Packer | None = None
        self._transport = RtpTransport(
            transceiver, self._start, self._stop, self._receive, self._receive_rtcp
        )
        self.reports = Reports(self._transport.ssrc, self._transport.send_rtcp, reported)

    @property
    def may_send(self) -> bool:
        """Whether the negotiated direction lets us send."""
        return self._transceiver.currentDirection in ("sendrecv", "sendonly")

    @property
    def may_receive(self) -> bool:
        """Whether the negotiated direction lets the other end send."""
        return self._transceiver.currentDirection in ("sendrecv", "recvonly")

    def send(
        self, payload_type: int | None, timestamp: int, payload: bytes, marker: bool, level: int
    ) -> None:
        """Send a packet, of Opus or of another payload type; without a path it is dropped, and while held.

        `level` is of RFC 6464; whom the other end holds says not even silence (RFC 3264 §8.4).
        """
        packer = self._packer
        if packer is not None and self.may_send:
            kind = self.formats.opus if payload_type is None else payload_type
            data = self._transport.protect(packer.pack(kind, timestamp, payload, marker=marker, level=level))
            if data is not None and self._transport.send(data):
                # The clock of a keypad digit is another, and stands still meanwhile.
                self.reports.sent(timestamp if payload_type is None else None, len(payload))
                self._send_again(timestamp)
                self._before = timestamp, data

    def _send_again(self, timestamp: int) -> None:
        """Send the packet before again; where it has come already, SRTP drops it (RFC 3711 §3.3.2)."""
        if self.repeat and self._before is not None and self._before[0] + FRAME_SAMPLES == timestamp:
            self.packets_repeated += self._transport.send(self._before[1])

    def _start(self, parameters: RTCRtpParameters, sends: bool) -> None:
        if self._packer is None:
            level_id, mid_id = extension_ids(parameters)
            first = random.getrandbits(
                15
            )  # in the lower half: a wrap that is lost would upset SRTP, RFC 3711 §3.3.1
            self._packer = Packer(
                self._transport.ssrc, first, level_id=level_id, mid_id=mid_id, mid=parameters.muxId
            )
        self.reports.start(parameters.rtcp.cname if sends else None)
        if sends:
            self._sending()

    def _stop(self) -> None:
        self.reports.stop()

    def _receive(self, data: bytes) -> None:
        packet = parse(data)
        rate = None if packet is None else self.formats.events.get(packet.payload_type)
        if packet is None or (rate is None and packet.payload_type != self.formats.opus):
            self.unknown_packets += 1
            return
        now = self.last_packet = self._loop.time()
        stream = self.reports.received(packet.ssrc, packet.sequence)
        if rate is None:
            stream.arrived(packet.timestamp, now)
            self._sound(packet)
        else:
            self._event(packet, rate)

    def _receive_rtcp(self, data: bytes) -> None:
        self.reports.receive(data)
