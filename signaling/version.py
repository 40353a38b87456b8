"""The version of callnode that runs."""

from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed


def version() -> str:
    """Return the version, empty where callnode runs without being installed."""
    try:
        return installed("callnode")
    except PackageNotFoundError:
        return ""
