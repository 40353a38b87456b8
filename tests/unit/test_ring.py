import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.ring import Ring

pytestmark = pytest.mark.unit


def ramp(start: int, count: int) -> np.ndarray:
    return np.arange(start, start + count).astype(np.int16)


def test_what_goes_in_comes_out_in_order() -> None:
    ring = Ring(10)
    heard = []
    for turn in range(20):
        ring.write(ramp(1 + 7 * turn, 7))
        assert len(ring) == 7
        heard.append(ring.read(7))
        assert len(ring) == 0
    assert np.array_equal(np.concatenate(heard), ramp(1, 140))
    assert (ring.dropped, ring.underruns) == (0, 0)


def test_too_few_samples_are_silence_and_wait_for_the_rest() -> None:
    ring = Ring(10)
    assert not ring.read(4).any()
    assert ring.underruns == 0  # nothing was ever there to run out of
    ring.write(ramp(1, 6))
    assert np.array_equal(ring.read(4), ramp(1, 4))
    assert not ring.read(4).any()
    assert not ring.read(4).any()
    assert ring.underruns == 1
    ring.write(ramp(7, 2))
    assert np.array_equal(ring.read(4), ramp(5, 4))


def test_sound_starts_with_the_newest_once_the_prefill_has_gathered_and_again_after_running_dry() -> None:
    ring = Ring(20)
    for _ in range(2):
        ring.write(ramp(1, 4))
        assert not ring.read(4, 6).any()
        assert not ring.flowing
        ring.write(ramp(5, 5))
        assert np.array_equal(ring.read(4, 6), ramp(4, 4))
        assert ring.flowing
        ring.write(ramp(10, 1))
        assert np.array_equal(ring.read(3, 6), ramp(8, 3))
        assert not ring.read(4, 6).any()
    assert (ring.underruns, ring.dropped) == (2, 0)


def test_what_is_too_much_is_let_go() -> None:
    ring = Ring(20)
    ring.write(ramp(1, 10))
    ring.keep(12)
    assert (len(ring), ring.dropped) == (10, 0)
    ring.keep(4)
    assert (len(ring), ring.dropped) == (4, 6)
    assert np.array_equal(ring.read(4), ramp(7, 4))


def test_when_full_the_oldest_go_until_half_is_left() -> None:
    ring = Ring(10)
    for start in (1, 5, 9):
        ring.write(ramp(start, 4))
    assert len(ring) == 10
    assert np.array_equal(ring.read(5), ramp(8, 5))
    assert ring.dropped == 7


def test_one_write_larger_than_the_ring_leaves_its_newest() -> None:
    ring = Ring(4)
    ring.write(ramp(0, 3))
    ring.write(ramp(1, 100))
    assert np.array_equal(ring.read(2), ramp(99, 2))
    assert ring.dropped == 101


def test_a_capacity_that_cannot_work_is_refused() -> None:
    with pytest.raises(ValueError, match="capacity"):
        Ring(1)


@given(
    st.integers(2, 40),
    st.lists(st.tuples(st.booleans(), st.integers(0, 60)), max_size=60),
)
def test_samples_are_never_repeated_torn_or_reordered(capacity: int, moves: list[tuple[bool, int]]) -> None:
    ring = Ring(capacity)
    written = heard = 0
    for writes, count in moves:
        if writes:
            ring.write(ramp(written + 1, count))
            written += count
            continue
        frame = ring.read(count)
        assert len(frame) == count
        if frame.any():
            assert np.array_equal(frame, ramp(int(frame[0]), count))
            assert frame[0] > heard
            heard = int(frame[-1])
        assert heard + ring.dropped >= written - capacity - len(ring)
    assert len(ring) <= capacity
