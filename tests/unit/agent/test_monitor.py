"""The watch over propensities: weights by hand, its interval by hand, what it counts, and its days."""

import math

import numpy as np
import pytest

from agent.monitor import DAY_S, PropensityMonitor, Shown, Sums, count_weights, target_weights
from envs.decision import Decision
from stream.meter import Tally


def shown(*probabilities, index=0, propensity=None):
    """One decision."""
    values = np.array(probabilities)
    logged = values[index] if propensity is None else propensity
    return Shown(values, np.array([len(values)]), np.array([index]), np.array([logged]))


def decision(probabilities, index=0, propensity=0.5):
    return Decision(
        slate=(index,),
        propensities=(propensity,),
        scores=(None,),
        probabilities=probabilities,
        greedy_probability=None,
        strategy="test",
        policy_version="0.0",
        seed=0,
    )


def counted(mean, count=10_000.0, deviation=100.0):
    """What runners would count of weights with this mean."""
    return Tally(
        counters={
            ("propensity_decisions", ""): count,
            ("propensity_weight", "greedy"): mean * count,
            ("propensity_weight", "tempered"): count,
            ("propensity_deviation", "greedy"): deviation,
        }
    )


# Weights


@pytest.mark.parametrize(
    ("probabilities", "index", "greedy", "tempered"),
    [
        # greedy: 1 / .64 where the best is shown. tempered: (.8, .6) / 1.4 over (.64, .36)
        ((0.64, 0.36), 0, 1 / 0.64, 0.8 / 1.4 / 0.64),
        ((0.64, 0.36), 1, 0.0, 0.6 / 1.4 / 0.36),
        # 1 / .25 exceeds 2 by as much that a third of it is left: 1 + (4 - 1) / 3, and 1 - 1 / 3
        ((0.25, 0.25, 0.25, 0.25), 0, 2.0, 1.0),
        ((0.25, 0.25, 0.25, 0.25), 3, 1 - 1 / 3, 1.0),
        ((1.0,), 0, 1.0, 1.0),
    ],
)
def test_weights_by_hand(probabilities, index, greedy, tempered):
    found = target_weights(shown(*probabilities, index=index))
    assert found["greedy"].tolist() == pytest.approx([greedy])
    assert found["tempered"].tolist() == pytest.approx([tempered])


def test_a_propensity_that_is_too_high_or_too_low_moves_every_weight_by_as_much():
    for factor in (0.9, 1.1):
        right, wrong = (target_weights(shown(0.7, 0.3, propensity=0.7 * f)) for f in (1.0, factor))
        for target in right:
            assert wrong[target] == pytest.approx(right[target] / factor)


def test_no_weight_exceeds_two_whatever_was_logged():
    found = target_weights(shown(0.9, 0.1, index=1, propensity=1e-300))
    assert max(weight_B.max() for weight_B in found.values()) <= 2.0


# What is counted


def test_sums_are_counted_for_what_is_known_of_a_decision():
    meter = Tally()
    known = [decision((0.5, 0.5)), decision((0.2, 0.8), 1, 0.8), decision((0.5, 0.5), 1)]
    unknown = [decision(None), decision((0.5, 0.5), 0, None)]
    count_weights([*known, *unknown], meter)
    assert meter.total("propensity_decisions") == 3
    greedy = [2.0, 1.25, 0.0]  # the first of equals is the greedy one
    assert meter.counters["propensity_weight", "greedy"] == pytest.approx(sum(greedy))
    assert meter.counters["propensity_deviation", "greedy"] == pytest.approx(sum((w - 1) ** 2 for w in greedy))


def test_where_nothing_is_known_nothing_is_counted():
    meter = Tally()
    count_weights([decision(None)], meter)
    count_weights([], meter)
    assert meter.counters == {}


# The interval


def test_the_interval_by_hand():
    # no deviation: the boldest of nine bets, 1/2, draws the nearest line: ln(2 * 9 / alpha) / (1/2)
    low, high = Sums(count=1_000.0, weight=1_000.0).interval(alpha=0.01)
    radius = 2 * math.log(1_800) / 1_000
    assert (low, high) == pytest.approx((1 - radius, 1 + radius))


def test_the_interval_narrows_nearly_with_the_root_of_the_count():
    widths = [np.diff(Sums(n, n, 0.1 * n).interval(0.001))[0] for n in (1e4, 1e6)]
    assert widths[0] / widths[1] == pytest.approx(10, rel=0.1)


def test_without_a_decision_anything_is_possible():
    assert Sums().interval(0.001) == (0.0, 2.0)
    assert PropensityMonitor().interval("greedy") == (0.0, 2.0)


# Days and runners


def test_the_alarm_is_raised_once_and_stays_for_the_day():
    monitor = PropensityMonitor()
    assert [monitor.absorb(counted(mean), 0.0) for mean in (1.0, 1.05, 1.05)] == [False, True, False]
    assert monitor.absorb(counted(0.90, 20_000.0), 1.0) is False  # the mean is 1 again
    assert monitor.alarmed


def test_a_new_day_starts_anew():
    monitor = PropensityMonitor()
    monitor.absorb(counted(1.05), 5.0)
    monitor.absorb(Tally(), 5.0 + DAY_S - 1)
    assert (monitor.alarmed, monitor.sums["greedy"].count) == (True, 10_000.0)
    monitor.absorb(counted(1.0, 10.0), 5.0 + DAY_S)
    assert (monitor.alarmed, monitor.sums["greedy"].count) == (False, 10.0)
    assert monitor.absorb(counted(1.05), 6.0 + DAY_S)


def test_runners_add_up_and_a_monitor_goes_on_from_the_sums_of_another():
    one = PropensityMonitor()
    for mean in (1.01, 1.02):
        one.absorb(counted(mean), 0.0)
    both = counted(1.01)
    both.merge(counted(1.02))
    other = PropensityMonitor()
    other.absorb(both, 0.0)
    after = PropensityMonitor(sums=one.sums)
    assert one.interval("greedy") == pytest.approx(other.interval("greedy"))
    assert after.interval("greedy") == one.interval("greedy")


@pytest.mark.parametrize("alpha", [0.0, 1.0, float("nan")])
def test_alpha_is_a_probability(alpha):
    with pytest.raises(ValueError, match=f"monitor alpha must lie between 0 and 1; got {alpha}"):
        PropensityMonitor(alpha)
