"""What every test obeys: one category a module, printed seeds, nothing left running, no secret in a log."""

import asyncio
import logging
import os
import re
import secrets
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import hypothesis
import pytest

CATEGORIES = ("unit", "world", "shell", "e2e", "devices", "browser")  # also their order without workers
WAITING = ("e2e", "devices", "browser")
GRACE = 2.0  # seconds in which what was told to stop may end; spent only by a test that leaves something
SECRET = re.compile(r"eyJ[\w-]{8,}\.[\w-]+\.|\bv=0\r?\n|a=ice-pwd:|accesskey=")
FIXED_SEED = 20260101  # so that a run fails by what has changed, and not by chance
SEED = pytest.StashKey[int]()

# Shared machines are slow at times: examples are judged by what they find, not by how long they take.
hypothesis.settings.register_profile(
    "callnode", deadline=None, print_blob=True, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("callnode")


@pytest.hookimpl(tryfirst=True)  # Hypothesis reads its own seed in this hook
def pytest_configure(config: pytest.Config) -> None:
    """Choose the seed of this run, and of Hypothesis: the fixed one, or CALLNODE_SEED, a number or `new`."""
    text = os.environ.get("CALLNODE_SEED") or str(FIXED_SEED)
    if text == "new":
        text = str(secrets.randbelow(2**32))
    if not text.isdecimal():
        raise pytest.UsageError(f"CALLNODE_SEED must be a whole number or new, not {text!r}")
    config.stash[SEED] = int(text)
    config.option.hypothesis_seed = config.option.hypothesis_seed or text
    os.environ["CALLNODE_SEED"] = text  # for the processes among which xdist shares the tests


def pytest_sessionstart(session: pytest.Session) -> None:
    """Print the seed first, so that a run that hangs can be repeated too."""
    session.config.get_terminal_writer().line(f"seed: CALLNODE_SEED={session.config.stash[SEED]}")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuse modules without exactly one category, and run the categories in order."""
    wrong: dict[str, str] = {}
    for item in items:
        found = categories(item)
        if len(found) != 1:
            wrong[item.location[0]] = " and ".join(found) or "none"
    if wrong:
        names = ", ".join(CATEGORIES)
        lines = "".join(f"\n  {path}: has {found}" for path, found in sorted(wrong.items()))
        raise pytest.UsageError(
            f"a test module has exactly one category, `pytestmark = pytest.mark.X`, X of {names}:{lines}"
        )
    if "PYTEST_XDIST_WORKER" in os.environ:
        place = places(items)
        items.sort(key=lambda item: place[item.path])
    else:
        items.sort(key=lambda item: CATEGORIES.index(categories(item)[0]))


def places(items: list[pytest.Item]) -> dict[Path, float]:
    """Return where in the row each file stands if workers share them.

    The files of each category are spread, so that while some wait for sound others have the processors; last
    come those that wait for nothing.
    """
    files: dict[str, list[Path]] = {}
    for item in items:
        of = files.setdefault(categories(item)[0], [])
        if item.path not in of:
            of.append(item.path)
    return {
        path: (index + 0.5) / len(of) * (0.8 if category in WAITING else 1.0)
        for category, of in files.items()
        for index, path in enumerate(of)
    }


def pytest_collection_finish(session: pytest.Session) -> None:
    """Print how many tests of each category will run."""
    counts = Counter(name for item in session.items for name in categories(item))
    session.config.get_terminal_writer().line(
        "tests: " + ", ".join(f"{counts[name]} {name}" for name in CATEGORIES if name in counts)
    )


def categories(item: pytest.Item) -> list[str]:
    """Return the categories that an item, its class or its module declares."""
    return [name for name in CATEGORIES if item.get_closest_marker(name)]


@pytest.fixture
def seed(pytestconfig: pytest.Config) -> int:
    """Give the seed of this run; a failing test shows it in its captured output."""
    value = pytestconfig.stash[SEED]
    print(f"repeat with CALLNODE_SEED={value}")
    return value


@pytest.fixture(autouse=True)
def logging_untouched() -> Iterator[None]:
    """Take back what a command run inside the test has set up for the logs of its process."""
    loggers = (logging.getLogger(), logging.getLogger("callnode"))
    before = [(logger, logger.level, logger.handlers[:]) for logger in loggers]
    yield
    for logger, level, handlers in before:
        logger.setLevel(level)
        logger.handlers[:] = handlers


@pytest.fixture(autouse=True)
def nothing_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test that leaves a task or thread running, or a secret in a log."""
    if not {"shell", "e2e", "devices", "browser"}.intersection(categories(request.node)):
        yield
        return
    log: pytest.LogCaptureFixture = request.getfixturevalue("caplog")
    log.set_level(logging.DEBUG, logger="callnode")
    before = set(threading.enumerate())
    if request.node.get_closest_marker("asyncio"):
        request.getfixturevalue("no_task_left")
    yield
    left = threads_left(before)
    if left:
        names = ", ".join(sorted(thread.name for thread in left))
        pytest.fail(f"threads left running: {names}", pytrace=False)
    for record in (*log.get_records("setup"), *log.get_records("call"), *log.get_records("teardown")):
        if SECRET.search(log.handler.format(record)):
            pytest.fail(f"a secret in the log, at {record.pathname}:{record.lineno}", pytrace=False)


@pytest.fixture
async def no_task_left() -> AsyncIterator[None]:
    """Fail an async test whose loop still has tasks once its own fixtures are closed."""
    yield
    left = asyncio.all_tasks() - {asyncio.current_task()}
    if left:
        _, left = await asyncio.wait(left, timeout=GRACE)
    if left:
        names = ", ".join(sorted(f"{task.get_name()} in {task.get_coro()}" for task in left))
        pytest.fail(f"tasks left running: {names}", pytrace=False)


def threads_left(before: set[threading.Thread]) -> list[threading.Thread]:
    """Return the threads born since that do not end within the grace.

    The loop's default executor keeps its threads until the loop closes; a thread of a C library that once ran
    Python stays listed as a dummy after its end.
    """
    born = [
        thread
        for thread in threading.enumerate()
        if thread not in before and not thread.name.startswith(("asyncio_", "Dummy-"))
    ]
    end = time.monotonic() + GRACE
    for thread in born:
        thread.join(max(0.0, end - time.monotonic()))
    return [thread for thread in born if thread.is_alive()]
