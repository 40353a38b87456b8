"""Everything that leans on private parts of aiortc 1.16 and aioice 0.13, and why.

tests/e2e/test_adapter_contract.py fails when a release changes one of them.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from copy import deepcopy

from aioice import Candidate
from aiortc import RTCPeerConnection, RTCRtpReceiver, RTCRtpTransceiver, RTCSessionDescription
from aiortc.rtcdtlstransport import RTCDtlsTransport
from aiortc.rtcrtpparameters import RTCRtpCodecParameters, RTCRtpReceiveParameters
from aiortc.rtcrtpreceiver import StreamStatistics
from aiortc.rtp import AnyRtcpPacket, RtcpByePacket, RtpPacket
from aiortc.sdp import SessionDescription

from media.audio import SAMPLE_RATE

_log = logging.getLogger("callnode.media")

GATHER_SECONDS = 0.3
CHECK_SECONDS = 0.002
LOOPBACK = "127.0.0.1"

# Class-private names, as Python mangles them.
TRANSCEIVER_RECEIVER = "_RTCRtpTransceiver__receiver"
RECEIVER_STREAMS = "_RTCRtpReceiver__remote_streams"
SENDER_PACKETS = "_RTCRtpSender__packet_count"
SENDER_BYTES = "_RTCRtpSender__octet_count"
SENDER_ROUND_TRIP = "_RTCRtpSender__rtt"

PacketSink = Callable[[int, int, int, bytes], None]  # SSRC, sequence number, timestamp, payload


class PacketReceiver(RTCRtpReceiver):
    """Hand out RTP packets as they come; keep aiortc's RTCP reports, drop its buffer, decoder and thread.

    RTCP BYE is ignored: browsers send it on hold, and the stream goes on later.
    """

    def __init__(self, transport: RTCDtlsTransport, packet_sink: PacketSink) -> None:
        super().__init__("audio", transport)
        self._packet_sink = packet_sink
        self._reports: asyncio.Task[None] | None = None

    async def receive(self, parameters: RTCRtpReceiveParameters) -> None:
        """Start receiving; aiortc calls it after each negotiation."""
        if self._reports is None:
            self.transport._register_rtp_receiver(self, parameters)
            self._reports = asyncio.create_task(self._run_rtcp(), name="rtcp reports")

    async def stop(self) -> None:
        """Stop for good."""
        if self._reports is not None:
            self.transport._unregister_rtp_receiver(self)
            self._reports.cancel()
            await asyncio.wait([self._reports])

    def _handle_disconnect(self) -> None:
        pass  # the peer connection's own state tells

    async def _handle_rtcp_packet(self, packet: AnyRtcpPacket) -> None:
        if not isinstance(packet, RtcpByePacket):
            await super()._handle_rtcp_packet(packet)

    async def _handle_rtp_packet(self, packet: RtpPacket, arrival_time_ms: int) -> None:
        streams = received_streams(self)
        if packet.ssrc not in streams:
            streams.clear()  # one sender: an SSRC that is replaced does not come back
            streams[packet.ssrc] = StreamStatistics(SAMPLE_RATE)
        streams[packet.ssrc].add(packet)
        self._packet_sink(packet.ssrc, packet.sequence_number, packet.timestamp, packet.payload)


class IcePacing:
    """Bound aioice's waits: gathering to 300 ms, the pause between checks to 2 ms; add the loopback address.

    aioice gathers no loopback candidate, so that a machine without network could not call itself, waits 5 s
    for a STUN or TURN server that does not answer, and looks for work every 20 ms.
    """

    def __init__(self, transceiver: RTCRtpTransceiver) -> None:
        connection = transceiver.receiver.transport.transport._connection
        self._task: asyncio.Task[None] | None = None
        gather: Callable[..., Awaitable[list[Candidate]]] = connection.get_component_candidates
        check = connection._check_periodic

        async def gather_soon(component: int, addresses: list[str]) -> list[Candidate]:
            addresses = [*addresses, LOOPBACK]
            return await gather(component=component, addresses=addresses, timeout=GATHER_SECONDS)

        def check_apart() -> bool:
            if self._task is None:
                self._task = asyncio.create_task(_repeat(check), name="ice checks")
            # With pairs at hand, connect() leaves its loop and waits for the result itself.
            return not connection._check_list and not connection._check_list_done

        substitutes: dict[str, object] = {
            "get_component_candidates": gather_soon,
            "_check_periodic": check_apart,
        }
        for name, substitute in substitutes.items():
            setattr(connection, name, substitute)

    async def close(self) -> None:
        """End the checks."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])


async def _repeat(check: Callable[[], bool]) -> None:
    while True:
        if not check():
            return
        await asyncio.sleep(CHECK_SECONDS)


def receive_packets(transceiver: RTCRtpTransceiver, packet_sink: PacketSink) -> None:
    """Put a PacketReceiver in the place of a fresh transceiver's receiver."""
    receiver = PacketReceiver(transceiver.receiver.transport, packet_sink)
    receiver._set_rtcp_ssrc(transceiver.sender._ssrc)
    setattr(transceiver, TRANSCEIVER_RECEIVER, receiver)


def received_streams(receiver: RTCRtpReceiver) -> dict[int, StreamStatistics]:
    """Return the RTCP statistics of each received SSRC."""
    streams: dict[int, StreamStatistics] = getattr(receiver, RECEIVER_STREAMS)
    return streams


async def create_offer(pc: RTCPeerConnection, transceiver: RTCRtpTransceiver) -> RTCSessionDescription:
    """Return an offer of Opus with FEC alone; a re-offer keeps payload type and header extension ids.

    aiortc offers its own defaults each time, and browsers refuse an id that changes its meaning
    (RFC 8843 §9, RFC 8285 §6).
    """
    codecs, extensions = transceiver._codecs, transceiver._headerExtensions
    offer = await pc.createOffer()
    if codecs:
        transceiver._codecs, transceiver._headerExtensions = codecs, extensions
    else:
        choose_opus(transceiver)
    description = SessionDescription.parse(offer.sdp)
    for media in description.media:
        if media.rtp.muxId == transceiver.mid or media.kind == "audio":
            media.fmt = [codec.payloadType for codec in transceiver._codecs]
            media.rtp.codecs = transceiver._codecs
            media.rtp.headerExtensions = transceiver._headerExtensions
    return RTCSessionDescription(sdp=str(description), type="offer")


def choose_opus(transceiver: RTCRtpTransceiver) -> None:
    """Keep Opus alone of what both ends know, and ask for its FEC. Raises ValueError without Opus."""
    opus = [deepcopy(codec) for codec in transceiver._codecs if _is_opus(codec)][:1]
    if not opus:
        raise ValueError("the other end does not offer Opus")
    opus[0].parameters = {"minptime": 10, "useinbandfec": 1}
    transceiver._codecs = opus


def sent(transceiver: RTCRtpTransceiver) -> tuple[int, int, float | None]:
    """Return packets and bytes sent, and the round trip time in seconds once it is known."""
    sender = transceiver.sender
    packets: int = getattr(sender, SENDER_PACKETS)
    octets: int = getattr(sender, SENDER_BYTES)
    round_trip: float | None = getattr(sender, SENDER_ROUND_TRIP)
    return packets, octets, round_trip


async def close_connection(pc: RTCPeerConnection, pacing: IcePacing) -> None:
    """Close a peer connection and wait until the last of its tasks has ended."""
    await pacing.close()
    with contextlib.suppress(ConnectionError):
        await pc.close()


def _is_opus(codec: RTCRtpCodecParameters) -> bool:
    return codec.mimeType.lower() == "audio/opus"
