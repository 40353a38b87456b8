"""Which certificates of hubs are believed: those that the system, CALLNODE_CA or the token vouch for."""

import os
import ssl
from contextlib import suppress
from functools import lru_cache

import aiohttp

from node.credential import read_token
from node.errors import CallingError
from signaling.reasons import NETWORK, Reason

CA_VARIABLE = "CALLNODE_CA"


def trusted(token: str = "", authority: bytes | None = None) -> ssl.SSLContext | bool:
    """Return what aiohttp takes as `ssl`; `authority` is a certificate (DER) to believe besides.

    Raises CallingError 410/3100 if the file that CALLNODE_CA names cannot be used.
    """
    if authority is None and token:
        with suppress(CallingError):  # what is no token, the hub refuses
            authority = read_token(token).authority
    file = os.environ.get(CA_VARIABLE, "").strip()
    return _context(file, authority) if file or authority else True


@lru_cache(maxsize=16)
def _context(file: str, authority: bytes | None) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if file:
        try:
            context.load_verify_locations(cafile=file)
        except (OSError, ssl.SSLError) as error:
            message = f"{CA_VARIABLE} must name a file of certificates (PEM); {file} is none: {error}."
            raise CallingError(NETWORK.code, NETWORK.sub_code, message) from None
    if authority:
        with suppress(ssl.SSLError, ValueError):  # where it is none, the connection will say what is missing
            context.load_verify_locations(cadata=authority)
    return context


def is_distrust(error: BaseException) -> bool:
    """Tell whether a connection failed because the certificate of the hub is not believed."""
    return isinstance(error, aiohttp.ClientConnectorCertificateError)


def distrust(url: str) -> Reason:
    """Return why a hub is not talked to whose certificate is not believed, and what to do."""
    return Reason(
        NETWORK.code,
        NETWORK.sub_code,
        f"This machine does not trust the certificate of {url}. Get a new token (`callnode token NAME`), or "
        f"set {CA_VARIABLE} to the file of its authority's certificate, tls/ca.pem in the hub's data folder.",
    )
