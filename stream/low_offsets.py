"""The lowest of the offsets that open decisions need of one topic, at a cost that does not grow with their number."""

from array import array
from collections.abc import Callable
from heapq import heappop, heappush


class LowOffsets:
    """One offset per decision, by the decision's number. Nearly all come in ascending order and stand in a column.

    One that is out of order stands in a heap, and the column repeats the offset before it, so the column never
    descends and its first value is the lowest of it.

    >>> low = LowOffsets()
    >>> for number, offset in enumerate((5, 7, 6)):
    ...     low.add(number, offset)
    >>> [low.lowest(first, lambda number, first=first: number >= first) for first in range(3)]
    [5, 6, 6]
    """

    def __init__(self) -> None:
        self._column = array("q")
        self._base = 0  # the number at place 0
        self._lower: list[tuple[int, int]] = []

    def add(self, number: int, offset: int) -> None:
        """Adds the offset of the next decision."""
        newest = self._column[-1] if self._column else offset
        self._column.append(max(newest, offset))
        if offset < newest:
            self.lower(number, offset)

    def lower(self, number: int, offset: int) -> None:
        """Notes that a decision needs an earlier offset as well."""
        heappush(self._lower, (offset, number))

    def lowest(self, first: int, is_open: Callable[[int], bool]) -> int:
        """The lowest offset from the decision `first` on, which is open; of the others only the open ones count."""
        while self._lower and not is_open(self._lower[0][1]):
            heappop(self._lower)
        lowest = self._column[first - self._base]
        return min(lowest, self._lower[0][0]) if self._lower else lowest

    def cut(self, count: int) -> None:
        """Forgets the oldest decisions."""
        del self._column[:count]
        self._base += count
