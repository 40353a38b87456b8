"""The command line with a microphone and a speaker."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import numpy as np
import pytest

from media.audio import SAMPLE_RATE
from media.source import ToneSource, load
from media.speech import speech
from signaling.config import load_config
from signaling.server import HubServer
from tests.devices.servers import SoundServer
from tests.devices.talk import WINDOW, plays, program, said, who
from tests.files import written
from tests.program import callnode, result
from tests.shell.hub_client import Client
from tests.shell.test_mailbox import put

pytestmark = [pytest.mark.devices, pytest.mark.usefixtures("pulseaudio")]


@asynccontextmanager
async def hub_client(tmp_path: Path) -> AsyncIterator[Client]:
    async with HubServer(load_config(tmp_path / "hub", environ={})) as hub, aiohttp.ClientSession() as http:
        yield Client(hub, http)


async def test_devices_are_listed_with_their_default() -> None:
    lines = (await result("devices")).out.splitlines()
    assert "microphone  Virtual_Microphone  (default)" in lines
    assert "speaker     Virtual_Speaker  (default)" in lines
    assert "speaker     Mic_Feed" in lines
    listed = json.loads((await result("devices", "--json")).out)
    wanted = {
        "id": "speaker",
        "name": "Virtual_Speaker",
        "kind": "Speaker",
        "is_system_default": True,
    }
    assert wanted in listed


async def test_a_laptop_speaks_by_its_microphone_and_is_heard_on_its_speaker(tmp_path: Path) -> None:
    played, heard = tmp_path / "played.wav", tmp_path / "heard.wav"
    async with hub_client(tmp_path) as client, said(tmp_path, "bob"):
        _, alice = await client.token("alice")
        _, bob = await client.token("bob")
        # Both talk at once and there is no echo: a canceller would only do harm.
        options: list[str | Path] = ["--once", "--auto-answer", "--no-echo-cancellation"]
        async with callnode("listen", *options, token=bob) as laptop:
            await laptop.line("listening")
            async with program("parecord", "-d", "speaker.monitor", "--file-format=wav", played):
                options = [
                    "--play",
                    "media/speech/alice.flac",
                    "--loop",
                    "--record",
                    heard,
                    "--seconds",
                    "6",
                ]
                assert (await result("call", "bob", *options, token=alice)).code == 0
            ended = await laptop.end()
            assert (ended.code, ended.err) == (0, "")
    assert who(load(heard)[-WINDOW:]) == "bob"
    assert who(load(played)) == "alice"


async def test_a_speaker_is_changed_and_unplugged_in_a_call(pulseaudio: SoundServer, tmp_path: Path) -> None:
    async with hub_client(tmp_path) as client:
        _, alice = await client.token("alice")
        _, bob = await client.token("bob")
        said = ("--play", "media/speech/alice.flac", "--loop", "--record", tmp_path / "heard.wav")
        async with callnode("listen", "--auto-answer", "--speaker", "Virtual", token=bob) as laptop:
            await laptop.line("listening")
            pulseaudio.add_sink("hall", "Hall")
            assert await laptop.line("plugged-in: speaker") == "plugged-in: speaker Hall"
            async with callnode("call", "bob", *said, token=alice):
                await laptop.line("connected")
                laptop.type("speaker Jabra")
                assert "'Virtual_Speaker'" in await laptop.line("refused: there is no speaker 'Jabra'")
                laptop.type("speaker hall")
                assert await laptop.line("device") == "device: the speaker is Hall (selected)"
                await plays("hall", "alice")
                pulseaudio.remove("hall")
                assert await laptop.line("device") == "device: the speaker is Virtual_Speaker (removed)"
                assert "unplugged: speaker Hall" in laptop.lines
                await plays("speaker", "alice")
                laptop.type("quit")
                assert (await laptop.end()).err == ""


async def test_a_message_is_played_on_the_speaker(tmp_path: Path) -> None:
    message, played = tmp_path / "m.ogg", tmp_path / "played.wav"
    written(message, speech("carol"))
    async with hub_client(tmp_path) as client:
        owner, token = await client.token("alice")
        _, service = await client.token("voicemail", voicemail=True)
        await put(client, service, owner, "m1", sound=message.read_bytes())
        async with program("parecord", "-d", "speaker.monitor", "--file-format=wav", played):
            ended = await result("voicemail", "play", "--speaker", "virtual_speaker", token=token)
        assert (ended.code, ended.err) == (0, "") and "Carol" in ended.out
        listed = await result("voicemail", "list", token=token)
        assert listed.out.split("\t")[1] == "saved"
    heard = load(played)
    assert who(heard) == "carol"
    assert len(heard) >= len(speech("carol"))


async def test_a_message_is_played_at_twice_the_speed(tmp_path: Path) -> None:
    message, played = tmp_path / "m.ogg", tmp_path / "played.wav"
    tone = ToneSource(400.0)
    written(message, np.concatenate([tone.read() for _ in range(200)]))
    async with hub_client(tmp_path) as client:
        owner, token = await client.token("alice")
        _, service = await client.token("voicemail", voicemail=True)
        await put(client, service, owner, "m1", sound=message.read_bytes())
        async with program("parecord", "-d", "speaker.monitor", "--file-format=wav", played):
            ended = await result("voicemail", "play", "--speed", "2", token=token)
        assert (ended.code, ended.err) == (0, "")
    heard = load(played)
    loud = np.flatnonzero(np.abs(heard) > 1000)
    assert 1.8 < (loud[-1] - loud[0]) / SAMPLE_RATE < 2.5
    middle = heard[(loud[0] + loud[-1]) // 2 :][: SAMPLE_RATE // 2]
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle))))
    assert abs(np.argmax(spectrum) * SAMPLE_RATE / len(middle) - 400.0) < 5


async def test_a_greeting_is_recorded_from_the_microphone(tmp_path: Path) -> None:
    async with hub_client(tmp_path) as client, said(tmp_path, "bob"):
        _, token = await client.token("alice")
        async with callnode("voicemail", "greeting", "record", "busy", token=token) as recording:
            await recording.line("recording")
            await asyncio.sleep(4.0)
            recording.type("")
            ended = await recording.end()
        assert (ended.code, ended.err) == (0, "") and "while you are in a call" in ended.out
        answer = await client.call("GET", "/v1/mailbox-greetings/busy", token)
    (tmp_path / "greeting.ogg").write_bytes(answer.body)
    assert who(load(tmp_path / "greeting.ogg")) == "bob"


async def test_microphone_and_speaker_are_tested_from_the_command_line(tmp_path: Path) -> None:
    async with said(tmp_path, "bob"):
        tested = await result("devices", "--test", "--speaker", "virtual", "--seconds", "3")
    lines = tested.out.splitlines()
    assert (tested.code, tested.err) == (0, "")
    assert "speaker     Virtual_Speaker  (default)  (selected)" in lines
    assert sum(line.startswith("microphone  -") for line in lines) == 3
    assert lines[-1].startswith("microphone: loudest -") and lines[-1].endswith("a tone was played")
    unknown = await result("devices", "--microphone", "Jabra")
    assert unknown.code == 1 and "Virtual_Microphone" in unknown.err


async def test_what_is_plugged_in_is_told(pulseaudio: SoundServer) -> None:
    async with callnode("devices", "--watch") as watching:
        await watching.line("speaker     Mic_Feed")
        pulseaudio.add_sink("hall", "Hall")
        assert await watching.line("plugged in   speaker") == "plugged in   speaker     Hall"
        pulseaudio.remove("hall")
        assert await watching.line("unplugged    speaker") == "unplugged    speaker     Hall"
        watching.tell()
        assert (await watching.end()).code == 0


async def test_the_doctor_listens_and_plays(pulseaudio: SoundServer, tmp_path: Path) -> None:
    async def found(*options: str) -> dict[str, dict[str, str]]:
        told = await result("doctor", "--json", *options)
        return {each["check"]: each for each in json.loads(told.out)}

    opened = await found()
    assert opened["microphone"] == {
        "check": "microphone", "status": "ok", "found": "Virtual_Microphone opens",
    }  # fmt: skip
    assert (await found("--sound"))["microphone"]["status"] == "problem"  # it brings nothing but zeros
    pulseaudio.add_source("ear", "Ear", feed="speaker")
    pulseaudio.pactl("set-default-source", "ear")
    heard = await found("--sound")
    assert (heard["microphone"]["status"], heard["speaker"]["status"]) == ("ok", "ok")
    assert heard["speaker"]["found"] == "a tone was played, and the microphone heard it"


async def test_it_is_told_that_another_speaker_is_used(pulseaudio: SoundServer) -> None:
    pulseaudio.pactl("suspend-sink", "speaker", "1")
    told = "Virtual_Speaker does not open, Mic_Feed is used instead"
    found = {each["check"]: each for each in json.loads((await result("doctor", "--json")).out)}
    assert (found["speaker"]["status"], found["speaker"]["found"]) == ("warning", told)
    assert f"speaker: {told}" in (await result("devices", "--test", "--seconds", "1")).out.splitlines()
