"""What the policy reads of open rows: each is read once while it stays open, and not at each hand-out of weights.

What is read of a row depends on the row and on the projections alone, which move when they are fitted anew.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from agent.inputs import inputs_of_rows
from agent.places import places_among
from agent.policy import Policy
from agent.regressors import Regressors, Sides
from envs.rows import Rows

Wholes = NDArray[np.int64]


class OpenReading:
    """Keeps what was read of the rows of the last call.

    Args:
        policy: whose reading it is.
    """

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._read: Regressors | None = None
        self._number_K: Wholes = np.zeros(0, np.int64)
        self._moves = self._now()

    def of(self, rows: Rows, number_R: Wholes) -> Regressors:
        """What the policy reads of R > 0 rows: as `Policy.read`, but for the rounding of products of other sizes.

        Args:
            rows: R of them.
            number_R: their numbers; a row that was here before has the number that it had then.
        """
        if self._moves != self._now():
            self._read, self._number_K, self._moves = None, self._number_K[:0], self._now()
        place_R = places_among(self._number_K, number_R)
        new_R = place_R < 0
        place_R[new_R] = len(self._number_K) + np.arange(np.count_nonzero(new_R))
        parts = [self._read] if self._read is not None else []
        if new_R.any():
            parts.append(self._policy.read(inputs_of_rows(rows.where(new_R))))
        read = Regressors(*(_picked(columns, place_R) for columns in zip(*parts, strict=True)))
        self._read, self._number_K = read, number_R
        return read

    def _now(self) -> tuple[int, int]:
        return self._policy.context_side.moves, self._policy.item_side.moves


def _picked(columns: Sequence[Sides], place_R: Wholes) -> Sides:
    """Places of columns that lie one behind the other, component by component as products take them."""
    picked: Sides = np.concatenate([column.T for column in columns], axis=-1).take(place_R, axis=-1).T
    return picked
