"""The command `callnode`, run as a process of its own, as a person or a script runs it.

It is forked from a server that has imported it: to import it takes a second of a processor, and tests run
hundreds. What the demo, `callnode up` and the test of the live screen run starts from nothing.
"""

import asyncio
import multiprocessing
import os
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import NamedTuple

PATIENCE = 30.0
ROOT = Path(__file__).parents[1]
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["node.cli", "node.demo", "signaling.server"])


class Result(NamedTuple):
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str


class Program:
    """A command that is running."""

    def __init__(
        self,
        process: ForkServerProcess,
        stdin: asyncio.WriteTransport,
        stdout: asyncio.StreamReader,
        stderr: asyncio.StreamReader,
    ) -> None:
        assert process.pid is not None
        self.pid = process.pid
        self.stderr = stderr
        self.lines: list[str] = []
        self._process, self._stdin, self._stdout = process, stdin, stdout

    async def line(self, beginning: str = "") -> str:
        """Return the next line of stdout that begins so; fails if there is none."""
        async with asyncio.timeout(PATIENCE):
            while line := (await self._stdout.readline()).decode():
                self.lines.append(line.rstrip("\n"))
                if line.startswith(beginning):
                    return self.lines[-1]
        raise AssertionError(f"no line {beginning!r}, only {self.lines}")

    def type(self, line: str) -> None:
        """Give a line to its stdin."""
        self._stdin.write(line.encode() + b"\n")

    def tell(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Send a signal."""
        os.kill(self.pid, number)

    async def end(self) -> Result:
        """Return its exit code and all it printed, once it ends."""
        async with asyncio.timeout(PATIENCE):
            out, err = await asyncio.gather(self._stdout.read(), self.stderr.read())
            code = await self.exited()
        lines = [*self.lines, *out.decode().splitlines()]
        return Result(code, "\n".join(lines), err.decode().strip())

    async def exited(self) -> int:
        """Return its exit code, once it ends."""
        loop, gone = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(self._process.sentinel, gone.set)
        try:
            await gone.wait()
        finally:
            loop.remove_reader(self._process.sentinel)
        assert self._process.exitcode is not None
        return self._process.exitcode

    async def close(self) -> None:
        """Kill it if it still runs."""
        self._process.kill()
        await self.exited()
        self._stdin.close()
        await asyncio.gather(self._stdout.read(), self.stderr.read())
        self._process.close()


@asynccontextmanager
async def callnode(*arguments: str | Path, token: str = "", **environment: str) -> AsyncIterator[Program]:
    """Run a command until left; it is killed if it still runs then."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("CALLNODE_")}
    given = {"CALLNODE_TOKEN": token} if token else {}
    its_in, our_in = _FORKS.Pipe(duplex=False)
    (our_out, its_out), (our_err, its_err) = _FORKS.Pipe(duplex=False), _FORKS.Pipe(duplex=False)
    theirs = (its_in, its_out, its_err)
    work = (list(map(str, arguments)), inherited | given | environment, theirs)
    process = _FORKS.Process(target=_run, args=work)
    process.start()
    for each in theirs:
        each.close()
    loop = asyncio.get_running_loop()
    stdin, _ = await loop.connect_write_pipe(asyncio.Protocol, os.fdopen(os.dup(our_in.fileno()), "wb", 0))
    program = Program(process, stdin, await _reader(our_out), await _reader(our_err))
    our_in.close()
    try:
        yield program
    finally:
        await program.close()


async def _reader(pipe: "Connection[None, bytes]") -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    file = os.fdopen(os.dup(pipe.fileno()), "rb", 0)
    pipe.close()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), file)
    return reader


def _run(arguments: list[str], environment: dict[str, str], streams: "Sequence[Connection]") -> None:
    """Be the command: in the process that was forked."""
    for number, stream in enumerate(streams):
        os.dup2(stream.fileno(), number)
        stream.close()
    sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w")  # noqa: SIM115
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(ROOT)
    tempfile.tempdir = None
    from node import cli

    sys.argv = [cli.__file__, *arguments]
    cli.main(prog_name="callnode")


async def result(*arguments: str | Path, token: str = "", **environment: str) -> Result:
    """Run a command to its end."""
    async with callnode(*arguments, token=token, **environment) as program:
        return await program.end()


def one_line(result: Result, code: int) -> str:
    """Assert that a command failed with this code and said why in one line, which is returned."""
    assert (result.code, result.out) == (code, ""), result
    assert result.err.count("\n") == 0 and result.err.startswith("callnode: "), result
    return result.err
