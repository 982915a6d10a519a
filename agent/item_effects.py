"""What each item earns beyond its features: the arrow of a Gaussian posterior, held an item at a time.

Of an item with effect u and coupling C to the shared weights theta are kept: its precision D = 1 / sd^2 + w, its
natural mean e, and C. As an item's features b stay the same while contexts change, C = (c x b, q) with c the weighted
sum of the contexts it was shown in and q that of its similarities: I + J + S numbers instead of I * J + S, and exact.
Where an item comes with other features than before, its effect is kept and its coupling begins anew; what is lost then
is a covariance, no mean.

Forgetting is lazy: all of it halves with every `memory_rows` of the clock, seen when the item is next touched or read.
"""

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from agent.levels import ItemsOfRows
from agent.regressors import Regressors
from agent.settings import ExpertSettings
from agent.table import Table
from envs.protocols import Floats

SAME = 1e-4  # features of one item that differ by less are the same


class Effect(NamedTuple):
    """The effects u of N items given theta: u ~ N(own - slope . theta, variance), slope = [c x b, q].

    Attributes:
        own_N, variance_N: what the effects are where theta is 0; 0 and the prior's where an item was never learned from.
        context_NI: c.
        item_NJ: b.
        similarity_NS: q.
    """

    own_N: Floats
    variance_N: Floats
    context_NI: Floats
    item_NJ: Floats
    similarity_NS: Floats

    def slope_Nd(self) -> Floats:
        """How each effect moves with theta."""
        crossed_NIJ = self.context_NI[:, :, None] * self.item_NJ[:, None, :]
        return np.concatenate([crossed_NIJ.reshape(len(crossed_NIJ), -1), self.similarity_NS], axis=1)

    def mean_N(self, mean_d: Floats) -> Floats:
        """The mean effects for a mean of theta."""
        mean_N: Floats = self.own_N - self.slope_Nd() @ mean_d
        return mean_N

    def where(self, places: NDArray[np.int64]) -> "Effect":
        """The effects of some of the items."""
        return Effect(*(column[places] for column in self))


@dataclass(frozen=True)
class Arrows:
    """The arrows of the M different items of R rows, in double precision.

    Attributes:
        key_M: their keys.
        row_R: which of them each row is of.
        context_MI, item_MJ, similarity_MS: c, b and q of the coupling.
        evidence_M: e.
        weight_M: w, the precision beyond the prior's.
        rows_M, reward_M: rows seen and the sum of their rewards.
        loose_M: whether the features changed, so that the effect is learned beside theta and not together with it.
        prior: 1 / sd^2.
    """

    key_M: Tensor
    row_R: Tensor
    context_MI: Tensor
    item_MJ: Tensor
    similarity_MS: Tensor
    evidence_M: Tensor
    weight_M: Tensor
    rows_M: Tensor
    reward_M: Tensor
    loose_M: Tensor
    prior: float

    def coupling_Md(self) -> Tensor:
        """C."""
        return coupling(self.context_MI, self.item_MJ, self.similarity_MS)

    def coupled_M(self, theta_d: Tensor) -> Tensor:
        """C . theta."""
        return Regressors(self.context_MI, self.item_MJ, self.similarity_MS, self.key_M).times(theta_d)

    def of_rows(self) -> ItemsOfRows:
        """Which item each row is of, and the precision of the effects."""
        return ItemsOfRows(self.row_R, torch.where(self.loose_M, torch.inf, self.prior + self.weight_M))

    def slope_Md(self) -> Tensor:
        """How much of each effect moves with theta."""
        return self.coupling_Md() / (self.prior + self.weight_M)[:, None]

    def mean_M(self, theta_d: Tensor) -> Tensor:
        """The mean effect of each item, given theta."""
        return (self.evidence_M - self.coupled_M(theta_d)) / (self.prior + self.weight_M)

    def held_R(self, theta_d: Tensor) -> Tensor:
        """The effects that stay as they are while theta is learned; 0 where both are learned together."""
        if not self.loose_M.any():
            return torch.zeros_like(theta_d[:1]).expand(len(self.row_R))
        return torch.where(self.loose_M, self.mean_M(theta_d), 0.0)[self.row_R]

    def contribution(self, precision: torch.dtype) -> tuple[Tensor, Tensor]:
        """What marginalising the effects takes from the precision [d, d] and the natural mean [d] of theta.

        Args:
            precision: of the sums over items.
        """
        coupling_Md = self.coupling_Md().to(precision)
        scaled_Md = coupling_Md / (self.prior + self.weight_M).to(precision)[:, None]
        return coupling_Md.T @ scaled_Md, scaled_Md.T @ self.evidence_M.to(precision)

    def added(
        self, read: Regressors, curvature_R: Tensor, pull_R: Tensor, reward_R: Tensor, theta_d: Tensor
    ) -> "Arrows":
        """The arrows with the rows' evidence, as exactly as they will be kept.

        Args:
            read: the rows.
            curvature_R: what each adds to the precision.
            pull_R: what each adds to the natural mean.
            reward_R: their rewards.
            theta_d: where loose effects stand.
        """
        loose_R = self.loose_M[self.row_R]
        coupled_R = torch.where(loose_R, 0.0, curvature_R)
        shared_R = torch.zeros_like(curvature_R)
        if loose_R.any():
            shared_R[loose_R] = read.where(loose_R).features() @ theta_d
        return replace(
            self,
            context_MI=_rounded(self._summed(self.context_MI, coupled_R[:, None] * read.context_NI)),
            similarity_MS=_rounded(self._summed(self.similarity_MS, coupled_R[:, None] * read.similarity_NS)),
            evidence_M=_rounded(self._summed(self.evidence_M, pull_R - curvature_R * shared_R)),
            weight_M=_rounded(self._summed(self.weight_M, curvature_R)),
            rows_M=self._summed(self.rows_M, torch.ones_like(curvature_R)),
            reward_M=self._summed(self.reward_M, reward_R),
        )

    def columns(self) -> dict[str, Tensor]:
        """As the table keeps them."""
        return {
            "context": self.context_MI,
            "item": self.item_MJ,
            "similarity": self.similarity_MS,
            "scalars": torch.stack([self.evidence_M, self.weight_M, self.rows_M, self.reward_M], dim=1),
        }

    def _summed(self, start: Tensor, each: Tensor) -> Tensor:
        return start.index_add(0, self.row_R, each)


class ItemEffects(nn.Module):
    """The effects of all items learned from, up to a bound; the longest unseen go first, their evidence stays in theta.

    Args:
        settings: the prior's standard deviation, memory and bound.
        context_width: I.
        item_width: J.
        similarities: S.
    """

    def __init__(self, settings: ExpertSettings, context_width: int, item_width: int, similarities: int) -> None:
        super().__init__()
        self._prior = 1.0 / settings.sd_item_id**2
        self._memory_rows = settings.memory_rows
        self._most = settings.max_items
        self._widths = (context_width, item_width, similarities)
        columns = dict(zip(("context", "item", "similarity", "scalars"), (*self._widths, 4), strict=True))
        self.table = Table(columns, settings.max_items)
        self._covered: tuple[int, Tensor, dict[str, Tensor]] | None = None

    def clear(self) -> None:
        """Forgets all items."""
        self._covered = None
        self.table.clear()

    def effect(self, item_N: Tensor, clock: Tensor) -> Effect:
        """The effects of items as they stand."""
        place_N = self.table.find(item_N).numpy()
        if not len(self.table):
            blank = (np.zeros((len(place_N), width), np.float32) for width in self._widths)
            return Effect(np.zeros(len(place_N), np.float32), np.full(len(place_N), 1.0 / self._prior, np.float32), *blank)
        known_N = place_N >= 0
        row = self.table.rows(place_N if known_N.all() else np.maximum(place_N, 0))
        keep_N = (np.exp2((row["touched"] - float(clock)) / self._memory_rows) * known_N).astype(np.float32)
        variance_N = 1.0 / (np.float32(self._prior) + keep_N * row["scalars"][:, 1])
        share_N1 = (keep_N * variance_N)[:, None]
        return Effect(
            row["scalars"][:, 0] * share_N1[:, 0],
            variance_N,
            row["context"] * share_N1,
            row["item"],
            row["similarity"] * share_N1,
        )

    def seen(self, item_N: Tensor, clock: Tensor) -> tuple[Tensor, Tensor]:
        """How often each item was resolved, forgetting included, and its mean reward (0 where never), [N] each."""
        place_N = self.table.find(item_N)
        row = self.table.read(place_N.clamp_min(0)) if len(self.table) else {"scalars": torch.zeros(len(item_N), 4)}
        known_N = place_N >= 0
        rows_N = torch.where(known_N, row["scalars"][:, 2], 0.0)
        mean_N = torch.where(known_N, row["scalars"][:, 3] / row["scalars"][:, 2].clamp_min(1e-9), 0.0)
        kept_N = self._kept(row["touched"], clock) if "touched" in row else torch.ones(len(item_N))
        return rows_N * kept_N, mean_N

    def arrows(self, read: Regressors, theta_d: Tensor, clock: Tensor) -> tuple[Arrows, Tensor, Tensor]:
        """The arrows of R rows' items, forgotten up to now, and what their marginals had taken from theta."""
        key_M, row_R = torch.unique(read.item_N, return_inverse=True)
        place_M = self.table.find(key_M)
        known_M = place_M >= 0
        first_M = torch.full_like(key_M, len(row_R)).scatter_reduce(0, row_R, torch.arange(len(row_R)), "amin")
        stored = self.table.read(place_M.clamp_min(0)) if len(self.table) else _blank(read, len(key_M))
        stored = {name: torch.where(_like(known_M, column), column.double(), 0.0) for name, column in stored.items()}
        item_MJ = torch.where(known_M[:, None], stored["item"], _rounded(read.item_NJ[first_M]))
        differs_R = (read.item_NJ - item_MJ[row_R]).abs().amax(dim=1) > SAME
        loose_M = torch.zeros_like(known_M).index_put((row_R[differs_R],), torch.tensor(True))
        item_MJ = torch.where(loose_M[:, None], _rounded(read.item_NJ[first_M]), item_MJ)
        keep_M = torch.where(known_M, self._kept(stored["touched"], clock), 0.0)
        sides = (stored["context"], stored["item"], stored["similarity"])
        evidence_M, weight_M, rows_M, reward_M = stored["scalars"].unbind(dim=1)
        before = Arrows(key_M, row_R, *sides, evidence_M, weight_M, rows_M, reward_M, loose_M, self._prior)
        coupling_Md = before.coupling_Md()
        own_M = torch.where(loose_M, before.evidence_M - before.coupled_M(theta_d), before.evidence_M)
        returned_Md = torch.where(loose_M[:, None], 0.0, coupling_Md)
        scaled_Md = returned_Md * (keep_M / (self._prior + before.weight_M))[:, None]
        now = replace(
            before,
            context_MI=torch.where(loose_M[:, None], 0.0, before.context_MI * keep_M[:, None]),
            similarity_MS=torch.where(loose_M[:, None], 0.0, before.similarity_MS * keep_M[:, None]),
            item_MJ=item_MJ,
            evidence_M=own_M * keep_M,
            weight_M=before.weight_M * keep_M,
            rows_M=before.rows_M * keep_M,
            reward_M=before.reward_M * keep_M,
        )
        return now, returned_Md.T @ scaled_Md, scaled_Md.T @ before.evidence_M

    def commit(self, arrows: Arrows, clock: Tensor) -> None:
        """Keeps arrows."""
        now = float(clock)
        self.table.write(self.table.place(arrows.key_M, now), arrows.columns(), now)

    def overlay(self, arrows: Arrows, clock: Tensor) -> None:
        """Shows arrows until `uncover`; of items without a row only as many as there is room for."""
        before, place_M = len(self.table), self.table.find(arrows.key_M)
        known_M = place_M >= 0
        self._covered = (before, place_M[known_M], self.table.read(place_M[known_M]))
        fits_M = known_M | ((~known_M).cumsum(0) <= self._most - before)
        now, columns = float(clock), {name: column[fits_M] for name, column in arrows.columns().items()}
        self.table.write(self.table.place(arrows.key_M[fits_M], now), columns, now)

    def uncover(self) -> None:
        """Takes back what `overlay` showed."""
        if self._covered is not None:
            before, place_K, columns = self._covered
            self.table.truncate(before)
            self.table.write(place_K, columns)
            self._covered = None

    def _kept(self, touched_N: Tensor, clock: Tensor) -> Tensor:
        return torch.exp2((touched_N - clock) / self._memory_rows)

    def _load_from_state_dict(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - torch's signature
        self._covered = None
        super()._load_from_state_dict(*args, **kwargs)


def coupling(context_MI: Tensor, item_MJ: Tensor, similarity_MS: Tensor) -> Tensor:
    """C [M, d] of M items."""
    return torch.cat([(context_MI[:, :, None] * item_MJ[:, None, :]).flatten(1), similarity_MS], dim=1)


def _blank(read: Regressors, rows: int) -> dict[str, Tensor]:
    widths = {"context": read.context_NI, "item": read.item_NJ, "similarity": read.similarity_NS}
    blank = {name: torch.zeros(rows, side.shape[1]) for name, side in widths.items()}
    return {**blank, "scalars": torch.zeros(rows, 4), "touched": torch.zeros(rows)}


def _like(known_M: Tensor, column: Tensor) -> Tensor:
    return known_M[:, None] if column.dim() == 2 else known_M


def _rounded(values: Tensor) -> Tensor:
    return values.float().double()
