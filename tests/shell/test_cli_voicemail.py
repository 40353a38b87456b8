"""`callnode voicemail`: what an owner does with a mailbox in the terminal."""

import json
from pathlib import Path

import aiohttp
import numpy as np
import pytest

from media.measure import correlation
from media.playback import Playback
from media.recorder import profile
from media.source import load
from media.speaking import speak
from media.speech import speech
from node.commands.voicemail_play import Controls
from signaling.config import load_config
from signaling.mails import SmtpServer
from signaling.server import HubServer
from signaling.telling_config import TellingConfig
from tests.files import written
from tests.program import Result, one_line, result
from tests.shell.hub_client import Client
from tests.shell.test_mailbox import ENVELOPE, put

pytestmark = pytest.mark.shell


def spoken(path: Path, name: str = "carol", seconds: float = 3.0) -> Path:
    return written(path, speech(name)[: int(seconds * 48_000)])


@pytest.fixture
async def token(client: Client, tmp_path: Path) -> str:
    """Return the token of Alice, who has two messages."""
    owner, token = await client.token("alice")
    _, service = await client.token("voicemail", voicemail=True)
    sound = spoken(tmp_path / "m.ogg").read_bytes()
    for message_id in ("abc1", "abd2"):
        await put(client, service, owner, message_id, sound=sound)
    return token


async def listed(token: str, *options: str) -> dict[str, str]:
    shown = await result("voicemail", "list", "--json", *options, token=token)
    return {message["id"]: message["folder"] for message in json.loads(shown.out)}


async def done(token: str, *command: str | Path) -> Result:
    ended = await result("voicemail", *command, token=token)
    assert (ended.code, ended.err) == (0, ""), command
    return ended


async def test_marked_deleted_and_had_back(token: str) -> None:
    await done(token, "mark", "abc", "saved")
    await done(token, "delete", "abd")
    assert await listed(token) == {"abc1": "saved"}
    assert await listed(token, "--deleted") == {"abd2": "deleted"}
    assert "No message begins" in one_line(await result("voicemail", "mark", "abd", "saved", token=token), 1)
    await done(token, "undelete", "abd")
    await done(token, "mark", "abc", "new")
    assert await listed(token) == {"abc1": "new", "abd2": "new"}
    await done(token, "delete", "abc", "--for-good")
    await done(token, "delete", "abd")
    await done(token, "delete", "abd", "--for-good")
    assert await listed(token) == await listed(token, "--deleted") == {}


async def test_forwarded_with_words_of_ones_own(client: Client, token: str, tmp_path: Path) -> None:
    _, other = await client.token("bob")
    words = spoken(tmp_path / "words.wav", "alice", 2.0)
    await done(token, "forward", "abc", "bob", "--introduction", words)
    [message] = json.loads((await result("voicemail", "list", "--json", token=other)).out)
    assert message["introduction"] == pytest.approx(2.0, abs=0.05)
    shown = await result("voicemail", "list", token=other)
    assert "Carol (forwarded by alice)" in shown.out
    answer = await client.call("GET", f"/v1/mailbox/{message['id']}/introduction", other)
    (tmp_path / "heard.ogg").write_bytes(answer.body)
    assert correlation(load(tmp_path / "heard.ogg"), load(words)) > 0.8
    refused = one_line(await result("voicemail", "forward", "abc", "nobody", token=token), 1)
    assert "no user 'nobody'" in refused


async def test_settings(client: Client, token: str) -> None:
    await client.token("bob")
    assert "leave a message" in (await done(token, "settings")).out
    options = ["--answer", "greeting-only", "--language", "de", "--operator", "bob", "--retention-days", "9"]
    shown = (await done(token, "settings", *options)).out
    assert "the call ends" in shown and "bob" in shown and "9 days after" in shown
    shown = (await done(token, "settings", "--operator", "none", "--json")).out
    assert json.loads(shown) == {
        "answer": "greeting_only",
        "language": "de",
        "operator": None,
        "retention_days": 9,
        "webhook": None,
        "mail": None,
    }
    await done(token, "settings", "--pin", "8350")
    await done(token, "settings", "--pin", "none")
    for options, said in (
        (["--operator", "nobody"], "no user"),
        (["--retention-days", "0"], "retention_days"),
        (["--pin", "1234"], "guessed"),
    ):
        assert said in one_line(await result("voicemail", "settings", *options, token=token), 1)


async def test_where_new_messages_are_told(tmp_path: Path) -> None:
    smtp = SmtpServer(host="localhost", port=1, security="none", sender="phone@example.org")
    config = load_config(tmp_path / "hub", environ={})
    async with HubServer(config, TellingConfig(smtp=smtp)) as hub, aiohttp.ClientSession() as http:
        _, token = await Client(hub, http).token("alice")
        shown = (await done(token, "settings", "--mail", "a@example.org", "--attach", "none")).out
        assert "a@example.org in en, without the sound" in shown
        shown = (
            await done(token, "settings", "--mail-language", "de", "--webhook", "https://example.org")
        ).out
        assert "a@example.org in de, without the sound" in shown and "https://example.org" in shown
        assert shown.splitlines()[-1].split()[2].startswith("whsec_")
        assert "whsec_" not in (await done(token, "settings")).out
        shown = (await done(token, "settings", "--mail", "none", "--webhook", "none", "--json")).out
        assert json.loads(shown)["mail"] is None and json.loads(shown)["webhook"] is None
        for options, said in (
            (["--attach", "mp3"], "--mail ADDRESS"),
            (["--mail", "nobody"], "does not fit"),
            (["--webhook", "http://example.org"], "https://"),
        ):
            assert said in one_line(await result("voicemail", "settings", *options, token=token), 1)


async def test_greetings(token: str, tmp_path: Path) -> None:
    file = spoken(tmp_path / "g.mp3", "bob")
    said = (await done(token, "greeting", "upload", file, "busy")).out
    assert "while you are in a call" in said
    shown = (await done(token, "greeting", "list")).out.splitlines()
    assert [line.split()[1] for line in shown] == ["-", "your", "-", "-"]
    await done(token, "greeting", "export", tmp_path / "back.wav", "busy")
    assert correlation(load(tmp_path / "back.wav"), load(file)) > 0.8
    await done(token, "greeting", "delete", "busy")
    assert "your" not in "".join((await done(token, "greeting", "list")).out.split("your own greetings"))
    written(tmp_path / "s.wav", np.zeros(48_000, np.int16))
    refused = await result("voicemail", "greeting", "upload", tmp_path / "s.wav", token=token)
    assert "Nothing is heard" in one_line(refused, 1)
    (tmp_path / "t.wav").write_bytes(b"no sound")
    refused = await result("voicemail", "greeting", "upload", tmp_path / "t.wav", token=token)
    assert "t.wav" in one_line(refused, 1)


async def test_a_greeting_is_spoken(token: str, tmp_path: Path) -> None:
    text = "I am on holiday until Monday. Please leave a message."
    assert "in place of all others" in (await done(token, "greeting", "speak", text, "temporary")).out
    await done(token, "greeting", "export", tmp_path / "back.wav", "temporary")
    assert correlation(load(tmp_path / "back.wav"), speak(text, "en")) > 0.8


async def test_a_transcript_is_shown(client: Client, token: str) -> None:
    owner = (await client.admin("POST", "/v1/tokens", {"name": "alice"})).json["identity"]
    _, service = await client.token("voicemail", voicemail=True)
    path = f"/v1/mailboxes/{owner}/messages/abc1/transcript"
    assert (await client.call("PUT", path, service, json={"text": "call \x1b[31mme"})).status == 204
    shown = (await result("voicemail", "list", token=token)).out.splitlines()
    assert [line.split("\t")[-1] for line in shown] == ["call [31mme", ""]


async def test_a_damaged_message_is_told_and_the_next_is_there(
    client: Client, token: str, tmp_path: Path
) -> None:
    owner = (await client.admin("POST", "/v1/tokens", {"name": "alice"})).json["identity"]
    _, service = await client.token("voicemail", voicemail=True)
    whole = (tmp_path / "m.ogg").read_bytes()
    envelope = ENVELOPE | {"duration": 3.0}
    await put(client, service, owner, "cut", envelope=envelope, sound=whole[: len(whole) // 2])
    await put(client, service, owner, "bad", envelope=envelope, sound=b"OggS" + bytes(200))
    await done(token, "export", "cut", tmp_path / "cut.wav")
    assert 1.0 < profile(tmp_path / "cut.wav").duration < 2.0
    failed = one_line(await result("voicemail", "export", "bad", tmp_path / "bad.wav", token=token), 1)
    assert "cannot open" in failed
    await done(token, "export", "abc", tmp_path / "abc.flac")
    assert correlation(load(tmp_path / "abc.flac"), speech("carol")[:144_000]) > 0.8


def test_keys() -> None:
    playback = Playback(np.zeros(48_000 * 20, np.int16))
    controls = Controls(playback)
    controls.press(" ")
    assert playback.paused and controls.shown == "0:00 / 0:20 paused"
    controls.press(" \x1b[C\x1b[C\x1b[D")
    assert not playback.paused and playback.position == 5.0
    controls.press("+" * 9)
    assert playback.speed == 2.0 and controls.shown == "0:05 / 0:20 2×"
    controls.press("--x")
    assert playback.speed == 1.5 and not controls.done
    controls.press("q")
    assert controls.done and not controls.delete
    controls.press("d")
    assert controls.delete
