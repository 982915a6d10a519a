"""Estimators for slates: sums worked by hand, and errors that name the thing, the rule and the value.

The log of two, two slots each: weights of the slots 1 2 and .5 1, so of the slates down to each 1 2 and .5 .5; rewards
1 1 and 0 1.
"""

import numpy as np
import pytest

from agent.evaluation import (
    EvaluationError,
    cascade_dr,
    independent_ips,
    independent_pseudo_inverse,
    pseudo_inverse,
    pseudo_inverse_weight,
    rips,
    slate_ips,
    without_replacement,
)

REWARD_NL = [[1, 1], [0, 1]]
LOG = (REWARD_NL, [[0.5, 0.5], [0.5, 1.0]], [[0.5, 1.0], [0.25, 1.0]])
SLOTWISE = (slate_ips, independent_ips, rips)


def test_slate_ips_weights_the_whole_reward_by_the_whole_slate():
    # 2 * 2 and .5 * 1: mean 2.25, deviations 1.75 each way over 2 * 1
    estimate = slate_ips(*LOG)
    assert estimate.value == 2.25
    assert estimate.std_error == pytest.approx((2 * 1.75**2 / 2) ** 0.5)
    assert estimate.effective_sample_size == pytest.approx(2.5**2 / (4 + 0.25))
    assert estimate.effective_clicks == pytest.approx(4.5**2 / (16 + 0.25))


def test_independent_ips_weights_each_slot_by_itself():
    # 1 + 2 and 0 + 1; the second slot has the fewest effective decisions, 9 / 5 as the first, of equals the first
    estimate = independent_ips(*LOG)
    assert estimate.value == 2.0
    assert estimate.effective_sample_size == pytest.approx(1.8)


def test_rips_weights_each_slot_by_those_down_to_it():
    # 1 * 1 + 2 * 1 and 0 + .5 * 1; normalised by the means .75 and 1.25: 1 / .75 / 2 + (2 + .5) / 1.25 / 2
    plain, normalised = rips(*LOG, normalised=False), rips(*LOG)
    assert plain.value == pytest.approx((3 + 0.5) / 2)
    assert normalised.value == pytest.approx(1 / 1.5 + 2.5 / 2.5)
    # each moves it by w / mean w * (r - value of the slot): 4/3 * (1 - 2/3) + 1.6 * 0 and 2/3 * (0 - 2/3) + .4 * 0
    assert normalised.std_error == pytest.approx((((4 / 9) ** 2 + (4 / 9) ** 2) / 2) ** 0.5)


def test_cascade_dr_corrects_the_model_slot_by_slot():
    # q .5 .25 and .5 1, v .75 .5 and .25 1
    # 1 * (1 - .5) + .75 + 2 * (1 - .25) + 1 * .5 = 3.25; .5 * (0 - .5) + .25 + .5 * (1 - 1) + .5 * 1 = .5
    estimate = cascade_dr(*LOG, [[0.5, 0.25], [0.5, 1.0]], [[0.75, 0.5], [0.25, 1.0]])
    assert estimate.value == pytest.approx((3.25 + 0.5) / 2)
    assert estimate.std_error == pytest.approx((2 * 1.375**2 / 2) ** 0.5)


def test_without_a_model_cascade_dr_is_rips():
    nothing_NL = np.zeros((2, 2))
    assert cascade_dr(*LOG, nothing_NL, nothing_NL).value == rips(*LOG, normalised=False).value


def test_a_perfect_model_leaves_no_error_of_the_weights():
    # what each slot earns is known for certain: .5 a slot
    earned_NL = np.full((2, 2), 0.5)
    on_NL = np.array([[1.0, 0.5], [1.0, 0.5]])  # what slots from here on earn together: v_1 is all of it
    estimate = cascade_dr(earned_NL, *LOG[1:], on_NL, on_NL)
    assert (estimate.value, estimate.std_error) == pytest.approx((1.0, 0.0))


def test_the_pseudo_inverse_of_independent_slots_adds_their_weights():
    # 1 + 2 - 1 and .5 + 1 - 1, times 2 and 1
    estimate = independent_pseudo_inverse([2, 1], *LOG[1:])
    assert estimate.value == pytest.approx((4 + 0.5) / 2)


def test_the_pseudo_inverse_of_two_items_by_hand():
    # slates ab, ba of probability p and 1 - p; G is block-wise rank 2, and the weight is that of the slate itself
    logging, target = without_replacement([0.8, 0.2], 2), without_replacement([0.5, 0.5], 2)
    weights = [pseudo_inverse_weight(shown, logging, target) for shown in ([0, 1], [1, 0])]
    assert weights == pytest.approx([0.5 / 0.8, 0.5 / 0.2])
    assert pseudo_inverse([1, 0], [[0, 1], [1, 0]], [logging] * 2, [target] * 2).value == pytest.approx(0.3125)


def test_the_pseudo_inverse_of_slots_that_are_independent_is_the_closed_form():
    # all pairs of three items in two slots, each slot drawn from (.5 .3 .2) and (.2 .2 .6): enumerated by hand
    one_K, other_K, wanted_K = np.array([0.5, 0.3, 0.2]), np.array([0.2, 0.2, 0.6]), np.array([0.1, 0.6, 0.3])
    pair_SL = np.array([(a, b) for a in range(3) for b in range(3)])
    slates = without_replacement([0.5, 0.5], 1)._replace(
        slate_SL=pair_SL, share_S=one_K[pair_SL[:, 0]] * other_K[pair_SL[:, 1]]
    )
    target = slates._replace(share_S=wanted_K[pair_SL[:, 0]] * wanted_K[pair_SL[:, 1]])
    for a, b in pair_SL:
        closed = wanted_K[a] / one_K[a] + wanted_K[b] / other_K[b] - 1.0
        assert pseudo_inverse_weight([a, b], slates, target) == pytest.approx(closed)


def test_all_slates_without_replacement_are_told_once_and_sum_to_1():
    slates = without_replacement([0.4, 0.3, 0.2, 0.1, 0.0], 3)
    assert len({tuple(slate) for slate in slates.slate_SL.tolist()}) == len(slates.share_S) == 4 * 3 * 2
    assert slates.share_S.sum() == pytest.approx(1.0)
    assert slates.share_S[slates.slate_SL.tolist().index([1, 0, 3])] == pytest.approx(0.3 * 0.4 / 0.7 * 0.1 / 0.3)


def test_slates_with_two_clicks_may_earn_more_than_1():
    many_NL = np.tile([[1.0, 1.0], [1.0, 0.0]], (100, 1))
    ones_NL = np.ones_like(many_NL)
    assert slate_ips(many_NL, ones_NL, ones_NL).upper > 1.5
    assert slate_ips(many_NL * [1, 0], ones_NL, ones_NL).upper <= 2.0


@pytest.mark.parametrize("estimator", SLOTWISE)
@pytest.mark.parametrize(
    ("place", "values", "message"),
    [
        (0, [1, 0], r"reward_NL must have 2 axes; got the shape \(2,\)"),
        (0, [[1, np.nan], [0, 1]], r"reward_NL must be finite; got nan at \(0, 1\)"),
        (1, [[0.5, 0.0], [0.5, 1.0]], "logging_NL must be above 0, of whole slates at least 1e-100; got 0"),
        (1, [[0.5], [0.5]], r"logging_NL must have the shape of reward_NL, \(2, 2\); got \(2, 1\)"),
        (2, [[0.5, 1.5], [0.5, 1.0]], r"target_NL must lie in \[0, 1\]; got 1.5 at \(0, 1\)"),
    ],
)
def test_bad_input_is_refused_by_name_rule_and_value(estimator, place, values, message):
    log = list(LOG)
    log[place] = values
    with pytest.raises(EvaluationError, match=message):
        estimator(*log)


def test_what_cannot_be_weighted_or_enumerated_is_refused():
    with pytest.raises(EvaluationError, match="target_NL must be above 0 in slot 1 for some decision; got 0 for all"):
        rips(REWARD_NL, LOG[1], [[1.0, 0.0], [1.0, 0.0]])
    with pytest.raises(EvaluationError, match=r"q_target_NL must have the shape of reward_NL, \(2, 2\); got \(2, 1\)"):
        cascade_dr(*LOG, REWARD_NL, [[0], [0]])
    with pytest.raises(EvaluationError, match="slates must be at most 20,000 to be enumerated; got 1860480"):
        without_replacement(np.full(20, 0.05), 5)
    with pytest.raises(EvaluationError, match=r"slots must be 1 to the number of candidates \(2\); got 3"):
        without_replacement([0.5, 0.5, 0.0], 3)
    with pytest.raises(EvaluationError, match=r"slates of one decision must have one number of slots; got \[1, 2\]"):
        pseudo_inverse_weight([0], without_replacement([0.5, 0.5], 2), without_replacement([0.5, 0.5], 2))
    with pytest.raises(EvaluationError, match="target must have one entry a decision, 2; got 0"):
        pseudo_inverse([1, 0], [[0, 1], [1, 0]], [without_replacement([0.5, 0.5], 2)] * 2, [])


def test_a_log_that_the_target_hardly_shares_is_told_in_words():
    many_NL, rare_NL = np.ones((400, 2)), np.full((400, 2), 0.5)
    target_NL = np.where(np.arange(400)[:, None] < 5, 1.0, 0.01) * np.ones(2)
    warning = slate_ips(many_NL, rare_NL, target_NL).warning
    assert "effective sample size" in warning
    assert "below 100" in warning
