"""Fail when a test file alone misses a branch of its pure module: `python -m tests.coverage_gate [NAME…]`.

The modules are those of `[tool.coverage.run] include`; node/calls.py belongs to tests/unit/test_node_calls.py
or, if there is none, to test_calls.py. NAME is that of a module, such as hub. All test files run in one go;
coverage tells by its contexts what each of them reaches; what runs while they are collected counts for all.
"""

import os
import re
import subprocess
import sys
import tempfile
import tomllib
from io import StringIO
from pathlib import Path

from coverage import Coverage

ROOT = Path(__file__).parent.parent
TESTS = ROOT / "tests" / "unit"
IMPORT = "^$"  # the context of what runs before any test


def main() -> int:
    """Print one line per module, and what is missing; return how many fall short."""
    config = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["coverage"]["run"]
    modules = [m for m in config["include"] if not sys.argv[1:] or Path(m).stem in sys.argv[1:]]
    files = {module: file_of(module) for module in modules}
    with tempfile.TemporaryDirectory() as folder:
        data = f"{folder}/coverage"
        ran = run(data, sorted({str(file) for file in files.values() if file}))
        if ran.returncode:
            print(f"{ran.stdout}{ran.stderr}")
            return ran.returncode
        coverage = Coverage(data_file=data)
        coverage.load()
        results = [share(coverage, module, file) for module, file in files.items()]
    for module, (percent, missing) in zip(modules, results, strict=True):
        print(f"{percent:>7}  {module}{missing}")
    short = sum(percent != "100%" for percent, _ in results)
    print(f"{short} of {len(modules)} below 100 %" if short else f"{len(modules)} modules, every branch")
    return short


def file_of(module: str) -> Path | None:
    """Return the test file of a module."""
    path = Path(module)
    names = (f"test_{path.parent.name}_{path.stem}.py", f"test_{path.stem}.py")
    return next((TESTS / name for name in names if (TESTS / name).exists()), None)


def run(data: str, files: list[str]) -> subprocess.CompletedProcess[str]:
    """Run the test files, and keep what they reach and what is said."""
    command = (sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *files)
    options = ("--cov", "--cov-branch", "--cov-context=test", "--cov-report=", "--cov-fail-under=0")
    environment = os.environ | {"COVERAGE_FILE": data}
    return subprocess.run(
        (*command, *options), cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )


def share(coverage: Coverage, module: str, file: Path | None) -> tuple[str, str]:
    """Return the share of one module that its test file reaches, with what is missing if it is not all."""
    if file is None or not (ROOT / module).exists():
        return "none", f": no test_{Path(module).stem}.py" if file is None else ": no such module"
    report = StringIO()
    contexts = [IMPORT, f"^{re.escape(file.relative_to(ROOT).as_posix())}::"]
    reached = coverage.report([str(ROOT / module)], show_missing=True, file=report, contexts=contexts)
    return f"{int(reached)}%", "" if reached == 100 else f"\n{report.getvalue()}"


if __name__ == "__main__":
    sys.exit(main())
