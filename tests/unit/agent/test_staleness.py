"""How old feedback is when it first decides."""

import pytest

from agent.resolved import Span
from agent.rllib.staleness import Knows, Staleness
from stream.meter import Tally


@pytest.fixture
def tally():
    return Tally()


@pytest.fixture
def staleness(tally):
    return Staleness(tally)


def told(tally, name):
    """How many values were observed, and their sum in milliseconds."""
    found = tally.histograms.get(name)
    return (0, 0.0) if found is None else (sum(found.buckets), pytest.approx(found.total))


def test_an_outcome_is_as_old_as_the_time_from_its_close_to_weights_that_learned_it(staleness, tally):
    staleness.closed([Span(0, 0, 2), Span(1, 7, 8), Span(2, 5, 5)], now_s=10.0)  # the last one holds none
    staleness.closed([Span(0, 2, 3)], now_s=10.5)
    staleness.swapped(Knows(learned={0: 2, 1: 7}), runner=1, now_s=11.0)
    assert told(tally, "outcome_staleness_ms") == (2, 2_000.0)
    staleness.swapped(Knows(learned={0: 3, 1: 8, 2: 5}), runner=1, now_s=12.0)
    assert told(tally, "outcome_staleness_ms") == (4, 2_000.0 + 1_500.0 + 2_000.0)
    staleness.swapped(Knows(learned={0: 3, 1: 8, 2: 5}), runner=1, now_s=20.0)  # each is told once
    assert told(tally, "outcome_staleness_ms")[0] == 4


def test_a_click_decides_with_the_first_look_after_it_that_the_weights_hold(staleness, tally):
    staleness.joined(2, now_s=1.0)
    staleness.joined(0, now_s=1.1)
    staleness.looked(1)
    staleness.joined(3, now_s=1.5)  # after the look: the next one has them
    staleness.swapped(Knows(looks={1: 0, 2: 9}), runner=1, now_s=2.0)  # another runner's look is not this one's
    assert told(tally, "click_staleness_ms") == (0, 0.0)
    staleness.swapped(Knows(looks={1: 1}), runner=1, now_s=2.0)
    assert told(tally, "click_staleness_ms") == (2, 2_000.0)
    staleness.looked(2)
    staleness.swapped(Knows(looks={1: 2}), runner=1, now_s=2.5)
    assert told(tally, "click_staleness_ms") == (5, 2_000.0 + 3_000.0)


def test_weights_that_say_nothing_tell_nothing(staleness, tally):
    staleness.closed([Span(0, 0, 2)], now_s=1.0)
    staleness.joined(1, now_s=1.0)
    staleness.looked(1)
    staleness.swapped(Knows(), runner=1, now_s=5.0)
    assert tally.histograms == {}
