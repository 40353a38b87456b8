"""The story: three people talk, hand calls over in every way, and leave voicemail; each step is measured."""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from msgspec import Struct

from media.measure import correlation, level_dbfs
from media.source import load
from media.speech import prompt, speech
from node.demo.cast import Event, Person, StoryError
from node.demo.ear import Ear
from node.demo.stage import Stage
from node.voicemail.mailbox import Mailbox

TALK_SECONDS = 3.0
MESSAGE_SECONDS = 6.0
SET_UP_LIMIT_MS = 120.0
GAP_LIMIT_MS = 100.0
SAME = 0.8
LEVEL_DBFS = (-26.0, -14.0)

Figures = dict[str, Any]


class Step(Struct, frozen=True):
    """One step of the story: whether all was as specified, what was measured, what was wrong."""

    name: str
    ok: bool
    figures: Figures
    wrong: tuple[str, ...] = ()


class Story:
    """Tell the story with a cast; `owner` reads the mailbox of Carol, `steps` takes what was measured."""

    def __init__(
        self, cast: dict[str, Person], folder: Path, stage: Stage, owner: Mailbox, steps: list[Step]
    ) -> None:
        self._steps = steps
        self._alice, self._bob, self._carol = cast["alice"], cast["bob"], cast["carol"]
        self._folder = folder
        self._stage = stage
        self._owner = owner
        self._set_up: list[float] = []
        self._gaps: list[float] = []
        self._figures: Figures = {}
        self._wrong: list[str] = []

    async def tell(self) -> None:
        """Play every step; one that goes wrong does not keep the others from being played."""
        await self._step("Alice and Bob talk", self._talk)
        await self._step("Alice transfers Bob to Carol, Carol answers", self._blind)
        await self._step("Alice consults Carol and hands Bob over", self._consult)
        await self._step("Carol declines, Alice and Bob talk on", self._declined)
        await self._step("Nobody answers, Carol's rule sends Bob to voicemail", self._unanswered)
        await self._step("Alice transfers Bob straight to Carol's voicemail", self._voicemail)
        await self._step("Carol plays Bob's messages", self._played)
        await self._step("Over all steps", self._medians)

    # --- the steps

    async def _talk(self) -> None:
        call = await self._connect(self._alice, self._bob)
        await self._hear({self._alice: "bob", self._bob: "alice"})
        self._alice.do("hang_up")
        ended = await self._bob.when("state", call=call, state="Disconnected")
        self._expect(ended["code"] == [0, 0], f"Bob's call ended with {ended['code']}, not with 0/0")

    async def _blind(self) -> None:
        call = await self._connect(self._alice, self._bob)
        await asyncio.sleep(TALK_SECONDS)
        self._mark()
        self._alice.do("transfer", call=call, target_participant="carol")
        ring = await self._carol.when("ring")
        who = (ring["caller"], ring["transferor"])
        self._expect(who == ("bob", "alice"), f"Carol sees {who[0]} from {who[1]}, not Bob from Alice")
        self._carol.do("accept", call=ring["call"])
        accepted = await self._carol.when("accepting")
        await self._transferred("participant")
        ended = await self._bob.when("state", call=call, state="Disconnected")
        self._expect(
            ended["code"] == [0, 7015], f"Bob's old call ended with {ended['code']}, not with 0/7015"
        )
        ears = await self._hear({self._bob: "carol", self._carol: "bob"})
        self._gap(ears[self._bob], accepted["at"])

    async def _consult(self) -> None:
        first = await self._connect(self._alice, self._bob)
        self._alice.do("hold", call=first)
        await self._bob.when("state", call=first, state="RemoteHold")
        second = await self._connect(self._alice, self._carol)
        await asyncio.sleep(TALK_SECONDS)
        self._mark()
        asked = time.monotonic()
        self._alice.do("transfer", call=first, target_call_id=second)
        await self._transferred("call")
        for person, call in ((self._bob, first), (self._carol, second), (self._alice, second)):
            ended = await person.when("state", call=call, state="Disconnected")
            self._expect(ended["code"] == [0, 7015], f"{person.name}'s old call ended with {ended['code']}")
        self._expect(not _happened(self._carol, "ring"), "Carol rang a second time")
        ears = await self._hear({self._bob: "carol", self._carol: "bob"})
        self._figures["gap_at_carol_ms"] = round(_gap_ms(ears[self._carol], asked))
        heard = ears[self._bob].first_sound(asked)
        if heard is not None:
            self._figures["held_b_hears_c_after_ms"] = round((heard - asked) * 1000)

    async def _declined(self) -> None:
        call = await self._connect(self._alice, self._bob)
        await asyncio.sleep(TALK_SECONDS)
        self._mark()
        asked = time.monotonic()
        self._alice.do("transfer", call=call, target_participant="carol")
        ring = await self._carol.when("ring")
        self._carol.do("reject", call=ring["call"])
        failed = await self._alice.when("transfer", state="Failed")
        self._expect(failed["code"] == [603, 0], f"the transfer failed with {failed['code']}, not with 603/0")
        ears = await self._hear({self._bob: "alice", self._alice: "bob"})
        silence = ears[self._bob].silence(asked - 0.5, asked + TALK_SECONDS)
        self._figures["silence_at_b_ms"] = round(silence * 1000)
        self._expect(silence * 1000 <= GAP_LIMIT_MS, "Bob heard a hole although nothing changed")

    async def _unanswered(self) -> None:
        call = await self._connect(self._alice, self._bob)
        await asyncio.sleep(TALK_SECONDS)
        self._mark()
        self._alice.do("transfer", call=call, target_participant="carol")
        ring = await self._carol.when("ring")
        self._stage.tell("Carol's phone rings for 10 s …")
        await self._alice.when("transfer", progress="voicemail")
        self._figures["rang_s"] = round(time.monotonic() - ring["at"], 1)
        await self._message()

    async def _voicemail(self) -> None:
        call = await self._connect(self._alice, self._bob)
        await asyncio.sleep(TALK_SECONDS)
        self._mark()
        self._alice.do("transfer", call=call, target_participant_voicemail="carol")
        await self._message()
        self._expect(not _happened(self._carol, "ring"), "Carol rang")

    async def _played(self) -> None:
        messages = await self._owner.list()
        self._expect(len(messages) == 2, f"{len(messages)} messages are there, not 2")
        for number, message in enumerate(messages, start=1):
            path = self._folder / f"{message.id}.ogg"
            await self._owner.audio(message.id, path)
            samples = await asyncio.to_thread(load, path)
            matches = correlation(samples, speech("bob"))
            self._figures[f"message_{number}"] = {
                "from": message.caller.name,
                "transferred_by": message.transferor.name if message.transferor else None,
                "duration_s": round(message.duration, 1),
                "correlation": round(matches, 3),
                "level_dbfs": round(level_dbfs(samples), 1),
            }
            self._expect(matches >= SAME, f"message {number} does not sound like Bob")
            self._expect(abs(len(samples) / 48_000 - message.duration) < 0.1, "a duration is not true")
            by = message.transferor.name if message.transferor else None
            self._expect((message.caller.name, by) == ("bob", "alice"), "an envelope is wrong")
            await self._stage.play(samples)

    async def _medians(self) -> None:
        set_up, gap = statistics.median(self._set_up), statistics.median(self._gaps)
        self._figures |= {"set_up_ms": round(set_up), "gap_ms": round(gap), "calls": len(self._set_up)}
        self._expect(set_up <= SET_UP_LIMIT_MS, f"median set-up over {SET_UP_LIMIT_MS:.0f} ms")
        self._expect(gap <= GAP_LIMIT_MS, f"median silence in a transfer over {GAP_LIMIT_MS:.0f} ms")

    # --- what steps are made of

    async def _connect(self, caller: Person, callee: Person) -> str:
        """Let one call the other, and measure from the answer to the first sound at the caller's ear."""
        caller.mark()
        callee.mark()
        caller.do("dial", whom=callee.name)
        ring = await callee.when("ring")
        callee.do("accept", call=ring["call"])
        accepted: Event = await callee.when("accepting")
        call: str = ring["call"]
        for person in (caller, callee):
            await person.when("state", call=call, state="Connected")
        heard = (await caller.ear(self._folder)).first_sound(accepted["at"])
        if heard is None:
            await asyncio.sleep(0.5)
            heard = (await caller.ear(self._folder)).first_sound(accepted["at"])
        if heard is None:
            raise StoryError(f"{caller.name} hears nothing of {callee.name}")
        set_up = (heard - accepted["at"]) * 1000
        self._set_up.append(set_up)
        self._figures["set_up_ms"] = round(set_up)
        return call

    async def _hear(self, expected: dict[Person, str]) -> dict[Person, Ear]:
        """Listen for a while and compare what each hears with the sentence that each should hear."""
        start = time.monotonic()
        await asyncio.sleep(TALK_SECONDS)
        ears = {person: await person.ear(self._folder) for person in expected}
        for person, whom in expected.items():
            heard = await asyncio.to_thread(ears[person].hears, whom, start, start + TALK_SECONDS)
            self._figures[f"{person.name}_hears_{whom}"] = heard
            self._expect(heard["correlation"] >= SAME, f"{person.name} does not hear {whom}")
            self._expect(heard["other"] < SAME / 2, f"{person.name} hears somebody else")
            low, high = LEVEL_DBFS
            self._expect(low <= heard["level_dbfs"] <= high, f"{person.name} hears {whom} at a wrong level")
        return ears

    def _gap(self, ear: Ear, at: float) -> None:
        """Measure the longest silence at B around a change-over."""
        gap = _gap_ms(ear, at)
        self._gaps.append(gap)
        self._figures["gap_ms"] = round(gap)

    async def _transferred(self, outcome: str) -> None:
        final = await self._alice.when("transfer", state="Transferred")
        self._expect(final["outcome"] == outcome, f"the outcome is {final['outcome']}, not {outcome}")
        self._alice.do("hang_up")
        await self._alice.when("idle")

    async def _message(self) -> None:
        """Let Bob hear the greeting, speak after the beep, and hang up."""
        await self._transferred("voicemail")
        at = time.monotonic()
        self._stage.tell("Bob hears the greeting, and speaks after the beep …")
        greeting = prompt("en", "greeting")
        await asyncio.sleep(len(greeting) / 48_000 + MESSAGE_SECONDS)
        ear = await self._bob.ear(self._folder)
        heard = correlation(ear.stretch(at, at + len(greeting) / 48_000), greeting)
        self._figures["bob_hears_greeting"] = round(heard, 3)
        self._expect(heard >= SAME, "Bob does not hear the greeting")
        self._gap(ear, at)
        self._carol.mark()
        self._bob.do("hang_up")
        await self._carol.when("mailbox")

    async def _step(self, name: str, play: Callable[[], Awaitable[None]]) -> None:
        self._figures, self._wrong = {}, []
        self._stage.begin(name)
        try:
            async with asyncio.timeout(120):
                await play()
        except TimeoutError:
            self._wrong.append("it took too long")
        except Exception as error:
            self._wrong.append(str(error) or type(error).__name__)
        step = Step(name, not self._wrong, self._figures, tuple(self._wrong))
        self._steps.append(step)
        self._stage.end(step.name, step.ok, step.figures, step.wrong)
        with suppress(StoryError):  # whoever does not answer now fails the next step
            await self._part()

    async def _part(self) -> None:
        """Let everyone hang up, so that the next step begins afresh."""
        self._mark()
        for person in (self._alice, self._bob, self._carol):
            person.do("hang_up")
        for person in (self._alice, self._bob, self._carol):
            await person.when("idle")

    def _mark(self) -> None:
        for person in (self._alice, self._bob, self._carol):
            person.mark()

    def _expect(self, true: bool, otherwise: str) -> None:
        if not true:
            self._wrong.append(otherwise)


def _gap_ms(ear: Ear, at: float) -> float:
    return ear.silence(at - 0.5, at + 1.5) * 1000


def _happened(person: Person, event: str) -> bool:
    return any(known["event"] == event for known in person.events[person._seen :])
