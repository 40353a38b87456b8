"""Identifiers as the public API takes them: anything with a raw id, and clear errors for the rest."""

from typing import Any

import pytest

from node.errors import CallingError
from node.identity import CallerInfo, caller_info, raw_id_of, validated
from signaling.identifiers import (
    CommunicationIdentifier,
    CommunicationUserIdentifier,
    MicrosoftTeamsUserIdentifier,
    PhoneNumberIdentifier,
    UnknownIdentifier,
)
from signaling.parts import CustomContext, ParticipantTarget, Party

pytestmark = pytest.mark.unit


class Foreign:
    """An identifier of another library."""

    raw_id = " 8:acs:foreign "


class Odd:
    raw_id = 7


@pytest.mark.parametrize(
    ("identifier", "raw_id"),
    [
        (CommunicationUserIdentifier("8:acs:x"), "8:acs:x"),
        (PhoneNumberIdentifier("+4930123456"), "4:+4930123456"),
        (MicrosoftTeamsUserIdentifier("45ab"), "8:orgid:45ab"),
        (UnknownIdentifier("alice"), "alice"),
        (" alice ", "alice"),
        (Foreign(), "8:acs:foreign"),
    ],
)
def test_raw_id_of_any_identifier(identifier: CommunicationIdentifier | str, raw_id: str) -> None:
    assert raw_id_of(identifier) == raw_id


@pytest.mark.parametrize("wrong", ["", "  ", None, 5, Odd(), UnknownIdentifier(" ")])
def test_anything_else_is_a_bad_argument_that_says_what_to_give(wrong: Any) -> None:
    with pytest.raises(CallingError, match="short name") as raised:
        raw_id_of(wrong)
    assert (raised.value.code, raised.value.sub_code) == (400, 8523)
    assert type(wrong).__name__ in raised.value.message


def test_a_party_as_the_api_shows_it() -> None:
    party = Party("4:+4930123456", "Ann Lee", "ann")
    assert caller_info(party) == CallerInfo(PhoneNumberIdentifier("+4930123456"), "Ann Lee", "ann")


def test_values_within_the_limits_of_the_wire_pass() -> None:
    context = CustomContext("x" * 256, {f"X-{i}": "y" * 256 for i in range(5)})
    assert validated(context) == context


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (CustomContext("x" * 257), "user_to_user"),
        (CustomContext(voip_headers={f"X-{i}": "y" for i in range(6)}), "voip_headers"),
        (CustomContext(voip_headers={"": "y"}), "voip_headers"),
        (ParticipantTarget("x" * 257), "identifier"),
    ],
)
def test_values_beyond_are_refused(value: CustomContext | ParticipantTarget, says: str) -> None:
    with pytest.raises(CallingError, match=says) as raised:
        validated(value)
    assert (raised.value.code, raised.value.sub_code) == (400, 8523)
