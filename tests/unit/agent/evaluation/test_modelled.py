"""DM, DR, SNDR, Switch-DR and DR with optimistic shrinkage: sums worked by hand, and errors.

The log of three: weights 1.5 1 2; residuals r - q of what was logged .5 -.4 .75, weighted .75 -.4 1.5; what the model
expects of the target .4 .3 .25, mean .95 / 3.
"""

import math

import numpy as np
import pytest

from agent.evaluation import EvaluationError, ModelledLog, dm, dr, dr_os, sndr, switch_dr

TARGET_NK = [[0.75, 0.25], [0.5, 0.5], [1.0, 0.0]]
Q_NK = [[0.5, 0.1], [0.2, 0.4], [0.25, 0.9]]
LOG = ([1, 0, 1], [0, 1, 0], [0.5, 0.5, 0.5], TARGET_NK, Q_NK)
CORRECTED = (dr, sndr, switch_dr, dr_os)


def test_dm_is_what_the_model_expects():
    # deviations .25 -.05 -.2 over 3: squares (.0625 + .0025 + .04) / 9, over 3 * 2
    estimate = dm(TARGET_NK, Q_NK)
    assert estimate.value == pytest.approx(0.95 / 3)
    assert estimate.std_error == pytest.approx((0.105 / 9 / 6) ** 0.5)
    assert (estimate.effective_sample_size, estimate.effective_clicks) == (3.0, None)
    assert estimate.warning == "effective sample size 3 is below 100"


def test_dr_adds_the_mean_weighted_residual():
    # terms 1.15 -.1 1.75, mean 2.8 / 3; squared deviations .04694 + 1.06778 + .66694, over 6
    estimate = dr(*LOG)
    assert estimate.value == pytest.approx(2.8 / 3)
    assert estimate.std_error == pytest.approx((1.781667 / 6) ** 0.5, rel=1e-6)
    assert estimate.effective_sample_size == pytest.approx(4.5**2 / (2.25 + 1 + 4))
    assert estimate.effective_clicks == pytest.approx(3.5**2 / (2.25 + 4))


def test_sndr_divides_the_residuals_by_the_sum_of_weights():
    # ratio 1.85 / 4.5 = .41111; moved by .08889 -.54074 .45185 plus .08333 -.01667 -.06667
    estimate = sndr(*LOG)
    assert estimate.value == pytest.approx(0.95 / 3 + 1.85 / 4.5)
    assert estimate.std_error == pytest.approx(((0.1722222**2 + 0.5574074**2 + 0.3851852**2) / 6) ** 0.5, rel=1e-6)


def test_switch_dr_leaves_large_weights_to_the_model():
    assert switch_dr(*LOG, threshold=1.5).value == pytest.approx(0.95 / 3 + (0.75 - 0.4) / 3)
    assert switch_dr(*LOG, threshold=0.0).value == pytest.approx(dm(TARGET_NK, Q_NK).value)
    assert switch_dr(*LOG).value == dr(*LOG).value


def test_dr_os_shrinks_weights():
    # 2 w / (w^2 + 2): 3 / 4.25, 2 / 3, 4 / 6
    corrected = 3 / 4.25 * 0.5 - 2 / 3 * 0.4 + 4 / 6 * 0.75
    assert dr_os(*LOG, shrinkage=2.0).value == pytest.approx(0.95 / 3 + corrected / 3)
    assert dr_os(*LOG, shrinkage=0.0).value == pytest.approx(dm(TARGET_NK, Q_NK).value)
    assert dr_os(*LOG, shrinkage=math.inf).value == dr(*LOG).value


def test_rows_give_what_arrays_over_candidates_give():
    rows = ModelledLog.of([1, 0, 1], [0.5, 0.5, 0.5], [0.75, 0.5, 1.0], [0.5, 0.4, 0.25], [0.4, 0.3, 0.25])
    for one, other in ((rows.dr(), dr(*LOG)), (rows.sndr(), sndr(*LOG)), (rows.switch_dr(1.0), switch_dr(*LOG, 1.0))):
        assert (one.value, one.std_error) == pytest.approx((other.value, other.std_error))
    assert rows.dr_os(3.0).upper == pytest.approx(dr_os(*LOG, 3.0).upper)
    assert rows.dm().value == pytest.approx(dm(TARGET_NK, Q_NK).value)


def test_dm_over_a_log_tells_that_its_model_is_wrong():
    reward_N, half_N = np.arange(1_000) % 2, np.full(1_000, 0.5)
    right, wrong = half_N, np.full(1_000, 0.8)
    fitting = ModelledLog.of(reward_N, half_N, half_N, right, right).dm()
    assert fitting.warning == "the model is off by 0 ± 0.02 on the target policy, the interval leaves that out"
    estimate = ModelledLog.of(reward_N, half_N, half_N, wrong, wrong).dm()
    assert "the model is off by -0.3 ± 0.02 on the target policy" in estimate.warning


@pytest.mark.parametrize("estimator", CORRECTED)
@pytest.mark.parametrize(
    ("place", "values", "message"),
    [
        (0, [1, 0], r"logging_propensity_N must have the shape of reward_N, \(2,\); got \(3,\)"),
        (1, [0, 2, 0], r"action_N must be whole numbers in 0\.\.1; got 2.0 at 1"),
        (1, [0, 0.5, 0], r"action_N must be whole numbers in 0\.\.1; got 0.5 at 1"),
        (1, [0, 1], r"action_N must have the shape of target_probs_NK rows, \(3,\); got \(2,\)"),
        (2, [0.5, 0.0, 0.5], r"logging_propensity_N must lie in \(0, 1\]; got 0.0 at 1"),
        (3, [[0.7, 0.2], [0.5, 0.5], [1.0, 0.0]], "target_probs_NK must sum to 1 in every row; got 0.[89]"),
        (3, [[1.2, -0.2], [0.5, 0.5], [1.0, 0.0]], r"target_probs_NK must lie in \[0, 1\]; got 1.2 at \(0, 0\)"),
        (4, [[0.5, math.inf], [0.2, 0.4], [0.25, 0.9]], r"q_hat_NK must be finite; got inf at \(0, 1\)"),
        (4, [[0.5], [0.2], [0.25]], r"q_hat_NK must have the shape of target_probs_NK, \(3, 2\); got \(3, 1\)"),
        (4, [[0.5, 0.1], [0.2]], "q_hat_NK must hold numbers in rows of one length"),
        (4, [0.5, 0.2, 0.25], r"q_hat_NK must have 2 axes; got the shape \(3,\)"),
    ],
)
def test_bad_input_is_refused_by_name_rule_and_value(estimator, place, values, message):
    log = list(LOG)
    log[place] = values
    with pytest.raises(EvaluationError, match=message):
        estimator(*log)


@pytest.mark.parametrize(("estimator", "name"), [(switch_dr, "threshold"), (dr_os, "shrinkage")])
@pytest.mark.parametrize("value", [-1.0, math.nan])
def test_an_option_below_zero_is_refused(estimator, name, value):
    with pytest.raises(EvaluationError, match=f"{name} must be a number of at least 0; got {value}"):
        estimator(*LOG, value)


def test_rows_of_other_lengths_are_refused():
    with pytest.raises(EvaluationError, match=r"q_target_N must have the shape of reward_N, \(1,\); got \(2,\)"):
        ModelledLog.of([1], [0.5], [0.5], [0.5], [0.5, 0.5])


def test_what_large_weights_say_of_the_model_is_told_where_they_are_left_out():
    # 40 rewards of 400 have the weight 20 and earn 1 where the model expects 0: 40 x 20 / 400 = 2 is left out
    large_N = np.arange(400) < 40
    log = ModelledLog.of(
        large_N, np.where(large_N, 0.05, 0.5), np.where(large_N, 1.0, 0.5), np.zeros(400), np.zeros(400)
    )
    # deviation of 20 in a tenth: 20 x sqrt(.1 x .9) / sqrt(399)
    assert "without large weights the value is off by 2 ± 0.3 on the target policy" in log.switch_dr().warning
    # w' = 20 / (1 + 400 / 10): 20 - .488 is left out of each
    assert "with shrunk weights the value is off by 2 ± 0.3 on the target policy" in log.dr_os().warning
    assert "is off by" not in log.dr().warning
    assert log.dr().value == log.switch_dr().value + 2.0


def test_a_bias_that_is_smaller_than_the_error_is_not_worth_a_word():
    half_N = np.full(1_000, 0.5)
    log = ModelledLog.of(np.arange(1_000) % 2, half_N, half_N, half_N, half_N)
    assert log.switch_dr().warning is None
    assert log.dr_os().warning is None
