"""Fail when a test file alone misses a branch of its pure module: `python -m tests.coverage_gate [NAME…]`.

The modules are those of `[tool.coverage.run] include`; node/calls.py belongs to tests/unit/test_node_calls.py
or, if there is none, to test_calls.py. NAME is that of a module, such as hub.
"""

import os
import subprocess
import sys
import tempfile
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).parent.parent
TESTS = ROOT / "tests" / "unit"


def main() -> int:
    """Print one line per module, and what is missing; return how many fall short."""
    config = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["coverage"]["run"]
    modules = [m for m in config["include"] if not sys.argv[1:] or Path(m).stem in sys.argv[1:]]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(measure, modules))
    for module, (share, missing) in zip(modules, results, strict=True):
        print(f"{share:>7}  {module}{missing}")
    short = sum(share != "100%" for share, _ in results)
    print(f"{short} of {len(modules)} below 100 %" if short else f"{len(modules)} modules, every branch")
    return short


def measure(module: str) -> tuple[str, str]:
    """Run the test file of one module and return its share, with what is missing if it is not all."""
    path = Path(module)
    names = (f"test_{path.parent.name}_{path.stem}.py", f"test_{path.stem}.py")
    tests = next((TESTS / name for name in names if (TESTS / name).exists()), None)
    if tests is None or not (ROOT / path).exists():
        return "none", f": no {names[1]}" if tests is None else ": no such module"
    with tempfile.TemporaryDirectory() as folder:
        data = f"--data-file={folder}/coverage"
        only = f"--include={module}"
        pytest = ("-m", "pytest", "-q", "-p", "no:cacheprovider", str(tests))
        ran = coverage("run", data, "--branch", only, *pytest)
        if ran.returncode:
            return "failed", f"\n{ran.stdout}{ran.stderr}"
        report = coverage("report", data, only, "--fail-under=0", "--show-missing")
        share = coverage("report", data, only, "--fail-under=0", "--precision=0", "--format=total")
    whole = share.stdout.strip() == "100"
    return f"{share.stdout.strip()}%", "" if whole else f"\n{report.stdout}{report.stderr}"


def coverage(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run coverage in the project, and keep what it says."""
    command = [sys.executable, "-m", "coverage", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


if __name__ == "__main__":
    sys.exit(main())
