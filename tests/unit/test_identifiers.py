"""Raw ids and identifiers say the same thing in both directions (ACS identifier model)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signaling.identifiers import (
    CommunicationIdentifier,
    CommunicationUserIdentifier,
    Identifier,
    MicrosoftTeamsUserIdentifier,
    PhoneNumberIdentifier,
    UnknownIdentifier,
    identifier_from_raw_id,
)

pytestmark = pytest.mark.unit

GUID = "45ab2481-1c1c-4005-be24-0ffb879b1130"


@pytest.mark.parametrize(
    ("raw_id", "identifier"),
    [
        (f"8:acs:{GUID}_{GUID}", CommunicationUserIdentifier(f"8:acs:{GUID}_{GUID}")),
        ("8:spool:x", CommunicationUserIdentifier("8:spool:x")),
        ("8:dod-acs:x", CommunicationUserIdentifier("8:dod-acs:x")),
        ("8:gcch-acs:x", CommunicationUserIdentifier("8:gcch-acs:x")),
        ("4:+493012345", PhoneNumberIdentifier("+493012345")),
        (f"8:orgid:{GUID}", MicrosoftTeamsUserIdentifier(GUID)),
        (f"8:dod:{GUID}", MicrosoftTeamsUserIdentifier(GUID, cloud="dod")),
        (f"8:gcch:{GUID}", MicrosoftTeamsUserIdentifier(GUID, cloud="gcch")),
        (f"8:teamsvisitor:{GUID}", MicrosoftTeamsUserIdentifier(GUID, is_anonymous=True)),
        ("alice", UnknownIdentifier("alice")),
        ("8:echo123", UnknownIdentifier("8:echo123")),
        ("4:anonymous", UnknownIdentifier("4:anonymous")),
        ("28:orgid:bot", UnknownIdentifier("28:orgid:bot")),
    ],
)
def test_raw_id_and_identifier(raw_id: str, identifier: Identifier) -> None:
    assert identifier_from_raw_id(raw_id) == identifier
    assert identifier.raw_id == raw_id
    assert isinstance(identifier, CommunicationIdentifier)


def test_bare_number_is_a_phone_number() -> None:
    assert identifier_from_raw_id("+493012345").raw_id == "4:+493012345"


@pytest.mark.parametrize("text", ["", "030123", "+0123", "+49 30", "+1234567890123456", "+49301x"])
def test_other_forms_are_no_phone_number(text: str) -> None:
    with pytest.raises(ValueError, match=r"E\.164"):
        PhoneNumberIdentifier(text)
    assert not isinstance(identifier_from_raw_id(text), PhoneNumberIdentifier)


@given(st.text(max_size=80))
def test_any_text_has_an_identifier_that_keeps_it(text: str) -> None:
    raw_id = identifier_from_raw_id(text).raw_id
    assert raw_id in (text, f"4:{text}")
    assert identifier_from_raw_id(raw_id).raw_id == raw_id
