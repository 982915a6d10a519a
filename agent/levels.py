"""The level of each context: what all candidates earn more, or less, where it is met. One small Gaussian a context.

Impressions of one group (the same page, the same test of headlines) are clicked more often than those of another,
whatever is shown. Where a level is not told apart, an item shown in a group that is clicked much looks better than one
that was never shown there. So of an update's rows the level takes first what they share; shared weights and items learn
what is left. It moves all candidates of a decision alike, so no choice reads it; likelihood and calibration do.

Within an update the level is marginalised: what weights would explain of the rows' common part is no evidence for them.
Between updates level and weights are apart, each with a posterior of its own. Forgetting is lazy, as with items.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from agent.crossed_rows import Doubles, Places
from agent.row_sums import LEAST_CURVATURE
from agent.settings import ExpertSettings
from agent.table import Table
from envs.protocols import Floats

_TAKES_LITTLE = 0.1  # of a row or two: then it leaves the rest as good as whole, as where contexts never come back
_SWEEPS = 4
_FARTHEST = 1.0  # that a sweep moves a level


@dataclass(frozen=True)
class SharedLevels:
    """The levels of the M groups that R rows are of, in double precision, as they stood before the rows.

    Attributes:
        key_M: their keys.
        row_K: the rows that are of a group.
        group_K: of which.
        mean_M, precision_M: of the levels.
    """

    key_M: Tensor
    row_K: Tensor
    group_K: Tensor
    mean_M: Tensor
    precision_M: Tensor

    def found(self, at: "At", reward_R: Tensor, weight_R: Tensor, items: "ItemsOfRows") -> "Levels":
        """The levels with the evidence of the rows, given the shared weights.

        Args:
            at: where the rows are linearised.
            reward_R: rewards.
            weight_R: how much each row counts.
            items: of the rows; what may be an item's alone tells less of what all share.
        """
        other_K, reward_K, counts_K = (each_R[self.row_K] for each_R in (at.other_R, reward_R, weight_R))
        own_M = self._own(items) & items.free_M.isfinite()
        moved_K = (at.moved_R + torch.where(own_M[items.row_R], at.gained_R, 0.0))[self.row_K]
        at_M = there_M = self.mean_M
        for _ in range(_SWEEPS):
            at_M = there_M.clamp(at_M - _FARTHEST, at_M + _FARTHEST)
            p_K, told_K, weight_K = self._told(other_K, at_M, counts_K, items, own_M)
            pull_K = told_K * counts_K * (reward_K - p_K) + told_K * weight_K * (at_M[self.group_K] + moved_K)
            precision_M = self.precision_M.index_add(0, self.group_K, told_K * weight_K)
            there_M = (self.precision_M * self.mean_M).index_add(0, self.group_K, pull_K) / precision_M
        zero_R = torch.zeros_like(at.other_R)
        at_R, mean_R = (zero_R.index_copy(0, self.row_K, each_M[self.group_K]) for each_M in (at_M, there_M))
        return Levels(self, there_M, precision_M, weight_K, mean_R, at_R)

    def _own(self, items: "ItemsOfRows") -> Tensor:
        """Whether all rows of an item are of one group, so that its effect can be marginalised with the level."""
        group_R = torch.full_like(items.row_R, -1).index_copy(0, self.row_K, self.group_K)
        first_M, last_M = (
            torch.zeros_like(items.free_M, dtype=torch.int64).scatter_reduce(
                0, items.row_R, group_R, which, include_self=False
            )
            for which in ("amin", "amax")
        )
        return first_M == last_M

    def _told(
        self, other_K: Tensor, mean_M: Tensor, counts_K: Tensor, items: "ItemsOfRows", own_M: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Probabilities, the share of each row that tells of its level, and the curvature of its logit."""
        p_K = torch.sigmoid(other_K + mean_M[self.group_K])
        curvature_K = counts_K * (p_K * (1.0 - p_K)).clamp_min(LEAST_CURVATURE)
        item_K = items.row_R[self.row_K]
        total_M = torch.zeros_like(items.free_M).index_add(0, item_K, curvature_K)
        told_M = torch.where(own_M, items.free_M / (items.free_M + total_M), 1.0)
        return p_K, told_M[item_K], curvature_K


class At(NamedTuple):
    """Where R rows are linearised.

    Attributes:
        other_R: logits without the levels.
        moved_R: by how much these differ from what shared weights and effects say.
        gained_R: by how much the items' effects differ from what they were before the rows.
    """

    other_R: Tensor
    moved_R: Tensor
    gained_R: Tensor


class ItemsOfRows(NamedTuple):
    """The different items of R rows: which of them each row is of, and the precision of their effects before the rows.

    The precision is infinite where an effect is held as it is.
    """

    row_R: Tensor
    free_M: Tensor


@dataclass(frozen=True)
class Levels:
    """Levels once rows were taken in.

    Attributes:
        shared: the groups and rows.
        mean_M, precision_M: of the levels.
        weight_K: curvature of the rows' logits.
        mean_R: the level of each row, 0 where it is of no group.
        at_R: the same where its logit was linearised.
    """

    shared: SharedLevels
    mean_M: Tensor
    precision_M: Tensor
    weight_K: Tensor
    mean_R: Tensor
    at_R: Tensor

    def taken(self, apart: Callable[[Tensor], Tensor], theta_d: Tensor) -> tuple[Tensor, Tensor] | None:
        """What marginalising them takes from precision [d, d] and natural mean [d] of theta; None where it is little.

        Args:
            apart: gives the features [K, d] of some rows, less what marginalising the items took of them.
            theta_d: where the levels were found.
        """
        matters_M = self.precision_M - self.shared.precision_M > _TAKES_LITTLE * self.precision_M
        if not matters_M.any():
            return None
        new_M = matters_M.cumsum(0) - 1
        kept_K = matters_M[self.shared.group_K]
        weighted_Kd = apart(self.shared.row_K[kept_K]) * self.weight_K[kept_K, None]
        group_K = new_M[self.shared.group_K[kept_K]]
        coupling_Md = weighted_Kd.new_zeros(int(matters_M.sum()), len(theta_d)).index_add(0, group_K, weighted_Kd)
        taken_dd = coupling_Md.T @ (coupling_Md / self.precision_M[matters_M, None])
        return taken_dd, taken_dd @ theta_d


class ContextLevels(nn.Module):
    """The levels of all groups learned from, up to a bound; the longest unseen go first.

    Args:
        settings: the prior's standard deviation, memory and bound.

    References:
        Random intercepts of groups: Gelman, Hill (2007), Data analysis using regression and multilevel models,
        chapter 12; here one Gaussian a group, in closed form, as in `BayesianLogistic`.
    """

    def __init__(self, settings: ExpertSettings) -> None:
        super().__init__()
        self._prior = 1.0 / settings.sd_level**2
        self.table = Table({"mean": 1, "weight": 1}, settings.max_contexts, settings.memory_rows)

    def clear(self) -> None:
        """Forgets all levels."""
        self.table.clear()

    def mean(self, group_N: Places, clock: Tensor) -> Floats:
        """The level [N] of each group; 0 where it was never learned from, or where there is none."""
        if not len(self.table):
            return np.zeros(len(group_N), np.float32)
        place_N = self.table.places(group_N)
        mean_N, _ = self._now(np.maximum(place_N, 0), clock)
        return np.where(place_N >= 0, mean_N, 0.0).astype(np.float32)

    def of_rows(self, group_R: Places, clock: Tensor) -> SharedLevels | None:
        """The levels of R rows' groups, forgotten up to now; None where no row is of one."""
        (of_K,) = group_R.nonzero()
        if not len(of_K):
            return None
        row_K, keys_K = torch.from_numpy(of_K), torch.from_numpy(group_R[of_K])
        key_M, group_K = torch.unique(keys_K, return_inverse=True)
        place_M = self.table.find(key_M)
        known_M = place_M >= 0
        mean_M = torch.zeros(len(key_M), dtype=torch.float64)
        precision_M = torch.full_like(mean_M, self._prior)
        if known_M.any():
            mean_M[known_M], precision_M[known_M] = map(torch.from_numpy, self._now(place_M[known_M].numpy(), clock))
        return SharedLevels(key_M, row_K, group_K, mean_M, precision_M)

    def commit(self, levels: Levels, clock: Tensor) -> None:
        """Keeps levels."""
        place_M = self.table.place(levels.shared.key_M, float(clock))
        columns = {"mean": levels.mean_M[:, None], "weight": levels.precision_M[:, None] - self._prior}
        self.table.write(place_M, columns, float(clock))

    def _now(self, place_M: Places, clock: Tensor) -> tuple[Doubles, Doubles]:
        """Means and precisions [M] as they stand: forgetting moves both towards the prior."""
        row = self.table.rows(place_M)
        keep_M = self.table.remaining(row["touched"], float(clock))
        weight_M = row["weight"][:, 0].astype(np.float64)
        precision_M = self._prior + keep_M * weight_M
        return row["mean"][:, 0] * keep_M * (self._prior + weight_M) / precision_M, precision_M
