"""Rows of figures: what was measured, beside what, under which conditions."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NotRequired, TypedDict

import msgspec
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table

FOLDER = Path("bench")  # ignored by git

console = Console()


class Row(TypedDict):
    """A figure; `baseline` is stock aiortc's in the same run, `libwebrtc` its own where it was measured."""

    name: str
    value: float
    unit: str
    baseline: float
    ratio: float
    higher_is_better: bool
    libwebrtc: NotRequired[float]
    conditions: NotRequired[Mapping[str, object]]


def row(
    name: str,
    value: float,
    baseline: float,
    unit: str,
    *,
    libwebrtc: float | None = None,
    higher_is_better: bool = False,
    **conditions: object,
) -> Row:
    """Return a row, rounded."""
    made = Row(
        name=name,
        value=round(value, 3),
        unit=unit,
        baseline=round(baseline, 3),
        ratio=round(value / baseline, 3) if baseline else 0.0,
        higher_is_better=higher_is_better,
        conditions=conditions,
    )
    if libwebrtc is not None:
        made["libwebrtc"] = round(libwebrtc, 3)
    return made


def show(title: str, rows: Sequence[Row], baseline: str = "stock aiortc") -> None:
    """Print the rows as a table, beside this baseline."""
    table = Table(title=title)
    for column in ("what", "callnode", baseline, "ratio", "libwebrtc"):
        table.add_column(column, justify="left" if column == "what" else "right")
    for one in rows:
        other = one.get("libwebrtc")
        table.add_row(
            one["name"],
            f"{_figure(one['value'])} {one['unit']}",
            _figure(one["baseline"]) if one["baseline"] else "",
            f"{one['ratio']:.2f}" if one["baseline"] else "",
            "" if other is None else _figure(other),
        )
    console.print(table)


def write(path: Path, content: object) -> None:
    """Write JSON into the folder of the figures."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # Where nothing could be measured (NaN) stands null.
    path.write_bytes(msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n")


def _figure(value: float) -> str:
    return f"{value:.2f}" if abs(value) < 20 else f"{value:.0f}"


class Steps:
    """How far a bench has come."""

    def __init__(self, title: str, total: int, progress: Progress) -> None:
        self._title = title
        self._progress = progress
        self._task = progress.add_task(title, total=total)
        self._begun = 0

    def __call__(self, what: str) -> None:
        """Begin the next step."""
        self.at(self._begun, what)
        self._begun += 1

    def at(self, done: int, what: str) -> None:
        """Show so many steps done."""
        self._progress.update(self._task, description=f"{self._title}: {what}", completed=done)


@contextmanager
def steps(title: str, total: int) -> Iterator[Steps]:
    """Show how far a bench has come; call what is given before each step."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), console=console, transient=True) as progress:
        yield Steps(title, total, progress)
