"""A user's settings through the client API, on a real hub."""

import pytest

from node.credential import CommunicationTokenCredential
from node.errors import CallingError
from node.settings import UserSettings
from signaling.settings import Group, Settings, ToGroup, ToPerson
from tests.shell.hub_client import Client

pytestmark = pytest.mark.shell


async def test_settings_are_written_whole_and_read_back(client: Client) -> None:
    settings = await of(client, "alice")
    await client.token("bob")
    assert await settings.get() == Settings()
    wanted = Settings(simultaneous=ToGroup(), do_not_disturb_to=None, group=Group(("bob",), delay=10))
    assert await settings.set(wanted) == wanted
    assert await settings.get() == wanted


async def test_what_does_not_fit_is_refused_with_what_to_do(client: Client) -> None:
    settings = await of(client, "alice")
    with pytest.raises(CallingError, match="no user gone") as refused:
        await settings.set(Settings(busy=ToPerson("gone")))
    assert (refused.value.code, refused.value.sub_code) == (400, 8523)
    assert await settings.get() == Settings()


async def test_what_can_go_wrong_has_its_code(client: Client) -> None:
    _, token = await client.token("alice")
    for hub, given, code in (
        (client.hub.url, token[:-4] + "AAAA", 495),
        ("http://127.0.0.1:9", token, 410),
        (f"{client.hub.url}/elsewhere", token, 404),
    ):
        with pytest.raises(CallingError) as refused:
            await UserSettings(hub, CommunicationTokenCredential(given)).get()
        assert refused.value.code == code


async def test_what_is_no_hub_says_so(client: Client) -> None:
    _, token = await client.token("alice")
    with pytest.raises(CallingError, match="no callnode hub"):
        await UserSettings(f"{client.hub.url}/metrics?", CommunicationTokenCredential(token)).get()


async def of(client: Client, name: str) -> UserSettings:
    _, token = await client.token(name)
    return UserSettings(client.hub.url, CommunicationTokenCredential(token))
