"""What deciding reads of an expert: mean and variance of each candidate's logit, at a price that decisions can pay.

The variance of candidate k is y' V y - 2 y' V z + z' V z + 1 / D: features y = [a x b, s], V the covariance of theta, z
how the effect of its item moves with theta, 1 / D what is left of that effect. Written out for each candidate that
takes d^2 operations. But the candidates of a decision share the context side a, so a' V is worked out once a decision;
and z is of the same form, [c x b', q], of which c, b', q, the rest of V z and z' V z belong to the item and stay the
same until the expert learns: they are worked out once and kept. A candidate then takes some I * J * J operations, and a
decision as many as three or four candidates did.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from agent.item_effects import Effect
from agent.regressors import Regressors

_MOST_ITEMS = 65_536
_AT_ONCE = 64  # items are worked out in parts of one size, so that a number never depends on which came together
_CANCELLED = 1e-3  # of y' V y: a variance below that has lost digits in the differences

EffectOf = Callable[[Tensor], Effect]
Places = NDArray[np.int64]


class Reading:
    """The expert as it stands, arranged for candidates that share contexts; of no use once the expert moves.

    Args:
        mean_d: of theta.
        covariance_dd: of theta.
        context_width: I.
        item_width: J.
    """

    def __init__(self, mean_d: Tensor, covariance_dd: Tensor, context_width: int, item_width: int) -> None:
        self._mean_d, self._covariance_dd = mean_d, covariance_dd
        self._I, self._J = context_width, item_width
        crossed = context_width * item_width
        crossed_IJIJ = covariance_dd[:crossed, :crossed].view(context_width, item_width, context_width, item_width)
        self._by_context = crossed_IJIJ.permute(0, 2, 1, 3).reshape(context_width, -1)  # [I, I' J J']
        self._by_similarity = covariance_dd[:crossed, crossed:].reshape(context_width, -1)  # [I, J S]
        self._similar_SS = covariance_dd[crossed:, crossed:]
        self._slot_of: dict[int, int] = {}
        self._kept = mean_d.new_zeros(0, 3 + context_width + item_width + 2 * len(self._similar_SS))

    def score(self, read: Regressors, counts_B: Places, effect_of: EffectOf) -> tuple[Tensor, Tensor]:
        """Posterior mean and variance of the logit of each candidate, [N] each.

        Args:
            read: of the candidates, those of a decision one after the other.
            counts_B: candidates of each decision; they share its context.
            effect_of: gives the effects of items by their keys, as the expert stands.
        """
        item = self._items(read.item_N, effect_of)
        mean_N = read.times(self._mean_d) + item.mean_N
        whole_N, shared_N = torch.empty_like(mean_N), torch.empty_like(mean_N)
        for some in _alike(counts_B):
            whole_N[some.at_M], shared_N[some.at_M] = self._forms(read, item, some)
        variance_N = whole_N - 2.0 * shared_N + item.form_N
        lost_N = variance_N < _CANCELLED * whole_N
        if lost_N.any():
            variance_N[lost_N] = self._written_out(read.where(lost_N), item.of(lost_N))
        return mean_N, variance_N.clamp_min(0.0) + item.variance_N

    def _forms(self, read: Regressors, item: "_Items", some: "_Alike") -> tuple[Tensor, Tensor]:
        """Forms y' V y and y' V z of the candidates of A decisions that have K candidates each, [A K] each."""
        A, K, I, J = some.decisions, some.candidates, self._I, self._J  # noqa: E741 - the names of the axes
        context_AI = read.context_NI[some.first_A]
        b_MJ, s_MS = read.item_NJ[some.at_M], read.similarity_NS[some.at_M]
        half_AIJJ = (context_AI @ self._by_context).view(A, I, J * J)
        near_AJS = (context_AI @ self._by_similarity).view(A, J, -1)
        own_AJJ = torch.bmm(context_AI[:, None, :], half_AIJJ).view(A, J, J)
        b_AKJ = b_MJ.view(A, K, J)
        crossed_M = ((b_AKJ @ own_AJJ) * b_AKJ).sum(-1).flatten()
        near_MS = (b_AKJ @ near_AJS).flatten(0, 1)
        whole_M = crossed_M + ((2.0 * near_MS + s_MS @ self._similar_SS) * s_MS).sum(-1)
        moved_MJJ = torch.bmm(item.context_NI[some.at_M].view(A, K, I), half_AIJJ).view(A * K, J, J)
        moved_MJ = _matvec(moved_MJJ, item.item_NJ[some.at_M])
        similar_M = (near_MS * item.similarity_NS[some.at_M]).sum(-1) + (s_MS * item.rest_NS[some.at_M]).sum(-1)
        return whole_M, (moved_MJ * b_MJ).sum(-1) + similar_M

    def _written_out(self, read: Regressors, item: "_Items") -> Tensor:
        """(y - z)' V (y - z) by candidate."""
        apart_Nd = read.features() - item.slope_Nd()
        return ((apart_Nd @ self._covariance_dd) * apart_Nd).sum(-1)

    def _items(self, item_N: Tensor, effect_of: EffectOf) -> "_Items":
        """What is kept of each candidate's item; what is not kept yet is worked out."""
        keys = item_N.tolist()
        try:
            slots = list(map(self._slot_of.__getitem__, keys))
        except KeyError:
            self._work_out(dict.fromkeys(keys), effect_of)
            slots = list(map(self._slot_of.__getitem__, keys))
        return _Items(self._kept.index_select(0, torch.tensor(slots, dtype=torch.int64)), self._I, self._J)

    def _work_out(self, wanted: dict[int, None], effect_of: EffectOf) -> None:
        new = [key for key in wanted if key not in self._slot_of]
        if len(self._slot_of) + len(new) > _MOST_ITEMS:
            self._slot_of.clear()
            new = list(wanted)
        start = len(self._slot_of)
        effect = effect_of(torch.tensor(new, dtype=torch.int64))
        form_M, rest_MS = self._forms_of_items(effect.slope_Nd())
        parts = [effect.mean_N, effect.variance_N, form_M]
        rows = torch.cat([torch.stack(parts, 1), effect.context_NI, effect.item_NJ, effect.similarity_NS, rest_MS], 1)
        if start + len(new) > len(self._kept):
            grown = rows.new_zeros(max(2 * len(self._kept), start + len(new)), rows.shape[1])
            grown[:start] = self._kept[:start]
            self._kept = grown
        self._kept[start : start + len(new)] = rows
        self._slot_of.update(zip(new, range(start, start + len(new)), strict=True))

    def _forms_of_items(self, slope_Md: Tensor) -> tuple[Tensor, Tensor]:
        """Forms z' V z [M] and the part [M, S] of V z that belongs to the similarities."""
        moved_Md = torch.cat([each_Md @ self._covariance_dd for each_Md in _parts(slope_Md)])[: len(slope_Md)]
        return (moved_Md * slope_Md).sum(-1), moved_Md[:, self._I * self._J :]


class _Items:
    """Columns of what is kept of N candidates' items, side by side."""

    def __init__(self, kept: Tensor, context_width: int, item_width: int) -> None:
        self._kept, self._I, self._J = kept, context_width, item_width
        self.mean_N, self.variance_N, self.form_N = kept[:, 0], kept[:, 1], kept[:, 2]
        sides, similar = 3 + context_width, 3 + context_width + item_width
        rest = (similar + kept.shape[1]) // 2
        self.context_NI, self.item_NJ = kept[:, 3:sides], kept[:, sides:similar]
        self.similarity_NS, self.rest_NS = kept[:, similar:rest], kept[:, rest:]

    def of(self, keep_N: Tensor) -> "_Items":
        """Those for which `keep_N` is true."""
        return _Items(self._kept[keep_N], self._I, self._J)

    def slope_Nd(self) -> Tensor:
        """Z."""
        effect = Effect(self.mean_N, self.variance_N, self.context_NI, self.item_NJ, self.similarity_NS)
        return effect.slope_Nd()


class _Alike(NamedTuple):
    """Decisions with as many candidates each: how many decisions and candidates, the first ones, and all of them."""

    decisions: int
    candidates: int
    first_A: slice | Tensor
    at_M: slice | Tensor


def _alike(counts_B: Places) -> Iterator[_Alike]:
    most = int(counts_B.max())
    if (counts_B == most).all():
        yield _Alike(len(counts_B), most, slice(None, None, most), slice(None))
        return
    starts_B = np.cumsum(counts_B) - counts_B
    for count in np.unique(counts_B).tolist():
        first_A = starts_B[counts_B == count]
        at_M = (first_A[:, None] + np.arange(count)).ravel()
        yield _Alike(len(first_A), count, torch.from_numpy(first_A), torch.from_numpy(at_M))


def _parts(rows_Md: Tensor) -> Iterator[Tensor]:
    """The rows in parts of one size, the last one filled up with zeros."""
    for start in range(0, len(rows_Md), _AT_ONCE):
        part_Md = rows_Md[start : start + _AT_ONCE]
        yield nn.functional.pad(part_Md, (0, 0, 0, _AT_ONCE - len(part_Md)))


def _matvec(matrix_MJJ: Tensor, vector_MJ: Tensor) -> Tensor:
    """Many small products, in which numpy is three times as fast."""
    return torch.from_numpy(np.matmul(matrix_MJJ.numpy(), vector_MJ.numpy()[:, :, None])[:, :, 0])
