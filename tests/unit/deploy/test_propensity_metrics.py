"""What the endpoint shows of the watch over propensities."""

import logging

import pytest
from prometheus_client import generate_latest

from agent.monitor import DAY_S
from deploy.metrics import Metrics
from stream.meter import Tally


class Timer:
    """Seconds that pass only when a test says so."""

    def __init__(self):
        self.now_s = 0.0

    def __call__(self):
        return self.now_s


def counted(mean):
    """What a runner counts of 10,000 decisions: the greedy target's weights have this mean."""
    tally = Tally()
    tally.count("propensity_decisions", 10_000)
    for target, weight in (("greedy", mean), ("tempered", 1.0)):
        tally.count("propensity_weight", 10_000 * weight, label=target)
        tally.count("propensity_deviation", 100.0, label=target)
    return tally


def value(metrics, name, **labels):
    return metrics.registry.get_sample_value(f"streambandit_{name}", labels)


def test_before_anything_was_decided_no_mean_is_shown_and_no_alarm():
    metrics = Metrics()
    assert "streambandit_propensity_mean_weight{" not in generate_latest(metrics.registry).decode()
    assert (value(metrics, "propensity_alarm"), value(metrics, "propensity_alarms_total")) == (0, 0)


def test_the_weights_of_all_runners_are_shown_by_target():
    metrics = Metrics()
    metrics.absorb(counted(1.002), source="1")
    metrics.absorb(counted(0.998), source="2")
    for target in ("greedy", "tempered"):
        assert value(metrics, "propensity_mean_weight", target=target) == pytest.approx(1.0)
        assert 0.99 < value(metrics, "propensity_weight_low", target=target) < 1
        assert 1 < value(metrics, "propensity_weight_high", target=target) < 1.01
    assert value(metrics, "propensity_decisions_total") == 20_000
    assert value(metrics, "propensity_alarm") == 0


def test_an_alarm_is_logged_once_counted_once_and_shown_for_the_day(caplog):
    timer = Timer()
    metrics = Metrics(timer=timer)
    with caplog.at_level(logging.ERROR, "streambandit.metrics"):
        for _ in range(3):
            metrics.absorb(counted(1.05), source="1")
    (told,) = caplog.messages
    assert "greedy 1.0500 in [1.0" in told
    assert (value(metrics, "propensity_alarm"), value(metrics, "propensity_alarms_total")) == (1, 1)
    assert value(metrics, "propensity_weight_low", target="greedy") > 1
    timer.now_s = DAY_S
    metrics.absorb(counted(1.0), source="1")
    assert (value(metrics, "propensity_alarm"), value(metrics, "propensity_alarms_total")) == (0, 1)
    assert value(metrics, "propensity_mean_weight", target="greedy") == pytest.approx(1.0)
