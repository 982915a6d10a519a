"""The queue between a runner's deciding thread and the driver: bounded in rows, and nothing falls out of it."""

import threading

from support.histories import handed
from support.looks import look

from agent.click_delays import ClickDelay
from agent.open_evidence import Mark
from agent.rllib.handover import Handover, HandoverQueue
from stream.meter import Tally


def part(partition, start, stop, decisions=1.0):
    resolved, spans = handed(partition, start, stop)
    return Handover(resolved, spans, Tally(counters={("decisions", ""): decisions}))


def counts(decisions):
    return Handover(tally=Tally(counters={("decisions", ""): decisions}))


def test_it_gives_what_it_got_in_order():
    queue = HandoverQueue(100)
    parts = [part(0, 0, 3), part(0, 3, 5), part(1, 0, 1)]
    assert all(queue.put(each, 0.0) for each in parts)
    assert queue.rows == 4 + 2 + 2
    joined = Handover.joined(queue.take(100, 1, 0.0))
    assert joined.resolved.offset_R.tolist() == [0, 0, 2, 2, 4, 4, 0, 0]
    assert joined.spans == ((0, 0, 3), (0, 3, 5), (1, 0, 1))
    assert joined.tally.total("decisions") == 3
    assert (queue.rows, bool(queue)) == (0, False)


def test_a_full_queue_makes_the_decider_wait_until_rows_are_taken():
    queue = HandoverQueue(limit_rows=6)
    assert queue.put(part(0, 0, 3), 0.0)
    assert not queue.put(part(0, 3, 9), 0.01)
    waiting = threading.Thread(target=queue.put, args=(part(0, 3, 9), 30.0))
    waiting.start()
    assert [each.rows for each in queue.take(100, 1, 0.0)] == [4]
    waiting.join(30)
    assert not waiting.is_alive()
    assert queue.rows == 6


def test_a_look_does_not_wait_for_rows():
    queue, seen = HandoverQueue(100), look(1, [0, 1])
    queue.put(part(0, 0, 3), 0.0)
    queue.put(Handover(look=seen), 0.0)
    taken = Handover.joined(queue.take(100, 6, 30.0))
    assert (taken.rows, taken.look) == (4, seen)
    assert queue.take(100, 6, 0.01) == []  # it presses once


def test_a_driver_that_lacks_rows_waits_for_as_many_as_there_is_room_for():
    queue, taken = HandoverQueue(100), []
    queue.put(part(0, 0, 3), 0.0)
    waiting = threading.Thread(target=lambda: taken.extend(queue.take(100, 6, 30.0)))
    waiting.start()
    waiting.join(0.05)
    assert waiting.is_alive()
    queue.put(part(0, 3, 5), 0.0)
    waiting.join(30)
    assert [each.rows for each in taken] == [4, 2]
    queue.put(part(0, 5, 9), 0.0)
    assert [each.rows for each in queue.take(4, 100, 30.0)] == [4]
    queue.put(part(0, 9, 11), 0.0)
    assert [each.rows for each in queue.take(100, 100, 0.01)] == [2]  # what there is, where no more comes in time


def test_a_driver_that_waits_for_more_takes_what_there_is_when_the_decider_has_no_room():
    queue, taken = HandoverQueue(limit_rows=6), []
    queue.put(part(0, 0, 3), 0.0)
    waiting = threading.Thread(target=lambda: taken.extend(queue.take(100, 50, 30.0)))
    waiting.start()
    assert queue.put(part(0, 3, 9), 30.0)
    waiting.join(30)
    assert [each.rows for each in taken] == [4]
    assert queue.rows == 6


def test_a_hand_over_larger_than_the_bound_passes_alone():
    queue = HandoverQueue(limit_rows=2)
    assert queue.put(part(0, 0, 9), 0.0)
    assert not queue.put(part(0, 9, 11), 0.01)
    assert len(queue.take(1, 1, 0.0)) == 1


def test_counts_alone_do_not_make_it_grow_and_pass_a_full_one():
    queue = HandoverQueue(limit_rows=4)
    queue.put(part(0, 0, 3), 0.0)
    assert all(queue.put(counts(1.0), 0.0) for _ in range(1_000))
    (only,) = queue.take(100, 1, 0.0)
    assert (only.rows, only.tally.total("decisions")) == (4, 1_001)


def test_a_driver_without_room_gets_counts_only():
    queue = HandoverQueue(100)
    queue.put(counts(1.0), 0.0)
    queue.put(part(0, 0, 3), 0.0)
    assert [each.rows for each in queue.take(0, 1, 0.0)] == [0]
    assert [each.rows for each in queue.take(1, 1, 0.0)] == [4]  # with a little room at least one comes


def test_a_driver_with_room_for_some_gets_some():
    queue = HandoverQueue(100)
    for start in (0, 4, 8):
        queue.put(part(0, start, start + 4), 0.0)
    assert [each.rows for each in queue.take(8, 1, 0.0)] == [4, 4]
    assert queue.rows == 4


def test_of_looks_the_newest_arrives_and_they_take_no_room():
    queue = HandoverQueue(limit_rows=4)
    queue.put(part(0, 0, 3), 0.0)
    for number in range(3):
        assert queue.put(Handover(look=number), 0.0)
    assert queue.put(counts(1.0), 0.0)
    (only,) = queue.take(100, 1, 0.0)
    assert (only.rows, only.look) == (4, 2)


def test_delays_and_marks_arrive_in_order_and_marks_do_not_pile_up():
    delays = [ClickDelay(0, offset, 5.0, 9.0) for offset in (2, 4)]
    parts = [
        Handover(clicks=(delay,), marks=(Mark(0, 3, closed_ms), Mark(1, 8, 1)))
        for closed_ms, delay in enumerate(delays)
    ]
    joined = Handover.joined([*parts, Handover(marks=(Mark(0, 5, 7),))])
    assert joined.clicks == tuple(delays)
    assert joined.marks == (Mark(0, 3, 1), Mark(1, 8, 1), Mark(0, 5, 7))
