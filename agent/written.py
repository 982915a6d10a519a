"""Which rows of a table were written lately: what a copy has to be told to be the same again."""

import numpy as np
from numpy.typing import NDArray

Places = NDArray[np.int64]


class Written:
    """The last places written, in their order; a revision is how many were ever written.

    Args:
        most: places remembered.

    Attributes:
        revision: of now.

    >>> written = Written(most=4)
    >>> written.note(np.array([5, 7, 5]))
    >>> written.since(1).tolist()
    [5, 7]
    >>> written.note(np.array([1, 2]))
    >>> written.remembers(0), written.remembers(1)
    (False, True)
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._ring = np.zeros(most, np.int64)
        self._from = 0
        self.revision = 0

    def note(self, place_M: Places) -> None:
        """Remembers that these were written."""
        self.revision += len(place_M)
        last = place_M[-self._most :]
        self._ring[np.arange(self.revision - len(last), self.revision) % self._most] = last

    def forget(self) -> None:
        """Everything may have changed."""
        self.revision += 1
        self._from = self.revision

    def remembers(self, revision: int) -> bool:
        """Whether it is known what was written since a revision."""
        return max(self._from, self.revision - self._most) <= revision <= self.revision

    def since(self, revision: int) -> Places:
        """The places [M] written since a revision that is remembered, ascending, each once."""
        return np.unique(self._ring[np.arange(revision, self.revision) % self._most])
