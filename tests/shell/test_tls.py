"""The hub over https and wss: a certificate of somebody's own, or one made for a LAN; who trusts it."""

import asyncio
import stat
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest
from azure.communication.identity import CommunicationIdentityClient, CommunicationTokenScope
from azure.core.pipeline.transport import RequestsTransport
from cryptography import x509

from node import CallClient, CallingError, CommunicationTokenCredential, Settings, UserSettings
from node.credential import read_token
from node.trust import trusted
from node.voicemail import Mailbox
from signaling.certificates import authority, fingerprint, own_names, self_signed
from signaling.config import ConfigError, load_config
from signaling.server import HubServer
from signaling.tls import Tls
from tests.program import callnode, one_line, result

pytestmark = pytest.mark.shell


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[HubServer]:
    async with HubServer(load_config(tmp_path / "hub", tls="self-signed", environ={})) as server:
        yield server


async def token_of(hub: HubServer, name: str = "alice") -> str:
    made = await result("token", name, "--data", hub._config.data)
    assert made.code == 0, made.err
    return made.out


def shown(certificate: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(certificate.read_bytes())


async def test_who_has_a_token_trusts_the_hub(hub: HubServer) -> None:
    """By the certificate of its authority, which is in the token; every client of the hub reads it there."""
    assert hub.url.startswith("https://127.0.0.1:")
    token = await token_of(hub)
    assert read_token(token).authority == authority(hub._config.data)
    credential = CommunicationTokenCredential(token)
    async with CallClient() as client:
        agent = await client.create_call_agent(credential)
        assert agent.identity.name == "alice"
    assert isinstance(await UserSettings(hub.url, credential).get(), Settings)
    assert await Mailbox(hub.url, token).list() == []
    assert (await result("settings", token=token)).code == 0
    async with aiohttp.ClientSession() as http, http.get(hub.url + "/", ssl=trusted(token)) as page:
        assert page.status == 200


async def test_who_has_none_is_told_what_to_do(hub: HubServer, tmp_path: Path) -> None:
    """A token of a hub with another authority is no help; CALLNODE_CA is."""
    async with HubServer(load_config(tmp_path / "other", tls="self-signed", environ={})) as other:
        foreign = await token_of(other)
    told = one_line(await result("settings", "--hub", hub.url, token=foreign), 5)
    assert hub.url in told and "CALLNODE_CA" in told
    assert one_line(await result("listen", "--hub", hub.url, token=foreign), 5) == told
    for ask in (
        UserSettings(hub.url, CommunicationTokenCredential(foreign)).get,
        Mailbox(hub.url, foreign).list,
    ):
        with pytest.raises(CallingError, match="does not trust"):
            await ask()
    key, nowhere = hub._config.access_key, tmp_path / "nowhere"
    asked: list[str | Path] = ["token", "alice", "--hub", hub.url, "--data", nowhere]
    assert one_line(await result(*asked, CALLNODE_ACCESS_KEY=key), 5) == told
    ca = str(hub._config.data / "tls" / "ca.pem")
    assert (await result(*asked, CALLNODE_ACCESS_KEY=key, CALLNODE_CA=ca)).code == 0
    wrong = one_line(await result(*asked, CALLNODE_ACCESS_KEY=key, CALLNODE_CA=str(nowhere)), 5)
    assert "CALLNODE_CA" in wrong and str(nowhere) in wrong


async def test_the_official_package_over_https(hub: HubServer) -> None:
    """As it is: `from_connection_string` always speaks https."""
    ca = str(hub._config.data / "tls" / "ca.pem")
    with RequestsTransport(connection_verify=ca) as transport:
        sdk = CommunicationIdentityClient.from_connection_string(hub.connection_string, transport=transport)
        user, token = await asyncio.to_thread(sdk.create_user_and_token, [CommunicationTokenScope.VOIP])
    async with CallClient() as client:
        agent = await client.create_call_agent(CommunicationTokenCredential(token.token))
        assert agent.identity.identifier.raw_id == user.properties["id"]


async def test_browsers_may_install_the_authority(hub: HubServer) -> None:
    data = hub._config.data
    async with aiohttp.ClientSession() as http:
        async with http.get(hub.url + "/ca.crt", ssl=trusted(authority=authority(data))) as answer:
            assert answer.content_type == "application/x-x509-ca-cert"
            assert await answer.read() == authority(data)
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await http.get(hub.url + "/health")


async def test_up_shows_the_fingerprint(tmp_path: Path) -> None:
    async with callnode("up", "--port", "0", "--data", tmp_path, "--tls", "self-signed") as up:
        await up.line("callnode is up at https://127.0.0.1:")
        await up.line("4. Or open https://127.0.0.1:")
        assert (await up.line("     ")).strip() == fingerprint(tmp_path / "tls" / "hub.pem")
        up.tell()
        assert (await up.end()).code == 0


def test_a_certificate_is_made_once_and_anew_when_it_does_not_do(tmp_path: Path) -> None:
    names = own_names("callnode.example")
    assert {"localhost", "127.0.0.1", "::1", "callnode.example"} < set(names)
    files = self_signed(tmp_path, names)
    first, ca = files.certificate.read_bytes(), authority(tmp_path)
    assert self_signed(tmp_path, names).certificate.read_bytes() == first
    assert {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "tls").iterdir()} == {0o600}
    # Another address, or little time left: the authority stays, so that who trusts it still does.
    self_signed(tmp_path, [*names, "192.0.2.77"])
    second = files.certificate.read_bytes()
    assert second != first
    self_signed(tmp_path, names, datetime.now(UTC) + timedelta(days=380))
    assert files.certificate.read_bytes() != second
    assert authority(tmp_path) == ca
    lasting = shown(files.certificate)
    assert lasting.not_valid_after_utc - datetime.now(UTC) > timedelta(days=700)
    # What is broken is made anew as well.
    (tmp_path / "tls" / "ca.key").write_text("broken")
    self_signed(tmp_path, names)
    assert authority(tmp_path) != ca


async def test_a_running_hub_shows_a_renewed_certificate(tmp_path: Path) -> None:
    names = ["localhost"]
    tls = await Tls.open(lambda: self_signed(tmp_path, names))

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async def seen() -> x509.Certificate:
        _, writer = await asyncio.open_connection(
            "127.0.0.1", port, ssl=trusted(authority=authority(tmp_path)), server_hostname="localhost"
        )
        der = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        writer.close()
        return x509.load_der_x509_certificate(der)

    server = await asyncio.start_server(greet, "127.0.0.1", 0, ssl=tls.context)
    port = server.sockets[0].getsockname()[1]
    before = await seen()
    await tls.look()
    assert await seen() == before
    names.append("192.0.2.77")
    await tls.look()
    assert await seen() == shown(tmp_path / "tls" / "hub.pem") != before
    names.append("\N{SNOWMAN}" * 80)  # no name: the certificate that there is stays
    await tls.look()
    assert await seen() == shown(tmp_path / "tls" / "hub.pem")
    server.close()
    await tls.close()


async def test_a_certificate_of_ones_own(tmp_path: Path) -> None:
    files = self_signed(tmp_path, own_names())
    both = tmp_path / "both.pem"
    both.write_bytes(files.certificate.read_bytes() + files.key.read_bytes())
    for certificate, key in ((files.certificate, files.key), (both, None)):
        config = load_config(tmp_path / "hub", tls=str(certificate), tls_key=key, environ={})
        async with HubServer(config) as hub, aiohttp.ClientSession() as http:
            async with http.get(hub.url + "/health", ssl=trusted(authority=authority(tmp_path))) as health:
                assert health.status == 200
            assert read_token(await _made(hub, tmp_path)).authority is None


async def _made(hub: HubServer, folder: Path) -> str:
    ca = str(folder / "tls" / "ca.pem")
    return (await result("token", "alice", "--data", hub._config.data, CALLNODE_CA=ca)).out


def test_a_certificate_that_cannot_be_used(tmp_path: Path) -> None:
    files = self_signed(tmp_path, ["localhost"])
    other = self_signed(tmp_path / "tls", ["localhost"])
    for certificate, key in (
        (files.certificate, other.key),
        (files.certificate, None),
        (tmp_path / "none", None),
    ):
        with pytest.raises(ConfigError, match="PEM"):
            load_config(tmp_path / "hub", tls=str(certificate), tls_key=key, environ={})
    with pytest.raises(ConfigError, match="--tls"):
        load_config(tmp_path / "hub", tls_key=files.key, environ={})
