"""A message left by a real call is told to its owner: agents, webhook and mail, once each, and in words."""

import asyncio
import time
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import pytest

from media.measure import SAME, correlation
from media.source import load
from node.commands.telling import mp3
from node.voicemail import Limits
from signaling.config import load_config
from signaling.mailboxes import Mail, MailboxSettings
from signaling.mails import SmtpServer
from signaling.server import HubServer
from signaling.telling_config import TellingConfig
from tests.e2e.people import PATIENCE, People, eventually
from tests.e2e.test_voicemail import SENTENCES, box_of, dial, files, voicemail
from tests.shell.told import PASSWORD, mail_server, webhook_receiver

pytestmark = pytest.mark.e2e


async def test_told_to_agents_webhook_and_mail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with AsyncExitStack() as stack:
        receiver = await stack.enter_async_context(webhook_receiver())
        post = await stack.enter_async_context(mail_server(tmp_path, monkeypatch))
        http = await stack.enter_async_context(aiohttp.ClientSession())
        smtp = SmtpServer(
            host="localhost",
            port=post.port,
            security="starttls",
            sender="phone@example.org",
            user="phone",
            password=PASSWORD,
        )
        telling = TellingConfig(private_webhooks=True, smtp=smtp)
        async with HubServer(load_config(tmp_path / "hub", environ={}), telling, mp3) as hub:
            people = People(hub, http)
            async with voicemail(people, tmp_path, Limits(greeting=1.0), engine="pocketsphinx"):
                bob, box = await people.join("bob"), await box_of(people, "alice")
                mail = Mail("alice@example.org")
                await box.set_settings(MailboxSettings(webhook=receiver.url, mail=mail))
                desk, mobile = await people.join("alice"), await people.join("alice")
                heard: asyncio.Queue[float] = asyncio.Queue()
                for each in (desk, mobile):
                    each.agent.on(
                        "mailbox_changed",
                        lambda event: heard.put_nowait(time.time()) if event.new else None,
                    )
                _, token = await people.client.token("alice")
                quiet = await people.client.call("PUT", "/v1/settings", token, json={"do_not_disturb": True})
                assert quiet.status == 200
                caller = dial(bob, "alice")
                await caller.say(SENTENCES["alice"])
                await caller.call.hang_up()
                secret = (await box.webhook()).secret
                created, first = await receiver.next(secret)
                async with asyncio.timeout(PATIENCE):
                    moments = [await heard.get() for _ in range(2)]
                transcribed, second = await receiver.next(secret)
                envelope, message = await post.next()
                await eventually(lambda: files(tmp_path) == [])
                [left] = await box.list()
            await people.close()
    [known] = [record.created for record in caplog.records if "is filed" in record.getMessage()]
    print(f"told to both devices {max(moments) - known:.3f} s after it was known to be filed")
    assert created != transcribed and receiver.came.empty() and post.came.empty()
    assert [body["type"].rpartition(".")[2] for body in (first, second)] == ["created", "transcribed"]
    assert first["data"]["message"]["id"] == second["data"]["message"]["id"] == left.id
    assert left.transcript and "representatives" in left.transcript
    assert second["data"]["message"]["transcript"] == left.transcript
    assert envelope.rcpt_tos == ["alice@example.org"]
    text = message.get_body(("plain",))
    assert text is not None and left.transcript.split()[0] in text.get_content()
    [attached] = message.iter_attachments()
    (tmp_path / "attached.mp3").write_bytes(attached.get_content())
    assert correlation(load(tmp_path / "attached.mp3"), SENTENCES["alice"]) > SAME
