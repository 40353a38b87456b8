"""Standard input, read without waiting: lines for scripts, single keys on a terminal."""

import asyncio
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Thread

import click

supervised_option = click.option("--supervised", is_flag=True, hidden=True, help="Stop when stdin ends.")


@contextmanager
def lines(on_line: Callable[[str], None], on_end: Callable[[], None] | None = None) -> Iterator[None]:
    """Call `on_line` with each line of stdin while the context lasts, and `on_end` when stdin ends."""
    rest = b""

    def read(data: bytes) -> None:
        nonlocal rest
        *whole, rest = (rest + data).split(b"\n")
        if not data and rest:
            whole, rest = [rest], b""
        for line in whole:
            on_line(line.decode(errors="replace").strip())
        if not data and on_end is not None:
            on_end()

    with _reading(read):
        yield


@contextmanager
def keys(on_keys: Callable[[str], None]) -> Iterator[None]:
    """Call `on_keys` with what is typed on the terminal, unechoed and as it is typed."""
    import termios
    import tty

    before = termios.tcgetattr(0)
    tty.setcbreak(0)
    try:
        with _reading(lambda data: on_keys(data.decode(errors="ignore"))):
            yield
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, before)


def has_keys() -> bool:
    """Tell whether single keys can be read: on a terminal, where the system has termios."""
    return sys.platform != "win32" and sys.stdin is not None and sys.stdin.isatty()


@contextmanager
def _reading(on_data: Callable[[bytes], None]) -> Iterator[None]:
    """Call `on_data` on the event loop with what comes, with nothing at the end."""
    if sys.stdin is None or sys.stdin.closed:
        yield
        return
    loop = asyncio.get_running_loop()

    def ready() -> None:
        data = os.read(0, 4096)
        if not data:
            loop.remove_reader(0)
        on_data(data)

    def drain() -> None:
        with suppress(OSError, RuntimeError):  # the loop may be closed by then
            data = b"-"
            while data:
                data = os.read(0, 4096)
                loop.call_soon_threadsafe(on_data, data)

    try:
        loop.add_reader(0, ready)
    except (NotImplementedError, PermissionError):
        # A file (no loop watches those), or Windows (whose loop watches sockets only).
        Thread(target=drain, name="stdin", daemon=True).start()
        yield
        return
    try:
        yield
    finally:
        loop.remove_reader(0)


@contextmanager
def until_end(stop: asyncio.Event, supervised: bool) -> Iterator[None]:
    """Set `stop` when stdin ends, if supervised: it ends with the supervisor, however that dies."""
    if not supervised:
        yield
        return
    with lines(lambda _: None, stop.set):
        yield
