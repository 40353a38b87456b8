"""Buckets refill with time and never beyond their size; quotas count per key."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signaling.limits import Buckets, Quota, TokenBucket

pytestmark = pytest.mark.unit


def test_burst_then_rate() -> None:
    bucket = TokenBucket(rate=2.0, burst=3.0, now=100.0)
    assert [bucket.take(100.0) for _ in range(4)] == [True, True, True, False]
    assert [bucket.take(100.5), bucket.take(100.5)] == [True, False]
    assert [bucket.take(1000.0) for _ in range(4)] == [True, True, True, False]


def test_clock_that_goes_back_adds_nothing() -> None:
    bucket = TokenBucket(rate=1.0, burst=1.0, now=10.0)
    assert bucket.take(10.0)
    assert not bucket.take(5.0)
    assert not bucket.take(10.5)
    assert bucket.take(11.0)


@given(st.lists(st.floats(0, 10), max_size=200))
def test_never_more_than_burst_and_rate_allow(gaps: list[float]) -> None:
    bucket, now, taken = TokenBucket(5.0, 10.0, 0.0), 0.0, 0
    for gap in gaps:
        now += gap
        taken += bucket.take(now)
    assert taken <= 10.0 + 5.0 * now + 1e-6


def test_quota_counts_each_key() -> None:
    quota = Quota(2)
    assert [quota.take("a"), quota.take("a"), quota.take("a"), quota.take("b")] == [True, True, False, True]
    assert len(quota) == 3
    quota.give_back("a")
    assert quota.take("a")
    for key in ("a", "a", "b"):
        quota.give_back(key)
    assert len(quota) == 0


def test_buckets_count_each_key_and_forget_the_full() -> None:
    buckets = Buckets(rate=1.0, burst=1.0)
    assert [buckets.take(key, 0.0) for key in ("a", "a", "b")] == [True, False, True]
    for number in range(2000):
        buckets.take(str(number), 1.0)
    assert len(buckets) == 2000, "those of before were full again"
    assert not buckets.take("5", 1.5)
