"""What every command shares: running until told to stop, errors in one line, exit codes."""

import asyncio
import logging
import signal
import sys
from collections.abc import Callable, Coroutine
from types import FrameType
from typing import IO, Any, NoReturn

import click

from node.errors import CallingError
from signaling.config import ConfigError

log = logging.getLogger("callnode.cli")

OK, ERROR, USAGE, DECLINED, NO_ANSWER, NETWORK, TOKEN = range(7)

_SIGNALS = [number for name in ("SIGINT", "SIGTERM", "SIGHUP") if (number := getattr(signal, name, None))]
_CODES = {0: OK, 401: TOKEN, 403: TOKEN, 495: TOKEN, 486: DECLINED, 603: DECLINED, 480: NO_ANSWER}
_CODES |= {487: NO_ANSWER, 408: NETWORK, 410: NETWORK, 503: NETWORK}


class CommandError(Exception):
    """An error that a person can mend: one line on stderr, and an exit code."""

    def __init__(self, message: str, code: int = ERROR) -> None:
        super().__init__(message)
        self.code = code


def exit_code(code: int) -> int:
    """Return the exit code for the code of a Reason or CallingError."""
    return _CODES.get(code, ERROR)


class Commands(click.Group):
    """A group of commands, listed as they were added, that says in one line what went wrong."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of their first use."""
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; what it raises becomes a line and an exit code."""
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise
        except Exception as error:
            failure = _failure(error)
        click.echo(f"callnode: {failure}", err=True)
        raise click.exceptions.Exit(failure.code)


def run(work: Callable[[asyncio.Event], Coroutine[Any, Any, int]]) -> NoReturn:
    """Run a command's coroutine and exit with the code it returns.

    Its argument is set by SIGINT, SIGTERM and SIGHUP; a second one of them ends the process at once.
    """
    raise click.exceptions.Exit(asyncio.run(_until_told(work)))


async def _until_told(work: Callable[[asyncio.Event], Coroutine[Any, Any, int]]) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def told(number: int, _: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        loop.call_soon_threadsafe(stop.set)

    before = {number: signal.signal(number, told) for number in _SIGNALS}
    try:
        return await work(stop)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def log_to_stderr(*, verbose: bool) -> None:
    """Show warnings on stderr, with `verbose` all that callnode logs."""
    handler = _StderrHandler()
    handler.setFormatter(logging.Formatter("%(name)s: %(message)s" if verbose else "callnode: %(message)s"))
    if not verbose:
        handler.addFilter(_not_said_elsewhere)
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    logging.getLogger("callnode").setLevel(logging.DEBUG if verbose else logging.WARNING)


def _not_said_elsewhere(record: logging.LogRecord) -> bool:
    """Leave out the warnings that the commands put in words of their own."""
    return record.levelno > logging.WARNING or record.name not in {"callnode.link", "callnode.media.devices"}


class _StderrHandler(logging.StreamHandler[IO[str]]):
    """Write to what is stderr now: the live screen takes its place while it is shown."""

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stderr
        super().emit(record)


def _failure(error: Exception) -> CommandError:
    match error:
        case CommandError():
            return error
        case CallingError():
            return CommandError(error.message, exit_code(error.code))
        case ConfigError() | OSError():
            return CommandError(str(error))
    log.debug("unexpected", exc_info=error)
    said = " ".join(f"{type(error).__name__}: {error}".split())
    return CommandError(
        f"something failed inside ({said}); run `callnode -v …` to see where, and please report it"
    )
