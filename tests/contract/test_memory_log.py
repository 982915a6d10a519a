"""What `MemoryLog` promises beyond the contract: bounds, order across topics, its clock, and `reset`."""

import threading

import pytest

from stream.errors import LogFullError, StreamError
from stream.events import Candidate, Click, Impression
from stream.log import EventLog, Progress, WorldLog
from stream.memory import MemoryLog

CANDIDATES = (Candidate(item_id="a"),)


def impression(index: int, user: str = "u") -> Impression:
    return Impression(impression_id=f"i{index}", user_id=user, ts_ms=1_000 + index, candidates=CANDIDATES)


def click(index: int, user: str = "u") -> Click:
    return Click(impression_id=f"i{index}", user_id=user, item_id="a", ts_ms=2_000 + index)


def both_sides(log: MemoryLog) -> tuple[EventLog, WorldLog]:
    """Held by mypy as well: one object is both protocols."""
    return log, log


def test_records_of_both_topics_and_all_partitions_come_in_the_order_of_appending():
    log = MemoryLog(partitions=4)
    events = [event for index in range(20) for event in (impression(index, f"u{index}"), click(index, f"u{index}"))]
    for event in events:
        log.append(event)
    assert [record.timestamp_ms for record in log.poll(100, 0)] == [event.ts_ms for event in events]


def test_the_order_is_the_same_after_an_abort():
    log = MemoryLog(partitions=4)
    for index in range(10):
        log.append(impression(index, f"u{index}"))
    first = log.poll(7, 0)
    log.begin().abort()
    assert log.poll(7, 0) == first


def test_past_the_capacity_an_append_is_refused():
    log = MemoryLog(capacity=2)
    log.append(impression(0))
    log.append(click(0))
    with pytest.raises(LogFullError, match="at most 2 input records"):
        log.append(impression(1))
    assert len(log.poll(10, 0)) == 2


def test_past_the_capacity_an_append_is_dropped_and_counted_where_so_set():
    log = MemoryLog(capacity=2, policy="drop")
    for index in range(5):
        log.append(impression(index))
    assert log.dropped == 3
    assert [record.offset for record in log.poll(10, 0)] == [0, 1]


def test_what_is_committed_makes_room_except_from_the_low_position_on():
    log = MemoryLog(capacity=3)
    for index in range(3):
        log.append(impression(index))
    log.poll(3, 0)
    log.begin().commit({0: Progress(next={"impressions": 3}, low={"impressions": 2})})
    log.append(impression(3))
    log.append(impression(4))
    with pytest.raises(LogFullError):
        log.append(impression(5))
    assert [record.offset for record in log.read("impressions", 0, 0, 5)] == [2, 3, 4]


def test_a_long_run_stays_within_its_bound():
    log = MemoryLog(capacity=10)
    for index in range(1_000):
        log.append(impression(index))
        [record] = log.poll(10, 0)
        unit = log.begin()
        unit.publish("outcomes", 0, b"u", b"o%d" % index)
        unit.commit({0: Progress(next={"impressions": record.offset + 1})})
    assert log.evicted == {"recommendations": 0, "outcomes": 990, "dead-letters": 0}
    assert [record.value for record in log.read("outcomes", 0, 0, 1_000)] == [b"o%d" % i for i in range(990, 1_000)]
    assert log.end("outcomes", 0) == 1_000


def test_recommendations_that_open_decisions_need_stay():
    log = MemoryLog(capacity=2)
    for index in range(5):
        unit = log.begin()
        unit.publish("recommendations", 0, b"u", b"r%d" % index)
        unit.commit({0: Progress(next={}, low={"recommendations": 1})})
    assert [record.offset for record in log.read("recommendations", 0, 0, 10)] == [1, 2, 3, 4]
    unit = log.begin()
    unit.publish("recommendations", 0, b"u", b"r5")
    unit.commit({0: Progress(next={}, low={"recommendations": 5})})
    assert [record.offset for record in log.read("recommendations", 0, 0, 10)] == [4, 5]
    assert log.evicted["recommendations"] == 4, "none of them was seen by the world"


def test_reset_goes_back_to_the_start():
    log = MemoryLog(capacity=2, policy="drop")

    def run() -> list[object]:
        for index in range(3):
            log.append(impression(index))
        records = log.poll(10, 0)
        unit = log.begin()
        unit.publish("outcomes", 0, b"u", b"o")
        published = unit.commit({0: Progress(next={"impressions": 2})})
        return [records, published, log.dropped, log.progress(0), log.end("outcomes", 0)]

    first = run()
    log.reset()
    assert (log.dropped, log.progress(0), log.poll(10, 0), log.end("outcomes", 0)) == (0, None, [], 0)
    assert run() == first


def test_a_unit_from_before_a_reset_cannot_commit():
    log = MemoryLog()
    unit = log.begin()
    log.reset()
    with pytest.raises(StreamError, match="reset"):
        unit.commit({})


def test_record_time_is_event_time_without_a_clock_and_the_clocks_with_one():
    log = MemoryLog()
    log.append(impression(5))
    log.append_raw("clicks", b"u", b"bad")
    assert [record.timestamp_ms for record in log.poll(10, 0)] == [1_005, 1_005]
    clocked = MemoryLog(clock=iter([7, 8]).__next__)
    clocked.append(impression(5))
    assert [record.timestamp_ms for record in clocked.poll(10, 0)] == [7]


def test_a_reader_of_some_partitions_gets_only_theirs():
    log = MemoryLog(partitions=4, assignment=[1, 3])
    for index in range(40):
        log.append(impression(index, f"u{index}"))
    assert log.assignment() == {1, 3}
    assert {record.partition for record in log.poll(100, 0)} == {1, 3}
    assert {place.partition for place in log.lag()} == {1, 3}


def test_poll_waits_for_a_record_of_another_thread():
    log = MemoryLog()
    writer = threading.Timer(0.05, log.append, [impression(0)])
    writer.start()
    assert len(log.poll(10, timeout_ms=10_000)) == 1
    writer.join()


def test_a_log_without_room_or_partitions_is_refused():
    with pytest.raises(StreamError, match="at least 1; got 0"):
        MemoryLog(partitions=0)
