"""What deciding reads of an expert: mean and variance of each candidate's logit, at a price that decisions can pay.

The logit of candidate k is x . theta + e + noise of variance 1 / D, where x = y - z: features y = [a x b, s], less z,
how the effect of its item moves with theta; e is what that effect would be at theta = 0, and D its precision. So mean
and variance are x . m + e and x' V x + 1 / D, m and V of theta. As z = [c x b, q] has the item's own features b, x is
[(a - c) x b, s - q]: a form in crossed features, which `agent.symmetric` works out in a quarter of d^2 operations, for
all candidates in a few products. Nothing is kept between two decisions, so an item costs the same whether it was
met lately or never.

Where an item comes with other features than it was learned with, x is written out, for d^2 operations.
"""

from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from agent.item_effects import SAME, Effect
from agent.regressors import Regressors
from agent.symmetric import folded, pairs, product

Array = NDArray[Any]


class Reading:
    """The expert as it stands.

    Args:
        mean_d: of theta.
        covariance_dd: of theta.
        context_width: I.
        item_width: J.
    """

    def __init__(self, mean_d: Tensor, covariance_dd: Tensor, context_width: int, item_width: int) -> None:
        self._mean_d, self._covariance_dd = mean_d, covariance_dd
        self._I, self._J = context_width, item_width

    def moved(self) -> None:
        """Says that the expert moved."""
        self.__dict__.pop("_arranged", None)

    def logit(self, read: Regressors, effect: Effect) -> Array:
        """Posterior mean [N] of the logit of each candidate.

        Args:
            read: of the candidates.
            effect: of their items.
        """
        return self._logit(_Apart(read, effect), effect)

    def score(self, read: Regressors, effect: Effect) -> tuple[Array, Array]:
        """Posterior mean and variance of the logit of each candidate, [N] each.

        Args:
            read: of the candidates.
            effect: of their items.
        """
        apart = _Apart(read, effect)
        form_N = self._form(apart)
        if len(apart.other):
            x_Md = apart.written_out(read, effect)
            form_N[apart.other] = np.einsum("md,md->m", x_Md @ self._covariance_dd.numpy(), x_Md)
        return self._logit(apart, effect), np.maximum(form_N, 0.0, out=form_N) + effect.variance_N

    def _logit(self, apart: "_Apart", effect: Effect) -> Array:
        logit_N: Array = apart.times(self._mean_d.numpy()) + effect.own_N
        if len(apart.other):
            x_Md = apart.written_out(apart.read, effect)
            logit_N[apart.other] = x_Md @ self._mean_d.numpy() + effect.own_N[apart.other]
        return logit_N

    @cached_property
    def _arranged(self) -> "_Arranged":
        I, J, crossed = self._I, self._J, self._I * self._J  # noqa: E741 - the names of the axes
        covariance_dd = self._covariance_dd.numpy()
        crossed_HK = folded(covariance_dd[:crossed, :crossed], I, J)
        mixed_cS, similar_SS = 2.0 * covariance_dd[:crossed, crossed:], covariance_dd[crossed:, crossed:]
        few = similar_SS.shape[0] < J
        mixed_XY = mixed_cS.reshape(I, -1).T if few else mixed_cS
        crossed_KH, mixed_XY, similar_SS = (np.ascontiguousarray(each) for each in (crossed_HK.T, mixed_XY, similar_SS))
        return _Arranged(crossed_KH, mixed_XY, similar_SS, few)

    def _form(self, apart: "_Apart") -> Array:
        """X' V x of each candidate."""
        crossed_KH, mixed_XY, similar_SS, few = self._arranged
        a_IN, b_JN, s_SN = apart.context_IN, apart.item_JN, apart.similarity_SN
        moved_KN = product(crossed_KH, pairs(a_IN))
        form_N: Array = np.einsum("kn,kn->n", moved_KN, pairs(b_JN))
        if not len(similar_SS):
            return form_N
        if few:
            mixed_JSN = product(mixed_XY, a_IN).reshape(self._J, len(s_SN), -1)
            near_SN = np.einsum("jsn,jn->sn", mixed_JSN, b_JN)
            form_N += np.einsum("sn,sn->n", near_SN + similar_SS @ s_SN, s_SN)
            return form_N
        mixed_IJN = product(mixed_XY, s_SN).reshape(self._I, self._J, -1)
        form_N += np.einsum("in,in->n", np.einsum("ijn,jn->in", mixed_IJN, b_JN), a_IN)
        form_N += np.einsum("sn,sn->n", similar_SS @ s_SN, s_SN)
        return form_N


class _Arranged(NamedTuple):
    """V in the order in which candidates are multiplied with it.

    Attributes:
        crossed_KH: of crossed features, pairs by pairs.
        mixed_XY: twice what is between them and similarities: [J S, I] where these are few, else [I J, S].
        similar_SS: of similarities.
        few: whether these are.
    """

    crossed_KH: Array
    mixed_XY: Array
    similar_SS: Array
    few: bool


class _Apart:
    """x of N candidates: a - c, b and s - q.

    Attributes:
        other: the places of candidates whose items were learned with other features, for which x is not so.
    """

    def __init__(self, read: Regressors, effect: Effect) -> None:
        self.read = read
        item_JN = read.item_NJ.T
        self.context_IN = np.ascontiguousarray(read.context_NI.T - effect.context_NI.T)
        self.item_JN = np.ascontiguousarray(item_JN)
        self.similarity_SN = np.ascontiguousarray(read.similarity_NS.T - effect.similarity_NS.T)
        apart_JN = item_JN - effect.item_NJ.T
        far_JN = np.abs(apart_JN, out=apart_JN) > SAME
        self.other = np.flatnonzero(far_JN.any(axis=0) & (effect.context_NI[:, 0] > 0.0)) if far_JN.any() else _NONE

    def times(self, weight_d: Array) -> Array:
        """X . weight [N]."""
        I, J = len(self.context_IN), len(self.item_JN)  # noqa: E741 - the names of the axes
        moved_JN = weight_d[: I * J].reshape(I, J).T @ self.context_IN
        product_N: Array = np.einsum("jn,jn->n", moved_JN, self.item_JN)
        product_N += weight_d[I * J :] @ self.similarity_SN
        return product_N

    def written_out(self, read: Regressors, effect: Effect) -> Array:
        """X [M, d] of the candidates whose items were learned with other features."""
        written_out_Md: Array = read.where(self.other).features() - effect.where(self.other).slope_Nd()
        return written_out_Md


_NONE = np.zeros(0, np.int64)
