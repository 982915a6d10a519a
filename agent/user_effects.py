"""What a returning user wants beyond what their features tell: weights on the item side, one small Gaussian a user.

The posterior of each user is diagonal and is learned with everything else as a given offset, one row after the other;
J means and J precisions a user, whatever the number of users. Forgetting is lazy, as with items.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from agent.by_decision import ByDecision
from agent.errors import LearnError
from agent.settings import ExpertSettings
from agent.table import Table
from agent.targets import Targets
from envs.protocols import Floats

Places = NDArray[np.int64]


class UserEffects(nn.Module):
    """Weights on [1, b] for each user learned from, up to a bound; the longest unseen go first.

    Args:
        settings: the prior's standard deviations, memory and bound.
        item_width: J, the leading 1 included.

    References:
        Sequential Bayesian logistic regression with a diagonal posterior: Chapelle, Li (2011), An empirical
        evaluation of Thompson sampling, algorithm 3; here one row at a time, in closed form.
    """

    prior_J: Tensor

    def __init__(self, settings: ExpertSettings, item_width: int) -> None:
        super().__init__()
        self._settings = settings
        self.table = Table({"mean": item_width, "weight": item_width}, settings.max_users, settings.memory_rows)
        self.register_buffer("prior_J", torch.ones(item_width))
        self.restart(torch.ones(item_width))

    def restart(self, item_J: Tensor) -> None:
        """Forgets all users; the prior variance is shared out among the item side's columns in use."""
        self.prior_J.fill_(max(float(item_J[1:].sum()), 1.0) / self._settings.sd_user**2)
        self.prior_J[0] = 1.0 / self._settings.sd_user_intercept**2
        self.table.clear()

    def effect(
        self, user_B: Places, item_NJ: Floats, clock: Tensor, by_decision: ByDecision | None = None
    ) -> tuple[Floats, Floats]:
        """Mean and variance [N] of the users' own part of the logit; 0 and 0 for users never learned from.

        Args:
            user_B: keys of the users of B decisions.
            item_NJ: item sides of N candidates.
            clock: rows learned, as forgetting counts them.
            by_decision: whose candidates they are; where not given, each decision has one.
        """
        place_B = self.table.places(user_B)
        known_B1 = (place_B >= 0)[:, None]
        if not known_B1.any():
            return np.zeros(len(item_NJ), item_NJ.dtype), np.zeros(len(item_NJ), item_NJ.dtype)
        mean_BJ, precision_BJ = self._now(np.maximum(place_B, 0, out=place_B), clock)
        by_decision = by_decision or ByDecision.one_each(len(item_NJ))
        mean_N = by_decision.dots(mean_BJ * known_B1, item_NJ)
        variance_N = by_decision.dots(known_B1 / precision_BJ, item_NJ * item_NJ)
        return mean_N, variance_N

    def learn(self, user_R: Places, item_RJ: Floats, targets: Targets, clock: Tensor) -> None:
        """Takes in R rows, those of one user in their order.

        Args:
            user_R: keys of the users.
            item_RJ: item sides.
            targets: rewards, weights, and the logits without the users' part.
            clock: rows learned, as forgetting counts them.
        """
        key_M, user_of_R = np.unique(user_R, return_inverse=True)
        if len(key_M) > self._settings.max_users:
            raise LearnError(f"expert.max_users must hold the users of one update; got {len(key_M)}")
        place_M = self.table.place(torch.from_numpy(key_M), float(clock))
        mean_MJ, precision_MJ = self._now(place_M.numpy(), clock)
        b_RJ, (reward_R, weight_R, other_R) = item_RJ, (each_R.float().numpy() for each_R in targets)
        order = np.argsort(user_of_R, kind="stable")
        first_R = np.searchsorted(user_of_R[order], user_of_R[order])
        turn_R = np.empty_like(order)
        turn_R[order] = np.arange(len(order)) - first_R
        for turn in range(int(turn_R.max()) + 1):
            rows = np.flatnonzero(turn_R == turn)
            user, b_KJ = user_of_R[rows], b_RJ[rows]
            p_K = 1.0 / (1.0 + np.exp(-(other_R[rows] + (mean_MJ[user] * b_KJ).sum(axis=1))))
            curvature_K = weight_R[rows] * p_K * (1.0 - p_K)
            gain_KJ = b_KJ / precision_MJ[user]
            pull_K = weight_R[rows] * (reward_R[rows] - p_K) / (1.0 + curvature_K * (gain_KJ * b_KJ).sum(axis=1))
            mean_MJ[user] += gain_KJ * pull_K[:, None]
            precision_MJ[user] += curvature_K[:, None] * b_KJ**2
        columns = {"mean": mean_MJ, "weight": precision_MJ - self.prior_J.numpy()}
        self.table.write(place_M, {name: torch.from_numpy(each) for name, each in columns.items()}, float(clock))

    def _now(self, place_M: NDArray[np.int64], clock: Tensor) -> tuple[Floats, Floats]:
        """Means and precisions [M, J] as they stand: forgetting moves both towards the prior."""
        row, prior_J = self.table.rows(place_M), self.prior_J.numpy()
        keep_M1 = self.table.remaining(row["touched"], float(clock)).astype(np.float32)[:, None]
        precision_MJ = prior_J + keep_M1 * row["weight"]
        mean_MJ: Floats = row["mean"] * keep_M1 * (prior_J + row["weight"]) / precision_MJ
        return mean_MJ, precision_MJ
