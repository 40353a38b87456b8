"""The features of a call on real media: figures, diagnostics, who speaks."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest
from aioice.ice import StunProtocol

from media import peer
from node import CallState, DiagnosticQuality, Features
from node.diagnostics import Diagnostics
from node.events import Events
from node.judgement import DiagnosticName
from node.samples import MediaStatsReportSample
from node.stats import MediaStatsReportSummary
from tests.e2e.people import PATIENCE, People, connect, eventually, until

pytestmark = pytest.mark.e2e


def noted(on: Events, event: str) -> "asyncio.Queue[Any]":
    """Return a queue to which each event of a name is added as it comes."""
    events: asyncio.Queue[Any] = asyncio.Queue()
    on.on(event, events.put_nowait)
    return events


async def told(events: "asyncio.Queue[Any]", name: DiagnosticName, value: object) -> None:
    """Wait until a diagnostic is told with this value."""
    async with asyncio.timeout(PATIENCE):
        while (event := await events.get()).diagnostic != name or event.value != value:
            pass


def value(of: Diagnostics, name: DiagnosticName) -> object:
    latest = of.get_latest().get(name)
    return latest.value if latest else None


async def test_figures_come_every_second_and_in_summaries(people: People) -> None:
    alice, bob = await people.join("alice"), await people.join("bob")
    out, _ = await connect(alice, bob)
    for wrong in ("node.features", "TRANSFER", None):
        with pytest.raises(ValueError, match=r"Features\.TRANSFER"):
            out.feature(cast(Any, wrong))
    assert (alice.agent.kind, out.kind) == ("CallAgent", "Call")
    stats = out.feature(Features.MEDIA_STATS)
    collector = stats.create_collector(aggregation_interval=1, data_points_per_aggregation=2)
    samples, summaries = noted(collector, "sample_reported"), noted(collector, "summary_reported")
    async with asyncio.timeout(PATIENCE):
        summary: MediaStatsReportSummary = await summaries.get()
        first: MediaStatsReportSample = await samples.get()
        second: MediaStatsReportSample = await samples.get()
    assert summary.samples == (first, second)
    [send], [receive] = second.audio.send, second.audio.receive
    assert (send.codec_name, receive.codec_name) == ("opus", "opus")
    # Alice's prompt has few pauses; DTX leaves packets out in them.
    assert 15 < send.packets_per_second < 75 and 10_000 < send.bitrate < 100_000
    assert 15 < receive.packets_per_second < 75 and send.audio_input_level > 0
    assert 0 <= second.timestamp.timestamp() - first.timestamp.timestamp() < PATIENCE
    with pytest.raises(ValueError, match="at least"):
        stats.create_collector(aggregation_interval=0)
    stats.dispose()
    assert stats is out.feature(Features.MEDIA_STATS)
    with pytest.raises(ValueError, match=r"Features\.MEDIA_STATS"):
        out.feature(Events)  # type: ignore[type-var]
    await out.hang_up()


async def test_who_speaks_is_told(people: People) -> None:
    alice, bob = await people.join("alice"), await people.join("bob")
    out, inbound = await connect(alice, bob)
    speakers = out.feature(Features.DOMINANT_SPEAKERS)
    changes = noted(speakers, "dominant_speakers_changed")
    identity = bob.agent.identity.identifier
    await eventually(lambda: speakers.dominant_speakers.speakers_list == (identity,))
    assert changes.qsize() <= 1
    speakers.dispose()
    await inbound.hang_up()


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> "asyncio.Event":
    """Return an event that is set while packets get through at once; a path is missed after 0.3 s."""
    up = asyncio.Event()
    up.set()
    send: Callable[[StunProtocol, bytes, tuple[str, int]], Awaitable[None]] = StunProtocol.send_data

    async def send_data(self: StunProtocol, data: bytes, addr: tuple[str, int]) -> None:
        if up.is_set():
            await send(self, data, addr)

    monkeypatch.setattr(StunProtocol, "send_data", send_data)
    monkeypatch.setattr(peer, "WARN_SECONDS", 0.3)
    monkeypatch.setattr(peer, "WATCH_SECONDS", 0.05)
    return up


async def test_diagnostics_of_the_network_and_of_who_is_muted(people: People, wire: asyncio.Event) -> None:
    alice, bob = await people.join("alice"), await people.join("bob")
    out, _ = await connect(alice, bob)
    diagnostics = out.feature(Features.USER_FACING_DIAGNOSTICS)
    network = noted(diagnostics.network, "diagnostic_changed")
    media = noted(diagnostics.media, "diagnostic_changed")
    await alice.hears("bob", 1.0)
    assert value(diagnostics.network, "networkReconnect") is None  # nothing is told of what is well
    await out.mute()
    await told(media, "speakingWhileMicrophoneIsMuted", True)
    await out.unmute()
    await told(media, "speakingWhileMicrophoneIsMuted", False)
    wire.clear()
    await told(network, "networkReconnect", DiagnosticQuality.BAD)
    assert value(diagnostics.network, "noNetwork") is None  # the hub is there
    alice.agent._runtime.away()
    await told(network, "noNetwork", True)
    wire.set()
    await told(network, "networkReconnect", DiagnosticQuality.GOOD)
    await told(network, "noNetwork", False)
    await alice.hears("bob", 1.0)
    assert value(diagnostics.network, "networkReconnect") is DiagnosticQuality.GOOD
    diagnostics.dispose()
    await out.hang_up()
    await until(out, CallState.DISCONNECTED)
