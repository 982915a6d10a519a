"""Candidates by decision: what those of one share is worked out once, in products over decisions alike in size.

N candidates of B decisions lie one after the other. Decisions with as many candidates each make one array; where all
have as many, which is the rule, that is a view.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Places = NDArray[np.int64]
Array = NDArray[Any]


class Alike(NamedTuple):
    """A decisions of K candidates each.

    Attributes:
        candidates: K.
        of_B: which decisions.
        of_N: all of their candidates.
        first_N: the first candidate of each.
    """

    candidates: int
    of_B: slice | Places
    of_N: slice | Places
    first_N: slice | Places

    def split(self, each_NX: Array) -> Array:
        """What stands at their candidates, [A, K, X]."""
        return each_NX[self.of_N].reshape(-1, self.candidates, each_NX.shape[1])


@dataclass(frozen=True)
class ByDecision:
    """How many candidates each decision has.

    >>> by_decision = ByDecision(np.array([1, 2]))
    >>> by_decision.dots(np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])).tolist()
    [1.0, 4.0, 6.0]
    """

    counts_B: Places

    @staticmethod
    def one_each(decisions: int) -> "ByDecision":
        """Each decision with one candidate, as rows are."""
        return ByDecision(np.ones(decisions, dtype=np.int64))

    def __iter__(self) -> Iterator[Alike]:
        return iter(self._alike)

    def dots(self, one_BX: Array, other_NX: Array) -> Array:
        """The product [N] of each candidate's vector with that of its decision."""
        dot_N = np.empty(len(other_NX), other_NX.dtype)
        for some in self:
            one_AX1 = one_BX[some.of_B][:, :, None]
            dot_N[some.of_N] = np.matmul(some.split(other_NX), one_AX1).ravel()
        return dot_N

    @cached_property
    def _alike(self) -> list[Alike]:
        counts_B = self.counts_B
        if not len(counts_B):
            return []
        most = int(counts_B.max())
        if int(counts_B.min()) == most:
            every = slice(None)
            return [Alike(most, every, every, slice(None, None, most))]
        starts_B, alike = np.cumsum(counts_B) - counts_B, []
        for count in np.unique(counts_B).tolist():
            of_A = np.flatnonzero(counts_B == count)
            of_M = (starts_B[of_A][:, None] + np.arange(count)).ravel()
            alike.append(Alike(count, of_A, of_M, starts_B[of_A]))
        return alike
