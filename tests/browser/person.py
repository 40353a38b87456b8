"""A person at a browser: the JavaScript client in a page, driven by expressions; its ear is ear.js."""

import asyncio
import base64
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from playwright.async_api import Page
from playwright.async_api import TimeoutError as PlaywrightTimeout

from media.audio import SAMPLE_RATE
from media.measure import SAME, correlation, level_dbfs
from tests.e2e.people import HEARING_SECONDS, PATIENCE, SENTENCES, Person

HERE = Path(__file__).parent
_START = """
async ([token, name, voice, clientOptions, options]) => {
  await ear.context.resume();
  await ear.ready;
  window.sdk = await import("/web/callnode.js");
  window.client = new sdk.CallClient(clientOptions);
  const credential = new sdk.AzureCommunicationTokenCredential(token);
  window.agent = await client.createCallAgent(credential, { displayName: name, ...options });
  const stream = new sdk.LocalAudioStream(ear.voice(voice));
  window.audio = () => ({ audioOptions: { localAudioStreams: [stream] } });
  window.rings = [];
  window.calls = [];  // every one there ever was
  window.log = [];
  const follow = (call) => {
    calls.push(call);
    log.push([call.id, call.state]);
    call.on("stateChanged", ({ newState }) => log.push([call.id, newState]));
    call.on("dtmfReceived", ({ digit }) => log.push(["dtmf", digit]));
    const transfer = call.feature(sdk.Features.Transfer);
    transfer.on("transferAccepted", ({ targetCall }) => log.push(["accepted", targetCall.id]));
  };
  agent.on("callsUpdated", ({ added }) => added.forEach(follow));
  agent.on("incomingCall", ({ incomingCall }) => rings.push(incomingCall));
}
"""


class Listener:
    """Somebody whose speakers in a page are heard by ear.js."""

    def __init__(self, name: str, page: Page) -> None:
        self.name = name
        self.page = page

    async def listen(self, seconds: float) -> NDArray[np.int16]:
        """Return what is heard from now on."""
        await self.page.evaluate("ear.hearAnew()")
        async with asyncio.timeout(PATIENCE):
            while True:
                await asyncio.sleep(seconds / 4)
                samples = np.frombuffer(base64.b64decode(await self.page.evaluate("ear.heard()")), np.int16)
                if len(samples) >= seconds * SAMPLE_RATE:
                    return samples


class BrowserPerson(Listener):
    """One agent in one page; calls are named by the order in which they came, `call` is the latest."""

    async def start(
        self,
        token: str,
        client: dict[str, object] | None = None,
        voice: NDArray[np.int16] | None = None,
        **options: object,
    ) -> None:
        """Connect; with options of the client and of the agent, and another voice, if they are given."""
        said = SENTENCES[self.name] if voice is None else voice
        text = base64.b64encode(said.tobytes()).decode()
        await self.page.evaluate(_START, [token, self.name.title(), text, client or {}, options])

    async def do(self, expression: str) -> Any:
        """Return what an expression gives; `call` in it is the latest call, `transfer` what transfers it."""
        prelude = "const call = calls.at(-1); const transfer = call?.feature(sdk.Features.Transfer);"
        return await self.page.evaluate(f"async () => {{ {prelude} return {expression}; }}")

    async def until(self, expression: str) -> None:
        """Wait until an expression is true."""
        prelude = "const call = calls.at(-1); const transfer = call?.feature(sdk.Features.Transfer);"
        condition = f"() => {{ {prelude} return {expression}; }}"
        try:
            await self.page.wait_for_function(condition, timeout=PATIENCE * 1000)
        except PlaywrightTimeout:
            log = await self.page.evaluate("JSON.stringify({ log, rings: rings.length })")
            raise AssertionError(f"{self.name} waits in vain for {expression}: {log}") from None

    async def state(self, state: str, call: str = "call") -> None:
        """Wait until a call is in a state."""
        await self.until(f"{call} && {call}.state === '{state}'")

    async def dial(self, whom: str) -> None:
        await self.do(f"void agent.startCall([{{ id: '{whom}' }}], audio())")

    async def pick_up(self) -> None:
        await self.until("rings.length > 0")
        await self.do("void (await rings.shift().accept(audio()))")


async def listen(person: Listener | Person, seconds: float) -> NDArray[np.int16]:
    """Return what somebody hears from now on."""
    if isinstance(person, Listener):
        return await person.listen(seconds)
    while not (frames := await person.listen(time.monotonic(), seconds)):
        pass  # a machine that stalls for so long plays what it has missed in no time
    return np.concatenate([frame for _, frame in frames])


async def silence(*people: Listener | Person) -> None:
    """Assert that, once what is on its way has come, nobody hears anything.

    A machine that is busy is late: it is given time.
    """
    loud: list[str] = []
    try:
        async with asyncio.timeout(PATIENCE):
            while True:
                heard = await asyncio.gather(*(listen(each, 0.6) for each in people))
                loud = [
                    p.name for p, samples in zip(people, heard, strict=True) if level_dbfs(samples) >= -60
                ]
                if not loud:
                    return
    except TimeoutError:
        raise AssertionError(f"there is sound at {loud}") from None


async def hears(person: Listener | Person, whom: str) -> None:
    """Assert that somebody hears another at full level, and never anybody else."""
    scores: list[dict[str, float]] = []
    try:
        async with asyncio.timeout(HEARING_SECONDS):
            while True:
                samples = await listen(person, 1.5)
                score = {
                    n: await asyncio.to_thread(correlation, samples, said) for n, said in SENTENCES.items()
                }
                scores.append(score)
                others = [value for name, value in score.items() if name != whom]
                assert max(others) < 0.5, (person.name, whom, scores)
                if score[whom] > SAME and abs(level_dbfs(samples) - level_dbfs(SENTENCES[whom])) < 4:
                    return
    except TimeoutError:
        raise AssertionError(f"{person.name} does not hear {whom}: {scores}") from None


async def both(one: Listener | Person, other: Listener | Person) -> None:
    """Assert that two people hear each other."""
    await asyncio.gather(hears(one, other.name), hears(other, one.name))
