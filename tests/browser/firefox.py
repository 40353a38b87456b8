"""Firefox by WebDriver BiDi (https://w3c.github.io/webdriver-bidi/): as much of it as the tests need."""

import asyncio
import base64
import io
import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import av
import numpy as np
from numpy.typing import NDArray

from media.audio import SAMPLE_RATE
from tests.browser.person import HERE, BrowserPerson
from tests.e2e.people import PATIENCE

FIREFOX = shutil.which("firefox-esr") or shutil.which("firefox")
PREFERENCES = {
    "media.navigator.streams.fake": True,  # a microphone that says 1 kHz
    "media.navigator.permission.disabled": True,
    "media.autoplay.default": 0,
    "media.peerconnection.ice.obfuscate_host_addresses": False,
    "browser.shell.checkDefaultBrowser": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "app.update.enabled": False,
}
_EAR = (HERE / "firefox_ear.js").read_text()
_READY = r"WebDriver BiDi listening on (ws://\S+)\n"


class Tab:
    """One tab; what Playwright's page offers of it has the same names here."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, ids: "itertools.count[int]") -> None:
        self._socket = socket
        self._ids = ids
        self._context = ""

    async def open(self) -> None:
        await self.command("session.new", {"capabilities": {"alwaysMatch": {"acceptInsecureCerts": True}}})
        self._context = (await self.command("browsingContext.create", {"type": "tab"}))["context"]

    async def close(self) -> None:
        try:
            if self._context:
                await self.command("browsingContext.close", {"context": self._context})
        finally:
            await self.command("session.end", {})

    async def goto(self, url: str) -> None:
        await self.command(
            "browsingContext.navigate", {"context": self._context, "url": url, "wait": "complete"}
        )

    async def evaluate(self, expression: str, argument: object = None) -> Any:
        """Return what a function or an expression gives, as far as JSON can say it."""
        function = expression.strip()
        if not function.startswith(("(", "async (")):
            function = f"() => ({function})"
        declaration = f"async (json) => JSON.stringify((await ({function})(JSON.parse(json))) ?? null)"
        result = await self.command(
            "script.callFunction",
            {
                "functionDeclaration": declaration,
                "awaitPromise": True,
                "target": {"context": self._context},
                "arguments": [{"type": "string", "value": json.dumps(argument)}],
                "userActivation": True,
            },
        )
        assert result["type"] == "success", result["exceptionDetails"]["text"]
        return json.loads(result["result"]["value"])

    async def wait_for_function(self, condition: str, timeout: float) -> None:  # noqa: ASYNC109
        async with asyncio.timeout(timeout / 1000):
            while not await self.evaluate(f"() => Boolean(({condition})())"):
                await asyncio.sleep(0.05)

    async def command(self, method: str, parameters: dict[str, object]) -> Any:
        number = next(self._ids)
        await self._socket.send_json({"id": number, "method": method, "params": parameters})
        async with asyncio.timeout(2 * PATIENCE):
            while True:
                answer = await self._socket.receive_json()
                if answer.get("id") == number:
                    assert answer["type"] == "success", answer
                    return answer["result"]


class FirefoxPerson(BrowserPerson):
    """Somebody at Firefox, who says 1 kHz; what the speaker plays is recorded."""

    async def listen(self, seconds: float) -> NDArray[np.int16]:
        text = await self.page.evaluate("(seconds) => ear.record(seconds)", seconds)
        with av.open(io.BytesIO(base64.b64decode(text)), mode="r") as file:
            resampler = av.AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE)
            frames = [out for frame in file.decode(audio=0) for out in resampler.resample(frame)]
        return np.concatenate([frame.to_ndarray()[0] for frame in frames])


@contextmanager
def running(profile: Path) -> Iterator[str]:
    """Run Firefox; give the URL at which it takes one session after the other."""
    assert FIREFOX is not None, "install Firefox (Debian: apt install firefox-esr)"
    _write(profile)
    said = profile / "said.txt"
    command = [
        FIREFOX,
        "--headless",
        "--no-remote",
        "--profile",
        str(profile),
        "--remote-debugging-port",
        "0",
    ]
    with said.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, start_new_session=True)
    try:
        end = time.monotonic() + 2 * PATIENCE
        while not (ready := re.search(_READY, said.read_text(errors="replace"))):
            assert process.poll() is None and time.monotonic() < end, said.read_text(errors="replace")
            time.sleep(0.05)
        yield ready[1] + "/session"
    finally:
        os.killpg(process.pid, signal.SIGKILL)  # itself and the processes of its pages
        process.wait()


@asynccontextmanager
async def new_tab(url: str) -> AsyncIterator[Tab]:
    """Open one tab, in a session of its own; leaving closes it."""
    async with aiohttp.ClientSession() as http, http.ws_connect(url, max_msg_size=0) as socket:
        tab = Tab(socket, itertools.count(1))
        try:
            await tab.open()
            yield tab
        finally:
            await tab.close()


def _write(profile: Path) -> None:
    lines = (f"user_pref({json.dumps(name)}, {json.dumps(value)});\n" for name, value in PREFERENCES.items())
    profile.mkdir()
    (profile / "user.js").write_text("".join(lines))


async def join(tab: Tab, url: str, name: str, token: str) -> FirefoxPerson:
    """Let a person join at a tab, with the JavaScript client alone."""
    await tab.goto(url + "/web/messages.d.ts")  # plain text: its view of JSON loads no modules
    await tab.evaluate(f"() => {{ {_EAR} }}")
    person = FirefoxPerson(name, tab)  # type: ignore[arg-type]
    await person.start(token)
    return person
