"""The levels of contexts: marginalised within an update as a dense Gaussian would, bounded, and forgotten lazily."""

import numpy as np
import pytest
import torch

from agent.expert import BayesianLogistic
from agent.levels import At, ContextLevels, ItemsOfRows
from agent.regressors import Regressors
from agent.settings import ExpertSettings
from agent.targets import Targets

WIDTH, J, S = 3, 4, 2
ITEMS, GROUPS = 12, 3
CLOCK = torch.tensor(0.0, dtype=torch.float64)


def settings(**changed):
    return ExpertSettings(**{"memory_rows": 1e12} | changed)


def nested(seed, count, most_weight):
    """Rows of items that each belong to one group, of click rates that differ between groups by far."""
    random = np.random.default_rng(seed)
    context_GI = np.concatenate([np.ones((GROUPS, 1)), random.normal(size=(GROUPS, WIDTH - 1))], axis=1)
    item_AJ = np.concatenate([np.ones((ITEMS, 1)), random.normal(size=(ITEMS, J - 1))], axis=1)
    similarity_AS = random.normal(size=(ITEMS, S))
    item_R = random.integers(0, ITEMS, count)
    group_R = item_R * GROUPS // ITEMS
    columns = context_GI[group_R], item_AJ[item_R], similarity_AS[item_R]
    read = Regressors(*(column.astype(np.float32) for column in columns), item_R + 1)
    reward_R = torch.from_numpy(random.random(count) * 0.04 * (1 + group_R))
    targets = Targets(reward_R, torch.from_numpy(random.random(count) * most_weight), torch.zeros(count).double())
    return read, targets, group_R + 1


def doubled(read):
    return Regressors(*(side.astype(np.float64) for side in read[:3]), read.item_N)


def dense(model, given, read, targets, group_R):
    """Mode of the joint density of weights, effects and levels: Newton's method on all of them at once."""
    design_Rn = np.concatenate(
        [
            doubled(read).features(),
            np.eye(ITEMS)[read.item_N - 1],
            np.eye(GROUPS)[group_R - 1],
        ],
        axis=1,
    )
    prior_n = np.concatenate(
        [
            model.prior_precision.numpy(),
            np.full(ITEMS, 1 / given.sd_item_id**2),
            np.full(GROUPS, 1 / given.sd_level**2),
        ]
    )
    mean_n = np.concatenate([(model.prior_eta / model.prior_precision).numpy(), np.zeros(ITEMS + GROUPS)])
    weight_n, reward_R, count_R = mean_n.copy(), targets.reward_R.numpy(), targets.weight_R.numpy()
    for _ in range(50):
        p_R = 1 / (1 + np.exp(-design_Rn @ weight_n))
        curvature_R = count_R * np.maximum(p_R * (1 - p_R), 1e-3)
        slope_n = design_Rn.T @ (count_R * (reward_R - p_R)) - prior_n * (weight_n - mean_n)
        precision_nn = design_Rn.T @ (curvature_R[:, None] * design_Rn) + np.diag(prior_n)
        weight_n = weight_n + np.clip(np.linalg.solve(precision_nn, slope_n), -0.5, 0.5)
    return weight_n, precision_nn


@pytest.mark.parametrize("most_weight", [1.0, 300.0])
def test_one_update_finds_what_weights_effects_and_levels_are_together(most_weight):
    given = settings(sd_item_id=0.3)
    model, levels = BayesianLogistic(given, WIDTH, J, S), ContextLevels(given)
    read, targets, group_R = nested(0, 60, most_weight)
    mode_n, precision_nn = dense(model, given, read, targets, group_R)
    found = model.learn(read, targets, levels.of_rows(group_R, CLOCK))
    levels.commit(found, CLOCK)
    d = model.width
    closeness = {"rtol": 0.0, "atol": 0.05 if most_weight > 1 else 0.01}
    np.testing.assert_allclose(model.mean.numpy(), mode_n[:d], **closeness)
    np.testing.assert_allclose(levels.mean(np.arange(1, GROUPS + 1), CLOCK), mode_n[-GROUPS:], **closeness)
    told_N = model.logit(read).numpy() + levels.mean(group_R, CLOCK)
    dense_N = doubled(read).features() @ mode_n[:d] + mode_n[d : d + ITEMS][read.item_N - 1]
    np.testing.assert_allclose(told_N, dense_N + mode_n[-GROUPS:][group_R - 1], **closeness)
    if most_weight > 1:  # levels of single rows that count once take too little to be marginalised
        covariance_dd = np.linalg.inv(precision_nn)[:d, :d]
        np.testing.assert_allclose(model.covariance.numpy(), covariance_dd, rtol=0.05, atol=0.02 * covariance_dd.max())


def test_an_item_never_shown_looks_no_worse_than_those_shown_in_a_group_that_is_clicked_much():
    given = settings()
    twins = Regressors(*(np.ones((2, width), np.float32) for width in (WIDTH, J, S)), np.array([1, 2]))
    apart = []
    for leveled in (False, True):
        model, levels = BayesianLogistic(given, WIDTH, J, S), ContextLevels(given)
        shown = twins.where(np.array([0]))
        for _ in range(20):
            targets = Targets(torch.tensor([0.1]).double(), torch.tensor([50.0]).double(), torch.zeros(1).double())
            group = np.array([7])
            found = model.learn(shown, targets, levels.of_rows(group, model.clock) if leveled else None)
            if found is not None:
                levels.commit(found, model.clock)
        logit_N = model.logit(twins)
        apart.append(float(logit_N[0] - logit_N[1]))
    assert apart[1] < apart[0]


def test_contexts_without_a_group_have_no_level_and_are_not_kept():
    levels = ContextLevels(settings())
    assert levels.of_rows(np.zeros(3, np.int64), CLOCK) is None
    assert levels.mean(np.array([0, 5]), CLOCK).tolist() == [0.0, 0.0]
    assert len(levels.table) == 0


def taught(model, levels, group, clock=CLOCK):
    read, targets, _ = nested(1, 8, 200.0)
    found = model.learn(read, targets, levels.of_rows(np.full(8, group), clock))
    levels.commit(found, clock)


def test_a_level_fades_towards_none():
    model, levels = BayesianLogistic(settings(), WIDTH, J, S), ContextLevels(settings(memory_rows=100.0))
    taught(model, levels, 7)
    at = [abs(levels.mean(np.array([7]), torch.tensor(float(now)).double()).item()) for now in (0, 100, 10_000)]
    assert at[0] > at[1] > at[2]
    assert at[2] == pytest.approx(0.0, abs=1e-6)


def test_contexts_unseen_for_longest_are_forgotten_first():
    levels = ContextLevels(settings(max_contexts=1_024))
    zero_R = torch.zeros(100).double()
    items = ItemsOfRows(torch.arange(100), torch.ones(100).double())
    for start in range(1, 1_100, 100):
        clock = torch.tensor(float(start)).double()
        shared = levels.of_rows(np.arange(start, start + 100), clock)
        levels.commit(shared.found(At(zero_R, zero_R, zero_R), zero_R, zero_R + 1.0, items), clock)
    assert len(levels.table) <= 1_024
    assert levels.table.find(torch.tensor([1, 1_099])).tolist()[0] == -1
    assert levels.table.find(torch.tensor([1_099])).item() >= 0
