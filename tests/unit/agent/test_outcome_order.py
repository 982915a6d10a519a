"""The one order of outcomes: by the time of their close, whatever the batches in which they come."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.outcome_order import OutcomeOrder
from envs.core import Closed
from stream.events import Candidate, Impression, Outcome, Recommendation, Slot
from stream.log import Published


def closed(closed_ms, partition, offset):
    ids = {"impression_id": f"{partition}/{offset}", "user_id": "u", "ts_ms": closed_ms - 10}
    shown = {"decision_id": "d", "slate": (Slot(item_id="a"),), "strategy": "s", "policy_version": "0.0"}
    outcome = Outcome(
        impression=Impression(candidates=(Candidate(item_id="a"),), **ids),
        recommendation=Recommendation(**ids, **shown),
        rewards=(0.0,),
        closed_ms=closed_ms,
    )
    return Closed(outcome, Published("outcomes", partition, offset))


def released(order):
    return [(each.outcome.closed_ms, each.position.partition, each.position.offset) for each in order.release()]


def test_of_one_partition_everything_goes_at_once():
    order = OutcomeOrder({3: 0})
    order.add([closed(100, 3, 0), closed(100, 3, 1), closed(120, 3, 5)])
    assert released(order) == [(100, 3, 0), (100, 3, 1), (120, 3, 5)]
    assert (order.following, len(order), released(order)) == ({3: 6}, 0, [])


def test_an_outcome_waits_for_a_partition_that_may_have_earlier_ones():
    order = OutcomeOrder({0: 0, 1: 0})
    order.add([closed(100, 0, 0), closed(200, 0, 1)])
    assert (released(order), order.lacking()) == ([], [1])
    order.add([closed(150, 1, 0)])
    assert released(order) == [(100, 0, 0), (150, 1, 0)]
    order.passed({1: 199})
    assert released(order) == []
    order.passed({1: 200})  # what closes there from now on closes later than 200
    assert released(order) == [(200, 0, 1)]


def test_at_one_time_the_lower_partition_goes_first():
    order = OutcomeOrder({0: 0, 1: 0})
    order.add([closed(100, 1, 0), closed(100, 0, 7), closed(100, 0, 8)])
    order.passed({0: 100, 1: 100})
    assert released(order) == [(100, 0, 7), (100, 0, 8), (100, 1, 0)]


def test_what_was_there_before_is_left_out():
    order = OutcomeOrder({0: 5})
    order.add([closed(100, 0, 4), closed(101, 0, 5), closed(101, 0, 5), closed(101, 0, 4)])
    assert released(order) == [(101, 0, 5)]
    order.reach({0: 9})
    order.add([closed(102, 0, 8), closed(103, 0, 9)])
    order.reach({0: 3})
    assert (released(order), order.following) == ([(103, 0, 9)], {0: 10})


@given(
    times=st.lists(st.lists(st.integers(1_000, 1_020), max_size=12).map(sorted), min_size=1, max_size=4),
    data=st.data(),
)
def test_whatever_the_batches_the_order_is_that_of_a_sort(times, data):
    streams = {p: [closed(ms, p, offset) for offset, ms in enumerate(each)] for p, each in enumerate(times)}
    order, found, left = OutcomeOrder(dict.fromkeys(streams, 0)), [], {p: list(s) for p, s in streams.items()}
    while any(left.values()):
        number = data.draw(st.sampled_from([p for p, s in left.items() if s]))
        count = data.draw(st.integers(1, len(left[number])))
        order.add(left[number][:count])
        del left[number][:count]
        # A commit says how far the partition has closed: to just before its next outcome, at most.
        most = left[number][0].outcome.closed_ms - 1 if left[number] else 2_000
        order.passed({number: data.draw(st.integers(999, most))})
        found += released(order)
    order.passed(dict.fromkeys(streams, 2_000))
    found += released(order)
    assert found == sorted((ms, p, offset) for p, each in enumerate(times) for offset, ms in enumerate(each))


def test_a_partition_that_it_does_not_know_is_an_error():
    with pytest.raises(KeyError):
        OutcomeOrder({0: 0}).add([closed(1_000, 1, 0)])
