"""The command line around a hub: its stable surface, its errors, its help."""

import asyncio
import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import click
import jwt
import pytest
from azure.communication.identity import CommunicationIdentityClient, CommunicationTokenScope
from click.testing import CliRunner

from media.measure import correlation
from media.source import load
from media.speech import speech
from node.cli import main
from node.commands.supervisor import Service, supervise
from signaling.server import HubServer
from tests.files import written
from tests.program import PATIENCE, callnode, one_line, result
from tests.shell.hub_client import Client
from tests.shell.test_identity import PlainHttp
from tests.shell.test_mailbox import put

pytestmark = pytest.mark.shell


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_the_hub_prints_its_url_and_stops_cleanly(tmp_path: Path, number: signal.Signals) -> None:
    async with callnode("hub", "--port", "0", "--data", tmp_path) as hub:
        url = await hub.line("http://127.0.0.1:")
        async with aiohttp.ClientSession() as http, http.get(f"{url}/health") as health:
            assert health.status == 200
        hub.tell(number)
        assert await hub.end() == (0, url, "")


async def test_a_port_that_is_taken(hub: HubServer, tmp_path: Path) -> None:
    port = hub.url.rpartition(":")[2]
    said = one_line(await result("hub", "--port", port, "--data", tmp_path), 1)
    assert port in said and "--port" in said


async def test_the_connection_string_fits_the_official_sdk(hub: HubServer) -> None:
    printed = await result("connection-string", "--data", hub._config.data)
    assert (printed.code, printed.out, printed.err) == (0, hub.connection_string, "")
    assert printed.out.startswith(f"endpoint={hub.url}/;accesskey=")

    # The package makes https of any endpoint in a connection string; a TLS proxy stands there in real life.
    sdk = CommunicationIdentityClient.from_connection_string(printed.out, per_retry_policies=[PlainHttp()])
    user, token = await asyncio.to_thread(sdk.create_user_and_token, [CommunicationTokenScope.VOIP])
    assert jwt.decode(token.token, options={"verify_signature": False})["sub"] == user.properties["id"]


async def test_a_token_stands_alone(hub: HubServer) -> None:
    data = hub._config.data
    first = await result("token", "alice", CALLNODE_DATA=str(data))
    assert (first.code, first.err) == (0, "")
    claims = jwt.decode(first.out, options={"verify_signature": False})
    assert claims["iss"] == hub.url and claims["transfer"] and not claims["voicemail"]
    options = ["--display-name", "Alice", "--minutes", "60", "--no-transfer", "--voicemail", "--json"]
    made = json.loads((await result("token", "alice", "--data", data, *options)).out)
    assert (made["identity"], made["name"]) == (claims["sub"], "alice")
    later = jwt.decode(made["token"], options={"verify_signature": False})
    assert later["exp"] - later["iat"] == 3600 and not later["transfer"] and later["voicemail"]


async def test_a_token_from_another_machine(hub: HubServer, tmp_path: Path) -> None:
    asked: list[str | Path] = ["token", "alice", "--data", tmp_path / "nothing"]
    key, other = hub._config.access_key, "b3RoZXItYWNjZXNzLWtleS1vdGhlcg=="
    assert (await result(*asked, CALLNODE_HUB=hub.url, CALLNODE_ACCESS_KEY=key)).code == 0
    wrong = await result(*asked, CALLNODE_HUB=hub.url, CALLNODE_ACCESS_KEY=other)
    assert "access key" in one_line(wrong, 6)
    assert other not in wrong.err
    assert names(tmp_path) == ["hub"]


async def test_before_any_hub_ran(tmp_path: Path) -> None:
    assert "start" in one_line(await result("connection-string", "--data", tmp_path), 1)
    assert "callnode up" in one_line(await result("token", "alice", "--data", tmp_path), 1)
    assert "callnode up" in one_line(await result("voicemail", "serve", "--data", tmp_path), 1)
    assert names(tmp_path) == []


async def test_a_hub_that_is_gone(hub: HubServer, client: Client) -> None:
    _, token = await client.token("alice")
    gone = "http://127.0.0.1:9"
    for command in (["settings"], ["voicemail", "list"]):
        assert gone in one_line(await result(*command, "--hub", gone, token=token), 5)
    made = await result("token", "alice", "--data", hub._config.data, "--hub", gone)
    assert gone in one_line(made, 5)


@pytest.mark.parametrize("command", ["settings", "voicemail list", "voicemail play", "listen", "call bob"])
@pytest.mark.parametrize("given", ["", "no token"])
def test_without_a_token(command: str, given: str) -> None:
    environment = {"CALLNODE_TOKEN": given, "CALLNODE_HUB": None}
    ended = CliRunner().invoke(main, command.split(), env=environment)
    assert (ended.exit_code, ended.stdout) == (6, "")
    assert "callnode token NAME" in ended.stderr and ended.stderr.count("\n") == 1


@pytest.mark.parametrize("command", ["settings", "listen"])
async def test_a_forged_token(client: Client, command: str) -> None:
    _, token = await client.token("alice")
    forged = await result(*command.split(), token=token[:-4] + "AAAA")
    assert "token" in one_line(forged, 6) and token[:20] not in forged.err


async def test_settings(client: Client, tmp_path: Path) -> None:
    _, token = await client.token("alice")
    await client.token("bob")
    file = tmp_path / "token"
    file.write_text(token + "\n")
    shown = await result("settings", "--token-file", file)
    assert shown.code == 0 and "voicemail after 20 s" in shown.out
    changed = await result("settings", "--unanswered", "bob", "--after", "30", "--json", token=token)
    now = json.loads(changed.out)
    assert (now["unanswered"], now["unanswered_delay"]) == ({"kind": "person", "identifier": "bob"}, 30)
    shown = await result("settings", "--unanswered", "none", "--forward", "voicemail", token=token)
    assert "goes to voicemail at once" in shown.out and "the call ends after 60 s" in shown.out
    assert "All else waits" in shown.out
    assert "nobody" in one_line(await result("settings", "--forward", "nobody", token=token), 1)
    shown = await result("settings", "--forward", "none", token=token)
    assert "at once" not in shown.out


async def test_settings_of_every_kind(client: Client) -> None:
    _, token = await client.token("alice")
    for name in ("bob", "carol", "sales"):
        await client.token(name)

    async def changed(*options: str) -> str:
        return (await result("settings", *options, token=token)).out

    shown = await changed("--group", "bob, carol", "--also-ring", "group", "--call-waiting", "off")
    for line in (
        "also rings      your group",
        "call waiting    off: a call makes you busy",
        "your group      bob, carol: together, 20 s",
    ):
        assert line in shown
    shown = await changed("--forward", "group", "--group-order", "in-order", "--group-delay", "10")
    assert "every call      goes to your group at once" in shown and "also rings" not in shown
    assert "bob, carol: one after the other, 10 s" in shown
    shown = await changed("--also-ring", "bob", "--call-waiting", "on", "--dnd", "on")
    assert "also rings      bob" in shown and "at once" in shown and "every call" not in shown
    assert "do not disturb  on: no call rings here; as unanswered, at once" in shown
    assert "call waiting    on" in shown
    shown = await changed("--dnd-to", "bob", "--declined", "voicemail", "--busy", "carol")
    for line in (
        "rings here; the call goes to bob",
        "declined        the call goes to voicemail",
        "to carol",
    ):
        assert line in shown
    shown = await changed("--dnd", "off", "--dnd-to", "unanswered", "--also-ring", "none", "--group", "none")
    assert "do not disturb  off" in shown
    assert not any(word in shown for word in ("when on", "also rings", "your group"))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--group-order", "in-order"], "--group bob,carol"),
        (["--forward", "group"], "nobody is in it"),
        (["--also-ring", "voicemail"], "simultaneous"),
        (["--forward", "alice"], "yourself"),
        (["--forward", "+4930123"], "no user +4930123 on this hub"),
        (["--forward", "bob", "--also-ring", "bob"], "leave one"),
        (["--unanswered", "group:bob"], "no call group of bob"),
        (["--group", "a,b,c,d,e,f", "--group-order", "in-order"], "at most 5"),
        (["--group", ",".join(f"u{n}" for n in range(26))], "at most 25"),
    ],
)
async def test_settings_that_do_not_fit(client: Client, options: list[str], says: str) -> None:
    _, token = await client.token("alice")
    await client.token("bob")
    assert says in one_line(await result("settings", *options, token=token), 1)


async def test_a_mailbox(client: Client, tmp_path: Path) -> None:
    owner, token = await client.token("alice")
    assert (await result("voicemail", "list", token=token)).out == "There are no messages."
    sound = tmp_path / "m.ogg"
    record(sound)
    _, service = await client.token("voicemail", voicemail=True)
    for message_id in ("abc1", "abd2"):
        await put(client, service, owner, message_id, sound=sound.read_bytes())
    listed = await result("voicemail", "list", token=token)
    assert [line.split("\t")[::4] for line in sorted(listed.out.splitlines())] == [
        ["abc1", "Carol"],
        ["abd2", "Carol"],
    ]
    messages = json.loads((await result("voicemail", "list", "--json", token=token)).out)
    assert {message["id"] for message in messages} == {"abc1", "abd2"}
    for suffix in ("wav", "mp3"):
        file = tmp_path / f"out.{suffix}"
        assert await result("voicemail", "export", "abc", file, token=token) == (0, str(file), "")
        assert correlation(load(file), speech("carol")) > 0.8
    for message_id, name, said in (
        ("ab", "x.wav", "Several"),
        ("zz", "x.wav", "No message"),
        ("abc1", "x.txt", ".wav"),
    ):
        failed = await result("voicemail", "export", message_id, tmp_path / name, token=token)
        assert said in one_line(failed, 1)
        assert not (tmp_path / name).exists()


def record(path: Path) -> None:
    written(path, speech("carol"))


async def test_devices() -> None:
    listed = await result("devices", "--json")
    assert listed.code == 0
    assert all(device["kind"] in ("Microphone", "Speaker") for device in json.loads(listed.out))
    shown = await result("devices")
    assert shown.code == 0 and "microphone" in shown.out and "speaker" in shown.out


@pytest.mark.parametrize(
    "options",
    [
        ["--play", "missing.wav"],
        ["--play", __file__, "--microphone", "x"],
        ["--loop"],
        ["--hang-up-after-play"],
        ["--play", __file__, "--loop", "--hang-up-after-play"],
        ["--denoise", "--no-noise-suppression"],
        ["--seconds", "-1"],
        ["--nonsense"],
    ],
)
def test_wrong_usage(options: list[str]) -> None:
    ended = CliRunner().invoke(main, ["call", "bob", *options])
    assert ended.exit_code == 2 and "Traceback" not in ended.output
    assert CliRunner().invoke(main, ["token", "No Name"]).exit_code == 2
    assert CliRunner().invoke(main, ["hub", "--port", "1", "audit"]).exit_code == 2
    assert CliRunner().invoke(main, ["token", "alice", "--minutes", "5"]).exit_code == 2


async def test_sound_that_cannot_be_used_is_said_before_the_call(client: Client, tmp_path: Path) -> None:
    folder = tmp_path / "here"
    folder.mkdir()
    _, token = await client.token("alice")
    for options, said in (
        (["--play", __file__], "test_cli.py"),
        (["--record", folder / "x.txt"], ".wav"),
        (["--record", folder / "nowhere" / "x.wav"], "nowhere"),
        (["--speaker", "no such speaker"], "no such speaker"),
    ):
        assert said in one_line(await result("call", "bob", *options, token=token), 1)
    assert names(folder) == []


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def commands(group: click.Group, *path: str) -> Iterator[tuple[str, ...]]:
    yield path
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, *path, name)
        else:
            yield (*path, name)


@pytest.mark.parametrize("path", list(commands(main)), ids=" ".join)
def test_every_command_explains_itself(path: tuple[str, ...]) -> None:
    shown = CliRunner().invoke(main, [*path, "--help"])
    assert shown.exit_code == 0
    text = " ".join(shown.output.split())
    assert text.startswith("Usage:") and len(text) > 150
    if path in {("call",), ("listen",)}:
        for code in range(7):
            assert f" {code} " in text.partition("Exit codes:")[2]


def test_version() -> None:
    shown = CliRunner().invoke(main, ["--version"])
    assert shown.exit_code == 0 and shown.output.startswith("callnode")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
async def test_up_runs_everything_and_takes_it_along(tmp_path: Path, number: signal.Signals) -> None:
    async with callnode("up", "--port", "0", "--data", tmp_path) as up:
        url = (await up.line("callnode is up at http://")).split()[4].rstrip(",")
        await up.line("Only this machine")
        said = "\n".join(up.lines)
        for words in ("token alice", "export CALLNODE_TOKEN=", " listen", " call bob", "--host 0.0.0.0"):
            assert words in said
        assert (await result("token", "alice", "--data", tmp_path)).code == 0
        up.tell(number)
        await gone(url)
        assert (await up.end()).code == (0 if number is signal.SIGTERM else -number)


async def gone(url: str) -> None:
    async with aiohttp.ClientSession() as http, asyncio.timeout(PATIENCE):
        while True:
            try:
                async with http.get(f"{url}/health"):
                    await asyncio.sleep(0.02)
            except aiohttp.ClientError:
                return


async def test_a_service_that_dies_is_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    started: asyncio.Queue[asyncio.subprocess.Process] = asyncio.Queue()
    start = asyncio.create_subprocess_exec

    async def noted(*arguments: Any, **options: Any) -> asyncio.subprocess.Process:
        process = await start(*arguments, **options)
        started.put_nowait(process)
        return process

    monkeypatch.setattr(asyncio, "create_subprocess_exec", noted)
    urls: asyncio.Queue[str] = asyncio.Queue()

    async def ready(url: str) -> None:
        urls.put_nowait(url)

    stop = asyncio.Event()
    arguments = ["hub", "--port", "0", "--data", str(tmp_path), "--supervised"]
    running = asyncio.create_task(supervise(stop, [Service("hub", arguments, ready)]))
    async with asyncio.timeout(PATIENCE):
        first = await started.get()
        await urls.get()
        first.kill()
        second = await started.get()
        stop.set()
        assert await running == 0
    assert first.returncode == -signal.SIGKILL and second.returncode is not None
    assert "starting it again" in capsys.readouterr().err


async def test_up_that_cannot_start(hub: HubServer, tmp_path: Path) -> None:
    failed = await result("up", "--port", hub.url.rpartition(":")[2], "--data", tmp_path)
    assert (failed.code, failed.out) == (1, "")
    assert "--port" in failed.err and "Traceback" not in failed.err


async def test_the_demo_says_first_that_it_cannot_write_its_figures(tmp_path: Path) -> None:
    said = one_line(await result("demo", "--json", tmp_path / "nowhere" / "demo.json"), 2)
    assert "nowhere" in said


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
async def test_a_demo_that_is_stopped_leaves_no_process(tmp_path: Path, number: signal.Signals) -> None:
    async with callnode("demo", "--json", tmp_path / "demo.json", TMPDIR=str(tmp_path)) as demo:
        async with asyncio.timeout(PATIENCE):
            while b"come online" not in await demo.stderr.readline():
                pass
        others = children(demo.pid)
        demo.tell(number)
        ended = await demo.end()
    assert len(others) >= 2
    if number is signal.SIGTERM:
        assert ended.code == 130 and json.loads((tmp_path / "demo.json").read_bytes()) == []
    async with asyncio.timeout(PATIENCE):
        while any(map(runs, others)):
            await asyncio.sleep(0.05)


def children(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def runs(pid: str) -> bool:
    """Tell whether a process is there, and is no mere zombie that nobody has waited for."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
