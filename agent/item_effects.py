"""What each item earns beyond its features: the arrow of a Gaussian posterior, held an item at a time.

Of an item with effect u and coupling C to the shared weights theta are kept: its precision D = 1 / sd^2 + w, its
natural mean e, and C. As an item's features b stay the same while contexts change, C = (c x b, q) with c the weighted
sum of the contexts it was shown in and q that of its similarities: I + J + S numbers instead of I * J + S, and exact.
Where an item comes with other features than before, its effect is kept and its coupling begins anew; what is lost then
is a covariance, no mean.

Forgetting is lazy: all of it halves with every `memory_rows` of the clock, seen when the item is next touched or read.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from agent.crossed_rows import CrossedRows, Doubles, Places, Sums
from agent.levels import ItemsOfRows
from agent.settings import ExpertSettings
from agent.table import Table
from envs.protocols import Floats

_COLUMNS = ("context", "item", "similarity", "scalars")
SAME = 1e-4  # features of one item that differ by less are the same


class Effect(NamedTuple):
    """The effects u of N items given theta: u ~ N(own - slope . theta, variance), slope = [c x b, q].

    Attributes:
        own_N, variance_N: the effects where theta is 0; 0 and the prior's where an item was never learned from.
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
        coupling: c, b and q of the coupling C = [c x b, q].
        told_4M: e, w (the precision beyond the prior's), rows seen, and the sum of their rewards.
        loose_M: whether the features changed, so that the effect is learned beside theta and not together with it.
        prior: 1 / sd^2.
    """

    key_M: Places
    row_R: Places
    coupling: CrossedRows
    told_4M: Doubles
    loose_M: NDArray[np.bool_]
    prior: float

    @property
    def evidence_M(self) -> Doubles:
        """The natural mean e."""
        evidence_M: Doubles = self.told_4M[0]
        return evidence_M

    @property
    def precision_M(self) -> Doubles:
        """The precision D."""
        precision_M: Doubles = self.prior + self.told_4M[1]
        return precision_M

    def of_rows(self) -> ItemsOfRows:
        """Which item each row is of, and the precision of the effects."""
        free_M = np.where(self.loose_M, np.inf, self.precision_M)
        return ItemsOfRows(torch.from_numpy(self.row_R), torch.from_numpy(free_M))

    def slope_Rd(self, rows: Places) -> Doubles:
        """How much of the effect of each of some rows moves with theta."""
        items = self.row_R[rows]
        slope_Rd: Doubles = self.coupling.features_Rd(items) / self.precision_M[items, None]
        return slope_Rd

    def mean_R(self, theta_d: Doubles) -> Doubles:
        """The mean effect of each row's item, given theta."""
        mean_R: Doubles = self._mean_M(theta_d)[self.row_R]
        return mean_R

    def held_R(self, theta_d: Doubles) -> Doubles | float:
        """The effects that stay as they are while theta is learned; 0 where both are learned together."""
        if not self.loose_M.any():
            return 0.0
        held_R: Doubles = np.where(self.loose_M, self._mean_M(theta_d), 0.0)[self.row_R]
        return held_R

    def contribution(self, *, exact: bool) -> Sums:
        """What marginalising the effects takes from the precision and the natural mean of theta.

        Args:
            exact: whether in double precision.
        """
        coupling = self.coupling if exact else self.coupling.single
        return coupling.sums(1.0 / self.precision_M, self.evidence_M / self.precision_M)

    def added(self, rows: CrossedRows, told: "Told", theta_d: Doubles) -> "Arrows":
        """The arrows with the rows' evidence, as exactly as they will be kept.

        Args:
            rows: the rows.
            told: what came of them.
            theta_d: where loose effects stand.
        """
        curvature_R, pull_R, reward_R = told
        coupled_R = curvature_R
        if self.loose_M.any():
            loose_R = self.loose_M[self.row_R]
            coupled_R = np.where(loose_R, 0.0, curvature_R)
            pull_R = pull_R - np.where(loose_R, curvature_R * rows.times(theta_d), 0.0)
        context_IM, item_JM, similarity_SM = self.coupling.sides
        coupling = CrossedRows(
            _rounded(context_IM + self._summed(rows.context_IR * coupled_R)),
            item_JM,
            _rounded(similarity_SM + self._summed(rows.similarity_SR * coupled_R)),
        )
        told_4M = self.told_4M + self._summed(np.stack([pull_R, curvature_R, np.ones_like(pull_R), reward_R]))
        told_4M[:2] = _rounded(told_4M[:2])
        return replace(self, coupling=coupling, told_4M=told_4M)

    def columns(self) -> dict[str, Tensor]:
        """As the table keeps them."""
        columns = zip(_COLUMNS, (*self.coupling.sides, self.told_4M), strict=True)
        return {name: torch.from_numpy(column.T) for name, column in columns}

    def _mean_M(self, theta_d: Doubles) -> Doubles:
        mean_M: Doubles = (self.evidence_M - self.coupling.times(theta_d)) / self.precision_M
        return mean_M

    def _summed(self, each_XR: Doubles) -> Doubles:
        """The sum over each item's rows, [X, M]."""
        order_R, starts_M = self._in_order
        sum_XM: Doubles = np.add.reduceat(each_XR.take(order_R, axis=1), starts_M, axis=1)
        return sum_XM

    @cached_property
    def _in_order(self) -> tuple[Places, Places]:
        """The rows by item, and where those of each begin."""
        order_R = np.argsort(self.row_R, kind="stable")
        return order_R, np.searchsorted(self.row_R[order_R], np.arange(len(self.key_M)))


class Told(NamedTuple):
    """What R rows tell of effects: what each adds to the precision and to the natural mean, and its reward."""

    curvature_R: Doubles
    pull_R: Doubles
    reward_R: Doubles


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
        self._most = settings.max_items
        self._widths = (context_width, item_width, similarities)
        columns = dict(zip(_COLUMNS, (*self._widths, 4), strict=True))
        self.table = Table(columns, settings.max_items, settings.memory_rows)
        self._covered: tuple[int, Tensor, dict[str, Tensor]] | None = None

    def clear(self) -> None:
        """Forgets all items."""
        self._covered = None
        self.table.clear()

    def effect(self, item_N: Places, clock: Tensor) -> Effect:
        """The effects of items as they stand."""
        place_N = self.table.places(item_N)
        if not len(self.table):
            blank = (np.zeros((len(place_N), width), np.float32) for width in self._widths)
            return Effect(
                np.zeros(len(place_N), np.float32), np.full(len(place_N), 1.0 / self._prior, np.float32), *blank
            )
        known_N = place_N >= 0
        row = self.table.rows(place_N if known_N.all() else np.maximum(place_N, 0))
        keep_N = (self.table.remaining(row["touched"], float(clock)) * known_N).astype(np.float32)
        variance_N = 1.0 / (np.float32(self._prior) + keep_N * row["scalars"][:, 1])
        share_N = keep_N * variance_N
        return Effect(
            row["scalars"][:, 0] * share_N,
            variance_N,
            (row["context"].T * share_N).T,
            row["item"],
            (row["similarity"].T * share_N).T,
        )

    def seen(self, item_N: Places, clock: Tensor) -> tuple[Doubles, Doubles]:
        """How often each item was resolved, forgetting included, and its mean reward (0 where never), [N] each."""
        if not len(self.table):
            return np.zeros(len(item_N)), np.zeros(len(item_N))
        place_N = self.table.places(item_N)
        row, known_N = self.table.rows(np.maximum(place_N, 0)), place_N >= 0
        rows_N, reward_N = row["scalars"][:, 2:].T * known_N
        mean_N = (reward_N / np.maximum(rows_N, np.float32(1e-9))).astype(np.float64)
        return rows_N * self.table.remaining(row["touched"], float(clock)), mean_N

    def arrows(self, rows: CrossedRows, item_R: Places, theta_d: Doubles, clock: Tensor) -> tuple[Arrows, Sums]:
        """The arrows of R rows' items, forgotten up to now, and what their marginals had taken from theta."""
        key_M, first_M, row_R = np.unique(item_R, return_index=True, return_inverse=True)
        place_M = self.table.find(torch.from_numpy(key_M)).numpy()
        known_M, read_JM = place_M >= 0, _rounded(rows.item_JR[:, first_M])
        stored = self.table.rows(np.maximum(place_M, 0)) if len(self.table) else self._blank(len(key_M))
        touched_M = stored.pop("touched")
        context_IM, item_JM, similarity_SM, told_4M = (
            np.multiply(stored[name].T, known_M, dtype=np.float64, order="C") for name in _COLUMNS
        )
        item_JM = np.where(known_M, item_JM, read_JM)
        differs_R = (np.abs(rows.item_JR - item_JM[:, row_R]) > SAME).any(axis=0)
        loose_M = np.zeros(len(key_M), np.bool_)
        loose_M[row_R[differs_R]] = True
        keep_M = np.where(known_M, self.table.remaining(touched_M, float(clock)), 0.0)
        before = Arrows(key_M, row_R, CrossedRows(context_IM, item_JM, similarity_SM), told_4M, loose_M, self._prior)
        share_M = np.where(loose_M, 0.0, keep_M / before.precision_M)
        returned = before.coupling.sums(share_M, share_M * before.evidence_M)
        told_4M = told_4M * keep_M
        coupled_M = keep_M
        if loose_M.any():
            told_4M[0] -= np.where(loose_M, keep_M * before.coupling.times(theta_d), 0.0)
            coupled_M, item_JM = np.where(loose_M, 0.0, keep_M), np.where(loose_M, read_JM, item_JM)
        coupling = CrossedRows(context_IM * coupled_M, item_JM, similarity_SM * coupled_M)
        return replace(before, coupling=coupling, told_4M=told_4M), returned

    def commit(self, arrows: Arrows, clock: Tensor) -> None:
        """Keeps arrows."""
        now = float(clock)
        self.table.write(self.table.place(torch.from_numpy(arrows.key_M), now), arrows.columns(), now)

    def overlay(self, arrows: Arrows, clock: Tensor) -> None:
        """Shows arrows until `uncover`; of items without a row only as many as there is room for."""
        key_M = torch.from_numpy(arrows.key_M)
        before, place_M = len(self.table), self.table.find(key_M)
        known_M = place_M >= 0
        self._covered = (before, place_M[known_M], self.table.read(place_M[known_M]))
        fits_M = known_M | ((~known_M).cumsum(0) <= self._most - before)
        now, columns = float(clock), {name: column[fits_M] for name, column in arrows.columns().items()}
        self.table.write(self.table.place(key_M[fits_M], now), columns, now)

    def uncover(self) -> None:
        """Takes back what `overlay` showed."""
        if self._covered is not None:
            before, place_K, columns = self._covered
            self.table.truncate(before)
            self.table.write(place_K, columns)
            self._covered = None

    def _blank(self, rows: int) -> dict[str, NDArray[Any]]:
        blank = {name: np.zeros((rows, width)) for name, width in zip(_COLUMNS, (*self._widths, 4), strict=True)}
        return {**blank, "touched": np.zeros(rows)}

    def _load_from_state_dict(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - torch's signature
        self._covered = None
        super()._load_from_state_dict(*args, **kwargs)


def _rounded(values: Doubles) -> Doubles:
    return values.astype(np.float32).astype(np.float64)
