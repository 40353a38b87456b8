"""Raw ids and the kinds of identifiers behind them (ACS identifier model).

Pure: text in, values out. The raw id is the only form that crosses the wire.
"""

import re
from typing import Literal, Protocol, runtime_checkable

from msgspec import Struct

Cloud = Literal["public", "dod", "gcch"]

_E164 = re.compile(r"\+[1-9]\d{1,14}")
_TEAMS_PREFIX: dict[Cloud, str] = {"public": "8:orgid:", "dod": "8:dod:", "gcch": "8:gcch:"}
_USER_PREFIXES = ("8:acs:", "8:spool:", "8:dod-acs:", "8:gcch-acs:")


@runtime_checkable
class CommunicationIdentifier(Protocol):
    """Anything that names a party by its raw id."""

    @property
    def raw_id(self) -> str:
        """Return the wire form."""
        ...


class CommunicationUserIdentifier(Struct, frozen=True):
    """Name a user of this hub by the id the hub gave out (`8:acs:…`)."""

    id: str

    @property
    def raw_id(self) -> str:
        """Return the id itself."""
        return self.id


class PhoneNumberIdentifier(Struct, frozen=True):
    """Name a user by a phone number in E.164 form; raises ValueError on another form."""

    phone_number: str

    def __post_init__(self) -> None:
        if not _E164.fullmatch(self.phone_number):
            raise ValueError(f"not an E.164 phone number such as +49301234567: {self.phone_number!r}")

    @property
    def raw_id(self) -> str:
        """Return `4:` and the number."""
        return f"4:{self.phone_number}"


class MicrosoftTeamsUserIdentifier(Struct, frozen=True):
    """Name a user by an orgid, as applications written for Teams interoperability do."""

    user_id: str
    is_anonymous: bool = False
    cloud: Cloud = "public"

    @property
    def raw_id(self) -> str:
        """Return the prefixed form of the cloud, or the visitor form."""
        return ("8:teamsvisitor:" if self.is_anonymous else _TEAMS_PREFIX[self.cloud]) + self.user_id


class UnknownIdentifier(Struct, frozen=True):
    """Carry any other text: a short name such as `alice`, or a raw id of a kind not known here."""

    id: str

    @property
    def raw_id(self) -> str:
        """Return the text itself."""
        return self.id


Identifier = (
    CommunicationUserIdentifier | PhoneNumberIdentifier | MicrosoftTeamsUserIdentifier | UnknownIdentifier
)


def identifier_from_raw_id(raw_id: str) -> Identifier:
    """Return the identifier of the kind that a raw id, a phone number or a short name stands for."""
    if raw_id.startswith(_USER_PREFIXES):
        return CommunicationUserIdentifier(raw_id)
    number = raw_id.removeprefix("4:")
    if _E164.fullmatch(number):
        return PhoneNumberIdentifier(number)
    for cloud, prefix in _TEAMS_PREFIX.items():
        if raw_id.startswith(prefix):
            return MicrosoftTeamsUserIdentifier(raw_id.removeprefix(prefix), cloud=cloud)
    if raw_id.startswith("8:teamsvisitor:"):
        return MicrosoftTeamsUserIdentifier(raw_id.removeprefix("8:teamsvisitor:"), is_anonymous=True)
    return UnknownIdentifier(raw_id)
