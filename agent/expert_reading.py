"""What deciding reads of an expert: mean and variance of each candidate's logit, at a price that decisions can pay.

The variance of candidate k is y' V y - 2 y' V z + z' V z + 1 / D: features y = [a x b, s], V the covariance of theta,
z how the effect of its item moves with theta, 1 / D what is left of that effect. Written out for each candidate that
takes d^2 operations. But the candidates of a decision share the context side a, so a a' V is worked out once a
decision, as much work as two candidates were; and V z and z' V z belong to the item and stay the same until the expert
learns, so they are worked out once and kept. What is left for a candidate is some 2 d operations; one whose item has
not been met since the expert learned takes d^2 more, as each did when written out.
"""

from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agent.by_decision import Alike, ByDecision
from agent.item_effects import Effect
from agent.regressors import Regressors
from agent.remembered import Remembered

_MOST_ITEMS = 16_384  # of some d numbers each
_CANCELLED = 1e-3  # of y' V y: a variance below that has lost digits in the differences

Array = NDArray[Any]
EffectOf = Callable[[Tensor], Effect]


class Reading:
    """The expert as it stands, arranged for candidates that share contexts.

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
        self._items = Remembered(3 + len(mean_d), _MOST_ITEMS)

    def clear(self) -> None:
        """Says that the expert moved: nothing that was worked out before is of use."""
        self._means.clear()
        self._items.clear()
        self.__dict__.pop("_arranged", None)

    def score(self, read: Regressors, by_decision: ByDecision, effect_of: EffectOf) -> tuple[Tensor, Tensor]:
        """Posterior mean and variance of the logit of each candidate, [N] each.

        Args:
            read: of the candidates.
            by_decision: which of them share a context.
            effect_of: gives the effects of items by their keys, as the expert stands.
        """
        item_NX = self._items.rows(read.item_N, lambda key_M: self._row_of(effect_of(key_M)))
        whole_N, shared_N = np.empty((2, len(item_NX)), np.float32)
        for some in by_decision:
            whole_N[some.of_N], shared_N[some.of_N] = self._forms(read, item_NX, some)
        variance_N = whole_N - 2.0 * shared_N + item_NX[:, 2]
        lost_N = variance_N < _CANCELLED * whole_N
        if lost_N.any():
            lost = read.where(torch.from_numpy(lost_N))
            variance_N[lost_N] = self._written_out(lost, effect_of(lost.item_N))
        variance_N = np.maximum(variance_N, 0.0) + item_NX[:, 1]
        return read.times(self._mean_d).add_(torch.from_numpy(item_NX[:, 0])), torch.from_numpy(variance_N)

    def effects(self, item_N: Tensor, effect_of: EffectOf) -> Tensor:
        """The mean effect [N] of each item."""
        return torch.from_numpy(self._means.rows(item_N, lambda key_M: effect_of(key_M).mean_N.numpy()[:, None])[:, 0])

    @cached_property
    def _arranged(self) -> tuple[Tensor, Tensor, Array]:
        """V of crossed features [I I', J J'], between them and similarities [I, J S], and of similarities [S, S]."""
        I, J, crossed = self._I, self._J, self._I * self._J  # noqa: E741 - the names of the axes
        crossed_IJIJ = self._covariance_dd[:crossed, :crossed].view(I, J, I, J)
        mixed_IJS = self._covariance_dd[:crossed, crossed:]
        similar_SS = self._covariance_dd[crossed:, crossed:].numpy()
        return crossed_IJIJ.permute(0, 2, 1, 3).reshape(I * I, J * J), mixed_IJS.reshape(I, -1), similar_SS

    def _forms(self, read: Regressors, item_NX: Array, some: Alike) -> tuple[Array, Array]:
        """Forms y' V y and y' V z of the candidates of A decisions that have K candidates each, [A K] each."""
        by_context, by_similarity, similar_SS = self._arranged
        context_AI = read.context_NI[some.first_N]
        A, K, I, J = len(context_AI), some.candidates, self._I, self._J  # noqa: E741 - the names of the axes
        b_MJ, s_MS = read.item_NJ.numpy()[some.of_N], read.similarity_NS.numpy()[some.of_N]
        b_AKJ = torch.from_numpy(b_MJ.reshape(A, K, J))
        squared_AII = context_AI[:, :, None] * context_AI[:, None, :]
        own_AJJ = (squared_AII.view(A, I * I) @ by_context).view(A, J, J)
        own_MJ = (b_AKJ @ own_AJJ).numpy().reshape(A * K, J)
        near_MS = (b_AKJ @ (context_AI @ by_similarity).view(A, J, -1)).numpy().reshape(A * K, -1)
        whole_M = _dots(own_MJ, b_MJ) + _dots(2.0 * near_MS + s_MS @ similar_SS, s_MS)
        moved_AXI = item_NX[some.of_N, 3 : 3 + I * J].reshape(A, K * J, I)
        moved_MJ = np.matmul(moved_AXI, context_AI.numpy()[:, :, None]).reshape(A * K, J)
        return whole_M, _dots(moved_MJ, b_MJ) + _dots(item_NX[some.of_N, 3 + I * J :], s_MS)

    def _written_out(self, read: Regressors, effect: Effect) -> Array:
        """(y - z)' V (y - z) by candidate."""
        apart_Nd = read.features() - effect.slope_Nd()
        return ((apart_Nd @ self._covariance_dd) * apart_Nd).sum(-1).numpy()

    def _row_of(self, effect: Effect) -> Array:
        """What is kept of M items: mean and variance of the effect, z' V z, then V z as [J, I], its last part [S]."""
        crossed, items = self._I * self._J, len(effect.mean_N)
        row_MX = np.empty((items, 3 + len(self._mean_d)), np.float32)
        row_MX[:, 0], row_MX[:, 1] = effect.mean_N, effect.variance_N
        slope_Md = effect.slope_Nd()
        moved_Md = (slope_Md @ self._covariance_dd).numpy()
        row_MX[:, 2] = _dots(moved_Md, slope_Md.numpy())
        by_item_MJI = moved_Md[:, :crossed].reshape(items, self._I, self._J).transpose(0, 2, 1)
        row_MX[:, 3 : 3 + crossed] = by_item_MJI.reshape(items, crossed)
        row_MX[:, 3 + crossed :] = moved_Md[:, crossed:]
        return row_MX


def _dots(one_NX: Array, other_NX: Array) -> Array:
    """The product [N] of each two rows."""
    dot_N: Array = np.einsum("nx,nx->n", one_NX, other_NX)
    return dot_N
