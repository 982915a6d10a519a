"""IPS, SNIPS and clipped IPS: sums worked by hand, and errors that name the thing, the rule and the value.

The log of four: rewards 1 0 1 0, propensities .5 .5 .25 .25, target .5, so that weights are 1 1 2 2.
"""

import subprocess
import sys

import pytest

from agent.evaluation import EvaluationError, clipped_ips, ips, snips

LOG = ([1, 0, 1, 0], [0.5, 0.5, 0.25, 0.25], [0.5, 0.5, 0.5, 0.5])
ESTIMATORS = (ips, snips, clipped_ips)


def test_ips_is_the_mean_of_weighted_rewards():
    # 1 0 2 0: mean .75; squared deviations .0625 + .5625 + 1.5625 + .5625 = 2.75, over 4 * 3
    estimate = ips(*LOG)
    assert estimate.value == 0.75
    assert estimate.std_error == pytest.approx((2.75 / 12) ** 0.5)
    assert estimate.effective_sample_size == pytest.approx(6**2 / (1 + 1 + 4 + 4))
    assert estimate.effective_clicks == pytest.approx(3**2 / (1 + 4))


def test_snips_divides_by_the_sum_of_weights_and_its_error_is_that_of_a_ratio():
    # 3 / 6; each moves it by w (r - .5) / 1.5: .5 -.5 1 -1 over 1.5, squares 2.5 / 2.25, over 4 * 3
    estimate = snips(*LOG)
    assert estimate.value == 0.5
    assert estimate.std_error == pytest.approx((2.5 / 2.25 / 12) ** 0.5)
    assert estimate.effective_sample_size == pytest.approx(3.6)


def test_clipped_ips_takes_no_weight_above_the_clip_and_says_what_it_left_out():
    # weights 1 1 1.5 1.5: 1 0 1.5 0, mean .625; squared deviations 1.6875, over 12; (.5 + .5) / 4 of weight left out
    estimate = clipped_ips(*LOG, clip=1.5)
    assert estimate.value == 0.625
    assert estimate.std_error == pytest.approx(0.375)
    assert estimate.effective_sample_size == pytest.approx(3.6)
    assert "weights were clipped at 1.5: 0.25 of the mean weight is left out" in estimate.warning
    assert "clipped" not in clipped_ips(*LOG, clip=2.0).warning


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize(
    ("log", "message"),
    [
        (
            ([1, 0], [0.5, 0.5, 0.5], [0.5, 0.5]),
            r"logging_propensity_N must have the shape of reward_N, \(2,\); got \(3,",
        ),
        (([1, 0], [0.5, 0.5], [0.5]), r"target_propensity_N must have the shape of reward_N, \(2,\); got \(1,\)"),
        (([], [], []), r"reward_N must hold at least one decision; got the shape \(0,\)"),
        (([[1, 0]], [0.5, 0.5], [0.5, 0.5]), r"reward_N must have 1 axes; got the shape \(1, 2\)"),
        ((["a", "b"], [0.5, 0.5], [0.5, 0.5]), "reward_N must hold numbers"),
        (([1, float("nan")], [0.5, 0.5], [0.5, 0.5]), "reward_N must be finite; got nan at 1"),
        (([1, 0], [0.5, None], [0.5, 0.5]), "logging_propensity_N must be finite; got nan at 1"),
        (([1, 0], [0.5, 0.0], [0.5, 0.5]), r"logging_propensity_N must lie in \(0, 1\]; got 0.0 at 1"),
        (([1, 0], [1.5, 0.5], [0.5, 0.5]), r"logging_propensity_N must lie in \(0, 1\]; got 1.5 at 0"),
        (([1, 0], [1e-200, 0.5], [0.5, 0.5]), "logging_propensity_N must be at least 1e-100; got 1e-200"),
        (([1, 0], [0.5, 0.5], [0.5, 1.25]), r"target_propensity_N must lie in \[0, 1\]; got 1.25 at 1"),
        (([1, 0], [0.5, 0.5], [-0.5, 0.5]), r"target_propensity_N must lie in \[0, 1\]; got -0.5 at 0"),
    ],
)
def test_bad_input_is_refused_by_name_rule_and_value(estimator, log, message):
    with pytest.raises(EvaluationError, match=message):
        estimator(*log)


@pytest.mark.parametrize("clip", [0.5, float("nan")])
def test_a_clip_below_one_is_refused(clip):
    with pytest.raises(EvaluationError, match=f"clip must be a number of at least 1; got {clip}"):
        clipped_ips(*LOG, clip=clip)


def test_a_target_that_shows_nothing_of_the_log_is_told_or_refused():
    nothing = ([1, 0], [0.5, 0.5], [0.0, 0.0])
    estimate = ips(*nothing)
    assert (estimate.value, estimate.lower, estimate.upper, estimate.effective_sample_size) == (0.0, 0.0, 1.0, 0.0)
    assert "gives every logged action the probability 0" in estimate.warning
    with pytest.raises(EvaluationError, match="target_propensity_N must be above 0 for some decision; got 0 for all 2"):
        snips(*nothing)


def test_evaluation_loads_neither_torch_nor_ray():
    code = "import agent.evaluation, sys; sys.exit(bool({'torch', 'ray', 'scipy'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
