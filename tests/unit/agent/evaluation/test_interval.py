"""Intervals and warnings: normal in a large log, that of a count with few clicks, wide where one decision counts."""

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.stats import poisson

from agent.evaluation import Estimate, EvaluationError, clipped_ips, dm, ips, sndr, snips, with_support
from agent.evaluation.interval import student_quantile


def clicks_of(clicks, decisions):
    """A log of equal weights with so many clicks."""
    return (np.arange(decisions) < clicks).astype(float), np.full(decisions, 0.5), np.full(decisions, 0.5)


@pytest.mark.parametrize("estimator", [ips, snips, clipped_ips])
def test_a_log_that_is_large_enough_has_a_normal_interval_and_no_warning(estimator):
    estimate = estimator(*clicks_of(400, 1_000))
    assert estimate.upper - estimate.value == pytest.approx(1.959964 * estimate.std_error)
    assert estimate.value - estimate.lower == pytest.approx(1.959964 * estimate.std_error)
    assert estimate.warning is None


@pytest.mark.parametrize("estimator", [ips, snips, clipped_ips])
@pytest.mark.parametrize(
    ("clicks", "lower", "upper"),  # exact intervals of a Poisson count (Garwood, 1936)
    [(0, 0.0, 3.689), (1, 0.0253, 5.572), (3, 0.619, 8.767), (10, 4.795, 18.39), (25, 16.18, 36.90)],
)
def test_few_clicks_have_the_interval_of_a_count(estimator, clicks, lower, upper):
    estimate = estimator(*clicks_of(clicks, 100_000))
    assert estimate.upper * 100_000 == pytest.approx(upper, rel=0.02)
    assert estimate.lower * 100_000 == pytest.approx(lower, rel=0.02, abs=0.05)
    assert f"effective clicks {clicks} are below 30" in estimate.warning


def test_an_unseen_click_has_the_mean_weight_under_the_target():
    # weights 1.5 and .5 in turn: (2.25 + .25) / 2 = 1.25; 3.7 such clicks may have been missed
    half_N = np.full(400, 0.5)
    estimate = ips(np.zeros(400), half_N, np.where(np.arange(400) % 2, 0.75, 0.25))
    assert (estimate.value, estimate.lower) == (0.0, 0.0)
    assert estimate.upper == pytest.approx(3.689 * 1.25 / 400, rel=0.02)


def test_the_unseen_click_also_widens_a_corrected_model():
    reward_N, action_N, half_N = np.zeros(1_000), np.zeros(1_000, dtype=int), np.full(1_000, 0.5)
    estimate = sndr(reward_N, action_N, half_N, np.full((1_000, 2), 0.5), np.full((1_000, 2), 0.25))
    assert estimate.value == pytest.approx(0.0)
    assert 0.002 < estimate.upper < 0.005


def test_one_decision_or_one_weight_tells_nothing():
    alone = ips([1], [0.5], [0.5])
    assert (alone.lower, alone.upper, alone.std_error) == (0.0, 1.0, np.inf)
    heavy = snips(np.eye(1_000)[0], np.full(1_000, 0.5), np.eye(1_000)[0])
    assert (heavy.lower, heavy.upper) == (0.0, 1.0)
    assert "one weight is 100% of the sum of all weights, more than 5%" in heavy.warning


def test_ends_are_cut_to_what_rewards_can_be():
    assert ips(*clicks_of(4, 4)).upper == 1.0
    assert 0.3 < ips(*clicks_of(4, 4)).lower < 1.0
    money = ips(3.0 * np.arange(10), np.full(10, 0.5), np.full(10, 0.5))
    assert money.upper > money.value > 1.0
    losses = ips([-1.0, 1.0, -1.0, 0.0], np.full(4, 0.5), np.full(4, 0.5))
    assert losses.lower < -1.0
    assert losses.lower + losses.upper == pytest.approx(2 * losses.value)


def test_fewer_decisions_than_a_hundred_have_students_interval():
    # 10 decisions, 9 degrees of freedom: 2.262
    expected_N1 = (np.arange(10) / 10 + 0.05)[:, None]
    estimate = dm(np.ones((10, 1)), expected_N1)
    assert estimate.upper - estimate.value == pytest.approx(2.262 * estimate.std_error, rel=1e-3)
    assert [student_quantile(degrees) for degrees in (2.0, 4.0, 30.0)] == pytest.approx([4.303, 2.776, 2.042], rel=0.01)


@pytest.mark.parametrize(("target", "below"), [(0.25, True), (0.75, False)])
def test_a_mean_weight_far_from_one_is_told(target, below):
    reward_N, half_N, _ = clicks_of(400, 1_000)
    target_N = np.where(np.arange(1_000) % 2, target, target - 0.05)
    warning = ips(reward_N, half_N, target_N).warning
    assert "standard errors" in warning
    assert ("may show what the log could not" in warning) == below


def test_a_target_outside_the_log_is_told():
    sure = Estimate(0.1, 0.01, 0.08, 0.12, 500.0)
    half_NK = np.full((4, 2), 0.5)
    assert with_support(sure, half_NK, half_NK) is sure
    warned = with_support(Estimate(0.1, 0.01, 0.08, 0.12, 5.0, "few"), [[1, 0], [0.5, 0.5]], [[0.5, 0.5], [0, 1]])
    assert warned.warning == (
        "few; the target policy puts 0.25 of its probability, in 1 of 2 decisions, on what the log could not show"
    )
    with pytest.raises(EvaluationError, match=r"target_probs_NK must have the shape of logging_probs_NK, \(4, 2\)"):
        with_support(sure, half_NK, [[1.0]])


@pytest.mark.parametrize("clicks", [31, 49, 80])
def test_from_thirty_clicks_on_the_interval_of_a_count_is_mid_p(clicks):
    """At each end half the probability of what was seen counts as more extreme (Lancaster, 1961)."""
    upper = brentq(lambda mean: poisson.cdf(clicks - 1, mean) + poisson.pmf(clicks, mean) / 2 - 0.025, clicks, 200)
    lower = brentq(lambda mean: poisson.sf(clicks, mean) + poisson.pmf(clicks, mean) / 2 - 0.025, 1, clicks)
    estimate = ips(*clicks_of(clicks, 100_000))
    assert estimate.upper * 100_000 == pytest.approx(upper, rel=0.005)
    assert estimate.lower * 100_000 == pytest.approx(lower, rel=0.005)
    assert estimate.warning is None
