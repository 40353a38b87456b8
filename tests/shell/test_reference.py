"""The reference of the client API is up to date, and leaves nothing out."""

import re
from pathlib import Path

import pytest

import node
from node import reference
from signaling.schema import renew

pytestmark = pytest.mark.shell

ROOT = Path(__file__).parents[2]
PAGE = (reference.HERE / "API.md").read_text()


def test_nothing_has_drifted() -> None:
    assert renew("node.reference", "", reference.FILES, ["--check"]) == 0


def test_every_public_name_is_in_it_and_every_group_is_of_public_names() -> None:
    titles = re.findall(r"^### (\w+)$", PAGE, re.MULTILINE)
    assert sorted(titles) == sorted(node.__all__)
    assert "## More" not in PAGE, "put the new name into one of reference.GROUPS"


def test_members_events_and_types_are_told() -> None:
    assert "| `await hang_up(for_everyone: bool = …) -> None` |" in PAGE
    assert "| `calls_updated` | Updated (`added`, `removed`): " in PAGE
    assert "| `dtmf_received` | DtmfReceived (`digit`, `duration`): " in PAGE
    assert "| `Delay` | `Literal[10, 20, 30, 40, 50, 60]` |" in PAGE


def test_a_public_name_without_a_group_comes_last(monkeypatch: pytest.MonkeyPatch) -> None:
    groups = {title: names for title, names in reference.GROUPS.items() if title != "Transfer"}
    monkeypatch.setattr(reference, "GROUPS", groups)
    assert "### TransferState" in reference.api().partition("## More")[2]


@pytest.mark.parametrize(
    "page", ["README.md", "node/API.md", "node/STATES.md", "node/FROM_ACS.md", "signaling/REASONS.md"]
)
def test_links_between_the_pages_lead_somewhere(page: str) -> None:
    path = ROOT / page
    links = re.findall(r"\]\(([^)#:\s]+)\)", path.read_text())
    assert all((path.parent / link).exists() for link in links), links


def test_names_of_ours_in_the_page_for_acs_users_exist() -> None:
    """The second column is code: each public class and feature that it names is there."""
    page = (reference.HERE / "FROM_ACS.md").read_text()
    named = set(re.findall(r"`([A-Z]\w+)\(", page)) | set(re.findall(r"Features\.([A-Z_]{4,})\b", page))
    known = set(node.__all__) | set(vars(node.Features)) | {"FileSink"}
    assert named - known == set()
