"""What deciding reads of an expert: mean and variance of each candidate's logit, at a price that decisions can pay.

The variance of candidate k is y' V y - 2 y' V z + z' V z + 1 / D: features y = [a x b, s], V the covariance of theta, z
how the effect of its item moves with theta, 1 / D what is left of that effect. Written out for each candidate that
takes d^2 operations. But the candidates of a decision share the context side a, so a' V is worked out once a decision;
and z is of the same form, [c x b', q], of which c, b', q, the rest of V z and z' V z belong to the item and stay the
same until the expert learns: they are worked out once and kept. A candidate then takes some I * J * J operations, and a
decision as many as three or four candidates did.
"""

from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agent.by_decision import Alike, ByDecision
from agent.item_effects import Effect, coupling
from agent.regressors import Regressors
from agent.remembered import Remembered

_AT_ONCE = 64  # items are worked out in parts of one size, so that a number never depends on which came together
_CANCELLED = 1e-3  # of y' V y: a variance below that has lost digits in the differences

Array = NDArray[Any]
EffectOf = Callable[[Tensor], Effect]


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
        self._means = Remembered(width=1)
        self._items = Remembered(3 + context_width + item_width + 2 * (len(mean_d) - context_width * item_width))

    def score(self, read: Regressors, by_decision: ByDecision, effect_of: EffectOf) -> tuple[Tensor, Tensor]:
        """Posterior mean and variance of the logit of each candidate, [N] each.

        Args:
            read: of the candidates.
            by_decision: which of them share a context.
            effect_of: gives the effects of items by their keys, as the expert stands.
        """
        item = _Items(self._items.rows(read.item_N, lambda key_M: self._row_of(effect_of(key_M))), self._I, self._J)
        whole_N, shared_N = np.empty((2, len(item.mean_N)), np.float32)
        for some in by_decision:
            whole_N[some.of_N], shared_N[some.of_N] = self._forms(read, item, some)
        variance_N = whole_N - 2.0 * shared_N + item.form_N
        lost_N = variance_N < _CANCELLED * whole_N
        if lost_N.any():
            variance_N[lost_N] = self._written_out(read.where(torch.from_numpy(lost_N)), item.of(lost_N))
        variance_N = np.maximum(variance_N, 0.0) + item.variance_N
        return read.times(self._mean_d).add_(torch.from_numpy(item.mean_N)), torch.from_numpy(variance_N)

    def effects(self, item_N: Tensor, effect_of: EffectOf) -> Tensor:
        """The mean effect [N] of each item."""
        return torch.from_numpy(self._means.rows(item_N, lambda key_M: effect_of(key_M).mean_N.numpy()[:, None])[:, 0])

    @cached_property
    def _arranged(self) -> tuple[Tensor, Tensor, Array]:
        """V of crossed features [I, I' J J'], between them and similarities [I, J S], and of similarities [S, S]."""
        I, J, crossed = self._I, self._J, self._I * self._J  # noqa: E741 - the names of the axes
        crossed_IJIJ = self._covariance_dd[:crossed, :crossed].view(I, J, I, J)
        mixed_IJS = self._covariance_dd[:crossed, crossed:]
        similar_SS = self._covariance_dd[crossed:, crossed:].numpy()
        return crossed_IJIJ.permute(0, 2, 1, 3).reshape(I, -1), mixed_IJS.reshape(I, -1), similar_SS

    def _forms(self, read: Regressors, item: "_Items", some: Alike) -> tuple[Array, Array]:
        """Forms y' V y and y' V z of the candidates of A decisions that have K candidates each, [A K] each."""
        context_AI = read.context_NI[some.first_N]
        A, K, I, J = len(context_AI), some.candidates, self._I, self._J  # noqa: E741 - the names of the axes
        b_MJ, s_MS = read.item_NJ.numpy()[some.of_N], read.similarity_NS.numpy()[some.of_N]
        by_context, by_similarity, similar_SS = self._arranged
        half_AIJJ = (context_AI @ by_context).view(A, I, J * J)
        near_AJS = (context_AI @ by_similarity).view(A, J, -1)
        b_AKJ = torch.from_numpy(b_MJ.reshape(A, K, J))
        own_MJ = (b_AKJ @ torch.bmm(context_AI[:, None, :], half_AIJJ).view(A, J, J)).numpy().reshape(A * K, J)
        near_MS = (b_AKJ @ near_AJS).numpy().reshape(A * K, -1)
        similar_MS = s_MS @ similar_SS
        whole_M = _dots(own_MJ, b_MJ) + _dots(2.0 * near_MS + similar_MS, s_MS)
        c_AKI = torch.from_numpy(np.ascontiguousarray(some.split(item.context_NI)))
        moved_MJJ = torch.bmm(c_AKI, half_AIJJ).numpy().reshape(A * K, J, J)
        moved_MJ = np.matmul(moved_MJJ, item.item_NJ[some.of_N][:, :, None])[:, :, 0]
        shared_M = _dots(moved_MJ, b_MJ) + _dots(near_MS, item.similarity_NS[some.of_N])
        return whole_M, shared_M + _dots(s_MS, item.rest_NS[some.of_N])

    def _written_out(self, read: Regressors, item: "_Items") -> Array:
        """(y - z)' V (y - z) by candidate."""
        apart_Nd = read.features() - item.slope_Nd()
        return ((apart_Nd @ self._covariance_dd) * apart_Nd).sum(-1).numpy()

    def _row_of(self, effect: Effect) -> Array:
        """What is kept of items, side by side, see `_Items`."""
        slope_Md = effect.slope_Nd()
        moved_Md = torch.cat([each_Md @ self._covariance_dd for each_Md in _parts(slope_Md)])[: len(slope_Md)]
        scalars = [effect.mean_N, effect.variance_N, (moved_Md * slope_Md).sum(-1)]
        rest_MS = moved_Md[:, self._I * self._J :]
        sides = [effect.context_NI, effect.item_NJ, effect.similarity_NS, rest_MS]
        return torch.cat([torch.stack(scalars, dim=1), *sides], dim=1).numpy()


class _Items:
    """Columns of what is kept of N candidates' items: the effect, z' V z, and the part of V z of the similarities."""

    def __init__(self, kept: Array, context_width: int, item_width: int) -> None:
        self._kept, self._I, self._J = kept, context_width, item_width
        self.mean_N, self.variance_N, self.form_N = kept[:, 0], kept[:, 1], kept[:, 2]
        sides, similar = 3 + context_width, 3 + context_width + item_width
        rest = (similar + kept.shape[1]) // 2
        self.context_NI, self.item_NJ = kept[:, 3:sides], kept[:, sides:similar]
        self.similarity_NS, self.rest_NS = kept[:, similar:rest], kept[:, rest:]

    def of(self, keep_N: Array) -> "_Items":
        """Those for which `keep_N` is true."""
        return _Items(self._kept[keep_N], self._I, self._J)

    def slope_Nd(self) -> Tensor:
        """How each effect moves with theta."""
        return coupling(*map(torch.from_numpy, (self.context_NI, self.item_NJ, self.similarity_NS)))


def _dots(one_NX: Array, other_NX: Array) -> Array:
    """The product [N] of each two rows."""
    dot_N: Array = np.einsum("nx,nx->n", one_NX, other_NX)
    return dot_N


def _parts(rows_Md: Tensor) -> Iterator[Tensor]:
    """The rows in parts of one size, the last one filled up with zeros."""
    for start in range(0, len(rows_Md), _AT_ONCE):
        part_Md = rows_Md[start : start + _AT_ONCE]
        yield torch.nn.functional.pad(part_Md, (0, 0, 0, _AT_ONCE - len(part_Md)))
