"""`callnode call` and `callnode listen`: a laptop as a phone."""

import asyncio
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from functools import wraps
from pathlib import Path
from typing import Any

import click
import msgspec

from media.audio import Sink, Source
from media.processing import AudioProcessing
from media.sink import FileSink, TeeSink
from media.source import FileSource, comfort_tone, music_on_hold
from media.tones import check_country
from node.admin import unreachable
from node.call import AudioOptions
from node.client import CallClient, CallClientOptions
from node.commands import stdin
from node.commands.event import Event
from node.commands.options import Access, Command, json_option, user_options
from node.commands.process import CommandError, run
from node.commands.softphone import Softphone
from node.credential import CommunicationTokenCredential
from node.devices import DeviceManager
from node.errors import CallingError
from node.tui import Screen, has_screen
from signaling.reasons import NETWORK

_HELP = """

\b
On a terminal, single keys: a accept, r reject, h hang up, m mute, o hold or
resume, p add a person, t transfer to someone, v transfer to someone's
voicemail, d call someone else meanwhile, c connect the two calls and leave,
0-9 * # keypad, i change the microphone, s change the speaker, + and - make
it louder and softer, q quit. )) stands beside those who speak.

\b
Otherwise one line per event on standard output, and commands as lines on
standard input: accept, reject, hangup, mute, hold, add NAME, remove NAME,
transfer NAME, voicemail NAME, dial NAME, transfer-to-call, keys DIGITS,
microphone NAME, speaker NAME (part of a name, or default), volume N (in
percent of the speaker's, 100 as it is; +10 and -10 change it), quit.

\b
Exit codes: 0 the call took place and ended normally, 1 error, 2 wrong usage,
3 declined or busy, 4 no answer or offline, 5 network or sound failure,
6 token missing, invalid or expired.
"""


_HOLD_AUDIO = {"tone": comfort_tone, "music": music_on_hold, "silence": None}


class Sound:
    """What is said and heard: files where they are given, else microphone and speaker."""

    def __init__(
        self,
        microphone: str | None,
        speaker: str | None,
        play: Path | None,
        loop: bool,
        record: Path | None,
        ring_speaker: str | None = None,
    ) -> None:
        self._ring_speaker = ring_speaker
        self._microphone = microphone
        self._speaker = speaker
        self._play = play
        self._loop = loop
        self._record = record
        self._recorded = 0

    @property
    def is_heard(self) -> bool:
        """Return whether somebody listens at a speaker."""
        return self._record is None or self._speaker is not None

    @property
    def uses_devices(self) -> bool:
        """Return whether a microphone is spoken into, or a speaker listened at."""
        return self._play is None or self.is_heard

    def prepare(self, devices: DeviceManager) -> None:
        """Choose the devices and try the files; raises CommandError if one is not there or cannot be used."""
        try:
            if self._microphone:
                devices.select_microphone(self._microphone)
            if self._speaker:
                devices.select_speaker(self._speaker)
            if self._ring_speaker:
                devices.select_ring_speaker(self._ring_speaker)
            if self._play:
                FileSource(self._play).close()
            if self._record:
                trial = self._record.with_name(f".{self._record.stem}.trial{self._record.suffix}")
                try:
                    FileSink(trial).close()
                finally:
                    trial.unlink(missing_ok=True)
        except (ValueError, OSError) as error:
            raise CommandError(f"{str(error)[0].upper()}{str(error)[1:]}") from None

    def options(self, devices: DeviceManager) -> AudioOptions:
        """Return the sound of the next call; None where the device is to be used."""
        source: Source | None = FileSource(self._play, loop=self._loop) if self._play else None
        sink: Sink | None = None
        if self._record:
            self._recorded += 1
            number = f"-{self._recorded}" if self._recorded > 1 else ""
            sink = FileSink(self._record.with_stem(self._record.stem + number))
            if self._speaker:
                sink = TeeSink(sink, devices.speaker_sink())
        return AudioOptions(source, sink)


def phone_options(command: Command) -> Command:
    """Add the options of both commands, which get them as `access`, `sound` and the rest by name."""
    checked = user_options(command)  # after these: wrong usage comes before a missing token

    @click.option(
        "--microphone", metavar="NAME", help="Microphone, by a part of its name (`callnode devices`)."
    )
    @click.option("--speaker", metavar="NAME", help="Speaker, by a part of its name.")
    @click.option("--ring-speaker", metavar="NAME", help="Speaker to ring on, if it is another one.")
    @click.option(
        "--echo-cancellation/--no-echo-cancellation",
        default=None,
        help="Default: on, unless the speaker is a headphone.",
    )
    @click.option(
        "--noise-suppression/--no-noise-suppression", default=True, help="Of a steady kind. Default: on."
    )
    @click.option(
        "--gain-control/--no-gain-control", default=True, help="Even out how loud you are. Default: on."
    )
    @click.option(
        "--tones",
        default="us",
        show_default=True,
        envvar="CALLNODE_TONES",
        metavar="COUNTRY",
        help="Whose ringback, busy and waiting tones to hear, such as de. [env: CALLNODE_TONES]",
    )
    @click.option(
        "--hold-audio",
        type=click.Choice(list(_HOLD_AUDIO)),
        default="tone",
        show_default=True,
        help="What the other end hears while it is held.",
    )
    @click.option("--denoise", is_flag=True, help="Take off keyboards and fans too; needs callnode[denoise].")
    @click.option(
        "--play",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="Say this sound file into the call instead of the microphone.",
    )
    @click.option("--loop", is_flag=True, help="Say the file of --play over and over.")
    @click.option(
        "--record",
        type=click.Path(dir_okay=False, path_type=Path),
        help="Record what is heard (.wav .flac .mp3 .ogg) instead of playing it; with --speaker, do both. "
        "Further calls go to files numbered -2, -3, …",
    )
    @click.option(
        "--seconds", type=click.FloatRange(min=0), metavar="N", help="Hang up after N seconds of talking."
    )
    @click.option("--hang-up-after-play", is_flag=True, help="Hang up when the file of --play has been said.")
    @json_option
    @wraps(checked)
    def wrapped(
        *args: Any,
        microphone: str | None,
        speaker: str | None,
        ring_speaker: str | None,
        echo_cancellation: bool | None,
        noise_suppression: bool,
        gain_control: bool,
        tones: str,
        hold_audio: str,
        denoise: bool,
        play: Path | None,
        loop: bool,
        record: Path | None,
        **options: Any,
    ) -> Any:
        if play and microphone:
            raise click.UsageError("Choose one of --play and --microphone.")
        if not play and (loop or options["hang_up_after_play"]):
            raise click.UsageError("--loop and --hang-up-after-play need --play FILE.")
        if loop and options["hang_up_after_play"]:
            raise click.UsageError("Choose one of --loop and --hang-up-after-play.")
        if denoise and not noise_suppression:
            raise click.UsageError("Choose one of --denoise and --no-noise-suppression.")
        sound = Sound(microphone, speaker, play, loop, record, ring_speaker)
        try:
            client = CallClientOptions(
                audio_processing=AudioProcessing(
                    echo_cancellation, noise_suppression, gain_control, strong_noise_suppression=denoise
                ),
                tones=check_country(tones),
                rings=sound.is_heard,
                hold_audio=_HOLD_AUDIO[hold_audio],
            )
        except ValueError as error:
            raise CommandError(str(error)) from None
        return checked(*args, sound=sound, client=client, **options)

    return wrapped


@click.command(short_help="Call somebody.", epilog=_HELP)
@click.argument("name")
@phone_options
def call(
    name: str, access: Access, sound: Sound, client: CallClientOptions, as_json: bool, **options: Any
) -> None:
    """Call NAME: a short name such as alice, a phone number or a raw id.

    Example: callnode call alice
    """

    def start(phone: Softphone) -> None:
        phone.dial(name)

    run(lambda stop: _phone(stop, access, client, sound, as_json, start, once=True, **options))


@click.command(short_help="Join a group call.", epilog=_HELP)
@click.argument("group_id")
@phone_options
def join(
    group_id: str, access: Access, sound: Sound, client: CallClientOptions, as_json: bool, **options: Any
) -> None:
    """Join the group call GROUP_ID, which all who know it can join; the first makes it.

    A UUID is hard to guess. Example: callnode join $(uuidgen)
    """

    def start(phone: Softphone) -> None:
        phone.join(group_id)

    run(lambda stop: _phone(stop, access, client, sound, as_json, start, once=True, **options))


@click.command(short_help="Be reachable.", epilog=_HELP)
@click.option("--auto-answer", is_flag=True, help="Answer by itself, one call at a time.")
@click.option("--once", is_flag=True, help="Stop after the first call, with the exit code of that call.")
@phone_options
def listen(access: Access, sound: Sound, client: CallClientOptions, as_json: bool, **options: Any) -> None:
    """Be reachable: ring when someone calls, until told to stop.

    Example: callnode listen
    """
    client = replace(client, rings=client.rings and not options["auto_answer"])
    run(lambda stop: _phone(stop, access, client, sound, as_json, None, **options))


async def _phone(
    stop: asyncio.Event,
    access: Access,
    client_options: CallClientOptions,
    sound: Sound,
    as_json: bool,
    start: Callable[[Softphone], None] | None,
    **options: Any,
) -> int:
    async with CallClient(replace(client_options, hub=access.hub)) as client:
        devices = await client.get_device_manager()
        sound.prepare(devices)
        try:
            agent = await client.create_call_agent(CommunicationTokenCredential(access.token))
        except CallingError as error:
            if error.code != NETWORK.code or error.message != NETWORK.message:
                raise
            raise unreachable(access.hub) from None
        with ExitStack() as face:
            tell: Callable[[Event], None]
            if has_screen() and not as_json:
                screen = face.enter_context(Screen())
                tell = screen.tell
            else:
                screen = None
                tell = _printer(stop, as_json)
            options["watch_devices"] = sound.uses_devices
            phone = Softphone(agent, devices, lambda: sound.options(devices), tell, stop, **options)
            try:
                if screen is not None:
                    screen.show(phone)
                    face.enter_context(stdin.keys(screen.typed))
                else:
                    face.enter_context(stdin.lines(phone.obey))
                if start is None:
                    me = agent.identity
                    tell(
                        Event(
                            "listening", me.name or me.identifier.raw_id, me.display_name, message=access.hub
                        )
                    )
                else:
                    start(phone)
                await stop.wait()
                await agent.tones_played()
            finally:
                await phone.close()
    return phone.code


def _printer(stop: asyncio.Event, as_json: bool) -> Callable[[Event], None]:
    def tell(event: Event) -> None:
        try:
            click.echo(msgspec.json.encode(event) if as_json else event.line)
        except OSError:
            # Nobody reads any more.
            stop.set()

    return tell
