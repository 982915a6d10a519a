"""The sums over rows that an expert's update is made of, and who adds them up.

They are sums: rows may be cut into shares, each added up apart, and the shares' sums added, as long as all shares
are linearised at the same weights.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple, Protocol

from agent.crossed_rows import CrossedRows, Doubles, Sums

LEAST_CURVATURE = 1e-3  # of a row that counts once


class WeightedRows(NamedTuple):
    """R rows, linearised.

    Attributes:
        rows: their sides.
        curvature_R: what each adds to the precision, a unit of phi phi'.
        pull_R: what each adds to the natural mean, a unit of phi.
    """

    rows: CrossedRows
    curvature_R: Doubles
    pull_R: Doubles

    def shares(self, count: int) -> "list[WeightedRows]":
        """The rows in order, in `count` shares of almost equal size, or in as many as there are rows, at least one."""
        rows = len(self.pull_R)
        count = max(min(count, rows), 1)
        cuts = [rows * share // count for share in range(count + 1)]
        return [self._between(slice(*ends)) for ends in pairwise(cuts)]

    def sums(self) -> Sums:
        """Adds up what all rows add to the posterior of theta before any effect is marginalised."""
        return self.rows.sums(self.curvature_R, self.pull_R)

    def _between(self, ends: slice) -> "WeightedRows":
        return WeightedRows(self.rows[ends], self.curvature_R[ends], self.pull_R[ends])


class Adding(Protocol):
    """Adds rows up, here or elsewhere."""

    def __call__(self, rows: WeightedRows) -> Callable[[], Sums]:
        """Begins to add up; what it returns gives the sums, each row in them once, whatever fails on the way."""
        ...


def added_here(rows: WeightedRows) -> Callable[[], Sums]:
    """Adds up in this process, when the sums are asked for."""
    return rows.sums
