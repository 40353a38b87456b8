"""The command `callnode`, run as a process of its own, as a person or a script runs it."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

PATIENCE = 30.0
ROOT = Path(__file__).parents[1]


class Result(NamedTuple):
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str


class Program:
    """A command that is running."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.lines: list[str] = []

    async def line(self, beginning: str = "") -> str:
        """Return the next line of stdout that begins so; fails if there is none."""
        assert self.process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            while line := (await self.process.stdout.readline()).decode():
                self.lines.append(line.rstrip("\n"))
                if line.startswith(beginning):
                    return self.lines[-1]
        raise AssertionError(f"no line {beginning!r}, only {self.lines}")

    def type(self, line: str) -> None:
        """Give a line to its stdin."""
        assert self.process.stdin is not None
        self.process.stdin.write(line.encode() + b"\n")

    def tell(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Send a signal."""
        self.process.send_signal(number)

    async def end(self) -> Result:
        """Return its exit code and all it printed, once it ends."""
        async with asyncio.timeout(PATIENCE):
            out, err = await self.process.communicate()
        assert self.process.returncode is not None
        lines = [*self.lines, *out.decode().splitlines()]
        return Result(self.process.returncode, "\n".join(lines), err.decode().strip())


@asynccontextmanager
async def callnode(*arguments: str | Path, token: str = "", **environment: str) -> AsyncIterator[Program]:
    """Run a command until left; it is killed if it still runs then."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("CALLNODE_")}
    given = {"CALLNODE_TOKEN": token} if token else {}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "node.cli"),
        *map(str, arguments),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=ROOT,
        env=inherited | given | environment,
    )
    try:
        yield Program(process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def result(*arguments: str | Path, token: str = "", **environment: str) -> Result:
    """Run a command to its end."""
    async with callnode(*arguments, token=token, **environment) as program:
        return await program.end()


def one_line(result: Result, code: int) -> str:
    """Assert that a command failed with this code and said why in one line, which is returned."""
    assert (result.code, result.out) == (code, ""), result
    assert result.err.count("\n") == 0 and result.err.startswith("callnode: "), result
    return result.err
