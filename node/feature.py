"""What every feature of a call has in common (ACS CallFeature)."""

from typing import TYPE_CHECKING

from node.events import Events

if TYPE_CHECKING:
    from node.call import Call


class CallFeature(Events):
    """Something that a call can do besides; got by `call.feature(Features.…)`, one of each kind a call."""

    def __init__(self, call: "Call") -> None:
        super().__init__(call._tasks)
        self._call = call

    def dispose(self) -> None:
        """Watch no more; a call that is over has nothing left of its features anyway."""
