"""What is generated from the messages is up to date, and true."""

import json
import shutil
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

from signaling import reasons, schema, transfer
from signaling.messages import ClientMessage, HubMessage
from signaling.reasons import Reason

pytestmark = pytest.mark.shell


def test_nothing_has_drifted() -> None:
    assert schema.main(["--check"]) == 0


def test_drift_is_told_and_mended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    files = {tmp_path / path.name: make for path, make in schema.FILES.items()}
    for path in schema.FILES:
        shutil.copy(path, tmp_path)
    monkeypatch.setattr(schema, "FILES", files)
    page = tmp_path / "REASONS.md"
    page.write_text(page.read_text().replace("`NO_ANSWER`", "`NO_ANGLER`"))
    (tmp_path / "messages.d.ts").unlink()
    assert schema.main(["--check"]) == 1
    assert "REASONS.md" in capsys.readouterr().err
    assert schema.main([]) == 0
    assert schema.main(["--check"]) == 0
    page.write_text("no marks")
    with pytest.raises(ValueError, match="must hold the lines"):
        schema.main([])


def test_every_message_is_in_all_three() -> None:
    typescript, page = schema.typescript(), schema.table()
    parts: dict[str, Any] = json.loads(schema.json_schema())["$defs"]
    for kind in (*get_args(ClientMessage), *get_args(HubMessage)):
        tag = kind.__struct_config__.tag
        assert f'interface {kind.__name__} {{\n  type: "{tag}";' in typescript
        assert f"| `{tag}` |" in page
        assert parts[kind.__name__]["properties"]["type"] == {"enum": [tag]}


def test_every_reason_is_on_the_page() -> None:
    page = (schema.HERE / "REASONS.md").read_text()
    for name, reason in vars(reasons).items():
        if isinstance(reason, Reason):
            row = f"| `{name}` | {reason.code} / {reason.sub_code} | {reason.category} | {reason.message} |"
            assert row in page


def codes(reason: Reason) -> tuple[int, int]:
    return reason.code, reason.sub_code


def test_every_reason_that_transfers_decide_on_is_explained_as_one() -> None:
    used = {codes(reason) for reason in vars(transfer).values() if isinstance(reason, Reason)}
    explained = {*map(codes, reasons.TRANSFER_ERRORS)}
    assert used - explained <= {codes(reasons.HUNG_UP), codes(reasons.REPLACED)}
    page = (schema.HERE / "REASONS.md").read_text()
    assert all(meaning in page for meaning in reasons.TRANSFER_ERRORS.values())


def test_a_type_without_typescript_is_an_error() -> None:
    with pytest.raises(TypeError, match="no TypeScript"):
        schema._type(msgspec.inspect.type_info(bytes))
