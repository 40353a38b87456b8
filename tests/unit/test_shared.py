"""One sound for several readers."""

import itertools

import numpy as np
import pytest

from media.shared import Shared

pytestmark = pytest.mark.unit


def shared() -> Shared:
    numbers = itertools.count(1)
    return Shared(lambda: np.full(960, next(numbers), np.int16))


def test_whoever_is_first_lets_it_go_on_and_all_read_the_same() -> None:
    one, two = (shared_sound := shared()).reader(), shared_sound.reader()
    read = [[int(each()[0]) for each in order] for order in ((one, two), (two, one), (one, two))]
    assert read == [[1, 1], [2, 2], [3, 3]]
    late = shared_sound.reader()
    assert [int(late()[0]), int(one()[0])] == [4, 4]


def test_who_falls_behind_misses_some() -> None:
    one, two = (shared_sound := shared()).reader(), shared_sound.reader()
    two()
    for _ in range(10):
        one()
    assert [int(two()[0]) for _ in range(5)] == [8, 9, 10, 11, 12]


def test_who_begins_later_is_not_behind() -> None:
    one, two = (shared_sound := shared()).reader(), shared_sound.reader()
    for _ in range(10):
        one()
    assert [int(each()[0]) for each in (two, one, two)] == [10, 11, 11]
