"""What the hub is told at start, and how local commands find it."""

import base64
import stat
from pathlib import Path

import pytest

from signaling.config import (
    Config,
    ConfigError,
    access_key,
    connection_string,
    hub_url,
    load_config,
    publish,
)
from signaling.server import HubServer

pytestmark = pytest.mark.shell

KEY = base64.b64encode(b"k" * 32).decode()


def test_key_is_made_once_and_is_only_ours(tmp_path: Path) -> None:
    first = load_config(tmp_path / "new" / "data", environ={})
    again = load_config(tmp_path / "new" / "data", environ={})
    assert first.access_key == again.access_key
    assert len(first.key) == 32
    assert stat.S_IMODE((first.data / "access_key").stat().st_mode) == 0o600
    assert [path.name for path in first.data.iterdir()] == ["access_key"]


def test_key_of_the_environment_wins(tmp_path: Path) -> None:
    access_key(tmp_path, {})
    assert access_key(tmp_path, {"CALLNODE_ACCESS_KEY": f" {KEY}\n"}) == KEY


@pytest.mark.parametrize(
    ("key", "said"), [("not base64!", "base64"), ("äöü", "base64"), ("a2V5", "at least 16 bytes")]
)
def test_bad_key_is_a_clear_error(tmp_path: Path, key: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        load_config(tmp_path, environ={"CALLNODE_ACCESS_KEY": key})
    assert key not in str(caught.value)
    (tmp_path / "access_key").write_text(key)
    with pytest.raises(ConfigError, match=said):
        load_config(tmp_path, environ={})


def test_no_credential_in_the_repr(tmp_path: Path) -> None:
    config = Config(data=tmp_path, access_key=KEY, database_url="postgresql://me:secret@db/x")
    assert KEY not in repr(config)
    assert "secret" not in repr(config)


@pytest.mark.parametrize(
    ("host", "public_url", "url"),
    [
        ("127.0.0.1", None, "http://127.0.0.1:8080"),
        ("localhost", None, "http://localhost:8080"),
        ("::1", None, "http://[::1]:8080"),
        ("0.0.0.0", "https://calls.example.org/", "https://calls.example.org"),
    ],
)
def test_url(tmp_path: Path, host: str, public_url: str | None, url: str) -> None:
    assert load_config(tmp_path, host=host, public_url=public_url, environ={}).url(8080) == url


def test_all_interfaces_give_an_address_others_can_reach(tmp_path: Path) -> None:
    url = load_config(tmp_path, host="0.0.0.0", environ={}).url(8080)
    assert url.startswith("http://")
    assert url.endswith(":8080")
    assert "0.0.0.0" not in url


def test_public_url_needs_a_scheme(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="http"):
        load_config(tmp_path, public_url="calls.example.org", environ={})


def test_connection_string(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="start one"):
        connection_string(tmp_path)
    publish(tmp_path, "http://127.0.0.1:8080")
    with pytest.raises(ConfigError, match="CALLNODE_ACCESS_KEY"):
        connection_string(tmp_path, {})
    assert connection_string(tmp_path, {"CALLNODE_ACCESS_KEY": KEY}).endswith(f";accesskey={KEY}")
    key = access_key(tmp_path, {})
    assert connection_string(tmp_path, {}) == f"endpoint=http://127.0.0.1:8080/;accesskey={key}"


async def test_a_folder_has_one_hub(tmp_path: Path) -> None:
    config = load_config(tmp_path, environ={})
    async with HubServer(config) as first:
        with pytest.raises(ConfigError, match="another hub uses"):
            await HubServer(load_config(tmp_path, environ={})).start()
        assert hub_url(tmp_path) == first.url
    async with HubServer(config):
        pass
