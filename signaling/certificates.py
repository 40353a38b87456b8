"""Certificates of hubs: files of somebody's own, or one made here for a LAN (RFC 5280, RFC 9525).

The one made here is signed by an authority of this hub alone, kept in its data folder: what trusts that goes
on trusting when the certificate is made anew, as it ends soon or the machine has other addresses.
"""

import ipaddress
import os
import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import ifaddr
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

AUTHORITY_DAYS = 3650
CERTIFICATE_DAYS = 397  # the most that browsers take
EARLY = timedelta(days=30)


class TlsError(ValueError):
    """A certificate that cannot be used; the message says what to change."""


@dataclass(frozen=True)
class Files:
    """Where a certificate (a chain, PEM) and its private key (PEM, unencrypted) are."""

    certificate: Path
    key: Path

    def check(self) -> None:
        """Raise TlsError for files that cannot be used together."""
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(self.certificate, self.key, password="")
        except (OSError, ssl.SSLError) as error:
            raise TlsError(
                f"{self.certificate} and {self.key} are no certificate and key that fit each other "
                f"(PEM, the key without a password): {error}"
            ) from None

    def stamp(self) -> tuple[int, ...]:
        """Return what changes when the files do."""
        return tuple(path.stat().st_mtime_ns for path in (self.certificate, self.key))


def authority(data: Path) -> bytes | None:
    """Return the certificate (DER) of the authority that is kept in a data folder, None if there is none."""
    try:
        return _load(data / "tls" / "ca.pem").public_bytes(Encoding.DER)
    except (OSError, ValueError):
        return None


def fingerprint(certificate: Path) -> str:
    """Return the SHA-256 fingerprint of the first certificate in a file, as browsers show it."""
    return _load(certificate).fingerprint(SHA256()).hex(":").upper()


def own_names(*more: str) -> list[str]:
    """Return the names and addresses by which others may reach this machine, and some given ones."""
    host = socket.gethostname()
    names = ["localhost", "127.0.0.1", "::1", host, f"{host.partition('.')[0]}.local", *more]
    for adapter in ifaddr.get_adapters():
        for ip in adapter.ips:
            text = ip.ip if isinstance(ip.ip, str) else ip.ip[0]
            if not ipaddress.ip_address(text).is_link_local:
                names.append(text)
    return sorted({name.lower() for name in names if name})


def self_signed(data: Path, names: Sequence[str], now: datetime | None = None) -> Files:
    """Return a certificate for hosts and addresses, made anew where the one in `data` does not do."""
    now = now or datetime.now(UTC)
    folder = data / "tls"
    folder.mkdir(exist_ok=True)
    files = Files(folder / "hub.pem", folder / "hub.key")
    try:
        issuer, issuer_key = (
            _load(folder / "ca.pem"),
            load_pem_private_key((folder / "ca.key").read_bytes(), None),
        )
        assert isinstance(issuer_key, ec.EllipticCurvePrivateKey)
        lasting = issuer.not_valid_after_utc - now > timedelta(days=CERTIFICATE_DAYS)
        if issuer.public_key() != issuer_key.public_key() or not lasting:
            raise ValueError("made anew")
    except (OSError, ValueError):
        issuer, issuer_key = _make_authority(folder, now)
    if not _does(files, issuer, names, now):
        _make(files, issuer, issuer_key, names, now)
    return files


def _does(files: Files, issuer: x509.Certificate, names: Sequence[str], now: datetime) -> bool:
    try:
        files.check()
        certificate = _load(files.certificate)
        certificate.verify_directly_issued_by(issuer)
        known = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except Exception:  # whatever is wrong with it, another one is made
        return False
    return set(known) >= {_name(name) for name in names} and certificate.not_valid_after_utc - now > EARLY


def _make_authority(folder: Path, now: datetime) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"callnode on {socket.gethostname()}"[:64])])
    certificate = (
        _builder(subject, subject, key, now, AUTHORITY_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .sign(key, SHA256())
    )
    _write(folder / "ca.key", _pem(key))
    _write(folder / "ca.pem", certificate.public_bytes(Encoding.PEM))
    return certificate, key


def _make(
    files: Files,
    issuer: x509.Certificate,
    issuer_key: ec.EllipticCurvePrivateKey,
    names: Sequence[str],
    now: datetime,
) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "callnode hub")])
    certificate = (
        _builder(subject, issuer.subject, key, now, CERTIFICATE_DAYS)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([_name(name) for name in names]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False
        )
        .sign(issuer_key, SHA256())
    )
    _write(files.key, _pem(key))
    chain = certificate.public_bytes(Encoding.PEM) + issuer.public_bytes(Encoding.PEM)
    _write(files.certificate, chain)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, now: datetime, days: int
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))  # clocks of a LAN differ
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name.encode("idna").decode())


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _load(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def _write(path: Path, content: bytes) -> None:
    part = path.with_name(path.name + ".part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
    part.replace(path)
