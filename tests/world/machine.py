"""What the state machines on a board have in common."""

from typing import TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine

from signaling.call import Call
from tests.unit.board import Board

T = TypeVar("T")


class Machine(RuleBasedStateMachine):
    """A hub core, what there is to draw from, and ids that are new."""

    board: Board

    def __init__(self) -> None:
        super().__init__()
        self.serial = 0

    @property
    def calls(self) -> list[Call]:
        return list(self.board.hub.calls.all.values())

    @property
    def sessions(self) -> list[str]:
        present = self.board.hub.presence.sessions
        return sorted(name for name, session in present.items() if session.grace is None)

    def fresh(self, kind: str) -> str:
        self.serial += 1
        return f"{kind}{self.serial}"


def one(data: st.DataObject, choices: "list[T] | tuple[T, ...]") -> T:
    return data.draw(st.sampled_from(choices))
