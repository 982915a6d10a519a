"""Delays of clicks reach the update that learns their rows, once."""

import numpy as np
from support.open_worlds import OpenWorld

from agent.click_delays import ClickDelay, DelayBook
from stream.events import Outcome


def test_they_are_those_of_the_clicks_in_the_outcomes():
    world = OpenWorld()
    for _ in range(30):
        world.step()
    records = [(p, r) for p in (0, 1) for r in world.log.read("outcomes", p, 0, world.log.end("outcomes", p))]
    codec, expected = world.core.parts.codec, set()
    for partition, record in records:
        outcome = codec.decode(record.value, Outcome, record.headers)
        for slot, reward in zip(outcome.recommendation.slate, outcome.rewards, strict=True):
            clicked_ms = [c.ts_ms - outcome.impression.ts_ms for c in outcome.clicks if c.item_id == slot.item_id]
            if reward:
                expected.add(ClickDelay(partition, record.offset, float(min(clicked_ms)), 6_000.0))
    assert len(expected) > 5
    assert (set(world.clicks), len(world.clicks)) == (expected, len(expected))


def test_each_counts_once_with_its_rows():
    book = DelayBook()
    book.add([ClickDelay(0, 4, 10.0, 100.0), ClickDelay(0, 4, 20.0, 100.0), ClickDelay(1, 4, 30.0, 100.0)])
    book.add([ClickDelay(1, 4, 30.0, 100.0)])  # handed over again
    taken = book.take([(0, 3), (0, 4)])
    assert (taken.delay_ms_R.tolist(), taken.window_ms_R.tolist()) == ([10.0, 20.0], [100.0, 100.0])
    assert book.take([(0, 4)]).delay_ms_R.tolist() == []
    assert len(book) == 1


def test_what_was_learned_before_is_dropped():
    book = DelayBook()
    book.add([ClickDelay(0, 4, 10.0, 100.0), ClickDelay(0, 5, 20.0, 100.0), ClickDelay(1, 0, 30.0, 100.0)])
    book.forget({0: 5})
    np.testing.assert_array_equal(book.take([(0, 4), (0, 5), (1, 0)]).delay_ms_R, [20.0, 30.0])
