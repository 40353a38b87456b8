"""What media/adapter.py assumes of private parts of aiortc and aioice; a release that changes one fails."""

import asyncio
import inspect
from collections.abc import AsyncIterator

import aiortc
import pytest
from aioice.ice import Connection, StunProtocol
from aiortc import (
    AudioStreamTrack,
    RTCConfiguration,
    RTCPeerConnection,
    RTCRtpReceiver,
    RTCRtpSender,
    RTCRtpTransceiver,
)
from aiortc.codecs import CODECS
from aiortc.codecs.opus import OpusEncoder
from aiortc.rtcdtlstransport import RTCDtlsTransport, RtpRouter
from aiortc.rtcrtpparameters import RTCRtpReceiveParameters
from aiortc.rtcrtpreceiver import StreamStatistics
from aiortc.rtp import RtcpByePacket, RtpPacket
from av.packet import Packet

from media import adapter
from media.opus import Encoder
from media.track import OutgoingTrack
from tests.e2e.media_pair import Tone

pytestmark = pytest.mark.e2e


@pytest.fixture
async def pc() -> AsyncIterator[RTCPeerConnection]:
    pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    yield pc
    await pc.close()


@pytest.fixture
def transceiver(pc: RTCPeerConnection) -> RTCRtpTransceiver:
    return pc.addTransceiver(AudioStreamTrack())


def parameters(function: object) -> list[str]:
    assert callable(function)
    return list(inspect.signature(function).parameters)


def source(function: object) -> str:
    """Return the source of a function, for assumptions that have no other sign."""
    assert callable(function)
    return inspect.getsource(function)


def test_the_release_is_the_one_that_was_read() -> None:
    assert aiortc.__version__.startswith("1.16."), "read media/adapter.py against this release"


# The receiver


async def test_a_transceiver_hands_out_the_receiver_put_in_its_place(
    pc: RTCPeerConnection, transceiver: RTCRtpTransceiver
) -> None:
    stock = transceiver.receiver
    assert getattr(transceiver, adapter.TRANSCEIVER_RECEIVER) is stock
    adapter.receive_packets(transceiver, lambda ssrc, sequence, timestamp, payload: None)
    assert isinstance(transceiver.receiver, adapter.PacketReceiver)
    assert pc.getReceivers() == [transceiver.receiver]
    assert transceiver.receiver.transport is stock.transport


async def test_our_receiver_is_told_packets_reports_and_disconnects(
    transceiver: RTCRtpTransceiver,
) -> None:
    seen: list[tuple[int, int, int, bytes]] = []
    adapter.receive_packets(transceiver, lambda *packet: seen.append(packet))
    receiver = transceiver.receiver
    streams = adapter.received_streams(receiver)
    assert streams == {}
    for ssrc, sequence in ((5, 1), (5, 2), (6, 9)):
        packet = RtpPacket(payload_type=96, sequence_number=sequence, timestamp=960 * sequence)
        packet.ssrc, packet.payload = ssrc, b"opus"
        await receiver._handle_rtp_packet(packet, arrival_time_ms=0)
    assert seen == [(5, 1, 960, b"opus"), (5, 2, 1920, b"opus"), (6, 9, 8640, b"opus")]
    assert list(streams) == [6]
    assert (streams[6].packets_received, streams[6].packets_lost, streams[6].jitter) == (1, 0, 0)
    await receiver._handle_rtcp_packet(RtcpByePacket(sources=[6]))
    receiver._handle_disconnect()
    await receiver.stop()  # before it was started


def test_the_router_calls_what_our_receiver_overrides() -> None:
    for name in ("_handle_disconnect", "_handle_rtcp_packet", "_handle_rtp_packet", "receive", "stop"):
        assert parameters(getattr(adapter.PacketReceiver, name)) == parameters(getattr(RTCRtpReceiver, name))
    assert "_handle_rtp_packet(packet, arrival_time_ms=arrival_time_ms)" in source(
        RTCDtlsTransport._handle_rtp_data
    )
    assert "receiver._handle_disconnect()" in inspect.getsource(RTCDtlsTransport)
    assert parameters(RTCDtlsTransport._register_rtp_receiver) == ["self", "receiver", "parameters"]
    assert parameters(RTCDtlsTransport._unregister_rtp_receiver) == ["self", "receiver"]
    assert parameters(RTCRtpReceiver._set_rtcp_ssrc) == ["self", "ssrc"]


def test_reports_are_made_of_the_statistics_that_we_keep() -> None:
    reports = source(RTCRtpReceiver._run_rtcp)
    assert "self.__remote_streams.items()" in reports
    assert "except asyncio.CancelledError" in reports
    assert parameters(StreamStatistics) == ["clockrate"]


async def test_our_receiver_starts_no_thread_and_ends_its_reports(transceiver: RTCRtpTransceiver) -> None:
    before = asyncio.all_tasks()
    adapter.receive_packets(transceiver, lambda ssrc, sequence, timestamp, payload: None)
    await transceiver.receiver.receive(RTCRtpReceiveParameters(codecs=[]))
    await transceiver.receiver.receive(RTCRtpReceiveParameters(codecs=[]))
    assert len(asyncio.all_tasks() - before) == 1
    await transceiver.receiver.stop()
    assert asyncio.all_tasks() == before


async def test_packets_of_payload_types_that_were_not_chosen_are_not_routed(
    transceiver: RTCRtpTransceiver,
) -> None:
    router = RtpRouter()
    router.register_receiver(transceiver.receiver, ssrcs=[5], payload_types=[111], mid="0")
    for payload_type, routed in ((111, True), (110, False), (13, False)):
        packet = RtpPacket(payload_type=payload_type)
        packet.ssrc = 5
        assert (router.route_rtp(packet) is transceiver.receiver) is routed


# The sender


async def test_a_sender_packs_ready_packets_without_encoding(transceiver: RTCRtpTransceiver) -> None:
    assert "self.__encoder.pack(data)" in source(RTCRtpSender._next_encoded_frame)
    encoder = Encoder()
    payload = encoder.encode(Tone(440.0).read())
    packet = Packet(payload)
    packet.pts, packet.time_base = 1920, aiortc.codecs.opus.TIME_BASE
    assert OpusEncoder().pack(packet) == ([payload], 1920)
    encoder.close()
    track = OutgoingTrack(Tone(440.0).read)
    first, second = await track.recv(), await track.recv()
    assert (first.pts, second.pts) == (0, 960)
    track.stop()
    with pytest.raises(aiortc.mediastreams.MediaStreamError):
        await track.recv()


async def test_a_sender_counts(transceiver: RTCRtpTransceiver) -> None:
    assert adapter.sent(transceiver) == (0, 0, None)


# Offer and answer


async def test_an_offer_is_opus_alone_with_fec(pc: RTCPeerConnection, transceiver: RTCRtpTransceiver) -> None:
    offer = await adapter.create_offer(pc, transceiver)
    lines = offer.sdp.splitlines()
    assert [line for line in lines if line.startswith("a=rtpmap")] == ["a=rtpmap:96 opus/48000/2"]
    assert "a=fmtp:96 minptime=10;useinbandfec=1" in lines
    await pc.setLocalDescription(offer)
    assert "a=fmtp:96 minptime=10;useinbandfec=1" in pc.localDescription.sdp.splitlines()
    assert [codec.payloadType for codec in transceiver._codecs] == [96]


async def test_a_reoffer_keeps_the_negotiated_ids(
    pc: RTCPeerConnection, transceiver: RTCRtpTransceiver
) -> None:
    await adapter.create_offer(pc, transceiver)
    transceiver._codecs[0].payloadType = 111
    transceiver._headerExtensions = transceiver._headerExtensions[:1]
    transceiver._headerExtensions[0] = type(transceiver._headerExtensions[0])(
        id=4, uri=transceiver._headerExtensions[0].uri
    )
    lines = (await adapter.create_offer(pc, transceiver)).sdp.splitlines()
    assert "a=rtpmap:111 opus/48000/2" in lines
    assert [line for line in lines if line.startswith("a=extmap")] == [
        "a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid"
    ]


def test_defaults_are_not_changed_for_others() -> None:
    assert CODECS["audio"][0].parameters == {}


# ICE


async def test_gathering_asks_the_connection_of_the_transceiver(transceiver: RTCRtpTransceiver) -> None:
    connection = transceiver.receiver.transport.transport._connection
    assert isinstance(connection, Connection)
    assert parameters(Connection.get_component_candidates) == ["self", "component", "addresses", "timeout"]
    assert "self.get_component_candidates(component=component, addresses=addresses)" in source(
        Connection.gather_candidates
    )
    pacing = adapter.IcePacing(transceiver)
    await connection.gather_candidates()
    assert adapter.LOOPBACK in {candidate.host for candidate in connection.local_candidates}
    await connection.close()
    await pacing.close()


def test_connecting_asks_for_checks_until_told_to_stop_and_then_waits() -> None:
    connect = source(Connection.connect)
    assert "if not self._check_periodic():" in connect
    assert "await asyncio.sleep(0.02)" in connect
    assert connect.index("_check_periodic") < connect.index("await self._check_list_state.get()")
    assert parameters(Connection._check_periodic) == ["self"]
    assert "if self._check_list_done:\n            return False" in source(Connection._check_periodic)


async def test_checks_end_with_the_connection(transceiver: RTCRtpTransceiver) -> None:
    before = asyncio.all_tasks()
    connection = transceiver.receiver.transport.transport._connection
    pacing = adapter.IcePacing(transceiver)
    assert connection._check_periodic() is True  # nothing to check yet: ask again
    assert len(asyncio.all_tasks() - before) == 1
    await connection.close()
    assert connection._check_periodic() is False
    await pacing.close()
    assert asyncio.all_tasks() == before


def test_the_socket_is_where_tests_lose_packets() -> None:
    assert parameters(StunProtocol.send_data) == ["self", "data", "addr"]
