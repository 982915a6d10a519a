"""What the endpoint shows of the cost of exploring."""

import pytest

from deploy.metrics import Metrics
from stream.meter import Tally

NAMES = ("exploration_cost_day", "exploration_cost_day_low", "exploration_cost_day_high")


class Timer:
    """Seconds that pass only when a test says so."""

    def __init__(self):
        self.now_s = 0.0

    def __call__(self):
        return self.now_s


def counted(lost, won, variance):
    tally = Tally()
    tally.count("lost_reward", lost, label="lost")
    tally.count("lost_reward", won, label="won")
    tally.count("lost_reward_variance", variance)
    return tally


def values(metrics):
    return [metrics.registry.get_sample_value(f"streambandit_{name}") for name in NAMES]


def test_the_cost_of_a_day_is_the_sum_over_runners_and_hours_with_its_interval():
    timer = Timer()
    metrics = Metrics(timer=timer)
    metrics.absorb(counted(5.0, 1.0, 3.0), source="1")
    timer.now_s = 7_200.0
    metrics.absorb(counted(4.0, 2.0, 6.0), source="2")
    # 4 and 2 are lost, with a variance of 3 + 6: 6 and 1.96 * 3 around it
    assert values(metrics) == pytest.approx([6.0, 0.12, 11.88])


def test_after_a_day_it_is_forgotten():
    timer = Timer()
    metrics = Metrics(timer=timer)
    metrics.absorb(counted(5.0, 1.0, 4.0))
    timer.now_s = 86_399.0
    assert values(metrics)[0] == 4.0
    timer.now_s = 90_001.0
    assert values(metrics) == [0.0, 0.0, 0.0]


def test_sums_by_sign_never_fall():
    metrics = Metrics()
    metrics.absorb(counted(5.0, 1.0, 4.0))
    lost, won = (
        metrics.registry.get_sample_value("streambandit_exploration_lost_reward_total", {"sign": sign})
        for sign in ("lost", "won")
    )
    assert (lost, won) == (5.0, 1.0)
