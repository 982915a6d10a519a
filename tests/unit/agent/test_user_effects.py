"""The users' own weights: learned row by row, apart from each other, forgotten towards the prior."""

import numpy as np
import pytest
import torch

from agent.errors import LearnError
from agent.settings import ExpertSettings
from agent.targets import Targets
from agent.user_effects import UserEffects

J = 4
CLOCK = torch.tensor(0.0, dtype=torch.float64)


def effects(**settings):
    return UserEffects(ExpertSettings(**{"memory_rows": 1e12} | settings), J)


def items(seed, count):
    random = np.random.default_rng(seed)
    sides = np.concatenate([np.ones((count, 1)), random.normal(size=(count, J - 1))], axis=1)
    return sides.astype(np.float32)


def learn(model, user_R, item_RJ, reward_R, clock=CLOCK):
    other_R = torch.full((len(user_R),), -1.0)
    model.learn(np.asarray(user_R), item_RJ, Targets.whole(torch.as_tensor(reward_R), other_R), clock)
    return model


def test_a_user_never_seen_has_no_part_of_their_own():
    mean_N, variance_N = effects().effect(np.array([5, 6]), items(0, 2), CLOCK)
    assert mean_N.tolist() == variance_N.tolist() == [0.0, 0.0]


def test_one_row_moves_the_mean_by_the_formula():
    model = effects(sd_user=0.4, sd_user_intercept=0.3)
    item_RJ = items(0, 1)
    learn(model, [7], item_RJ, [1.0])
    variance_J = np.array([0.3**2] + [0.4**2 / (J - 1)] * (J - 1))
    b = item_RJ[0].astype(np.float64)
    p = 1 / (1 + np.exp(1.0))
    h = p * (1 - p)
    expected_J = variance_J * b * (1 - p) / (1 + h * (variance_J * b**2).sum())
    mean_N, variance_N = model.effect(np.array([7]), item_RJ, CLOCK)
    assert mean_N.item() == pytest.approx((expected_J * b).sum(), rel=1e-4)
    assert variance_N.item() == pytest.approx((b**2 / (1 / variance_J + h * b**2)).sum(), rel=1e-4)


def test_rows_of_one_user_in_one_update_count_like_rows_of_several_updates():
    at_once, one_by_one = effects(), effects()
    item_RJ, reward_R = items(0, 30), (np.arange(30) % 3 == 0).astype(np.float32)
    user_R = np.arange(30) % 4
    learn(at_once, user_R, item_RJ, reward_R)
    for row in range(30):
        learn(one_by_one, user_R[row : row + 1], item_RJ[row : row + 1], reward_R[row : row + 1])
    query = np.arange(4), items(1, 4), CLOCK
    np.testing.assert_allclose(at_once.effect(*query), one_by_one.effect(*query), rtol=1.3e-6, atol=1e-5)


def test_users_with_opposite_tastes_are_told_apart():
    model, item_RJ = effects(), items(0, 2_000)
    user_R = np.arange(2_000) % 2
    odds_R = torch.from_numpy(-1.0 + 1.5 * (1 - 2 * user_R) * item_RJ[:, 1])
    reward_R = (torch.rand(2_000, generator=torch.Generator().manual_seed(0)) < torch.sigmoid(odds_R)).float()
    learn(model, user_R, item_RJ, reward_R)
    liked = np.array([[1.0, 1.0, 0.0, 0.0]] * 2, np.float32)
    one, other = model.effect(np.array([0, 1]), liked, CLOCK)[0].tolist()
    assert one > 0.8
    assert other < -0.8


def test_what_a_user_taught_fades_towards_the_prior():
    model = learn(effects(memory_rows=100.0), [7] * 50, items(0, 50), [1.0] * 50)
    fresh, later, much_later = (
        model.effect(np.array([7]), items(1, 1), torch.tensor(clock, dtype=torch.float64)) for clock in (0, 100, 1e5)
    )
    assert abs(later[0].item()) < abs(fresh[0].item())
    assert later[1].item() > fresh[1].item()
    assert much_later[0].item() == pytest.approx(0.0, abs=1e-6)


def test_a_user_unseen_for_longest_is_forgotten_first_and_more_users_than_fit_are_an_error():
    model = effects(max_users=1_024)
    for start in range(0, 3_000, 500):
        clock = torch.tensor(float(start), dtype=torch.float64)
        learn(model, np.arange(start, start + 500), items(start, 500), np.ones(500), clock)
    assert len(model.table) <= 1_024
    assert model.effect(np.array([2_999]), items(0, 1), CLOCK)[1].item() > 0
    with pytest.raises(LearnError, match="max_users must hold the users of one update; got 2000"):
        learn(model, np.arange(2_000), items(0, 2_000), np.ones(2_000))
