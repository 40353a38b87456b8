"""What the audience sees: who hears whom, the step under way, and the table at the end."""

import asyncio
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from media.audio import FRAME_SAMPLES, FRAME_SECONDS
from media.devices import Devices

FLOOR_DBFS = -60.0
WIDTH = 24
GAPS = ("gap_ms", "silence_at_b_ms", "gap_at_carol_ms")
DOING = {
    "Connected": "talks",
    "RemoteHold": "is on hold",
    "LocalHold": "holds a call",
    "Ringing": "hears it ring",
    "Connecting": "is being connected",
}


class Stage:
    """Show the story live on a terminal, line by line elsewhere; `listen` plays recordings aloud."""

    def __init__(self, listen: bool) -> None:
        self._console = Console(file=sys.stderr if not sys.stdout.isatty() else None, highlight=False)
        self._listen = listen
        self._levels: dict[str, float] = {}
        self._calls: dict[str, dict[str, str]] = {}
        self._rings: dict[str, str] = {}
        self._said: list[Text] = []
        self._now = ""
        self._over = False
        self._live: Live | None = None

    def __enter__(self) -> "Stage":
        if self._console.is_terminal:
            self._live = Live(console=self._console, get_renderable=self._picture, refresh_per_second=10)
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._over = True
            self._live.stop()

    def show(self, person: str, event: Mapping[str, Any]) -> None:
        """Follow an event of a person."""
        match event["event"]:
            case "level":
                self._levels[person] = event["dbfs"]
            case "state":
                calls = self._calls.setdefault(person, {})
                calls[event["call"]] = event["state"]
                if event["state"] == "Disconnected":
                    del calls[event["call"]]
                    if not calls:
                        self._levels.pop(person, None)
            case "ring":
                via = f", sent by {event['transferor'].title()}" if event["transferor"] else ""
                self._rings[person] = f"{event['caller'].title()} is calling{via}"

    def tell(self, what: str) -> None:
        """Say what is going on now."""
        self._now = what
        if self._live is None:
            self._console.print(f"  {what}")

    def begin(self, name: str) -> None:
        """Announce a step."""
        self._rings.clear()
        self.tell(f"{name} …")

    def end(self, name: str, ok: bool, figures: Mapping[str, Any], wrong: Sequence[str]) -> None:
        """Show how a step went."""
        line = Text.assemble(("✔ " if ok else "✘ ", "bold green" if ok else "bold red"), name)
        if brief := _brief(figures):
            line.append(f"  {brief}", "dim")
        for what in wrong:
            line.append(f"\n    {what}", "red")
        self._said.append(line)
        if self._live is None:
            self._console.print(line)

    async def play(self, samples: NDArray[np.int16]) -> None:
        """Play a recording aloud where the audience listens."""
        if not self._listen:
            return
        devices = Devices()
        speaker = devices.speaker()
        due = asyncio.get_running_loop().time()
        for start in range(0, len(samples) - FRAME_SAMPLES, FRAME_SAMPLES):
            speaker.write(samples[start : start + FRAME_SAMPLES])
            due += FRAME_SECONDS
            await asyncio.sleep(max(0.0, due - asyncio.get_running_loop().time()))
        await asyncio.to_thread(devices.close)

    def table(self, steps: Sequence[Any]) -> None:
        """Print everything that was measured."""
        table = Table(title="What was heard", title_style="bold", header_style="bold")
        table.add_column("step")
        table.add_column("", justify="center")
        table.add_column("heard")
        for figure in ("level", "gap", "set-up"):
            table.add_column(figure, justify="right")
        for step in steps:
            heard = {k: v for k, v in step.figures.items() if isinstance(v, dict)}
            lines = [f"{_who(k)} {v['correlation']:.2f}" for k, v in heard.items()]
            if "bob_hears_greeting" in step.figures:
                lines.append(f"Bob ← greeting {step.figures['bob_hears_greeting']:.2f}")
            table.add_row(
                step.name,
                Text("ok", "green") if step.ok else Text("wrong", "bold red"),
                "\n".join(lines),
                "\n".join(f"{v['level_dbfs']:.0f} dB" for v in heard.values()),
                _ms(next((step.figures[key] for key in GAPS if key in step.figures), None)),
                _ms(step.figures.get("set_up_ms")),
            )
        self._console.print(table)
        self._console.print(
            "[dim]heard: correlation with the sentence that should be heard (1 is identical) · gap: longest "
            "silence at the ear during the change-over · set-up: answer to first sound at the far end[/dim]"
        )

    def _doing(self, name: str) -> str:
        states = self._calls.get(name, {}).values()
        return next((words for state, words in DOING.items() if state in states), self._rings.get(name, ""))

    def _picture(self) -> Group:
        if self._over:
            return Group(*self._said)
        people = Table.grid(padding=(0, 2))
        for name in ("alice", "bob", "carol"):
            people.add_row(
                Text(name.title(), "bold"),
                _meter(self._levels.get(name)),
                Text(self._doing(name), "dim"),
            )
        spinner = Spinner("dots", text=Text(self._now))
        return Group(Panel(people, title="what each hears", title_align="left"), *self._said, spinner)


def _meter(dbfs: float | None) -> Text:
    filled = 0 if dbfs is None else round(max(0.0, min(1.0, 1 - dbfs / FLOOR_DBFS)) * WIDTH)
    return Text.assemble(("█" * filled, "green"), ("░" * (WIDTH - filled), "dim"))


def _brief(figures: Mapping[str, Any]) -> str:
    names = {
        "set_up_ms": "set-up {} ms",
        "gap_ms": "gap {} ms",
        "gap_at_carol_ms": "gap at Carol {} ms",
        "rang_s": "rang {} s",
    }
    return " · ".join(text.format(figures[key]) for key, text in names.items() if key in figures)


def _who(key: str) -> str:
    return " ← ".join(part.title().replace("_", " ") for part in key.split("_hears_"))


def _ms(value: float | None) -> str:
    return "" if value is None else f"{value:.0f} ms"
