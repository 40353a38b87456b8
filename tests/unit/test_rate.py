"""The rate: loss is met with FEC, a path that fills up with fewer bits."""

import random

import pytest

from media.rate import MAX_BITRATE, MIN_BITRATE, Rate, Report, Target

pytestmark = pytest.mark.unit


def report(lost: float = 0.0, round_trip: float | None = 0.03, jitter: float = 0.0) -> Report:
    return Report(lost, 0, jitter, round_trip)


def run(
    rate: Rate,
    seconds: int,
    lost: float,
    round_trip: float | None = 0.03,
    *,
    start: int = 0,
    jitter: float = 0.0,
) -> Target:
    """Return the target after a report each second."""
    target = rate.target
    for second in range(start, start + seconds):
        target = rate.report(report(lost, round_trip, jitter), float(second))
    return target


def test_a_clean_network_gets_all_bits_and_no_fec() -> None:
    assert Rate().target == run(Rate(), 30, 0.0) == Target(MAX_BITRATE, 0, False)


def test_the_first_report_of_loss_switches_fec_on() -> None:
    assert Rate().report(report(0.02), 5.0) == Target(MAX_BITRATE, 10, True, True)


def test_the_expected_loss_rises_at_once_and_has_a_limit() -> None:
    rate = Rate()
    assert rate.report(report(0.145), 0.0).expected_loss == 15
    assert rate.report(report(0.4), 1.0).expected_loss == 20
    assert rate.report(report(0.0), 2.0).expected_loss == 20


def test_fec_goes_after_ten_seconds_without_loss() -> None:
    rate = Rate()
    rate.report(report(0.05, jitter=0.02), 0.0)
    assert run(rate, 9, 0.0, start=1, jitter=0.02).fec
    assert not run(rate, 1, 0.0, start=10).fec


def test_what_is_sent_twice_hides_losses_so_it_goes_after_thirty_seconds_without() -> None:
    rate = Rate()
    rate.report(report(0.05), 0.0)
    assert run(rate, 29, 0.0, start=1) == Target(MAX_BITRATE, 10, True, True)
    assert run(rate, 1, 0.0, start=30) == Target(MAX_BITRATE, 0, False)


def test_nothing_is_sent_twice_where_it_does_not_help_or_harms() -> None:
    assert not run(Rate(), 3, 0.05, jitter=0.02).repeat  # it comes late as often as not
    rate = Rate()
    assert run(rate, 1, 0.15).repeat
    assert run(rate, 9, 0.15, start=1) == Target(MAX_BITRATE, 15, True)  # it has not helped
    rate = Rate()
    run(rate, 5, 0.02)
    full = run(rate, 4, 0.02, 0.5, start=5)
    assert full.fec and full.bitrate < MAX_BITRATE and not full.repeat


def test_random_loss_of_12_percent_costs_no_bits(seed: int) -> None:
    chance, rate, now = random.Random(seed), Rate(), 0.0
    for _ in range(300):
        interval = 0.5 + chance.random()
        packets = round(50 * interval)
        now += interval
        lost = sum(chance.random() < 0.12 for _ in range(packets)) / packets
        target = rate.report(report(lost), now)
        assert target.fec
        assert target.bitrate > 0.6 * MAX_BITRATE  # a rare streak may cut once
    assert target.bitrate == MAX_BITRATE or rate._cut_at is not None


@pytest.mark.parametrize(("lost", "round_trip"), [(0.3, 0.03), (0.0, 0.5), (0.02, 0.3), (0.6, None)])
def test_congestion_cuts_quickly(lost: float, round_trip: float | None) -> None:
    rate = Rate()
    run(rate, 10, 0.0)
    assert run(rate, 8, lost, round_trip, start=10).bitrate == MIN_BITRATE


def test_a_path_that_is_long_from_the_beginning_is_not_congested() -> None:
    assert run(Rate(), 10, 0.0, 0.6).bitrate == MAX_BITRATE


def test_a_path_that_has_become_longer_is_accepted_in_time() -> None:
    rate = Rate()
    run(rate, 10, 0.0, 0.03)
    assert run(rate, 20, 0.0, 0.3, start=10).bitrate == MIN_BITRATE
    assert run(rate, 90, 0.0, 0.3, start=30).bitrate == MAX_BITRATE


def test_recovery_waits_and_is_slow() -> None:
    rate = Rate()
    run(rate, 10, 0.0)
    low = run(rate, 8, 0.0, 0.5, start=10).bitrate
    assert run(rate, 4, 0.0, start=18).bitrate == low
    assert low < run(rate, 10, 0.0, start=22).bitrate < MAX_BITRATE
    assert run(rate, 30, 0.0, start=32).bitrate == MAX_BITRATE


def test_reports_without_a_round_trip_tell_loss_all_the_same() -> None:
    assert run(Rate(), 3, 0.05, None) == Target(MAX_BITRATE, 10, True, True)
