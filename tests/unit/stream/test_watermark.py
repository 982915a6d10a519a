"""The watermark of a partition: behind its newest event, held by what waits unread, moved on by time when all idles."""

import pytest

from stream.log import TopicPartition
from stream.settings import AttributionSettings
from stream.watermark import Watermarks

SETTINGS = AttributionSettings(out_of_order_ms=100, idle_ms=1_000)


class Clock:
    """Processing time that a test moves on."""

    def __init__(self):
        self.now_ms = 50_000

    def __call__(self):
        return self.now_ms


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def marks(clock):
    return Watermarks(SETTINGS, clock)


def impressions(partition):
    return TopicPartition("impressions", partition)


def clicks(partition):
    return TopicPartition("clicks", partition)


def test_before_the_first_event_it_is_0(marks):
    assert marks.advance({0, 1}, behind=set()) == {0: 0, 1: 0}


def test_it_stays_behind_the_newest_event_by_what_may_be_out_of_order(marks):
    marks.observe(impressions(0), 5_000, 5_000)
    marks.observe(impressions(0), 4_000, 4_000)
    assert marks.advance({0}, behind=set()) == {0: 5_000 - 100}


def test_it_never_recedes(marks):
    marks.observe(impressions(0), 5_000, 5_000)
    marks.advance({0}, behind=set())
    marks.observe(clicks(0), 3_000, 3_000)
    assert marks.advance({0}, behind={clicks(0)}) == {0: 4_900}


def test_a_topic_with_unread_records_holds_it_and_one_read_to_its_end_does_not(marks):
    marks.observe(impressions(0), 9_000, 9_000)
    marks.observe(clicks(0), 5_000, 5_000)
    assert marks.advance({0}, behind={clicks(0)}) == {0: 4_900}
    assert marks.advance({0}, behind={impressions(0)}) == {0: 8_900}
    assert marks.advance({0}, behind=set()) == {0: 8_900}


def test_unread_records_of_a_topic_that_showed_nothing_yet_hold_it_at_0(marks):
    marks.observe(impressions(0), 9_000, 9_000)
    assert marks.advance({0}, behind={clicks(0)}) == {0: 0}


def test_an_event_ahead_of_its_record_counts_at_the_time_of_the_record(marks):
    marks.observe(impressions(0), 65_000, 5_000)
    assert marks.advance({0}, behind=set()) == {0: 4_900}
    marks.observe(clicks(0), 5_200, 9_000)  # old events that are only written now do not hurry either
    assert marks.advance({0}, behind=set()) == {0: 5_100}


def test_a_partition_whose_last_event_was_ahead_still_reaches_it_when_idle(marks, clock):
    marks.observe(impressions(0), 9_000, 5_000)
    marks.advance({0}, behind=set())
    for _ in range(6):
        clock.now_ms += 1_000
        marks.advance({0}, behind=set())
    assert marks.advance({0}, behind=set())[0] >= 9_000


def test_a_mark_that_time_moved_on_is_kept_through_a_restart_on_another_runner(marks, clock):
    marks.observe(impressions(0), 9_000, 9_000)
    marks.advance({0}, behind=set())
    clock.now_ms += 3_000
    committed = marks.advance({0}, behind=set())[0]
    assert committed == 11_900
    other = Watermarks(SETTINGS, clock)
    other.restore(0, committed)
    other.observe(impressions(0), 9_500, 12_000)  # an event of before
    assert other.advance({0}, behind=set()) == {0: committed}


def test_partitions_keep_their_own_time_while_events_come(marks):
    marks.observe(impressions(0), 9_000, 9_000)
    marks.observe(impressions(1), 2_000, 2_000)
    assert marks.advance({0, 1}, behind=set()) == {0: 8_900, 1: 1_900}


def test_a_partition_without_events_follows_the_slowest_of_the_others(marks, clock):
    for partition, ts_ms in ((0, 9_000), (1, 2_000), (2, 5_000)):
        marks.observe(impressions(partition), ts_ms, ts_ms)
    clock.now_ms += 999
    marks.observe(impressions(0), 9_001, 9_001)
    marks.observe(impressions(2), 5_001, 5_001)
    assert marks.advance({0, 1, 2}, behind=set())[1] == 1_900
    clock.now_ms += 1
    assert marks.advance({0, 1, 2}, behind=set()) == {0: 8_901, 1: 4_901, 2: 4_901}


def test_a_partition_with_unread_records_is_not_idle(marks, clock):
    marks.observe(impressions(0), 2_000, 2_000)
    clock.now_ms += 5_000
    marks.observe(impressions(1), 9_000, 9_000)
    assert marks.advance({0, 1}, behind={impressions(0)})[0] == 1_900


def test_when_all_idle_processing_time_moves_it_on(marks, clock):
    marks.observe(impressions(0), 9_000, 9_000)
    marks.advance({0}, behind=set())
    clock.now_ms += 1_000
    marks.advance({0}, behind=set())
    before = marks.advance({0}, behind=set())[0]
    clock.now_ms += 250
    assert marks.advance({0}, behind=set()) == {0: before + 250}


def test_time_alone_does_not_start_a_partition_that_never_had_an_event(marks, clock):
    clock.now_ms += 100_000
    assert marks.advance({0}, behind=set()) == {0: 0}
    clock.now_ms += 100_000
    assert marks.advance({0}, behind=set()) == {0: 0}


def test_a_stopped_clock_never_makes_anything_idle():
    marks = Watermarks(SETTINGS, clock=lambda: 0)
    marks.observe(impressions(0), 9_000, 9_000)
    marks.observe(impressions(1), 2_000, 2_000)
    for _ in range(10):
        assert marks.advance({0, 1}, behind=set()) == {0: 8_900, 1: 1_900}


def test_a_restored_partition_goes_on_from_what_was_committed(marks):
    marks.restore(0, 7_000)
    assert marks.advance({0}, behind=set()) == {0: 7_000}
    marks.observe(impressions(0), 7_050, 7_050)
    assert marks.advance({0}, behind=set()) == {0: 7_000}
    marks.observe(impressions(0), 7_300, 7_300)
    assert marks.advance({0}, behind=set()) == {0: 7_200}


def test_what_a_failed_batch_had_shown_does_not_move_a_restored_partition(marks):
    marks.observe(impressions(0), 90_000, 90_000)
    marks.restore(0, 7_000)  # the batch was not committed: its records come again, perhaps fewer at a time
    marks.observe(impressions(0), 8_000, 8_000)
    assert marks.advance({0}, behind={impressions(0)}) == {0: 7_900}


def test_a_partition_that_is_forgotten_starts_anew(marks):
    marks.observe(impressions(0), 9_000, 9_000)
    marks.advance({0}, behind=set())
    marks.forget(0)
    assert marks.advance({0}, behind=set()) == {0: 0}
