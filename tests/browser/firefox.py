"""Firefox by WebDriver BiDi (https://w3c.github.io/webdriver-bidi/): as much of it as the tests need."""

import asyncio
import base64
import io
import itertools
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
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
_READY = "WebDriver BiDi listening on "


class Tab:
    """One tab; what Playwright's page offers of it has the same names here."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, ids: "itertools.count[int]") -> None:
        self._socket = socket
        self._ids = ids
        self._context = ""

    async def open(self) -> None:
        await self.command("session.new", {"capabilities": {"alwaysMatch": {"acceptInsecureCerts": True}}})
        self._context = (await self.command("browsingContext.create", {"type": "tab"}))["context"]

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


@asynccontextmanager
async def firefox(profile: Path) -> AsyncIterator[Tab]:
    """Run Firefox with one tab; leaving ends it."""
    assert FIREFOX is not None, "install Firefox (Debian: apt install firefox-esr)"
    await asyncio.to_thread(_write, profile)
    process = await asyncio.create_subprocess_exec(
        *(FIREFOX, "--headless", "--no-remote", "--profile", str(profile), "--remote-debugging-port", "0"),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    try:
        async with asyncio.timeout(2 * PATIENCE):
            while _READY not in (line := (await process.stderr.readline()).decode()):
                assert line, "Firefox ended"
        drain = asyncio.create_task(process.stderr.read())
        try:
            url = line.partition(_READY)[2].strip() + "/session"
            async with aiohttp.ClientSession() as http, http.ws_connect(url, max_msg_size=0) as socket:
                tab = Tab(socket, itertools.count(1))
                await tab.open()
                yield tab
        finally:
            process.terminate()
            await drain
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


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
