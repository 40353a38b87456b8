"""The quality of a call's media, collected (ACS MediaStats)."""

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from msgspec import Struct

from media.stats import Stats
from node.events import Events
from node.feature import CallFeature
from node.samples import MediaStatsReportSample, sample, together
from node.session import CallState

if TYPE_CHECKING:
    from node.call import Call

SAMPLE_SECONDS = 1.0


class MediaStatsReportSummary(Struct, frozen=True):
    """The event `summary_reported`: as many samples as were asked for, each the mean of one interval."""

    samples: tuple[MediaStatsReportSample, ...]


class MediaStatsCollector(Events):
    """Report the figures of a call every second while it has a media path, until disposed or over.

    `summary_reported` comes each time `data_points_per_aggregation` intervals of so many seconds are over.
    """

    EVENTS = ("sample_reported", "summary_reported")

    def __init__(self, call: "Call", aggregation_interval: int, data_points_per_aggregation: int) -> None:
        super().__init__(call._tasks)
        if aggregation_interval < 1 or data_points_per_aggregation < 1:
            raise ValueError("an interval is of at least 1 s, and a summary of at least one data point")
        self._call = call
        self._interval = aggregation_interval
        self._points = data_points_per_aggregation
        self._samples: list[MediaStatsReportSample] = []
        self._means: list[MediaStatsReportSample] = []
        self._task = call._tasks.spawn(self._collect())

    def dispose(self) -> None:
        """Collect no more."""
        self._task.cancel()

    async def _collect(self) -> None:
        loop = asyncio.get_running_loop()
        before, seen_at = self._call.stats or Stats(), loop.time()
        while await _second(self._call):
            now = loop.time()
            if (stats := self._call.stats) is None:
                continue
            self._take(sample(stats, before, now - seen_at, datetime.now(UTC)))
            before, seen_at = stats, now

    def _take(self, taken: MediaStatsReportSample) -> None:
        self._emit("sample_reported", taken)
        self._samples.append(taken)
        if len(self._samples) == self._interval:
            self._means.append(together(self._samples))
            self._samples.clear()
        if len(self._means) == self._points:
            self._emit("summary_reported", MediaStatsReportSummary(tuple(self._means)))
            self._means.clear()


class MediaStatsFeature(CallFeature):
    """Make collectors of figures (ACS MediaStats); `Call.stats` has the sums since the call began."""

    def __init__(self, call: "Call") -> None:
        super().__init__(call)
        self._collectors: list[MediaStatsCollector] = []

    def create_collector(
        self, *, aggregation_interval: int = 10, data_points_per_aggregation: int = 6
    ) -> MediaStatsCollector:
        """Return a collector that works from now on; the interval is in seconds.

        Raises ValueError for an interval or a number of data points below 1.
        """
        collector = MediaStatsCollector(self._call, aggregation_interval, data_points_per_aggregation)
        self._collectors.append(collector)
        return collector

    def dispose_all_collectors(self) -> None:
        """Let no collector of this call go on."""
        for collector in self._collectors:
            collector.dispose()
        self._collectors.clear()

    def dispose(self) -> None:
        """Let no collector of this call go on."""
        self.dispose_all_collectors()


async def _second(call: "Call") -> bool:
    """Let a second pass; return whether the call is not over by then."""
    try:
        async with asyncio.timeout(SAMPLE_SECONDS):
            await call.wait_for(CallState.DISCONNECTED)
    except TimeoutError:
        return True
    return False
