"""What media/adapter.py assumes of private parts of aiortc and aioice; a release that changes one fails."""

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiortc
import pylibsrtp
import pytest
from aioice.ice import Connection, StunProtocol
from aiortc import RTCConfiguration, RTCPeerConnection, RTCRtpReceiver, RTCRtpSender, RTCRtpTransceiver
from aiortc.codecs import CODECS
from aiortc.rtcdtlstransport import RTCDtlsTransport
from aiortc.rtcrtpparameters import RTCRtpParameters
from aiortc.rtp import RtcpByePacket

from media import adapter
from media.rtp import Packer
from tests.e2e.media_pair import DEADLINE

pytestmark = pytest.mark.e2e


@pytest.fixture
async def pc() -> AsyncIterator[RTCPeerConnection]:
    pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    yield pc
    await pc.close()


@pytest.fixture
def transceiver(pc: RTCPeerConnection) -> RTCRtpTransceiver:
    return pc.addTransceiver("audio")


def parameters(function: object) -> list[str]:
    assert callable(function)
    return list(inspect.signature(function).parameters)


def source(function: object) -> str:
    """Return the source of a function, for assumptions that have no other sign."""
    assert callable(function)
    return inspect.getsource(function)


def test_the_release_is_the_one_that_was_read() -> None:
    assert aiortc.__version__.startswith("1.16."), "read media/adapter.py against this release"


# RTP and RTCP


class Path:
    """Two RtpTransports over a real handshake; what each has received."""

    def __init__(self) -> None:
        self.pcs = [RTCPeerConnection(RTCConfiguration(iceServers=[])) for _ in range(2)]
        self.transceivers = [pc.addTransceiver("audio") for pc in self.pcs]
        self.started: list[tuple[int, bool]] = []
        self.stopped: list[int] = []
        self.rtp: list[tuple[int, bytes]] = []
        self.rtcp: list[tuple[int, bytes]] = []
        self._news = asyncio.Event()
        self.ends = [self._end(number, transceiver) for number, transceiver in enumerate(self.transceivers)]

    def _end(self, number: int, transceiver: RTCRtpTransceiver) -> adapter.RtpTransport:
        return adapter.RtpTransport(
            transceiver,
            lambda _, sends: self._told(self.started, (number, sends)),
            lambda: self.stopped.append(number),
            lambda data: self._told(self.rtp, (number, data)),
            lambda data: self._told(self.rtcp, (number, data)),
        )

    def _told(self, log: list[Any], what: object) -> None:
        log.append(what)
        self._news.set()

    def say(self, packet: bytes, times: int = 1) -> None:
        """Send a packet from the first end."""
        protected = self.ends[0].protect(packet)
        assert protected is not None
        assert all([self.ends[0].send(protected) for _ in range(times)])

    async def until(self, reached: Callable[[], bool]) -> None:
        async with asyncio.timeout(DEADLINE):
            while not reached():
                self._news.clear()
                await self._news.wait()

    async def connect(self) -> None:
        a, b = self.pcs
        await a.setLocalDescription(await adapter.create_offer(a, self.transceivers[0]))
        await b.setRemoteDescription(a.localDescription)
        adapter.choose_formats(self.transceivers[1], a.localDescription.sdp)
        await b.setLocalDescription(await b.createAnswer())
        await a.setRemoteDescription(b.localDescription)
        await self.until(lambda: {(0, True), (1, True), (0, False), (1, False)} <= set(self.started))

    async def close(self) -> None:
        for pc in self.pcs:
            await pc.close()


@pytest.fixture
async def path() -> AsyncIterator[Path]:
    path = Path()
    yield path
    await path.close()


RTP = Packer(7, 1).pack(96, 960, b"opus", marker=False, level=0)
NEXT = Packer(7, 2).pack(96, 1920, b"opus", marker=False, level=0)
RTCP = bytes(RtcpByePacket(sources=[7]))


def test_the_two_ends_are_started_and_stopped_by_the_methods_that_we_replace() -> None:
    connect = inspect.getsource(RTCPeerConnection._RTCPeerConnection__connect)  # type: ignore[attr-defined]
    assert "await transceiver.sender.send(self.__localRtp(transceiver))" in connect
    assert "await transceiver.receiver.receive(" in connect
    assert connect.index("dtlsTransport.start(") < connect.index("transceiver.sender.send(")
    stop = source(RTCRtpTransceiver.stop)
    assert "await self.__receiver.stop()" in stop
    assert "await self.__sender.stop()" in stop
    assert parameters(RTCRtpSender.send) == parameters(RTCRtpReceiver.receive) == ["self", "parameters"]


async def test_packets_go_both_ways_without_tasks_of_aiortc(path: Path) -> None:
    a, b = path.ends
    assert a.protect(RTP) is None  # no path yet
    assert not a.send_rtcp(RTCP)
    before = asyncio.all_tasks()
    await path.connect()
    for task in asyncio.all_tasks() - before:
        assert "_run_rtp" not in repr(task)
        assert "_run_rtcp" not in repr(task)
    path.say(RTP, times=2)  # comes once: SRTP drops what has come already
    path.say(NEXT)
    assert b.send_rtcp(RTCP)
    await path.until(lambda: len(path.rtp) > 1 and bool(path.rtcp))
    assert (path.rtp, path.rtcp) == ([(1, RTP), (1, NEXT)], [(0, RTCP)])
    assert path.transceivers[0].sender._ssrc == a.ssrc
    await path.close()
    assert sorted(path.stopped) == [0, 0, 1, 1]  # sender and receiver
    assert a.protect(RTP) is None


async def test_packets_leave_by_the_method_of_the_class_as_it_is_then(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await path.connect()
    send: Callable[..., Awaitable[None]] = StunProtocol.send_data
    leaving: list[bytes] = []

    async def send_later(self: StunProtocol, data: bytes, addr: tuple[str, int]) -> None:
        leaving.append(data)
        await asyncio.sleep(0)
        await asyncio.sleep(0.01)
        await send(self, data, addr)

    monkeypatch.setattr(StunProtocol, "send_data", send_later)
    path.say(RTP)
    assert len(leaving) == 1
    await path.until(lambda: bool(path.rtp))
    monkeypatch.setattr(StunProtocol, "send_data", lambda *_: asyncio.Event().wait())
    path.say(RTP)  # waits for ever, until closed
    monkeypatch.undo()


async def test_what_is_malformed_or_forged_ends_nothing(path: Path) -> None:
    await path.connect()
    connection = path.transceivers[1].receiver.transport.transport._connection
    hostile = b"", b"\x80", bytes(11), RTP, RTP[:12] + bytes(40), RTP + bytes(1500), RTCP + bytes(20)
    for data in (*hostile, b"\x14" + bytes(20)):
        connection.data_received(data, 1)
    path.say(RTP)
    await path.until(lambda: bool(path.rtp))
    assert (path.rtp, path.rtcp) == ([(1, RTP)], [])


async def test_a_call_has_a_bounded_number_of_sources(path: Path) -> None:
    await path.connect()
    for ssrc in range(200):
        path.say(Packer(ssrc, 1).pack(96, 960, b"opus", marker=False, level=0))
    path.say(Packer(0, 2).pack(96, 960, b"opus", marker=False, level=0))
    await path.until(lambda: len(path.rtp) > adapter._SOURCES)
    assert {data[8:12] for _, data in path.rtp} == {ssrc.to_bytes(4, "big") for ssrc in range(64)}


def test_srtp_refuses_what_is_too_long_as_no_error_of_its_own() -> None:
    session = pylibsrtp.Session()
    with pytest.raises(ValueError, match="too long"):
        session.unprotect(bytes(adapter.LONGEST + 1))
    with pytest.raises(pylibsrtp.Error):
        session.unprotect(bytes(adapter.LONGEST))


async def test_packets_that_overtake_the_handshake_are_held(path: Path) -> None:
    dtls = path.transceivers[1].receiver.transport
    await path.connect()
    connection = dtls.transport._connection
    protected = path.transceivers[0].receiver.transport._tx_srtp.protect(RTP)
    session, dtls._rx_srtp = dtls._rx_srtp, None  # type: ignore[assignment]
    connection.data_received(protected, 1)
    assert path.rtp == []
    dtls._rx_srtp = session
    path.ends[1]._start(RTCRtpParameters(), False)
    assert path.rtp == [(1, RTP)]


def test_the_datagrams_of_a_connection_come_by_the_method_that_we_replace() -> None:
    assert "self.receiver.data_received(data, self.local_candidate.component)" in source(
        StunProtocol.datagram_received
    )
    assert parameters(Connection.data_received) == ["self", "data", "component"]
    assert "self._nominated.get(component)" in source(Connection.sendto)
    assert "active_pair.protocol.send_data(data, active_pair.remote_addr)" in source(Connection.sendto)
    assert parameters(StunProtocol.send_data) == ["self", "data", "addr"]


def test_the_transport_protects_as_we_do() -> None:
    send = source(RTCDtlsTransport._send_rtp)
    assert "if self._state != State.CONNECTED:" in send
    assert "data = self._tx_srtp.protect_rtcp(data)" in send
    assert "data = self._tx_srtp.protect(data)" in send
    receive = source(RTCDtlsTransport._recv_next)
    assert "first_byte > 127 and first_byte < 192 and self._rx_srtp" in receive
    assert "data = self._rx_srtp.unprotect_rtcp(data)" in receive
    assert "data = self._rx_srtp.unprotect(data)" in receive
    assert "first_byte = data[0]" in receive  # an empty datagram would end it


# Offer and answer


async def test_an_offer_is_opus_and_keypad_digits_alone(
    pc: RTCPeerConnection, transceiver: RTCRtpTransceiver
) -> None:
    offer = await adapter.create_offer(pc, transceiver)
    lines = offer.sdp.splitlines()
    assert [line for line in lines if line.startswith("a=rtpmap")] == [
        "a=rtpmap:96 opus/48000/2",
        "a=rtpmap:110 telephone-event/48000",
        "a=rtpmap:126 telephone-event/8000",
    ]
    wanted = ["a=fmtp:96 minptime=10;useinbandfec=1;usedtx=1", "a=fmtp:110 0-15", "a=fmtp:126 0-15"]
    assert [line for line in lines if line.startswith("a=fmtp")] == wanted
    await pc.setLocalDescription(offer)
    again = pc.localDescription.sdp.splitlines()
    assert [line for line in again if line.startswith("a=fmtp")] == wanted
    assert adapter.formats(transceiver) == adapter.Formats(96, {110: 48_000, 126: 8_000})


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
