"""New messages told by webhook and mail: signed, once, as often as it takes, and to no forbidden address."""

import asyncio
import ipaddress
import logging
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from signaling import notices, telling
from signaling.config import Config
from signaling.mails import SmtpServer
from signaling.messages import Hello, MailboxChanged, Resume, Welcome
from signaling.server import HubServer
from signaling.telling_config import TellingConfig
from signaling.webhooks import is_public, objection
from tests.shell.hub_client import Client
from tests.shell.test_mailbox import ENVELOPE, SOUND, kept, put, service
from tests.shell.told import PASSWORD, PATIENCE, Post, Receiver, mail_server, webhook_receiver

pytestmark = pytest.mark.shell
__all__ = ["service"]

SECRET = "whsec_" + "c2VjcmV0" * 6


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with webhook_receiver() as found:
        yield found


@pytest.fixture
async def post(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Post]:
    async with mail_server(tmp_path, monkeypatch) as found:
        yield found


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(notices, "FIRST_WAIT_SECONDS", 0.05)
    yield


def smtp(post: Post, **changes: Any) -> SmtpServer:
    server = SmtpServer(
        host="localhost",
        port=post.port,
        security="starttls",
        sender="phone@example.org",
        user="phone",
        password=PASSWORD,
    )
    return replace(server, **changes)


class Hub:
    """A hub that tells, and a client of it, until closed."""

    def __init__(self, config: Config, telling: TellingConfig) -> None:
        self.server = HubServer(config, telling, mp3=lambda ogg: b"mp3 of " + ogg)

    async def __aenter__(self) -> Client:
        await self.server.start()
        self.http = aiohttp.ClientSession()
        return Client(self.server, self.http)

    async def __aexit__(self, *_: object) -> None:
        await self.http.close()
        await self.server.stop()


async def owner_with(client: Client, **settings: Any) -> tuple[str, str, str]:
    """Return Alice's raw id and token, and that of the service; her mailbox tells."""
    owner, token = await client.token("alice", display_name="Alice")
    _, service = await client.token("voicemail", voicemail=True)
    answer = await client.call("PUT", "/v1/mailbox-settings", token, json=settings)
    assert answer.status == 200, answer.body
    return owner, token, service


async def nothing_left(client: Client) -> None:
    """Wait until nothing is to be told any more."""
    async with asyncio.timeout(PATIENCE):
        while await client.hub._store.next_notice() is not None:
            await asyncio.sleep(0.01)


async def test_a_webhook_is_told_once_and_signed(config: Config, receiver: Receiver) -> None:
    private = TellingConfig(private_webhooks=True)
    async with Hub(config, private) as client:
        owner, token, service = await owner_with(client, webhook=receiver.url)
        given = (await client.call("GET", "/v1/mailbox-webhook", token)).json
        assert given["url"] == receiver.url
        await put(client, service, owner, "m1")
        await put(client, service, owner, "m1")
        _, body = await receiver.next(given["secret"])
        message = (await client.call("GET", "/v1/mailbox/m1", token)).json
        assert body["type"] == "voicemail.message.created"
        assert body["data"] == {
            "owner": {"raw_id": owner, "display_name": "Alice", "name": "alice"},
            "message": message | {"peaks": []},
        }
        await nothing_left(client)
        assert receiver.came.empty()
        _, other = await client.token("bob")
        assert (await client.call("GET", "/v1/mailbox-webhook", other)).status == 404


async def test_tried_again_under_the_same_id_also_after_a_restart(
    config: Config, receiver: Receiver, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    private = TellingConfig(private_webhooks=True)
    url = receiver.url + "?token=hunter2"
    async with Hub(config, private) as client:
        owner, token, service = await owner_with(client, webhook=url)
        secret = (await client.call("GET", "/v1/mailbox-webhook", token)).json["secret"]
        receiver.answers += [web.Response(status=500), web.Response(status=302)]
        await put(client, service, owner, "m1")
        ids = [(await receiver.next(secret))[0] for _ in range(3)]
        await nothing_left(client)
        # What cannot be told before the hub is stopped is told by the next one.
        monkeypatch.setattr(notices, "FIRST_WAIT_SECONDS", 3600.0)
        receiver.answers.append(web.Response(status=503, headers={"Retry-After": "1"}))
        await put(client, service, owner, "m2")
        ids.append((await receiver.next(secret))[0])
    # As if the wait were over.
    monkeypatch.setattr(telling, "datetime", Later)
    async with Hub(config, private) as client:
        ids.append((await receiver.next(secret))[0])
        await nothing_left(client)
    assert len(set(ids[:3])) == 1 and ids[3] == ids[4] != ids[0]
    assert receiver.came.empty()
    assert "hunter2" not in caplog.text and "HTTP 500" in caplog.text


class Later(datetime):
    """The time in three hours."""

    @classmethod
    def now(cls, tz: Any = None) -> "Later":
        late = datetime.now(tz) + timedelta(hours=3)
        return cls.fromtimestamp(late.timestamp(), tz)


async def test_a_day_of_failures_or_a_final_no_ends_it(
    config: Config, receiver: Receiver, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Hub(config, TellingConfig(private_webhooks=True)) as client:
        owner, _, service = await owner_with(client, webhook=receiver.url)
        receiver.answers.append(web.Response(status=410))
        await put(client, service, owner, "m1")
        await nothing_left(client)
        monkeypatch.setattr(notices, "GIVE_UP", timedelta(0))
        receiver.answers.append(web.Response(status=500))
        await put(client, service, owner, "m2")
        await nothing_left(client)
        assert receiver.came.qsize() == 2
    assert [r.levelno for r in caplog.records if "given up" in r.message] == [logging.ERROR] * 2


async def test_what_is_gone_or_not_wanted_any_more_is_not_told(
    config: Config, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notices, "FIRST_WAIT_SECONDS", 3600.0)
    async with Hub(config, TellingConfig(private_webhooks=True)) as client:
        owner, token, service = await owner_with(client, webhook=receiver.url)
        secret = (await client.call("GET", "/v1/mailbox-webhook", token)).json["secret"]
        for name in ("m1", "m2"):
            receiver.answers.append(web.Response(status=500))
            await put(client, service, owner, name)
            await receiver.next(secret)
        for _ in range(2):
            await client.call("DELETE", "/v1/mailbox/m1", token)
    monkeypatch.setattr(telling, "datetime", Later)
    async with Hub(config, TellingConfig(private_webhooks=True)) as client:
        _, body = await receiver.next(secret)
        assert body["data"]["message"]["id"] == "m2"
        _, token = await client.token("alice")
        await client.call("PUT", "/v1/mailbox-settings", token, json={})
        await put(client, service, owner, "m3")
        await nothing_left(client)
    assert receiver.came.empty()


async def test_a_transcript_is_in_the_mailbox_and_told(config: Config, receiver: Receiver) -> None:
    hub = TellingConfig(webhook=receiver.url, webhook_secret=SECRET)
    async with Hub(config, hub) as client:
        owner, token, service = await owner_with(client)
        agent = await client.join(token)
        await put(client, service, owner, "m1")
        await agent.expect(MailboxChanged(1, 0))
        first, body = await receiver.next(SECRET)
        assert body["data"]["message"]["transcript"] is None
        path = f"/v1/mailboxes/{owner}/messages/m1/transcript"
        said = {"text": "call me back"}
        assert (await client.call("PUT", path, service, json=said)).status == 204
        await agent.expect(MailboxChanged(1, 0))
        second, body = await receiver.next(SECRET)
        assert body["type"] == "voicemail.message.transcribed" and first != second
        assert body["data"]["message"]["transcript"] == "call me back"
        assert (await client.call("GET", "/v1/mailbox/m1", token)).json["transcript"] == "call me back"
        assert (await client.call("PUT", path, token, json=said)).status == 403
        assert (await client.call("PUT", path.replace("m1", "m9"), service, json=said)).status == 404
        assert (await client.call("PUT", path, service, json={"text": "x" * 16_001})).status == 400
        await nothing_left(client)
        for _ in range(2):
            await client.call("DELETE", "/v1/mailbox/m1", token)
        assert kept(client.hub) == []


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("1.1.1.1", True),
        ("2606:4700::1111", True),
        ("127.0.0.1", False),
        ("10.0.0.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("::1", False),
        ("fd00::1", False),
        ("fe80::1", False),
        ("::ffff:10.0.0.1", False),
        ("64:ff9b::a00:1", False),
        ("64:ff9b::101:101", True),
        ("2002:a00:1::1", False),
    ],
)
def test_addresses_that_are_of_the_internet(address: str, public: bool) -> None:
    assert is_public(ipaddress.ip_address(address)) == public


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://example.org/", "begins with https://"),
        ("ftp://example.org/", "begins with https://"),
        ("https:///x", "begins with https://"),
        ("https://u:p@example.org/", "password"),
        ("https://10.0.0.1/", "internet"),
        ("https://[::1]:8400/", "internet"),
        ("https://[x/", "no URL"),
    ],
)
def test_webhooks_that_are_refused(url: str, said: str) -> None:
    assert said in (objection(url, private=False) or "")
    assert objection("https://example.org/hook?x=1", private=False) is None
    assert objection("http://10.0.0.1/", private=True) is None


@pytest.mark.parametrize("host", ["localhost", "2130706433", "0x7f000001", "127.1"])
async def test_no_name_leads_where_a_webhook_must_not(
    host: str,
    config: Config,
    receiver: Receiver,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(notices, "GIVE_UP", timedelta(0))
    port = receiver.url.rpartition(":")[2]
    async with Hub(config, TellingConfig()) as client:
        owner, _, service = await owner_with(client, webhook=f"https://{host}:{port}")
        await put(client, service, owner, "m1")
        await nothing_left(client)
    assert "given up after 1 tries" in caplog.text and receiver.came.empty()
    assert host != "localhost" or "not public" in caplog.text


async def test_mail_with_the_sound_in_the_owners_language(
    config: Config, post: Post, caplog: pytest.LogCaptureFixture
) -> None:
    async with Hub(config, TellingConfig(smtp=smtp(post))) as client:
        mail = {"address": "alice@example.org", "language": "de"}
        owner, _, service = await owner_with(client, mail=mail)
        envelope = ENVELOPE | {"urgent": True, "duration": 72.4}
        envelope["caller"] = {"raw_id": "8:acs:b", "display_name": "Bäcker <Bob>\r\nBcc: x@example.org"}
        await put(client, service, owner, "m1", envelope=envelope)
        sent, message = await post.next()
        await nothing_left(client)
    assert (sent.mail_from, sent.rcpt_tos) == ("phone@example.org", ["alice@example.org"])
    assert message["Subject"] == "Dringend: Sprachnachricht von Bäcker <Bob> Bcc: x@example.org (1:12)"
    assert message["To"] == "Alice <alice@example.org>" and message["Bcc"] is None
    assert message["Auto-Submitted"] == "auto-generated" and message["Message-ID"].endswith("@example.org>")
    text, html = message.get_body(("plain",)), message.get_body(("html",))
    assert text is not None and html is not None
    assert "hat Ihnen am 2. Januar 2026" in text.get_content() and "Hallo Alice," in text.get_content()
    assert "Bäcker &lt;Bob&gt;" in html.get_content() and f'href="{client.hub.url}/"' in html.get_content()
    [sound] = message.iter_attachments()
    assert (sound.get_content_type(), sound.get_content()) == ("audio/mpeg", b"mp3 of " + SOUND)
    assert sound.get_filename() == "message-2026-01-02-0304.mp3"
    assert PASSWORD not in caplog.text and post.came.empty()


async def test_mail_waits_for_the_transcript_and_is_tried_again(config: Config, post: Post) -> None:
    async with Hub(config, TellingConfig(smtp=smtp(post))) as client:
        mail = {"address": "alice@example.org", "attach": "opus"}
        owner, _, service = await owner_with(client, mail=mail)
        post.answers.append("451 later")
        await put(client, service, owner, "m1", query="?transcript=later")
        await put(client, service, owner, "m2", query="?transcript=later")
        path = f"/v1/mailboxes/{owner}/messages/m%d/transcript"
        await client.call("PUT", path % 1, service, json={"text": "call <me> back"})
        _, first = await post.next()
        assert post.came.empty(), "the other one waits"
        await client.call("PUT", path % 2, service, json={"text": None})
        _, second = await post.next()
        await nothing_left(client)
    text, html = (first.get_body((kind,)) for kind in ("plain", "html"))
    assert text is not None and "call <me> back" in text.get_content()
    assert html is not None and "call &lt;me&gt; back" in html.get_content()
    [sound] = second.iter_attachments()
    assert (sound.get_content_type(), sound.get_content()) == ("audio/ogg", SOUND)
    body = second.get_body(("plain",))
    assert body is not None and "machine" not in body.get_content()


async def test_mail_that_is_refused_for_good_is_given_up(
    config: Config, post: Post, caplog: pytest.LogCaptureFixture
) -> None:
    async with Hub(config, TellingConfig(smtp=smtp(post))) as client:
        owner, _, service = await owner_with(client, mail={"address": "a@example.org", "attach": "none"})
        post.answers.append("554 no")
        await put(client, service, owner, "m1")
        await nothing_left(client)
    assert "given up after 1 tries: localhost answers 554" in caplog.text


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"password": "wrong"}, "answers 535"),
        ({"security": "none"}, "SMTPException"),  # no login is offered
        ({"user": ""}, "answers 530"),
    ],
)
async def test_a_server_that_does_not_let_us_in_is_asked_again(
    change: dict[str, str],
    said: str,
    config: Config,
    post: Post,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with Hub(config, TellingConfig(smtp=smtp(post, **change))) as client:
        owner, _, service = await owner_with(client, mail={"address": "a@example.org"})
        await put(client, service, owner, "m1")
        async with asyncio.timeout(PATIENCE):
            while "is tried again" not in caplog.text:
                await asyncio.sleep(0.01)
        assert await client.hub._store.next_notice() is not None
    assert said in caplog.text
    assert PASSWORD not in caplog.text and post.came.empty()


async def test_settings_that_this_hub_cannot_follow(client: Client) -> None:
    _, token = await client.token("alice")
    for wanted, said in (
        ({"mail": {"address": "a@example.org"}}, "sends no mail"),
        ({"mail": {"address": "a b@example.org"}}, "does not fit"),
        ({"webhook": "http://example.org/"}, "https://"),
    ):
        answer = await client.call("PUT", "/v1/mailbox-settings", token, json=wanted)
        assert answer.status == 400 and said in answer.json["error"]["message"], wanted


async def test_all_devices_hear_of_a_message_also_one_that_was_away(client: Client, service: str) -> None:
    owner, token = await client.token("alice")
    desk, mobile = await client.join(token), await client.join(token)
    mobile.vanish()
    await put(client, service, owner, "m1")
    await desk.expect(MailboxChanged(1, 0))
    back = await client.join(token, resume=Resume(mobile.welcome.session, mobile.welcome.secret, 1))
    assert back.welcome.resumed
    await back.expect(MailboxChanged(1, 0))
    new = await client.socket()
    await new.say(Hello(token, ""), seq=0)
    assert isinstance(await new.hear(), Welcome)
    await new.expect(MailboxChanged(1, 0))
