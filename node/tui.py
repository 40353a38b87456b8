"""The phone on a terminal: who, how long, meters of both directions, and the keys that work now."""

import asyncio
import sys
import time
from types import TracebackType
from typing import Self

from rich.columns import Columns
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from node.call import Call
from node.commands.event import Event, other_end, plain
from node.commands.quality import Quality
from node.commands.softphone import Softphone
from node.commands.stdin import has_keys
from node.identity import CallerInfo
from node.participant import RemoteParticipant
from node.session import CallState

_FRAME_SECONDS = 0.1
_BELL_SECONDS = 3.0
_FLOOR_DBFS = -60.0
_FALL_DB = 3.0
_WIDTH = 72
_METER = 36

_STATES = {
    CallState.CONNECTING: ("connecting …", "yellow"),
    CallState.RINGING: ("ringing …", "yellow"),
    CallState.CONNECTED: ("connected", "green"),
    CallState.LOCAL_HOLD: ("on hold", "magenta"),
    CallState.REMOTE_HOLD: ("held by the other end", "magenta"),
    CallState.DISCONNECTING: ("hanging up …", "red"),
}
_STYLES = {
    "connected": "green",
    "transferred": "green",
    "incoming": "bold yellow",
    "missed": "yellow",
    "refused": "red",
    "transfer-failed": "red",
    "device": "yellow",
    "plugged-in": "yellow",
    "unplugged": "yellow",
    "no-sound": "red",
    "sound-again": "green",
    "offline": "red",
}
_PROMPTS = {
    "t": ("transfer", "Transfer to"),
    "v": ("voicemail", "To the voicemail of"),
    "d": ("dial", "Call"),
    "p": ("add", "Ask into this call"),
    "i": ("microphone", "Microphone, or default"),
    "s": ("speaker", "Speaker, or default"),
}
# What the panel itself shows.
_SHOWN = frozenset({"speaking", "stopped-speaking", "speaking-while-muted", "volume"})
_SPEAKS = " ))"
_KEYPAD = frozenset("0123456789*#")
_COMMANDS = {
    "a": "accept",
    "r": "reject",
    "h": "hangup",
    "m": "mute",
    "o": "hold",
    "c": "transfer-to-call",
    "+": "volume +10",
    "=": "volume +10",  # the same key without shift
    "-": "volume -10",
    "q": "quit",
}


def has_screen() -> bool:
    """Tell whether there is a terminal to draw on and keys to press."""
    return has_keys() and sys.stdout.isatty() and not Console().is_dumb_terminal


class Screen:
    """Draw a softphone in place, ten times a second, with its events scrolling by above."""

    def __init__(self) -> None:
        self._console = Console(highlight=False)
        self._live = Live(console=self._console, auto_refresh=False, transient=True)
        self._phone: Softphone | None = None
        self._task: asyncio.Task[None] | None = None
        self._prompt: tuple[str, str] | None = None
        self._typed = ""
        self._levels: dict[str, float] = {}
        self._quality: tuple[str, Quality] = ("", Quality())

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._task is not None:
            self._task.cancel()
        self._live.stop()

    def show(self, phone: Softphone) -> None:
        """Draw this phone from now on."""
        self._phone = phone
        self._task = asyncio.create_task(self._draw())

    def tell(self, event: Event) -> None:
        """Add an event to what scrolls by, unless the panel shows it."""
        if event.event in _SHOWN:
            return
        style = _STYLES.get(event.event, "default")
        self._console.print(
            f"[dim]{time.strftime('%H:%M:%S')}[/] [{style}]{escape(event.line)}[/]", soft_wrap=True
        )

    def typed(self, keys: str) -> None:
        """Take what is typed: a key for a command, or a name on the prompt line."""
        if keys.startswith("\x1b"):
            self._prompt = None  # Esc alone, or a key such as an arrow
            return
        for key in keys:
            if self._prompt is not None:
                self._edit(key)
            elif key.lower() in _PROMPTS:
                self._prompt, self._typed = _PROMPTS[key.lower()], ""
            elif self._phone is not None and key in _KEYPAD:
                self._phone.obey(f"keys {key}")
            elif self._phone is not None and key.lower() in _COMMANDS:
                self._phone.obey(_COMMANDS[key.lower()])
        self._refresh()

    def _edit(self, key: str) -> None:
        assert self._prompt is not None
        if key in "\r\n":
            if self._typed.strip() and self._phone is not None:
                self._phone.obey(f"{self._prompt[0]} {self._typed}")
            self._prompt = None
        elif key in "\x7f\b":
            self._typed = self._typed[:-1]
        elif key.isprintable():
            self._typed += key

    async def _draw(self) -> None:
        bell = 0.0
        while True:
            if self._phone is not None and self._phone.ringing and time.monotonic() - bell >= _BELL_SECONDS:
                bell = time.monotonic()
                self._console.bell()
            self._refresh()
            await asyncio.sleep(_FRAME_SECONDS)

    def _refresh(self) -> None:
        if self._phone is not None:
            self._live.update(self._panel(self._phone), refresh=True)

    def _panel(self, phone: Softphone) -> RenderableType:
        rows: list[RenderableType] = []
        for incoming in phone.ringing:
            rows.append(_line(f"☎ {_who(incoming.caller_info)} is calling", "", "bold yellow"))
        calls = phone.calls
        for call in calls[:-1]:
            rows.append(self._heading(phone, call, "dim"))
        if calls:
            rows.append(self._heading(phone, calls[-1], "bold"))
            rows += [_party(each) for each in calls[-1].remote_participants if calls[-1].info.group_id]
            rows += self._meters(calls[-1])
        if not rows:
            rows.append(Text("Waiting for a call.", style="dim"))
        rows.append(Text())
        if self._prompt is not None:
            rows.append(Text.assemble((f"{self._prompt[1]}: ", "bold"), self._typed, ("▏", "blink")))
            rows.append(_keys([("Enter", "go"), ("Esc", "never mind")]))
        else:
            rows.append(_keys(_hints(phone)))
        title = f"callnode · {_who(phone.agent.identity)}"
        return Panel(
            Group(*rows), title=escape(title), title_align="left", width=min(_WIDTH, self._console.width)
        )

    def _heading(self, phone: Softphone, call: Call, style: str) -> RenderableType:
        state, colour = _STATES.get(call.state, (call.state.value, "default"))
        seconds = phone.seconds_connected(call)
        duration = "" if seconds is None else f"  {int(seconds) // 60:02}:{int(seconds) % 60:02}"
        if call.is_reconnecting:
            state, colour = "no sound, reconnecting …", "red"
        muted = "  muted" if call.is_muted else ""
        speaks = call.info.group_id is None and any(each.is_speaking for each in call.remote_participants)
        return _line(
            f"● {_who(other_end(call))}{_SPEAKS * speaks}", f"{state}{muted}{duration}", f"{style} {colour}"
        )

    def _meters(self, call: Call) -> list[RenderableType]:
        stats = call.stats
        if stats is None or call.state not in (
            CallState.CONNECTED,
            CallState.LOCAL_HOLD,
            CallState.REMOTE_HOLD,
        ):
            self._levels.clear()
            return []
        grid = Table.grid(padding=(0, 1))
        grid.add_column(width=12, no_wrap=True)
        for label, level in (("you", stats.audio_level_out), (_who(other_end(call)), stats.audio_level_in)):
            shown = max(level, self._levels.get(label, _FLOOR_DBFS) - _FALL_DB)
            self._levels[label] = shown
            grid.add_row(Text(label, overflow="ellipsis"), _meter(shown), _decibels(shown))
        if self._quality[0] != call.id:
            self._quality = (call.id, Quality())
        rows: list[RenderableType] = [grid]
        if call.is_speaking_while_muted:
            rows.append(Text("You are muted: nobody hears you (m).", style="bold red"))
        if quality := self._quality[1].line(stats, time.monotonic()):
            rows.append(Text(quality, style="dim"))
        return rows


def _party(who: RemoteParticipant) -> RenderableType:
    """Return the line of somebody in a group: the name, a mark while they speak, what keeps them from it."""
    state = "muted" if who.is_muted else "" if who.state == "Connected" else f"{who.state.lower()} …"
    return _line(
        f"  {_who(who.identifier)}{_SPEAKS * who.is_speaking}", state, "green" if who.is_speaking else "dim"
    )


def _meter(level: float) -> Text:
    """Return a bar from -60 to 0 dBFS: green, yellow from -18, red from -6."""
    lit = round(_METER * min(1.0, max(0.0, 1 - level / _FLOOR_DBFS)))
    bar = Text()
    for at in range(_METER):
        reaches = _FLOOR_DBFS * (1 - at / _METER)
        colour = "red" if reaches >= -6 else "yellow" if reaches >= -18 else "green"
        bar.append("█" if at < lit else "─", style=colour if at < lit else "bright_black")
    return bar


def _decibels(level: float) -> Text:
    return Text(f"{level:4.0f} dB" if level > _FLOOR_DBFS else " silent", style="dim")


def _line(left: str, right: str, style: str) -> RenderableType:
    grid = Table.grid(expand=True)
    grid.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
    grid.add_column(justify="right", no_wrap=True)
    grid.add_row(Text(left, style=style), Text(right, style=style.split()[-1]))
    return grid


def _hints(phone: Softphone) -> list[tuple[str, str]]:
    hints = [("a", "accept"), ("r", "reject")] if phone.ringing else []
    if phone.calls:
        call = phone.calls[-1]
        hints.append(("h", "hang up"))
        if call.state in (CallState.CONNECTED, CallState.LOCAL_HOLD, CallState.REMOTE_HOLD):
            hints += [("m", "unmute" if call.is_muted else "mute")]
            hints += [("o", "resume" if call.state is CallState.LOCAL_HOLD else "hold")]
            hints += [("p", "add a person")]
            hints += [("t", "transfer"), ("v", "voicemail")] if call.info.group_id is None else []
            hints += [("c", "connect")] if len(phone.calls) == 2 else [("d", "dial")]
            hints += [("0-9*#", "keypad"), ("i", "microphone"), ("s", "speaker")]
    else:
        hints.append(("d", "dial"))
    return [*hints, ("+ -", f"volume {phone.volume} %"), ("q", "quit")]


def _keys(hints: list[tuple[str, str]]) -> RenderableType:
    return Columns([Text.assemble((key, "bold reverse"), " ", what) for key, what in hints], padding=(0, 2))


def _who(who: CallerInfo) -> str:
    return plain(who.display_name or who.name or who.identifier.raw_id)
