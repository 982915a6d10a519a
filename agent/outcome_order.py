"""The one order in which the outcomes of several partitions are learned. It depends on the log alone."""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping

from envs.core import Closed

Place = tuple[int, int, int]  # closed_ms, partition, offset


class OutcomeOrder:
    """Merges the outcomes of all partitions by (closed_ms, partition, offset), as far as nothing can come before.

    Within a partition outcomes lie in that order already, and a commit tells up to which time all have closed. So an
    outcome is free to go once every other partition has a later one here, or has closed up to its time.

    Args:
        following: the first outcome to come, by partition; what lies before it is refused. Its keys are all partitions.

    Attributes:
        following: the same now: the offset after the last outcome that was added.
    """

    def __init__(self, following: Mapping[int, int]) -> None:
        self.following = dict(following)
        self._waiting: dict[int, deque[Closed]] = {partition: deque() for partition in following}
        self._passed_ms = dict.fromkeys(following, 0)

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))

    def lacking(self) -> list[int]:
        """The partitions of which no outcome waits."""
        return [partition for partition, waiting in self._waiting.items() if not waiting]

    def add(self, outcomes: Iterable[Closed]) -> None:
        """Takes outcomes in, those of a partition in the order of their offsets; a repeated one is left out."""
        for closed in outcomes:
            _, partition, offset = closed.position
            if offset >= self.following[partition]:
                self._waiting[partition].append(closed)
                self.following[partition] = offset + 1

    def reach(self, offsets: Mapping[int, int]) -> None:
        """Notes up to where the log was read, behind the last outcome that was found there."""
        self.following |= {p: max(offset, self.following[p]) for p, offset in offsets.items()}

    def passed(self, closed_ms: Mapping[int, int]) -> None:
        """Notes up to which end of windows partitions have closed, once the outcomes of those windows were added."""
        self._passed_ms |= closed_ms

    def release(self) -> Iterator[Closed]:
        """Gives and forgets, one after the other, the outcomes that nothing can come before."""
        while (partition := self._first()) is not None:
            yield self._waiting[partition].popleft()

    def _first(self) -> int | None:
        first = min((_place(waiting[0]) for waiting in self._waiting.values() if waiting), default=None)
        if first is None:
            return None
        free = all(waiting or self._passed_ms[p] >= first[0] for p, waiting in self._waiting.items())
        return first[1] if free else None


def _place(closed: Closed) -> Place:
    return (closed.outcome.closed_ms, closed.position.partition, closed.position.offset)
