"""Packages of npm that tests use, as tests/npm/package.json lists them; installed once, by the first."""

import fcntl
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "build" / "npm"
LIST = ROOT / "tests" / "npm" / "package.json"
INSTALL = ("npm", "install", "--no-audit", "--no-fund", "--no-package-lock", "--loglevel=error")


def packages() -> Path:
    """Return the folder that holds them in node_modules."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    done = FOLDER / "installed.json"
    with (FOLDER / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists() or done.read_bytes() != LIST.read_bytes():
            shutil.copy(LIST, FOLDER / "package.json")
            subprocess.run(INSTALL, cwd=FOLDER, check=True)
            shutil.copy(LIST, done)
    return FOLDER


def node(*arguments: str | Path, cwd: Path | None = None) -> str:
    """Run Node, or one of the packages' programs, to its end; return what it prints, which an error shows."""
    done = subprocess.run(list(map(str, arguments)), cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
