"""How the hub tells of new messages by itself: its webhook, and the server that takes its mail."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.headerregistry import Address
from pathlib import Path
from urllib.parse import unquote, urlsplit

from signaling.config import ConfigError
from signaling.mails import SmtpServer
from signaling.webhooks import key_of

WEBHOOK_SECRET_VARIABLE = "CALLNODE_WEBHOOK_SECRET"
SMTP_PASSWORD_VARIABLE = "CALLNODE_SMTP_PASSWORD"

_SECURITY = {"smtps": ("tls", 465), "smtp": ("starttls", 587), "smtp+plain": ("none", 25)}


@dataclass(frozen=True, kw_only=True)
class TellingConfig:
    """Whom the hub tells besides its agents.

    `webhook` is told of every user's messages; `private_webhooks` allows users webhooks that lead to
    addresses that are not public, and http.
    """

    webhook: str | None = field(default=None, repr=False)
    webhook_secret: str = field(default="", repr=False)
    private_webhooks: bool = False
    smtp: SmtpServer | None = None


def load_telling(
    *,
    webhook: str | None = None,
    private_webhooks: bool = False,
    smtp: str | None = None,
    mail_from: str | None = None,
    environ: Mapping[str, str] = os.environ,
) -> TellingConfig:
    """Return the configuration; raises ConfigError for what cannot be used.

    `smtp` is smtps://, smtp:// (STARTTLS) or smtp+plain:// with a user, a host and a port. The secrets are in
    the environment, or in files that it names.
    """
    secret = secret_of(WEBHOOK_SECRET_VARIABLE, environ)
    if webhook is not None:
        if not re.match("https?://[^/]", webhook):
            raise ConfigError("the hub's webhook must begin with http:// or https://")
        try:
            key_of(secret)
        except ValueError:
            how = '"whsec_$(openssl rand -base64 32)"'
            raise ConfigError(f"set {WEBHOOK_SECRET_VARIABLE}, such as {how}, for the webhook") from None
    return TellingConfig(
        webhook=webhook,
        webhook_secret=secret,
        private_webhooks=private_webhooks,
        smtp=None if smtp is None else _server(smtp, mail_from, environ),
    )


def secret_of(variable: str, environ: Mapping[str, str]) -> str:
    """Return a secret from the environment, or from the file that the variable with _FILE names, or ""."""
    file = environ.get(f"{variable}_FILE", "").strip()
    if not file:
        return environ.get(variable, "").strip()
    try:
        return Path(file).read_text().strip()
    except OSError as error:
        raise ConfigError(f"{variable}_FILE cannot be read: {error.strerror}") from None


def mail_address(text: str) -> bool:
    """Tell whether mail can go to, or come from, a text."""
    try:
        address = Address(addr_spec=text)
    except (ValueError, IndexError):
        return False
    return bool(address.username and address.domain) and text.isascii()


def _server(smtp: str, mail_from: str | None, environ: Mapping[str, str]) -> SmtpServer:
    form = "smtp://USER@HOST:PORT (STARTTLS), smtps:// (TLS), or smtp+plain:// (neither)"
    try:
        parts = urlsplit(smtp)
        port = parts.port
    except ValueError:
        raise ConfigError(f"the SMTP server must be given as {form}") from None
    if parts.scheme not in _SECURITY or not parts.hostname:
        raise ConfigError(f"the SMTP server must be given as {form}")
    if parts.password:
        raise ConfigError(
            f"the SMTP password belongs into {SMTP_PASSWORD_VARIABLE}, or a file; not into a URL"
        )
    security, usual = _SECURITY[parts.scheme]
    user, password = unquote(parts.username or ""), secret_of(SMTP_PASSWORD_VARIABLE, environ)
    if user and not password:
        raise ConfigError(f"set {SMTP_PASSWORD_VARIABLE} to the password of {user} at the SMTP server")
    if user and security == "none":
        raise ConfigError("the SMTP password would go over the network in clear; use smtp:// or smtps://")
    sender = mail_from or (user if "@" in user else "")
    if not mail_address(sender):
        raise ConfigError("say from which address mail comes, such as --mail-from phone@example.org")
    return SmtpServer(
        host=parts.hostname,
        port=port or usual,
        security=security,
        sender=sender,
        user=user,
        password=password if user else "",
    )
