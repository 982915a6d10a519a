"""The reward model: item effects and slopes worked by hand, and nobody predicted by a model that has met it."""

import numpy as np
import pytest
from support.logs import logged_decisions

from deploy.evaluating.reward_model import Standardised, cross_fitted, item_effects


def predicted(log, fitted_n, decisions_n):
    ready = Standardised(log)
    return ready.fit(fitted_n).predict(ready, decisions_n, log.candidates_of(decisions_n))


def test_item_effects_are_shrunk_by_how_much_items_differ():
    # two items of 2, means 1 and -1, noise within .5 each: noise (4 x .25) / 2 = .5; among 2 x (1 + 1) / 1 = 4;
    # between (4 - .5) / 2 = 1.75; shrunk by 2 / (2 + .5 / 1.75)
    effect_I = item_effects(np.array([1.5, 0.5, -1.5, -0.5]), np.array([0, 0, 1, 1]), 2)
    assert effect_I.tolist() == pytest.approx([0.875, -0.875])


def test_items_that_differ_by_noise_alone_have_no_effect():
    assert item_effects(np.array([1.0, -1.0, 1.0, -1.0]), np.array([0, 0, 1, 1]), 2).tolist() == [0, 0]
    assert item_effects(np.array([1.0, -1.0]), np.array([0, 1]), 2).tolist() == [0, 0]  # one decision each
    assert item_effects(np.array([1.0, 2.0, 3.0]), np.array([1, 1, 1]), 2).tolist() == [0, 0]  # one item


def test_a_feature_has_the_slope_of_a_ridge_regression():
    # x = -1 and 1, standardised as it is; rewards 0 and 1: sum x (r - .5) = 100, over 200 + a penalty of 100
    number_N = np.arange(200)
    context_N1 = np.where(number_N % 2, 1.0, -1.0)[:, None]
    log = logged_decisions(
        number_N % 2, np.zeros(200, int), np.full(200, 0.5), np.full((200, 2), 0.5), context_NC=context_N1
    )
    assert predicted(log, number_N, np.array([0, 1])).tolist() == pytest.approx([0.5 - 1 / 3] * 2 + [0.5 + 1 / 3] * 2)


def test_predictions_stay_between_the_rewards_that_were_seen():
    log = logged_decisions([1, 1, 1], [0, 1, 0], [0.5] * 3, [[0.5, 0.5]] * 3, candidate_MD=np.arange(6.0)[:, None] ** 9)
    assert predicted(log, np.arange(3), np.arange(3)).tolist() == [1.0] * 6


def test_too_many_products_are_left_out():
    random = np.random.default_rng(0)
    log = logged_decisions(
        random.integers(2, size=50),
        np.zeros(50, int),
        np.full(50, 0.5),
        np.full((50, 2), 0.5),
        context_NC=random.normal(size=(50, 21)),
        candidate_MD=random.normal(size=(100, 20)),
    )
    model = Standardised(log).fit(np.arange(50))
    assert not model.product_CD.any()
    assert model.product_CD.shape == (21, 20)


def test_what_is_expected_of_the_target_is_the_mean_over_its_candidates():
    # the first item always earns, the second never: 40 decisions each; target 3 : 1
    action_N = np.arange(80) % 2
    log = logged_decisions(1 - action_N, action_N, np.full(80, 0.5), np.full((80, 2), 0.5))
    logged_N, target_N = cross_fitted(log, np.tile([0.75, 0.25], 80), np.random.default_rng(0))
    # items differ, and not by noise: effects are not shrunk
    np.testing.assert_allclose(logged_N, 1.0 - action_N, atol=1e-6)
    np.testing.assert_allclose(target_N, 0.75, atol=1e-6)


def test_nobody_is_predicted_from_their_own_reward():
    reward_N = np.zeros(10)
    reward_N[3] = 1.0
    log = logged_decisions(reward_N, np.zeros(10, int), np.full(10, 0.5), np.full((10, 2), 0.5))
    logged_N, _ = cross_fitted(log, np.full(20, 0.5), np.random.default_rng(0))
    assert logged_N[3] == 0.0
    assert sorted(set(logged_N.tolist())) == [0.0, 0.125]  # eight others, one of them clicked


def test_those_of_one_group_are_held_out_together():
    reward_N = np.array([1.0, 1.0, 0.0, 0.0])
    log = logged_decisions(
        reward_N, np.zeros(4, int), np.full(4, 0.5), np.full((4, 2), 0.5), group_N=np.array([5, 5, 8, 8])
    )
    logged_N, _ = cross_fitted(log, np.full(8, 0.5), np.random.default_rng(0))
    assert logged_N.tolist() == [0.0, 0.0, 1.0, 1.0]
