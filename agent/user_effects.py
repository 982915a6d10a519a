"""What a returning user wants beyond what their features tell: weights on the item side, one small Gaussian a user.

The posterior of each user is diagonal and is learned with everything else as a given offset, one row after the other;
J means and J precisions a user, whatever the number of users. Forgetting is lazy, as with items.
"""

import torch
from torch import Tensor, nn

from agent.errors import LearnError
from agent.settings import ExpertSettings
from agent.table import Table
from agent.targets import Targets


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
        self.table = Table({"mean": item_width, "weight": item_width}, settings.max_users)
        self.register_buffer("prior_J", torch.ones(item_width))
        self.restart(torch.ones(item_width))

    def restart(self, item_J: Tensor) -> None:
        """Forgets all users; the prior variance is shared out among the item side's columns in use."""
        self.prior_J.fill_(max(float(item_J[1:].sum()), 1.0) / self._settings.sd_user**2)
        self.prior_J[0] = 1.0 / self._settings.sd_user_intercept**2
        self.table.clear()

    def effect(
        self, user_B: Tensor, item_NJ: Tensor, clock: Tensor, segment_N: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Mean and variance [N] of the users' own part of the logit; 0 and 0 for users never learned from.

        Args:
            user_B: keys of the users of B decisions.
            item_NJ: item sides of N candidates.
            clock: rows learned, as forgetting counts them.
            segment_N: whose candidate each is; where not given, each decision has one.
        """
        place_B = self.table.find(user_B)
        known_B = place_B >= 0
        if not known_B.any():
            return item_NJ.new_zeros(len(item_NJ)), item_NJ.new_zeros(len(item_NJ))
        mean_BJ, precision_BJ = self._now(place_B.clamp_min(0), clock)
        mean_NJ = torch.where(known_B[:, None], mean_BJ, 0.0)
        variance_NJ = torch.where(known_B[:, None], 1.0 / precision_BJ, 0.0)
        if segment_N is not None:
            mean_NJ, variance_NJ = mean_NJ.index_select(0, segment_N), variance_NJ.index_select(0, segment_N)
        return (mean_NJ * item_NJ).sum(-1), (variance_NJ * item_NJ**2).sum(-1)

    def learn(self, user_R: Tensor, item_RJ: Tensor, targets: Targets, clock: Tensor) -> None:
        """Takes in R rows, those of one user in their order.

        Args:
            user_R: keys of the users.
            item_RJ: item sides.
            targets: rewards, weights, and the logits without the users' part.
            clock: rows learned, as forgetting counts them.
        """
        key_M, user_of_R = torch.unique(user_R, return_inverse=True)
        if len(key_M) > self._settings.max_users:
            raise LearnError(f"expert.max_users must hold the users of one update; got {len(key_M)}")
        place_M = self.table.place(key_M, float(clock))
        mean_MJ, precision_MJ = self._now(place_M, clock)
        order = torch.argsort(user_of_R, stable=True)
        first_R = torch.searchsorted(user_of_R[order], user_of_R[order])
        turn_R = torch.empty_like(order).scatter_(0, order, torch.arange(len(order)) - first_R)
        for turn in range(int(turn_R.max()) + 1):
            rows = torch.nonzero(turn_R == turn)[:, 0]
            user, b_KJ = user_of_R[rows], item_RJ[rows]
            reward_K, weight_K, other_K = (each_R[rows].float() for each_R in targets)
            p_K = torch.sigmoid(other_K + (mean_MJ[user] * b_KJ).sum(-1))
            curvature_K = weight_K * p_K * (1.0 - p_K)
            gain_KJ = b_KJ / precision_MJ[user]
            pull_K = weight_K * (reward_K - p_K) / (1.0 + curvature_K * (gain_KJ * b_KJ).sum(-1))
            mean_MJ[user] += gain_KJ * pull_K[:, None]
            precision_MJ[user] += curvature_K[:, None] * b_KJ**2
        self.table.write(place_M, {"mean": mean_MJ, "weight": precision_MJ - self.prior_J}, float(clock))

    def _now(self, place_M: Tensor, clock: Tensor) -> tuple[Tensor, Tensor]:
        """Means and precisions [M, J] as they stand: forgetting moves both towards the prior."""
        row = self.table.read(place_M)
        keep_M1 = torch.exp2((row["touched"] - clock) / self._settings.memory_rows).float()[:, None]
        precision_MJ = self.prior_J + keep_M1 * row["weight"]
        return row["mean"] * keep_M1 * (self.prior_J + row["weight"]) / precision_MJ, precision_MJ
