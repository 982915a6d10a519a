"""Which rows of a table were used least recently, for whole batches at a time."""

import numpy as np
from numpy.typing import NDArray

Places = NDArray[np.intp]

_QUEUE_SHARE = 64  # of the rows one in so many is put in order at a time


class Recency:
    """The order in which the rows of a full table were last used, exactly, without a step for each use.

    A use writes a running number beside the row. The oldest rows are put in order a queue at a time; one that was used
    since then has another number by now and is passed over.

    Args:
        rows: of the table; none of them used yet.

    >>> recency = Recency(3)
    >>> recency.use(np.array([0, 1, 2, 0]))
    >>> recency.oldest(2).tolist()
    [1, 2]
    """

    def __init__(self, rows: int) -> None:
        self._used_X: NDArray[np.int64] = np.full(rows, -1, np.int64)
        self._uses = 0
        self._queue: Places = np.zeros(0, np.intp)
        self._queued: NDArray[np.int64] = np.zeros(0, np.int64)

    def use(self, row_N: Places) -> None:
        """These rows are used now, in this order; of one that is named twice the last time counts."""
        self._used_X[row_N] = np.arange(self._uses, self._uses + len(row_N))
        self._uses += len(row_N)

    def oldest(self, count: int) -> Places:
        """The `count` rows that were used least recently, the oldest first; they stay so until they are used."""
        waiting = self._queue[self._used_X[self._queue] == self._queued]
        if len(waiting) < count:
            size = max(count, len(self._used_X) // _QUEUE_SHARE)
            lowest = np.argpartition(self._used_X, size - 1)[:size]
            waiting = lowest[np.argsort(self._used_X[lowest])]
        self._queue, self._queued = waiting, self._used_X[waiting]
        oldest: Places = waiting[:count]
        return oldest

    def grown(self, rows: int) -> "Recency":
        """The same for a table with more rows."""
        grown = Recency(rows)
        grown._used_X[: len(self._used_X)] = self._used_X
        grown._uses = self._uses
        return grown
