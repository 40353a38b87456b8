"""The figures of a call that goes over to another path."""

import pytest
from msgspec.structs import asdict

from media.stats import Stats

pytestmark = pytest.mark.unit

NOW = (  # what is as it is, rather than summed up
    *("jitter", "audio_level_in", "audio_level_out", "microphone_underruns", "speaker_underruns"),
    *("target_bitrate", "expected_loss", "payload_type", "clock_rate", "channels", "fec", "mime_type"),
    *("remote_fraction_lost", "remote_jitter", "round_trip_time", "current_round_trip_time"),
)


def test_sums_go_on_over_another_path_and_all_else_is_that_path_s() -> None:
    numbers = {name: 2 for name in Stats.__struct_fields__}
    former, now = Stats(**numbers), Stats(**{name: 3 for name in numbers})  # type: ignore[arg-type]
    assert asdict(now.after(former)) == {name: 3 if name in NOW else 5 for name in numbers}
    assert now.after(Stats()) == now


def test_what_the_other_end_has_not_said_yet_is_as_it_was() -> None:
    assert Stats().after(Stats()).remote_packets_lost is None
    assert Stats().after(Stats(remote_packets_lost=4)).remote_packets_lost == 4
    assert Stats(remote_packets_lost=1).after(Stats(remote_packets_lost=4)).remote_packets_lost == 5
