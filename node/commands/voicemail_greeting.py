"""What a mailbox does with callers, on the command line: greetings, answer rule, language, operator, PIN."""

import asyncio
import tempfile
from io import BytesIO
from pathlib import Path
from typing import Any, get_args

import click
import msgspec
import numpy as np
from numpy.typing import NDArray

from media.audio import FRAME_SECONDS
from media.playback import open_playback
from media.recorder import export as convert
from media.recorder import profile
from media.sink import AudioWriter, FileSink
from media.speaking import MOST_CHARACTERS
from media.speaking import speak as synthesize
from node.commands import stdin
from node.commands.options import Access, json_option, user_options
from node.commands.process import OK, CommandError, Commands, run
from node.commands.voicemail_play import Controls, say, speaker_option, speakers
from node.devices import DeviceManager
from node.voicemail import Mailbox
from signaling.mailboxes import GreetingKind, Language, Mail, MailboxSettings

MOST_SECONDS = 120.0

_KINDS: tuple[GreetingKind, ...] = get_args(GreetingKind)
_WHEN = {
    "unavailable": "when you do not answer, and wherever another is lacking",
    "busy": "while you are in a call, or do not want to be disturbed",
    "away": "while you are not online",
    "temporary": "in place of all others, as long as there is one",
}

_ATTACHED = {
    "mp3": "with the sound as MP3",
    "opus": "with the sound as Ogg Opus",
    "none": "without the sound",
}
_OF_MAIL = {"mail": "address", "mail_language": "language", "attach": "attach"}

kind_argument = click.argument("kind", type=click.Choice(_KINDS), default="unavailable")


@click.group(cls=Commands)
def greeting() -> None:
    """Say what callers hear: record, speak, upload, hear or delete your greetings.

    KIND is unavailable (by default), busy, away or temporary.
    """


@greeting.command("list")
@user_options
def list_(access: Access) -> None:
    """List your greetings."""

    async def work(_: asyncio.Event) -> int:
        own = await Mailbox(access.hub, access.token).greetings()
        for kind in _KINDS:
            click.echo(f"{kind:<12} {'your own' if kind in own else '-':<9} {_WHEN[kind]}")
        return OK

    run(work)


@greeting.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@kind_argument
@user_options
def upload(access: Access, file: Path, kind: GreetingKind) -> None:
    """Let callers hear FILE: any kind of sound file, of at most two minutes."""
    run(lambda _: _set(access, kind, file))


@greeting.command()
@kind_argument
@click.option("--microphone", metavar="NAME", help="Microphone, by a part of its name.")
@click.option("--seconds", type=click.FloatRange(1.0, MOST_SECONDS), help="Stop after so long.")
@user_options
def record(access: Access, kind: GreetingKind, microphone: str | None, seconds: float | None) -> None:
    """Record a greeting from the microphone until Enter or Ctrl-C, and let callers hear it."""
    run(lambda stop: _record(stop, access, kind, microphone, seconds))


async def _record(
    stop: asyncio.Event, access: Access, kind: GreetingKind, microphone: str | None, seconds: float | None
) -> int:
    devices = DeviceManager()
    try:
        if not devices.microphones:
            upload = f"`callnode voicemail greeting upload FILE {kind}`"
            raise CommandError(f"There is no microphone here; try {upload}.")
        if microphone:
            devices.select_microphone(microphone)
        with tempfile.TemporaryDirectory(prefix="callnode-") as folder:
            path = Path(folder) / "greeting.wav"
            await _listen(stop, devices, path, seconds or MOST_SECONDS)
            return await _set(access, kind, path)
    finally:
        devices.close()


async def _listen(stop: asyncio.Event, devices: DeviceManager, path: Path, seconds: float) -> None:
    """Record the microphone into a file, until told to stop or a line was typed."""
    source, sink = devices.microphone_source(), FileSink(path)
    loop = asyncio.get_running_loop()
    try:
        await asyncio.to_thread(source.wait_open)
        click.echo("recording; Enter ends it")
        with stdin.lines(lambda _: stop.set()):
            begun, said = loop.time(), 0.0
            while said < seconds and not stop.is_set():
                sink.write(source.read())
                said += FRAME_SECONDS
                await asyncio.sleep(begun + said - loop.time())
    finally:
        source.close()
        await asyncio.to_thread(sink.close)


async def _set(access: Access, kind: GreetingKind, file: Path) -> int:
    with tempfile.TemporaryDirectory(prefix="callnode-") as folder:
        path = Path(folder) / "greeting.ogg"
        await asyncio.to_thread(convert, file, path)
        found = await asyncio.to_thread(profile, path)
        if found.duration > MOST_SECONDS + 1.0:
            raise CommandError(
                f"A greeting has at most {MOST_SECONDS:.0f} s, this one {found.duration:.0f} s."
            )
        if not found.heard_speech:
            raise CommandError("Nothing is heard in it; see `callnode devices --test`, and speak up.")
        await Mailbox(access.hub, access.token).set_greeting(kind, path)
    click.echo(f"callers hear it {_WHEN[kind]} ({found.duration:.1f} s)")
    return OK


@greeting.command()
@click.argument("text")
@kind_argument
@click.option("--language", type=click.Choice(["en", "de"]), help="By default that of your mailbox.")
@user_options
def speak(access: Access, text: str, kind: GreetingKind, language: Language | None) -> None:
    """Let a machine's voice say TEXT to callers.

    Needs the extra `speech` or the program espeak-ng on this machine.
    """
    run(lambda _: _speak(access, text, kind, language))


async def _speak(access: Access, text: str, kind: GreetingKind, language: Language | None) -> int:
    if len(text) > MOST_CHARACTERS:
        raise CommandError(f"A greeting has at most {MOST_CHARACTERS} characters, this one {len(text)}.")
    spoken_in = language or (await Mailbox(access.hub, access.token).settings()).language
    sound = await asyncio.to_thread(synthesize, text, spoken_in)
    with tempfile.TemporaryDirectory(prefix="callnode-") as folder:
        path = Path(folder) / "greeting.wav"
        await asyncio.to_thread(_write, path, sound)
        return await _set(access, kind, path)


def _write(path: Path, sound: NDArray[np.int16]) -> None:
    writer = AudioWriter(path)
    writer.write(sound)
    writer.close()


@greeting.command("play")
@kind_argument
@speaker_option
@user_options
def play_(access: Access, kind: GreetingKind, speaker: str | None) -> None:
    """Play a greeting of your own on the speaker."""

    async def work(stop: asyncio.Event) -> int:
        with speakers(speaker, f"`callnode voicemail greeting export FILE {kind}`") as devices:
            sound = BytesIO(await Mailbox(access.hub, access.token).greeting(kind))
            playback = await asyncio.to_thread(open_playback, [sound])
            await say(stop, Controls(playback), devices, kind)
        return OK

    run(work)


@greeting.command("export")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@kind_argument
@user_options
def export_(access: Access, file: Path, kind: GreetingKind) -> None:
    """Save a greeting of your own as FILE: .ogg, .wav, .mp3 or .flac."""

    async def work(_: asyncio.Event) -> int:
        sound = BytesIO(await Mailbox(access.hub, access.token).greeting(kind))
        await asyncio.to_thread(convert, sound, file)
        click.echo(file)
        return OK

    run(work)


@greeting.command("delete")
@kind_argument
@user_options
def delete_(access: Access, kind: GreetingKind) -> None:
    """Delete a greeting; callers hear the next that fits."""

    async def work(_: asyncio.Event) -> int:
        await Mailbox(access.hub, access.token).set_greeting(kind, None)
        return OK

    run(work)


@click.command()
@click.option(
    "--answer", type=click.Choice(["record", "greeting-only", "decline"]), help="What is done with callers."
)
@click.option("--language", type=click.Choice(["en", "de"]), help="What callers are told in.")
@click.option("--operator", metavar="NAME|none", help="Whom a caller gets who presses 0.")
@click.option(
    "--retention-days", metavar="DAYS|none", help="When messages go that were heard; new ones never go."
)
@click.option("--mail", metavar="ADDRESS|none", help="Where mail on new messages goes.")
@click.option("--mail-language", type=click.Choice(["en", "de"]), help="What mail is written in.")
@click.option("--attach", type=click.Choice(["mp3", "opus", "none"]), help="How mail brings the sound along.")
@click.option("--webhook", metavar="URL|none", help="What URL is told of new messages.")
@click.option("--pin", metavar="DIGITS|none", help="For hearing your mailbox from another one's phone.")
@json_option
@user_options
def settings(access: Access, as_json: bool, pin: str | None, **options: str | None) -> None:
    """Show what your mailbox does with callers and messages, and where you are told of them, or set it."""
    given = {name: value for name, value in options.items() if value is not None}
    run(lambda _: _settings(access, given, pin, as_json))


async def _settings(access: Access, options: dict[str, str], pin: str | None, as_json: bool) -> int:
    mailbox = Mailbox(access.hub, access.token)
    now = await mailbox.settings()
    if options:
        now = _changed(now, options)
        await mailbox.set_settings(now)
    if pin is not None:
        await mailbox.set_pin(None if pin == "none" else pin)
    if as_json:
        click.echo(msgspec.json.encode(now))
        return OK
    answers = {
        "record": "callers hear a greeting and leave a message",
        "greeting_only": "callers hear a greeting, and the call ends",
        "decline": "callers are declined",
    }
    kept = (
        f"{now.retention_days} days after they were heard" if now.retention_days else "until they are deleted"
    )
    click.echo(f"{'answer':<15} {answers[now.answer]}")
    click.echo(f"{'language':<15} {now.language}")
    click.echo(f"{'operator':<15} {now.operator or '-'}")
    click.echo(f"{'messages stay':<15} {kept}")
    click.echo(f"{'mail':<15} {_mail(now.mail)}")
    click.echo(f"{'webhook':<15} {now.webhook or '-'}")
    if now.webhook is not None and "webhook" in options:
        click.echo(f"{'webhook secret':<15} {(await mailbox.webhook()).secret}")
    return OK


def _mail(mail: Mail | None) -> str:
    if mail is None:
        return "-"
    return f"{mail.address} in {mail.language}, {_ATTACHED[mail.attach]}"


def _changed(now: MailboxSettings, options: dict[str, str]) -> MailboxSettings:
    changes: dict[str, Any] = {}
    mail: dict[str, str] = {}
    for name, value in options.items():
        if name in _OF_MAIL and (name, value) != ("mail", "none"):
            mail[_OF_MAIL[name]] = value
        else:
            changes[name] = (
                None if value == "none" else value.replace("-", "_") if name == "answer" else value
            )
    if mail:
        before = {} if now.mail is None else msgspec.to_builtins(now.mail)
        changes["mail"] = before | mail
        if "address" not in changes["mail"]:
            raise CommandError("Say first where mail goes, with --mail ADDRESS.")
    try:
        return msgspec.convert(msgspec.to_builtins(now) | changes, MailboxSettings, strict=False)
    except msgspec.ValidationError as error:
        raise CommandError(f"This does not fit: {error}.") from None
