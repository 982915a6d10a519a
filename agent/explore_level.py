"""How much to explore: one level, learned from what exploring costs, and what each decision makes of it.

The level is a share: of so many decisions the choice is made by what could be (mean and deviation), of the rest by what
is known (the mean). What exploring costs is therefore in proportion to it, and every propensity stays exact.
"""

import math
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from agent.settings import ExploreSettings
from envs.rows import Rows

Doubles = NDArray[np.float64]

_TRUST_SD = 0.5  # prior deviation of what exploring costs for each click that the model expects it to cost
_TRUST = (0.25, 4.0)
_MOVED_ROWS = 256.0
_LARGEST_MOVE = math.log(1.25)  # of the level in so many rows
_RECENT_ROWS, _JUDGED_ROWS = 1_000.0, 20_000.0  # rows after which a sum weighs half
_KNOWN_ROWS = 2_000.0
_LEAST, _LEAST_COST = 1e-3, 1e-12


class Cost(NamedTuple):
    """What exploring costs, as a share of the clicks of always showing the best by the mean; with its 95 % interval."""

    share: float
    share_low: float
    share_high: float


class ExploreLevel(nn.Module):
    """A fold over closed rows that steers the level: the highest whose cost stays within the budget.

    Cost and level are those of the last rows, the cost as the model expected it. The model may be wrong about it, so
    the rows' own outcomes correct it: where it expected M clicks to be lost and D were, by a doubly robust estimate of
    variance V, the correction is the posterior mean of k in D = k M + noise, k ~ N(1, 1/4). In the long run the
    outcomes decide, in the short run their noise moves nothing.

    Attributes:
        level: of a decision for a usual user, while nothing has changed lately.
        alarm: what the level is multiplied by since the last change; 1 in the end.
        newness: mean of `newcomers` over the last rows.
        since: rows since the first one, or since the last change.
        recent_4: decayed sums of rows, level, expected cost and reward.
        judged_4: decayed sums of expected cost, lost reward, its squared deviations from that cost, and reward.

    References:
        Dudík, Langford, Li (2011), Doubly robust policy evaluation and learning, for the estimate of a row. The
        posterior of k is that of Bayesian linear regression through the origin.
    """

    level: Tensor
    alarm: Tensor
    newness: Tensor
    since: Tensor
    recent_4: Tensor
    judged_4: Tensor

    def __init__(self, settings: ExploreSettings) -> None:
        super().__init__()
        self._settings = settings
        for name, value in (("level", settings.level), ("alarm", 1.0), ("newness", 1.0 + settings.newcomers)):
            self.register_buffer(name, torch.tensor(value, dtype=torch.float64))
        self.register_buffer("since", torch.zeros((), dtype=torch.int64))
        self.register_buffer("recent_4", torch.zeros(4, dtype=torch.float64))
        self.register_buffer("judged_4", torch.zeros(4, dtype=torch.float64))

    def of_decisions(self, user_BU: NDArray[np.float32]) -> Doubles | None:
        """The level of each decision; None where the settings fix how much is explored."""
        if not self._settings.tuned:
            return None
        relative_B = self._newness(user_BU) / float(self.newness)
        return np.minimum(float(self.level) * float(self.alarm) * relative_B, 1.0)

    def observe(self, rows: Rows, *, changed: bool) -> None:
        """Takes in closed rows, and whether a change was noticed in them."""
        settings, told_R = self._settings, np.isfinite(rows.exploring_R3).all(axis=1)
        if not settings.tuned:
            return
        self.alarm.sub_(1.0).mul_(0.5 ** (len(rows) / settings.alarm_rows)).add_(1.0)
        self.since.add_(len(rows))
        if changed:
            self.alarm.fill_(settings.alarm)
            self.since.zero_()
        count = int(told_R.sum())
        if not count:
            return
        newness = float(self._newness(rows.user_RU[told_R]).mean())
        self.newness.lerp_(torch.tensor(newness, dtype=torch.float64), 1.0 - 0.5 ** (count / _KNOWN_ROWS))
        level_R, cost_R, lost_R = rows.exploring_R3[told_R].T
        reward_R = rows.reward_R[told_R].astype(np.float64)
        _add(self.recent_4, (np.ones(count), level_R, cost_R, reward_R), _RECENT_ROWS)
        _add(self.judged_4, (cost_R, lost_R, (lost_R - cost_R) ** 2, reward_R), _JUDGED_ROWS)
        self._steer(count)

    @property
    def trust(self) -> float:
        """Clicks that exploring costs for each one that the model expects it to cost."""
        expected, lost, variance, _ = self.judged_4.tolist()
        if not variance:
            return 1.0
        prior = _TRUST_SD**-2
        mean: float = (prior + expected * lost / variance) / (prior + expected**2 / variance)
        return min(max(mean, _TRUST[0]), _TRUST[1])

    def cost(self) -> Cost:
        """The doubly robust estimate of what exploring costs, over the last rows (half-life 20,000), or 0."""
        _, lost, variance, reward = self.judged_4.tolist()
        best, half = reward + max(lost, 0.0), 1.96 * math.sqrt(variance)
        return Cost(lost / best, (lost - half) / best, (lost + half) / best) if best > 0.0 else Cost(0.0, 0.0, 0.0)

    def measures(self) -> dict[str, float]:
        """What a learner tells of it, by the names of metrics; empty where the settings fix how much is explored."""
        if not self._settings.tuned:
            return {}
        cost = {f"exploration_cost_{name}": value for name, value in self.cost()._asdict().items()}
        return {"exploration_level": float(self.level), "exploration_trust": self.trust, **cost}

    @property
    def budget(self) -> float:
        """Share of clicks that exploring may cost now: falls as 1 / sqrt(rows), as the regret does, to what is set."""
        rows = max(int(self.since), 1)
        return self._settings.budget * max(1.0, math.sqrt(self._settings.learning_rows / rows))

    def _steer(self, count: int) -> None:
        """Moves the level towards the one at which the last rows would have cost what the budget allows."""
        rows, level, expected, reward = self.recent_4.tolist()
        cost = self.trust * expected
        allowed = min(self.budget, 1.0) * (reward + cost)
        wanted = min(max(level / rows * allowed / max(cost, _LEAST_COST), _LEAST), self._settings.most)
        most = _LARGEST_MOVE * count / _MOVED_ROWS
        self.level.mul_(math.exp(min(max(math.log(wanted / float(self.level)), -most), most)))

    def _newness(self, user_BU: NDArray[np.float32]) -> Doubles:
        """1 for users who are known, up to 1 + `newcomers` for new ones; the last numbers of a user tell which."""
        met_B = np.expm1(user_BU[:, -3].astype(np.float64)) + np.expm1(user_BU[:, -2].astype(np.float64))
        newness_B: Doubles = 1.0 + self._settings.newcomers / (1.0 + met_B / self._settings.newcomer_decisions)
        return newness_B


def _add(sums: Tensor, columns: tuple[Doubles, ...], half_life_rows: float) -> None:
    sums.mul_(0.5 ** (len(columns[0]) / half_life_rows)).add_(torch.from_numpy(np.stack(columns).sum(axis=1)))
