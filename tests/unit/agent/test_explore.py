"""Every strategy by hand, and what is said where a belief lacks what a strategy needs."""

import dataclasses
import math

import numpy as np
import pytest

from agent.explore import NEEDS, Belief, ExploreError, probabilities
from agent.settings import ExploreSettings


def belief(logits, sds=None, rows=0, **fields):
    """One decision; its items are new, unless told otherwise."""
    count = len(logits)
    new = {"item_rows_N": np.zeros(count), "item_reward_N": np.zeros(count)}
    sd_N = np.zeros(count) if sds is None else np.array(sds)
    return Belief(np.array(logits, dtype=float), sd_N, np.array([count]), rows, **new | fields)


def shares(strategy, of, **settings):
    return probabilities(ExploreSettings(strategy=strategy, **settings), of)


def logit(p):
    return math.log(p / (1 - p))


# Inverse gap weighting


def test_inverse_gap_weighting():
    # means 0.5 and 0.2, n = 100 rows: gamma = 3 sqrt(100) = 30, so the second gets 1 / (2 + 30 * 0.3) = 1/11
    found = shares("inverse_gap_weighting", belief([0.0, logit(0.2)], rows=100), gap_scale=3.0, floor=0.1)
    np.testing.assert_allclose(found, [0.9 * 10 / 11 + 0.05, 0.9 / 11 + 0.05])


def test_the_evaluable_share_is_a_softmax_beside_it():
    # as above, and logits 0.3 ln 4 apart: exp(gap / 0.3) = 4, so the softmax gives 0.8 and 0.2
    two = belief([0.3 * math.log(4.0), 0.0], rows=100)
    without = shares("inverse_gap_weighting", two, gap_scale=3.0, floor=1e-9)
    found = shares("inverse_gap_weighting", two, gap_scale=3.0, evaluable=0.25, floor=0.02)
    np.testing.assert_allclose(found, 0.98 * (0.75 * without + 0.25 * np.array([0.8, 0.2])) + 0.01, rtol=1e-8)


def test_more_rows_mean_less_exploration():
    by_rows = [shares("inverse_gap_weighting", belief([0.0, -1.0], rows=rows))[1] for rows in (1, 100, 10_000)]
    assert by_rows[0] > by_rows[1] > by_rows[2] > 0.01 / 2


# Greedy and epsilon-greedy


def test_greedy_takes_the_first_of_the_best_means_but_for_the_floor():
    found = shares("greedy", belief([1.0, 3.0, 3.0], [9.0, 0.0, 0.0]), floor=0.3)
    np.testing.assert_allclose(found, [0.1, 0.8, 0.1])


@pytest.mark.parametrize(("rows", "epsilon"), [(0, 0.4), (100, 0.2), (300, 0.1), (700, 0.05), (10**9, 0.05)])
def test_epsilon_falls_with_the_rows_down_to_its_least(rows, epsilon):
    two = belief([0.0, 1.0], rows=rows)
    found = shares("epsilon_greedy", two, epsilon=0.4, epsilon_decay_rows=100, epsilon_min=0.05, floor=0.1)
    np.testing.assert_allclose(found[0], 0.9 * epsilon / 2 + 0.05)


def test_the_least_epsilon_is_never_more_than_epsilon():
    found = shares("epsilon_greedy", belief([0.0, 1.0]), epsilon=0.01, epsilon_min=0.5, floor=1e-9)
    assert found[0] == pytest.approx(0.005, rel=1e-6)


# Boltzmann


def test_boltzmann_at_a_fixed_temperature():
    # C = 2 and logits 0 and ln 3: weights 1 and 9
    found = shares("boltzmann", belief([0.0, math.log(3.0)]), inverse_temperature=2.0, floor=0.2)
    np.testing.assert_allclose(found, [0.8 * 0.1 + 0.1, 0.8 * 0.9 + 0.1])


def test_boltzmann_mixes_what_an_item_earned_with_what_is_predicted():
    # predicted 0.5 for both; the first earned 0.8 in 30 rows, kappa = 10: alpha = 3/4, Q = 0.725; the second is new
    items = {"item_rows_N": np.array([30.0, 0.0]), "item_reward_N": np.array([0.8, np.nan])}
    found = shares("boltzmann", belief([0.0, 0.0], **items), inverse_temperature=1.0, value_rows=10, floor=1e-9)
    odds = 0.725 / 0.275  # exp(C * log-odds)
    np.testing.assert_allclose(found, [odds / (odds + 1), 1 / (odds + 1)], rtol=1e-8)


def test_an_item_that_never_earned_keeps_a_share_however_long_it_was_tried():
    items = {"item_rows_N": np.array([1e300, 0.0]), "item_reward_N": np.array([0.0, 0.0])}
    found = shares("boltzmann", belief([5.0, 0.0], **items), inverse_temperature=100.0, floor=0.01)
    np.testing.assert_allclose(found, [0.005, 0.995])


def test_boltzmann_adapts_to_the_uncertainty_of_each_decision():
    # sd 3 and 4: root mean square sqrt(12.5); C = pi / sqrt(6 * 12.5)
    C = math.pi / math.sqrt(6 * 12.5)
    found = shares("boltzmann", belief([1.0, 0.0], [3.0, 4.0]), floor=1e-9)
    np.testing.assert_allclose(found[0], 1 / (1 + math.exp(-C)), rtol=1e-8)


def test_adaptive_boltzmann_is_the_best_under_gumbel_noise_of_that_spread():
    three = belief([0.5, 0.0, -0.5], [0.7, 0.7, 0.7])
    noise_MN = np.random.default_rng(0).gumbel(size=(200_000, 3)) * 0.7 / (math.pi / math.sqrt(6))
    won = np.bincount(np.argmax(three.logit_N + noise_MN, axis=1)) / 200_000
    np.testing.assert_allclose(shares("boltzmann", three, floor=1e-9), won, atol=0.005)  # 4 standard errors


def test_adaptive_boltzmann_explores_less_as_it_knows_more_and_again_when_something_new_comes():
    known = [shares("boltzmann", belief([0.3, 0.0], [sd, sd]))[1] for sd in (1.0, 0.3, 0.1)]
    renewed = shares("boltzmann", belief([0.3, 0.0], [0.1, 1.0]))[1]
    assert known[0] > known[1] > known[2]
    assert known[2] < renewed < known[0]


# LinUCB


def test_linucb_counts_the_scales_at_which_a_candidate_is_best():
    # four quantiles of |N|: 0.157, 0.489, 0.887, 1.534; the uncertain one leads from 0.4 / (0.8 - 0.2) = 0.667 on
    found = shares("linucb", belief([0.4, 0.0], [0.2, 0.8]), bonus_scales=4, floor=0.1)
    np.testing.assert_allclose(found, [0.9 * 0.5 + 0.05, 0.9 * 0.5 + 0.05])
    wider = shares("linucb", belief([0.4, 0.0], [0.2, 0.8]), bonus_scales=4, bonus=2.0, floor=0.1)
    np.testing.assert_allclose(wider, [0.9 * 0.25 + 0.05, 0.9 * 0.75 + 0.05])


def test_one_scale_is_plain_linucb():
    found = shares("linucb", belief([0.4, 0.0], [0.2, 0.8]), bonus_scales=1, floor=0.1)  # 0.674 > 0.667
    np.testing.assert_allclose(found, [0.05, 0.95])


# Thompson


@pytest.mark.parametrize("strategy", ["thompson", "neural_thompson"])
def test_thompson_counts_winners_among_the_samples(strategy):
    samples_MN = np.array([[2.0, 1.0, 0.0], [0.0, 1.0, 1.0], [0.0, 0.0, 0.0], [0.0, 1.0, 2.0]])
    found = shares(strategy, belief([9.0, 0.0, 0.0], samples_MN=samples_MN), floor=0.3)
    np.testing.assert_allclose(found, [0.7 * 2 / 4 + 0.1, 0.7 / 4 + 0.1, 0.7 / 4 + 0.1])


# What a belief must hold


@pytest.mark.parametrize(("strategy", "field"), [(name, field) for name in sorted(NEEDS) for field in NEEDS[name]])
def test_a_missing_field_is_named(strategy, field):
    full = belief([0.0, 0.0], [1.0, 1.0], samples_MN=np.zeros((3, 2)))
    with pytest.raises(ExploreError, match=rf"^belief for strategy {strategy} must hold {field}; got None$"):
        shares(strategy, dataclasses.replace(full, **{field: None}))


@pytest.mark.parametrize("samples_MN", [np.zeros((3, 4)), np.zeros((0, 2))])
def test_samples_are_of_these_candidates(samples_MN):
    rule = rf"must hold samples_MN of its 2 candidates; got shape \({len(samples_MN)}, "
    with pytest.raises(ExploreError, match=rule):
        shares("thompson", belief([0.0, 0.0], samples_MN=samples_MN))


@pytest.mark.parametrize("strategy", ["linucb", "boltzmann"])
def test_without_any_uncertainty_there_is_nothing_to_explore_by(strategy):
    rule = rf"^belief for strategy {strategy} must have a standard deviation above 0 in every decision; got sd_N = 0"
    with pytest.raises(ExploreError, match=rule):
        shares(strategy, belief([0.0, 1.0], [0.0, 0.0]))
    assert shares(strategy, belief([0.0, 1.0], [0.0, 1.0])).shape == (2,)


def test_the_greedy_candidate_is_the_first_of_the_best_means():
    two = Belief(np.array([1.0, 3.0, 3.0, -2.0, -2.0]), np.zeros(5), np.array([3, 2]), rows=1)
    assert two.greedy_B.tolist() == [1, 3]
    assert two.starts_B.tolist() == [0, 3]


def test_only_the_level_follows_what_could_be():
    # by the mean the first is best, by mean and deviation the second; gaps weigh so much that each takes all of it
    told = belief([0.0, -0.5], [0.0, 2.0], rows=1_000_000, level_B=np.array([0.25]))
    assert shares("inverse_gap_weighting", told, floor=1e-9) == pytest.approx([0.75, 0.25], abs=1e-4)


def test_a_level_of_one_is_what_it_is_without_a_level():
    fields = {"logits": [0.0, -0.5, -1.0], "sds": [0.1, 0.7, 0.2], "rows": 100}
    with_level = shares("inverse_gap_weighting", belief(**fields, level_B=np.ones(1)))
    np.testing.assert_allclose(with_level, shares("inverse_gap_weighting", belief(**fields)))
