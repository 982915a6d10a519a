"""What is read of an item: its further components come from the manner of its text where that is read."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from agent.inputs import inputs_of_rows
from agent.item_side import ItemSide
from agent.learning import Learning
from agent.policy import Policy
from agent.projection import Projection, Rank
from agent.settings import AgentSettings
from envs.features import Layout
from envs.rows import Rows

RANK = Rank(1, 4, 0.98)
FURTHER = replace(RANK, further=2)
TEXT, MANNER = 6, 5


def normal(seed, rows, columns):
    return np.random.default_rng(seed).normal(size=(rows, columns)).astype(np.float32)


def fitted(layout, values, rank=RANK, manner=3):
    side = ItemSide(layout, rank, manner)
    side.fit(values)
    return side


def test_without_manner_it_is_a_projection_with_further_components():
    values = normal(0, 200, TEXT + 2)
    side, plain = fitted(Layout(TEXT, 0, 2), values, FURTHER), Projection((TEXT, 2), FURTHER)
    plain.fit(values)
    assert set(side.state_dict()) == set(plain.state_dict())  # so that what was saved before can be read
    for mine, theirs in zip(side.both(values), plain.both(values), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    assert side.further_active.tolist() == plain.active[4:].tolist() == [True] * 2


def test_components_of_the_manner_are_further_ones():
    manner = np.tile(np.array([[-1, 0], [1, 0]], np.float32), (50, 1))
    side = fitted(Layout(TEXT, 0, 0, manner=2), np.concatenate([normal(0, 100, TEXT), manner], axis=1), manner=8)
    assert (side.width, side.further) == (4, 2)
    assert side.further_active.tolist() == [True, False]  # the other column never varies
    shifted = np.concatenate([normal(1, 4, TEXT), [[-1, 0], [1, 0], [0, 0], [1, 3]]], axis=1).astype(np.float32)
    _, further_NF = side.both(shifted)
    # one column that is -1 or 1: mean 0, mean square 1
    np.testing.assert_allclose(further_NF[:, 0] * np.sign(further_NF[1, 0]), [-1, 1, 0, 1], atol=1e-6)
    np.testing.assert_array_equal(further_NF[:, 1], np.zeros(4))


def test_the_manner_changes_nothing_in_what_is_read_of_the_text():
    values = normal(0, 100, TEXT + MANNER)
    side = fitted(Layout(TEXT, 0, 0, MANNER), values, FURTHER)
    without = fitted(Layout(TEXT, 0, 0), values[:, :TEXT], FURTHER)
    leading_NR, further_NF = side.both(values)
    np.testing.assert_array_equal(side.leading(values), without.leading(values[:, :TEXT]))
    np.testing.assert_array_equal(leading_NR, side.leading(values))
    np.testing.assert_array_equal(further_NF[:, :2], without.both(values[:, :TEXT])[1])
    assert (side.further, further_NF.shape, side.further_active.tolist()) == (5, (100, 5), [True] * 5)


def test_where_no_components_of_it_are_read_the_manner_is_left_out():
    side = fitted(Layout(TEXT, 0, 0, MANNER), normal(0, 100, TEXT + MANNER), manner=0)
    assert (side.further, len(side.further_active)) == (0, 0)
    assert side.both(normal(1, 3, TEXT + MANNER))[1].shape == (3, 0)


def test_a_loaded_one_reads_as_the_one_that_was_saved():
    values = normal(0, 100, TEXT + MANNER)
    side, other = fitted(Layout(TEXT, 0, 0, MANNER), values), ItemSide(Layout(TEXT, 0, 0, MANNER), RANK, 3)
    other.load_state_dict(side.state_dict())
    for mine, theirs in zip(other.both(values), side.both(values), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def rows(seed, count=256):
    """Rows of which the reward depends on nothing but the manner."""
    random = np.random.default_rng(seed)
    candidate_RD = random.normal(size=(count, TEXT + MANNER)).astype(np.float32)
    logit_R = 2 * candidate_RD[:, TEXT] - 1
    return Rows(
        context_RC=random.normal(size=(count, TEXT)).astype(np.float32),
        user_RU=np.zeros((count, TEXT + 3), np.float32),
        candidate_RD=candidate_RD,
        item_R=np.arange(count) + seed * count,
        user_R=np.arange(count),
        reward_R=(random.random(count) < 1 / (1 + np.exp(-logit_R))).astype(np.float32),
        propensity_R=np.full(count, 0.25),
        slot_R=np.zeros(count, np.int64),
        alike_R=np.zeros(count, np.float32),
        weight_R=np.ones(count, np.float32),
        group_R=np.zeros(count, np.int64),
    )


@pytest.mark.parametrize(("manner", "least", "most"), [(MANNER, 0.9, 1.0), (0, -0.2, 0.2)])
def test_the_policy_learns_from_the_manner_of_texts_and_foretells_items_it_never_met(manner, least, most):
    settings = AgentSettings(network={"steps": 0}, encoder={"manner": manner})
    learner = Learning(Policy(settings, Layout(TEXT, 0, 0, manner)))
    told = [rows(seed) for seed in range(9)]
    for each in told[:8]:
        learner.learn(cut(each, manner))
    with torch.inference_mode():
        logit_N, _ = learner.policy.score(inputs_of_rows(cut(told[8], manner)))
    correlation = np.corrcoef(logit_N.numpy(), told[8].candidate_RD[:, TEXT])[0, 1]
    assert least < correlation < most


def cut(told, manner):
    return replace(told, candidate_RD=told.candidate_RD[:, : TEXT + manner])
