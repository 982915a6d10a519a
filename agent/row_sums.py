"""The two sums over rows that an expert's update is made of, and who adds them up.

Both are sums: rows may be cut into shares, each added up apart, and the shares' sums added, as long as all shares
are linearised at the same weights.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple, Protocol

from torch import Tensor

from agent.regressors import Regressors

LEAST_CURVATURE = 1e-3  # of a row that counts once


class Sums(NamedTuple):
    """What R rows add to the posterior of theta before any effect is marginalised.

    Attributes:
        precision: sum of curvature * phi phi' [d, d].
        eta: sum of pull * phi [d].
    """

    precision: Tensor
    eta: Tensor


class WeightedRows(NamedTuple):
    """R rows, linearised.

    Attributes:
        read: their regressors.
        features_Rd: phi, in the precision to add up in.
        curvature_R: what each adds to the precision, a unit of phi phi'.
        pull_R: what each adds to the natural mean, a unit of phi.
    """

    read: Regressors
    features_Rd: Tensor
    curvature_R: Tensor
    pull_R: Tensor

    def shares(self, count: int) -> "list[WeightedRows]":
        """The rows in order, in `count` shares of almost equal size, or in as many as there are rows, at least one."""
        rows = len(self.pull_R)
        count = max(min(count, rows), 1)
        cuts = [rows * share // count for share in range(count + 1)]
        return [self._between(slice(*ends)) for ends in pairwise(cuts)]

    def sums(self) -> Sums:
        """Adds up in R d^2 operations."""
        weighted_Rd = self.features_Rd * self.curvature_R[:, None].to(self.features_Rd.dtype)
        pulled_d = self.features_Rd.T @ self.pull_R.to(self.features_Rd.dtype)
        return Sums(self.features_Rd.T @ weighted_Rd, pulled_d.double())

    def _between(self, ends: slice) -> "WeightedRows":
        read = Regressors(*(column[ends] for column in self.read))
        return WeightedRows(read, self.features_Rd[ends], self.curvature_R[ends], self.pull_R[ends])


class Adding(Protocol):
    """Adds rows up, here or elsewhere."""

    def __call__(self, rows: WeightedRows) -> Callable[[], Sums]:
        """Begins to add up; what it returns gives the sums, each row in them once, whatever fails on the way."""
        ...


def added_here(rows: WeightedRows) -> Callable[[], Sums]:
    """Adds up in this process, when the sums are asked for."""
    return rows.sums
