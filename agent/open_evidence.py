"""The open decisions of all runners as the driver knows them, without those that it has learned by now."""

from collections import deque
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from agent.delay import OpenRows
from agent.open_look import Numbering, OpenLook, OpenTable, together

_MOST_MARKS = 4_096


class Mark(NamedTuple):
    """How far one partition had closed when its outcomes ended at an offset.

    Attributes:
        partition: which one.
        stop: the offset after its last outcome.
        closed_ms: all decisions whose window ends by then have an outcome before `stop`.
    """

    partition: int
    stop: int
    closed_ms: int


class OpenEvidence:
    """Keeps each decision in one of two places: it is open here until its outcome is learned.

    So a decision that has closed and waits to be learned still counts here, and one that is learned counts there alone,
    although the looks at what is open come at other times than the outcomes.

    Attributes:
        changed: whether a look has come since `rows` was asked last.
    """

    def __init__(self) -> None:
        self.changed = False
        self._numbering = Numbering()
        self._tables: dict[int, OpenTable] = {}
        self._marks: dict[int, deque[Mark]] = {}
        self._learned_ms: dict[int, int] = {}

    def known(self) -> dict[int, int]:
        """The number of the last look of each runner, by its index."""
        return {index: table.number for index, table in self._tables.items()}

    def receive(self, runner: int, look: OpenLook | None, marks: Iterable[Mark]) -> None:
        """Takes in what a runner handed over."""
        for mark in marks:
            self._marks.setdefault(mark.partition, deque(maxlen=_MOST_MARKS)).append(mark)
        if look is not None:
            self.changed |= self._tables.setdefault(runner, OpenTable(self._numbering)).take(look)

    def forget(self, runner: int) -> None:
        """Drops the open decisions of a runner that has ended or died."""
        self.changed |= self._tables.pop(runner, None) is not None

    def rows(self, positions: Mapping[int, int]) -> OpenRows | None:
        """All open rows; None where there are none.

        Args:
            positions: the next outcome to learn, by partition.
        """
        self.changed = False
        for partition, marks in self._marks.items():
            while marks and marks[0].stop <= positions.get(partition, 0):
                self._learned_ms[partition] = max(self._learned_ms.get(partition, 0), marks.popleft().closed_ms)
        found = [table.rows(self._learned_ms) for _, table in sorted(self._tables.items())]
        return together([rows for rows in found if rows is not None])
