"""One look at the open decisions of a runner, told as what is new since the look before, and put together again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from agent.delay import Doubles, OpenRows
from agent.places import places_among
from envs.rows import Rows

Wholes = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class OpenLook:
    """R open rows as they stand; only what is new is brought along, so a row crosses a process wall once.

    Rows are numbered by whoever looks, in the order in which they are brought.

    Attributes:
        number: of the look, from 1.
        base: the look before, whose rows stay known; 0 where all rows are new.
        new: what no look before brought; None where nothing is new.
        first: the number of the first new row.
        row_R: the numbers of the rows that are open and read now, in the order of partition and arrival.
        partition_R: the partition of each.
        expiry_ms_R: event time of the end of each window.
        age_ms_R: event time since the impression, up to the committed watermark of the partition.
        reward_R: what the clicks so far would give.
        share_R: how many open rows each stands for.
        window_ms: the attribution window.
    """

    number: int
    base: int
    new: Rows | None
    first: int
    row_R: Wholes
    partition_R: Wholes
    expiry_ms_R: Wholes
    age_ms_R: Doubles
    reward_R: NDArray[np.float32]
    share_R: Doubles
    window_ms: int


class Numbering:
    """Gives out numbers, each once.

    >>> numbering = Numbering()
    >>> numbering.more(2), numbering.more(3)
    (array([0, 1]), array([2, 3, 4]))
    """

    def __init__(self) -> None:
        self._next = 0

    def more(self, count: int) -> Wholes:
        """The next ones."""
        first, self._next = self._next, self._next + count
        return np.arange(first, self._next)


class OpenTable:
    """The open rows of one runner, as its last look left them.

    Args:
        numbering: of all rows that are brought, so that a row is known again; None leaves them without numbers.

    Attributes:
        number: of the last look; 0 before the first.
    """

    def __init__(self, numbering: Numbering | None = None) -> None:
        self.number = 0
        self._numbering = numbering
        self._rows: Rows | None = None
        self._number_R: Wholes | None = None
        self._look: OpenLook | None = None

    def take(self, look: OpenLook) -> bool:
        """Follows a look; false, and nothing changes, where it builds on another one than the last."""
        if look.base not in (0, self.number):
            return False
        parts, known, numbers = [], [], []
        if look.base and self._rows is not None and self._look is not None:
            parts.append(self._rows)
            known.append(self._look.row_R)
            numbers.append(self._number_R)
        if look.new is not None:
            parts.append(look.new)
            known.append(np.arange(look.first, look.first + len(look.new)))
            numbers.append(self._numbering.more(len(look.new)) if self._numbering is not None else None)
        self._rows = self._number_R = None
        if len(look.row_R):
            place_R = places_among(np.concatenate(known), look.row_R)
            self._rows = Rows.concatenate(parts).where(place_R)
            number_P = _all_or_none(numbers)
            self._number_R = number_P[place_R] if number_P is not None else None
        self.number, self._look = look.number, look
        return True

    def rows(self, learned_ms: Mapping[int, int]) -> OpenRows | None:
        """The open rows, without those that are learned by now; None where none is left.

        Args:
            learned_ms: by partition, the end of the last window whose outcomes are all learned.
        """
        look = self._look
        if look is None or self._rows is None:
            return None
        open_R = np.ones(len(look.row_R), dtype=np.bool_)
        for partition, until_ms in learned_ms.items():
            open_R &= (look.partition_R != partition) | (look.expiry_ms_R > until_ms)
        if not open_R.any():
            return None
        rows = OpenRows(
            replace(self._rows, reward_R=look.reward_R), look.age_ms_R, look.share_R, look.window_ms, self._number_R
        )
        return rows if open_R.all() else rows.where(open_R)


def together(parts: Sequence[OpenRows]) -> OpenRows | None:
    """The open rows of several runners as one; None of none."""
    if len(parts) <= 1:
        return parts[0] if parts else None
    return OpenRows(
        rows=Rows.concatenate([part.rows for part in parts]),
        age_ms_R=np.concatenate([part.age_ms_R for part in parts]),
        share_R=np.concatenate([part.share_R for part in parts]),
        window_ms=parts[0].window_ms,
        number_R=_all_or_none([part.number_R for part in parts]),
    )


def _all_or_none(numbers: Sequence[Wholes | None]) -> Wholes | None:
    found = [number_R for number_R in numbers if number_R is not None]
    return np.concatenate(found) if len(found) == len(numbers) else None
