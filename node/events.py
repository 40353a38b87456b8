"""Events of the public API: `on`, `off`, and handlers that may be functions or coroutines."""

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable
from typing import Any

log = logging.getLogger("callnode.events")

Handler = Callable[[Any], Awaitable[None] | None]


class Tasks:
    """The tasks of one owner; `close` leaves none, except the one that closes."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def spawn(self, work: Awaitable[None]) -> asyncio.Task[None]:
        """Run work until it is done or the owner closes; what it raises is logged."""
        task = asyncio.ensure_future(_logged(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def wait(self, seconds: float | None = None) -> None:
        """Return once every task is done, or after so long."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=seconds)

    async def close(self) -> None:
        """Cancel and await every task, except the current one."""
        tasks = self._tasks - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Events:
    """Something with events; unknown event names raise ValueError."""

    EVENTS: tuple[str, ...] = ()

    def __init__(self, tasks: Tasks) -> None:
        self._tasks = tasks
        self._handlers: dict[str, list[Handler]] = {name: [] for name in self.EVENTS}

    def on(self, event: str, handler: Handler) -> None:
        """Call a handler, plain or async, with every event of a name."""
        self._named(event).append(handler)

    def off(self, event: str, handler: Handler) -> None:
        """Stop calling a handler; one that is not registered is ignored."""
        if handler in self._named(event):
            self._named(event).remove(handler)

    def _emit(self, event: str, payload: object) -> None:
        for handler in list(self._handlers[event]):
            try:
                result = handler(payload)
            except Exception:
                log.exception("a handler of %s failed", event)
                continue
            if inspect.isawaitable(result):
                self._tasks.spawn(result)

    def _named(self, event: str) -> list[Handler]:
        if event not in self._handlers:
            raise ValueError(f"no event {event!r}; there are {', '.join(self.EVENTS)}")
        return self._handlers[event]


async def _logged(work: Awaitable[None]) -> None:
    try:
        await work
    except asyncio.CancelledError:
        raise
    except Exception:
        log.exception("an event handler failed")
