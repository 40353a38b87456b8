"""Identifiers as the public API takes and gives them."""

from typing import TypeVar

import msgspec
from msgspec import Struct

from node.errors import CallingError
from signaling.identifiers import CommunicationIdentifier, Identifier, identifier_from_raw_id
from signaling.parts import Party
from signaling.reasons import BAD_ARGUMENT


class CallerInfo(Struct, frozen=True):
    """Who someone is, as the hub vouches for it (ACS CallerInfo); `name` is the short name."""

    identifier: Identifier
    display_name: str = ""
    name: str = ""


def raw_id_of(identifier: CommunicationIdentifier | str) -> str:
    """Return the raw id of an identifier of any kind; raises CallingError 400/8523 for anything else."""
    raw_id = identifier if isinstance(identifier, str) else getattr(identifier, "raw_id", None)
    if not isinstance(raw_id, str) or not raw_id.strip():
        message = f"Give an identifier with a raw_id, or a short name, not {type(identifier).__name__}."
        raise CallingError(BAD_ARGUMENT.code, BAD_ARGUMENT.sub_code, message)
    return raw_id.strip()


def caller_info(party: Party) -> CallerInfo:
    """Return a party of the wire as the API shows it."""
    return CallerInfo(identifier_from_raw_id(party.raw_id), party.display_name, party.name)


T = TypeVar("T", bound=Struct)


def validated(value: T) -> T:
    """Return a wire value that is within the limits of the wire; raises CallingError 400/8523 otherwise."""
    try:
        return msgspec.convert(msgspec.to_builtins(value), type(value))
    except msgspec.ValidationError as error:
        message = f"Not within the limits: {error}."
        raise CallingError(BAD_ARGUMENT.code, BAD_ARGUMENT.sub_code, message) from None
