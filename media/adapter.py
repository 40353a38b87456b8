"""Everything that leans on private parts of aiortc 1.16 and aioice 0.13, and why.

tests/e2e/test_adapter_contract.py fails when a release changes one of them.
"""

import asyncio
import contextlib
import re
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Generator
from copy import deepcopy
from typing import Any

import pylibsrtp
from aioice import Candidate, Connection, TransportPolicy
from aiortc import RTCPeerConnection, RTCRtpTransceiver, RTCSessionDescription
from aiortc.rtcdtlstransport import RTCDtlsTransport, State
from aiortc.rtcrtpparameters import (
    RTCRtpCodecParameters,
    RTCRtpParameters,
    RTCRtpReceiveParameters,
    RTCRtpSendParameters,
)
from aiortc.rtp import is_rtcp
from aiortc.sdp import FMTP_INT_PARAMETERS, SessionDescription
from msgspec import Struct

from media.opus import Wishes, parse_wishes

GATHER_SECONDS = 0.3
RELAY_GATHER_SECONDS = 1.0  # two round trips, and the way to a relay may be long
CHECK_SECONDS = 0.002
LOOPBACK = "127.0.0.1"
DATA_RECEIVED = "data_received"
LEVEL_URI = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"
MID_URI = "urn:ietf:params:rtp-hdrext:sdes:mid"
EVENT_TYPES = {48_000: 110, 8_000: 126}  # payload types of telephone-event by clock rate, as Chromium's

SHORTEST = 12  # bytes; what is shorter is neither RTP, RTCP nor DTLS, and ends aiortc's transport
LONGEST = 1500  # bytes; pylibsrtp raises ValueError for more, without a look at the keys
_FMTP = re.compile(r"^(a=fmtp:\S+ )(.*)$", re.MULTILINE)
_HELD = 50  # packets that overtake the end of the handshake
_SOURCES = 64  # SSRCs of a call; libsrtp keeps each, and looks through them all for each packet


class RtpTransport:
    """Carry RTP and RTCP past aiortc's sender, receiver, router and their tasks, through its DTLS and ICE.

    `started` is called whenever a negotiation ends with the path up. A malformed packet is dropped.
    """

    def __init__(
        self,
        transceiver: RTCRtpTransceiver,
        started: Callable[[RTCRtpParameters, bool], None],  # whether it is to send
        stopped: Callable[[], None],
        rtp: Callable[[bytes], None],
        rtcp: Callable[[bytes], None],
    ) -> None:
        self.ssrc: int = transceiver.sender._ssrc
        self._transceiver = transceiver
        self._started, self._stopped, self._rtp, self._rtcp = started, stopped, rtp, rtcp
        self._hooked: Connection | None = None
        self._held: deque[bytes] = deque(maxlen=_HELD)
        self._sources: set[bytes] = set()
        self._waiting: set[asyncio.Future[None]] = set()
        for end, substitutes in (
            (transceiver.sender, {"send": self._send_started, "stop": self._stop}),
            (transceiver.receiver, {"receive": self._receive_started, "stop": self._stop}),
        ):
            for name, substitute in substitutes.items():
                setattr(end, name, substitute)
        self._hook()

    def protect(self, packet: bytes) -> bytes | None:
        """Return an RTP packet as it is to be sent, once or more often; none while there are no keys."""
        dtls = self._dtls
        protected: bytes | None = dtls._tx_srtp.protect(packet) if dtls._state is State.CONNECTED else None
        return protected

    def send_rtcp(self, packet: bytes) -> bool:
        """Send an RTCP packet; return whether there was a path for it."""
        dtls = self._dtls
        return dtls._state is State.CONNECTED and self.send(dtls._tx_srtp.protect_rtcp(packet))

    def send(self, protected: bytes) -> bool:
        """Send a protected packet; return whether there was a path for it."""
        pair = self._dtls.transport._connection._nominated.get(1)
        if pair is None:
            return False
        sending = pair.protocol.send_data(protected, pair.remote_addr)
        try:
            waits_for = sending.send(None)
        except StopIteration:
            return True  # aioice's own never waits
        task = asyncio.ensure_future(_Continued(sending, waits_for))
        self._waiting.add(task)
        task.add_done_callback(self._waiting.discard)
        return True

    def _hook(self) -> None:
        self._dtls: RTCDtlsTransport = self._transceiver.receiver.transport  # another if it is bundled
        connection = self._dtls.transport._connection
        if connection is not self._hooked:
            self._hooked, self._queued = connection, connection.data_received
            setattr(connection, DATA_RECEIVED, self._received)

    def _received(self, data: bytes, component: int) -> None:
        if not SHORTEST <= len(data) <= LONGEST:
            return
        if not 127 < data[0] < 192:
            self._queued(data, component)
        elif self._dtls._rx_srtp is None:
            self._held.append(data)
        else:
            self._unprotect(data)

    def _unprotect(self, data: bytes) -> None:
        session, reports = self._dtls._rx_srtp, is_rtcp(data)
        source = data[4:8] if reports else data[8:12]
        if source not in self._sources and len(self._sources) >= _SOURCES:
            return
        try:
            plain = session.unprotect_rtcp(data) if reports else session.unprotect(data)
        except pylibsrtp.Error:
            return
        self._sources.add(source)
        if reports:
            self._rtcp(plain)
        else:
            self._rtp(plain)

    async def _send_started(self, parameters: RTCRtpSendParameters) -> None:
        self._start(parameters, True)

    async def _receive_started(self, parameters: RTCRtpReceiveParameters) -> None:
        self._start(parameters, False)

    def _start(self, parameters: RTCRtpParameters, sends: bool) -> None:
        self._hook()
        self._started(parameters, sends)
        while self._held:
            self._unprotect(self._held.popleft())

    async def _stop(self) -> None:
        self._stopped()
        if self._waiting:
            for task in self._waiting:
                task.cancel()
            await asyncio.wait(self._waiting)


class _Continued:
    """Await the rest of a coroutine that was begun without a task, and what it waits for."""

    def __init__(self, coroutine: Coroutine[Any, None, None], waits_for: Any) -> None:
        self._coroutine = coroutine
        self._waits_for = waits_for

    def __await__(self) -> Generator[Any, None, None]:
        yield self._waits_for
        yield from self._coroutine.__await__()


class IcePacing:
    """Bound aioice's waits: gathering to 300 ms, 1 s with a relay, the pause between checks to 2 ms.

    aioice waits 5 s for a STUN or TURN server that does not answer, looks for work every 20 ms, and gathers
    no loopback candidate, which is added: a machine without network could not call itself.
    """

    def __init__(self, transceiver: RTCRtpTransceiver) -> None:
        connection = transceiver.receiver.transport.transport._connection
        self._task: asyncio.Task[None] | None = None
        gather: Callable[..., Awaitable[list[Candidate]]] = connection.get_component_candidates
        check = connection._check_periodic

        async def gather_soon(component: int, addresses: list[str]) -> list[Candidate]:
            if connection._transport_policy is TransportPolicy.ALL:
                addresses = [*addresses, LOOPBACK]
            seconds = RELAY_GATHER_SECONDS if connection.turn_server else GATHER_SECONDS
            return await gather(component=component, addresses=addresses, timeout=seconds)

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


class Formats(Struct, frozen=True):
    """Payload types: that of Opus, and the clock rates of keypad digits by theirs."""

    opus: int
    events: dict[int, int]


async def create_offer(pc: RTCPeerConnection, transceiver: RTCRtpTransceiver) -> RTCSessionDescription:
    """Return an offer of Opus and keypad digits alone; a re-offer keeps payload types and extension ids.

    aiortc offers its own defaults each time, and browsers refuse an id that changes its meaning
    (RFC 8843 §9, RFC 8285 §6).
    """
    codecs, extensions = transceiver._codecs, transceiver._headerExtensions
    offer = await pc.createOffer()
    if codecs:
        transceiver._codecs, transceiver._headerExtensions = codecs, extensions
    else:
        transceiver._codecs = [_opus(transceiver), *map(_telephone_event, EVENT_TYPES.items())]
    description = SessionDescription.parse(offer.sdp)
    for media in description.media:
        if media.rtp.muxId == transceiver.mid or media.kind == "audio":
            media.fmt = [codec.payloadType for codec in transceiver._codecs]
            media.rtp.codecs = transceiver._codecs
            media.rtp.headerExtensions = transceiver._headerExtensions
    return RTCSessionDescription(sdp=str(description), type="offer")


def legible(sdp: str) -> str:
    """Return a description whose format parameters aiortc reads.

    It takes a space after a semicolon (as in RFC 7587 §7) for part of a name, and fails on malformed numbers.
    """

    def parameters(line: re.Match[str]) -> str:
        found = (one.strip() for one in line[2].split(";"))
        return line[1] + ";".join(one for one in found if _readable(one))

    return _FMTP.sub(parameters, sdp)


def _readable(parameter: str) -> bool:
    name, equals, value = parameter.partition("=")
    return bool(name) and (name not in FMTP_INT_PARAMETERS or value.isdecimal() or not equals)


def choose_formats(transceiver: RTCRtpTransceiver, remote_sdp: str) -> Wishes:
    """Keep what both ends know of Opus and keypad digits; return what the other end wants of our Opus.

    Payload types are the other end's. Raises ValueError without Opus.
    """
    opus = _opus(transceiver)
    events: dict[int, int] = {}  # by clock rate
    wishes = Wishes()
    for media in SessionDescription.parse(remote_sdp).media:
        if media.rtp.muxId == transceiver.mid:
            for codec in media.rtp.codecs:
                if codec.payloadType == opus.payloadType:
                    wishes = parse_wishes(codec.parameters)
                elif codec.name.lower() == "telephone-event" and codec.clockRate in EVENT_TYPES:
                    events.setdefault(codec.clockRate, codec.payloadType or 0)
    transceiver._codecs = [opus, *map(_telephone_event, sorted(events.items(), reverse=True))]
    return wishes


def formats(transceiver: RTCRtpTransceiver) -> Formats:
    """Return what has been negotiated, or offered."""
    opus, *events = transceiver._codecs
    return Formats(opus.payloadType or 0, {codec.payloadType or 0: codec.clockRate for codec in events})


def extension_ids(parameters: RTCRtpParameters) -> tuple[int, int]:
    """Return the header extension ids of audio level and of media identification, 0 for none."""
    ids = {extension.uri: extension.id for extension in parameters.headerExtensions}
    return ids.get(LEVEL_URI, 0), ids.get(MID_URI, 0)


async def close_connection(pc: RTCPeerConnection, pacing: IcePacing) -> None:
    """Close a peer connection and wait until the last of its tasks has ended."""
    await pacing.close()
    with contextlib.suppress(ConnectionError):
        await pc.close()


def _opus(transceiver: RTCRtpTransceiver) -> RTCRtpCodecParameters:
    for codec in transceiver._codecs:
        if codec.mimeType.lower() == "audio/opus":
            opus = deepcopy(codec)
            opus.parameters = {"minptime": 10, "useinbandfec": 1, "usedtx": 1}
            return opus
    raise ValueError("the other end does not offer Opus")


def _telephone_event(event: tuple[int, int]) -> RTCRtpCodecParameters:
    clock_rate, payload_type = event
    return RTCRtpCodecParameters(
        mimeType="audio/telephone-event",
        clockRate=clock_rate,
        channels=1,
        payloadType=payload_type,
        parameters={"0-15": None},
    )
