"""A coturn, with the secret that a hub shares with it."""

import asyncio
import secrets
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path

from signaling.config import _lan_address
from tests.program import PATIENCE


@dataclass
class Relay:
    """Where it listens, and what it has said so far."""

    url: str
    secret: str
    lines: list[str]

    @property
    def environ(self) -> dict[str, str]:
        return {"CALLNODE_TURN_SECRET": self.secret}


@asynccontextmanager
async def coturn(folder: Path) -> AsyncIterator[Relay]:
    """Run it until left; it takes nobody without the credentials that the hub gives."""
    program = shutil.which("turnserver")
    assert program is not None, "install coturn (Debian: apt install coturn)"
    host, port, secret = _lan_address(), free_port(), secrets.token_hex(16)
    process = await asyncio.create_subprocess_exec(
        *(
            program,
            "-n",
            "-v",
            "--no-cli",
            "--no-tls",
            "--no-dtls",
            "--log-file",
            "stdout",
            "--realm",
            "callnode",
        ),
        *("--listening-ip", host, "--listening-port", str(port), "--relay-ip", host),
        *("--use-auth-secret", "--static-auth-secret", secret, "--pidfile", str(folder / "turnserver.pid")),
        *("--userdb", str(folder / "turndb"), "--relay-threads", "1"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    assert process.stdout is not None
    relay, stdout = Relay(f"turn:{host}:{port}?transport=udp", secret, []), process.stdout

    async def read() -> None:
        while line := (await stdout.readline()).decode(errors="replace"):
            relay.lines.append(line)
            if f"listener opened on: {host}:{port}" in line:
                ready.set()
        ready.set()

    ready = asyncio.Event()
    reading = asyncio.create_task(read())
    try:
        async with asyncio.timeout(PATIENCE):
            await ready.wait()
        assert not reading.done(), f"coturn has ended: {relay.lines[-3:]}"
        yield relay
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        await reading


def free_port() -> int:
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as probe:
        probe.bind(("", 0))
        return int(probe.getsockname()[1])
