"""Run every benchmark, print a table and write `bench.json`."""

import asyncio
import json
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.bench import call_bench, media_bench


def main() -> None:
    rows = asyncio.run(call_bench.rows()) + asyncio.run(media_bench.rows())
    Path("bench.json").write_text(json.dumps(rows, indent=2) + "\n")
    table = Table(title="callnode beside bare aiortc, same run, this machine")
    for column in ("what", "callnode", "bare aiortc", "ratio"):
        table.add_column(column, justify="left" if column == "what" else "right")
    for row in rows:
        value, baseline = f"{row['value']:.1f} {row['unit']}", f"{row['baseline']:.1f} {row['unit']}"
        table.add_row(row["name"], value, baseline, f"{row['ratio']:.2f}")
    Console().print(table)


if __name__ == "__main__":
    main()
