"""Who chooses among headlines: the general policy, with or without their texts, and Thompson sampling of each arm."""

from copy import deepcopy
from typing import Protocol

import numpy as np

from agent.explore import probabilities
from agent.learning import Learning
from agent.policy import Policy
from agent.settings import AgentSettings, ExploreSettings
from deploy.bench.headline_queues import Drawn, Queues
from deploy.bench.headline_tests import Headlines
from deploy.bench.rounds import Features, Floats, Ints
from envs.features import Layout
from envs.observation import USER_SCALARS, Observation
from envs.rows import Rows

_UPDATE = 256


class HeadlinePlayer(Protocol):
    """Chooses among the arms of slates that are played side by side."""

    def shares(self, queues: Queues) -> Floats:
        """With which probability each arm is shown; 0 for arms that are not open, else summing to 1 in a slate."""
        ...

    def learn(self, queues: Queues, drawn: Drawn) -> None:
        """Takes in what came of it."""
        ...


class PolicyPlayer:
    """`Policy` and `Learning` as in the loop: impressions of a moment share a distribution, rows of an arm are one.

    Args:
        tests: the archive.
        settings: of the agent; the defaults where not given.
        text: whether texts are read.
    """

    def __init__(self, tests: Headlines, settings: AgentSettings | None = None, *, text: bool = True) -> None:
        self._tests = tests
        self._layout = Layout(tests.text_AE.shape[1], 0, 0, tests.manner_AW.shape[1]) if text else Layout(0, 0, 1)
        self._item_AD = np.concatenate([tests.text_AE, tests.manner_AW], axis=1) if text else _untold(tests)
        self._learning = Learning(Policy(settings or AgentSettings(), self._layout))

    def copy(self, explore: ExploreSettings) -> "PolicyPlayer":
        """One that has learned the same, and goes on by itself, exploring in some way."""
        other = deepcopy(self, {id(kept): kept for kept in (self._tests, self._item_AD)})
        policy = other._learning.policy
        policy.settings = policy.settings.model_copy(update={"explore": explore})
        return other

    def history(self, arm_A: Ints) -> None:
        """Learns what was counted of arms: a row each, with the mean of its rewards and the weight of all."""
        for start in range(0, len(arm_A), _UPDATE):
            some = arm_A[start : start + _UPDATE]
            self._learning.learn(self._rows(some, self._tests.shown_A[some], self._tests.clicks_A[some]))

    def shares(self, queues: Queues) -> Floats:
        """See `HeadlinePlayer`."""
        open_A, tests = queues.open_A, self._tests
        shares_A = np.zeros(len(open_A))
        arm_N, slate_N = queues.arm_A[open_A], queues.slate_A[open_A]
        if not len(arm_N):
            return shares_A
        _, first_B, counts_B = np.unique(slate_N, return_index=True, return_counts=True)
        test_B = tests.test_A[arm_N[first_B]]
        policy = self._learning.policy
        belief = policy.believe(
            Observation(
                context_BC=self._contexts(test_B),
                user_BU=self._users(len(test_B)),
                candidates_ND=self._candidates(arm_N),
                counts_B=counts_B,
                item_N=tests.item_A[arm_N],
                user_B=np.zeros(len(test_B), np.int64),
                group_B=test_B + 1,
                knew=(),
            )
        )
        shares_A[open_A] = probabilities(policy.explore, belief)
        return shares_A

    def learn(self, queues: Queues, drawn: Drawn) -> None:
        """See `HeadlinePlayer`."""
        some_A = drawn.shown_A > 0
        if some_A.any():
            arms, shown, clicks = queues.arm_A[some_A], drawn.shown_A[some_A], drawn.clicks_A[some_A]
            self._learning.learn(self._rows(arms, shown, clicks))

    def _rows(self, arm_R: Ints, shown_R: Ints, clicks_R: Ints) -> Rows:
        test_R = self._tests.test_A[arm_R]
        return Rows(
            context_RC=self._contexts(test_R),
            user_RU=self._users(len(arm_R)),
            candidate_RD=self._candidates(arm_R),
            item_R=self._tests.item_A[arm_R],
            user_R=np.zeros(len(arm_R), np.int64),
            reward_R=(clicks_R / shown_R).astype(np.float32),
            propensity_R=np.full(len(arm_R), np.nan),
            slot_R=np.zeros(len(arm_R), np.int64),
            alike_R=np.zeros(len(arm_R), np.float32),
            weight_R=shown_R.astype(np.float32),
            group_R=test_R + 1,
        )

    def _contexts(self, test_B: Ints) -> Features:
        return self._tests.lede_TE[test_B][:, : self._layout.context_total]

    def _users(self, count: int) -> Features:
        return np.zeros((count, self._layout.interest + USER_SCALARS), np.float32)

    def _candidates(self, arm_N: Ints) -> Features:
        return self._item_AD[arm_N]


def _untold(tests: Headlines) -> Features:
    return np.ones((len(tests.item_A), 1), np.float32)


class BetaThompson:
    """Thompson sampling of each arm by itself, with a prior at the archive's click rate: no level, no text.

    Args:
        rate: mean of the prior, which counts for `1 / rate` impressions.
        random: of the draws from the posterior.
    """

    _DRAWS = 64

    def __init__(self, rate: float, random: np.random.Generator) -> None:
        self._prior, self._random = (1.0, 1.0 / rate - 1.0), random
        self._clicks_A = self._others_A = np.zeros(0)

    def shares(self, queues: Queues) -> Floats:
        """See `HeadlinePlayer`."""
        if not len(self._clicks_A):
            self._clicks_A, self._others_A = np.zeros((2, len(queues.arm_A)))
        ones, others = self._prior[0] + self._clicks_A, self._prior[1] + self._others_A
        rate_MA = self._random.beta(ones, others, (self._DRAWS, len(ones)))
        rate_MA = np.where(queues.open_A, rate_MA, -1.0)
        best_MS = np.maximum.reduceat(rate_MA, queues.starts_S, axis=1)
        shares_A: Floats = ((rate_MA == best_MS[:, queues.slate_A]) & queues.open_A).mean(axis=0)
        return shares_A

    def learn(self, queues: Queues, drawn: Drawn) -> None:  # noqa: ARG002
        """See `HeadlinePlayer`."""
        self._clicks_A = self._clicks_A + drawn.clicks_A
        self._others_A = self._others_A + drawn.shown_A - drawn.clicks_A
