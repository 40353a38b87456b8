"""`callnode voicemail play`: a message on the speaker, with a bar and keys."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import click
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn

from media.audio import FRAME_SECONDS
from media.playback import FASTEST, SLOWEST, Playback, open_playback
from node.commands import stdin
from node.commands.event import minutes, plain
from node.commands.options import Access, user_options
from node.commands.process import OK, CommandError, run
from node.commands.voicemail_box import envelope, find
from node.devices import DeviceManager
from node.voicemail import Mailbox, Message

KEYS = "space pause · ← → 5 s · + - speed · d delete · q quit"

_DRAIN_SECONDS = 0.3
_SHOWN_FRAMES = 5
_SEEK_SECONDS = 5.0
_SPEED_STEP = 0.25

speaker_option = click.option("--speaker", metavar="NAME", help="Speaker, by a part of its name.")


@click.command()
@click.argument("message_id", metavar="[ID]", default="")
@click.option(
    "--speed",
    type=click.FloatRange(SLOWEST, FASTEST),
    default=1.0,
    show_default=True,
    help="How fast, at the same pitch.",
)
@speaker_option
@user_options
def play(access: Access, message_id: str, speed: float, speaker: str | None) -> None:
    """Play a message on the speaker: the newest, or that of ID.

    Played to its end, it counts as saved. On a terminal: space pauses, the arrows left and right go 5 s back
    and ahead, + and - change the speed, d deletes the message, q quits.
    """
    run(lambda stop: _play(stop, access, message_id, speed, speaker))


async def _play(
    stop: asyncio.Event, access: Access, message_id: str, speed: float, speaker: str | None
) -> int:
    mailbox = Mailbox(access.hub, access.token)
    message = await find(mailbox, message_id)
    with speakers(speaker, f"`callnode voicemail export {message.id[:8]} FILE.wav`") as devices:
        sounds = await mailbox.sounds(message)
        try:
            playback = await asyncio.to_thread(open_playback, sounds, message.gain_db)
        except OSError:
            raise CommandError(
                f"The sound of message {message.id} is damaged; nothing can be heard."
            ) from None
        playback.set_speed(speed)
        controls = Controls(playback)
        if message.transcript:
            click.echo(plain(message.transcript))
        await say(stop, controls, devices, " ".join(envelope(message)[::2][::-1]), keys=KEYS)
    if controls.delete:
        await mailbox.delete(message.id)
    elif playback.finished and message.folder == "new":
        await mailbox.mark(message.id, "saved")
    _tell_of_loss(playback, message)
    return OK


def _tell_of_loss(playback: Playback, message: Message) -> None:
    expected = message.duration + (message.introduction or 0.0)
    if playback.duration < expected - 1.0:
        lost = (
            f"{minutes(expected - playback.duration)} of message {message.id} is lost: its file is damaged."
        )
        click.echo(f"callnode: {lost}", err=True)


class Controls:
    """What keys do to a playback; `done` once it is to end, with `delete` if that was pressed."""

    def __init__(self, playback: Playback) -> None:
        self.playback = playback
        self.done = False
        self.delete = False

    def press(self, typed: str) -> None:
        """Obey what was typed; arrows come as escape sequences."""
        playback = self.playback
        for key in _keys(typed):
            match key:
                case " ":
                    playback.paused = not playback.paused
                case "\x1b[C":
                    playback.seek(playback.position + _SEEK_SECONDS)
                case "\x1b[D":
                    playback.seek(playback.position - _SEEK_SECONDS)
                case "+" | "=":
                    playback.set_speed(min(FASTEST, playback.speed + _SPEED_STEP))
                case "-":
                    playback.set_speed(max(SLOWEST, playback.speed - _SPEED_STEP))
                case "d":
                    self.delete = self.done = True
                case "q" | "\x1b":
                    self.done = True

    @property
    def shown(self) -> str:
        """Return the position and what is unusual."""
        playback = self.playback
        at = minutes(playback.position)
        speed = "" if playback.speed == 1.0 else f" {playback.speed:g}×"
        return f"{at} / {minutes(playback.duration)}{speed}{' paused' if playback.paused else ''}"


def _keys(typed: str) -> Iterator[str]:
    while typed:
        length = 3 if typed.startswith("\x1b[") else 1
        yield typed[:length]
        typed = typed[length:]


@contextmanager
def speakers(name: str | None, otherwise: str) -> Iterator[DeviceManager]:
    """Give devices with a speaker, chosen by name; raises CommandError where there is none."""
    devices = DeviceManager()
    try:
        if not devices.speakers:
            raise CommandError(f"There is no speaker here; try {otherwise}.")
        if name:
            devices.select_speaker(name)
        yield devices
    finally:
        devices.close()


async def say(
    stop: asyncio.Event, controls: Controls, devices: DeviceManager, what: str, *, keys: str = ""
) -> None:
    """Play in real time to the end, or until told to stop; with a bar and keys on a terminal."""
    console = Console(highlight=False)
    playback = controls.playback
    if not console.is_terminal:
        click.echo(f"playing: {what}, {minutes(playback.duration)}")
    sink = devices.speaker_sink()
    loop = asyncio.get_running_loop()
    typing = stdin.keys(controls.press) if stdin.has_keys() and console.is_terminal else nullcontext()
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[at]}"))
    if keys and stdin.has_keys() and console.is_terminal:
        console.print(f"[dim]{keys}[/]")
    with (
        typing,
        Progress(*columns, console=console, disable=not console.is_terminal, auto_refresh=False) as bar,
    ):
        task = bar.add_task(escape(what), total=playback.duration, at=controls.shown)
        begun, frames = loop.time(), 0
        while not (playback.finished or controls.done or stop.is_set()):
            sink.write(playback.read())
            frames += 1
            if frames % _SHOWN_FRAMES == 0 or playback.finished:
                bar.update(task, completed=playback.position, at=controls.shown)
                bar.refresh()
            await asyncio.sleep(begun + frames * FRAME_SECONDS - loop.time())
        if playback.finished:
            await asyncio.sleep(_DRAIN_SECONDS)  # what is still in the card
    sink.close()
