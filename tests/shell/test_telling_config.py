"""How a hub is told whom to tell."""

from pathlib import Path

import pytest

from signaling.config import ConfigError
from signaling.mails import SmtpServer
from signaling.telling_config import TellingConfig, load_telling

pytestmark = pytest.mark.shell

SECRET = "whsec_" + "c2VjcmV0" * 6


def test_nothing_is_told_by_default() -> None:
    assert load_telling(environ={}) == TellingConfig()


def test_secrets_come_from_the_environment_or_a_file_and_are_not_shown(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("hunter2\n")
    given = {"CALLNODE_WEBHOOK_SECRET": SECRET, "CALLNODE_SMTP_PASSWORD_FILE": str(file)}
    found = load_telling(
        webhook="http://10.0.0.1/?key=hunter3", smtp="smtp://a%40example.org@mail.example.org", environ=given
    )
    assert found.webhook_secret == SECRET
    assert found.smtp == SmtpServer(
        host="mail.example.org",
        port=587,
        security="starttls",
        sender="a@example.org",
        user="a@example.org",
        password="hunter2",
    )
    assert "hunter" not in repr(found) and SECRET not in repr(found)


@pytest.mark.parametrize(
    ("url", "security", "port"), [("smtps://h", "tls", 465), ("smtp+plain://h:2525", "none", 2525)]
)
def test_smtp_without_a_user(url: str, security: str, port: int) -> None:
    found = load_telling(smtp=url, mail_from="phone@example.org", environ={}).smtp
    assert found is not None and (found.security, found.port, found.user) == (security, port, "")


@pytest.mark.parametrize(
    ("options", "given", "said"),
    [
        ({"webhook": "example.org"}, {}, "http://"),
        ({"webhook": "https://example.org"}, {}, "CALLNODE_WEBHOOK_SECRET"),
        ({"webhook": "https://example.org"}, {"CALLNODE_WEBHOOK_SECRET": "whsec_short"}, "whsec_"),
        ({"smtp": "mail.example.org"}, {}, "smtp://"),
        ({"smtp": "smtp://h:port"}, {}, "smtp://"),
        ({"smtp": "smtp://u:p@h"}, {}, "not into a URL"),
        ({"smtp": "smtp://u@h"}, {}, "CALLNODE_SMTP_PASSWORD"),
        ({"smtp": "smtp+plain://u@h"}, {"CALLNODE_SMTP_PASSWORD": "p"}, "in clear"),
        ({"smtp": "smtp://h"}, {}, "--mail-from"),
        ({"smtp": "smtp://u@h"}, {"CALLNODE_SMTP_PASSWORD_FILE": "/none"}, "cannot be read"),
    ],
)
def test_what_cannot_be_used_is_told(options: dict[str, str], given: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        load_telling(webhook=options.get("webhook"), smtp=options.get("smtp"), environ=given)
