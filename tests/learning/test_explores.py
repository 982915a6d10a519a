"""How much is explored follows what it costs, who is there and what changed, in worlds whose clicks are known.

Measured on the world `returning-users` with seeds 0 to 2, 6,144 rounds: see docs/exploration.md for all worlds.
"""

from copy import deepcopy

import numpy as np
import pytest

from agent.explore import Belief, probabilities
from agent.learning import Learning
from agent.policy import Policy
from agent.settings import AgentSettings, ExploreSettings, NetworkSettings
from deploy.bench.harness import play
from deploy.bench.ours import DefaultPolicy
from deploy.bench.world_numeric import returning_users

ROUNDS = 6_144
EXPLORE = ExploreSettings(learning_rows=1.0)  # the budget holds from the beginning
SETTINGS = AgentSettings(explore=EXPLORE, network=NetworkSettings(steps=0))


class Watched(DefaultPolicy):
    """Keeps each decision's level and how often its user had come, and each row's reward, cost and lost reward."""

    def __init__(self, world, seed):
        super().__init__(world, seed, SETTINGS)
        self.level, self.met, self.shown, self.told = [], [], [], []

    def decide(self, seen):
        action_B, propensity_B = super().decide(seen)
        known_BU = self.known_RU[-len(action_B) :]
        self.level.append(self.told_R4[-len(action_B) :, 0])
        self.met.append(np.expm1(known_BU[:, -3]) + np.expm1(known_BU[:, -2]))
        self.shown.append(action_B)
        return action_B, propensity_B

    def learn(self, closed, still_open):
        rows = self._rows(closed)
        self.told.append(np.column_stack([rows.reward_R, rows.exploring_R3[:, 1:]]))
        super().learn(closed, still_open)

    @property
    def policy(self):
        return self._learning.policy


@pytest.fixture(scope="module", params=(0, 1, 2))
def played(request):
    player = Watched(returning_users(request.param), request.param)
    play(returning_users(request.param), player, ROUNDS)
    return player


def test_new_users_are_explored_for_more_than_those_well_known(played):
    for level_B, met_B in zip(played.level, played.met, strict=True):
        assert (np.diff(level_B[np.argsort(met_B, kind="stable")]) <= 1e-4).all()  # the longer known, the less
    user_BU = np.zeros((2, played.policy.layout.user_total), np.float32)
    user_BU[1, -2] = np.log1p(50.0)  # decisions so far
    new, known = played.policy.level.of_decisions(user_BU)
    assert new > 1.5 * known  # 2 to 1 + 1 / 6


def test_the_cost_stays_within_the_budget_once_the_level_has_settled(played):
    reward_N, cost_N, lost_N = np.concatenate(played.told[-12:]).T
    expected = played.policy.level.trust * cost_N.sum()
    assert expected / (reward_N.sum() + expected) < 1.2 * EXPLORE.budget
    # the doubly robust estimate of the same rows does not contradict it
    half = 1.96 * np.sqrt(((lost_N - cost_N) ** 2).sum())
    assert (lost_N.sum() - half) / (reward_N.sum() + lost_N.sum()) < EXPLORE.budget


def test_the_level_is_raised_by_a_change_and_returns_with_the_weights(played):
    policy = deepcopy(played.policy)
    user_BU = np.zeros((1, policy.layout.user_total), np.float32)
    before = policy.level.of_decisions(user_BU)[0]
    nothing = Learning(Policy(SETTINGS, policy.layout))
    nothing.policy.load_state_dict(policy.state_dict())
    assert nothing.policy.level.of_decisions(user_BU)[0] == before
    policy.level.alarm.fill_(EXPLORE.alarm)
    assert policy.level.of_decisions(user_BU)[0] == pytest.approx(min(EXPLORE.alarm * before, 1.0), rel=1e-6)


def test_the_same_seed_gives_the_same_decisions_and_the_same_level(played):
    seed = played._random.bit_generator.seed_seq.entropy[0]
    again = Watched(returning_users(seed), seed)
    play(returning_users(seed), again, 1_024)
    for one, other in zip(played.shown, again.shown, strict=False):
        np.testing.assert_array_equal(one, other)


def test_an_uncertain_item_is_shown_more_than_a_certain_one_of_the_same_mean():
    belief = Belief(
        np.array([0.0, -0.5, -0.5]), np.array([0.1, 0.9, 0.1]), np.array([3]), 1_000, level_B=np.array([0.4])
    )
    best, uncertain, certain = probabilities(ExploreSettings(), belief)
    # by the mean the first is best, with mean and deviation the second: the level tells how often
    assert uncertain > 0.35
    assert best > 0.55
    assert certain < 0.01
