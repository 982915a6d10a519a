"""The last rows a policy learned from, in a ring: a row costs the same whether there are few or many."""

from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agent.errors import LearnError
from envs.rows import Rows

_FIRST = 1_024
_ADDED = {"predicted_R", "changed_R"}
_COLUMNS = {field.name for field in fields(Rows)} | _ADDED
Arrays = dict[str, NDArray[Any]]


class Kept:
    """At most `most` rows, each with what was predicted of it before it was learned.

    Attributes:
        total: rows ever added, forgotten ones included.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._columns: Arrays = {}
        self._room = 0
        self.total = 0

    def __len__(self) -> int:
        return min(self.total, self._most)

    def append(self, rows: Rows, predicted_R: NDArray[np.float32], changed: int) -> None:
        """Adds rows at the end.

        Args:
            rows: R rows.
            predicted_R: probabilities of their rewards before they were learned; NaN where there were none.
            changed: how many changes had been noticed before these rows.
        """
        count = len(rows)
        if not count:
            return
        changed_R = np.full(count, changed, dtype=np.int64)
        columns = {**rows.columns(), "predicted_R": predicted_R, "changed_R": changed_R}
        self._grow(columns, min(self.total + count, self._most))
        kept = min(count, self._most)
        places = np.arange(self.total + count - kept, self.total + count) % self._most
        for name, column in columns.items():
            self._columns[name][places] = column[count - kept :]
        self.total += count

    def last(self, name: str, count: int) -> NDArray[Any]:
        """A column of the last `count` rows, or of all where there are fewer, the oldest first."""
        count = min(count, len(self))
        return self._columns[name][np.arange(self.total - count, self.total) % self._most]

    def rows(self, ages: NDArray[np.int64] | None = None) -> Rows:
        """The rows of some ages (0 the newest), or all of them, the oldest first."""
        number = self.total - 1 - ages if ages is not None else np.arange(self.total - len(self), self.total)
        names = [name for name in self._columns if name not in _ADDED]
        return Rows(**{name: self._columns[name][number % self._most] for name in names})

    def mark(self, count: int, changed: int) -> None:
        """Lets the last `count` rows come after so many changes."""
        number = np.arange(self.total - min(count, len(self)), self.total)
        self._columns["changed_R"][number % self._most] = changed

    def predict(self, predicted_R: NDArray[np.float32]) -> None:
        """Replaces what was predicted of all rows, the oldest first."""
        number = np.arange(self.total - len(self), self.total)
        self._columns["predicted_R"][number % self._most] = predicted_R

    def get_state(self) -> Arrays:
        """All columns, the oldest row first, and the total; empty where nothing is kept."""
        if not len(self):
            return {}
        columns = {name: self.last(name, len(self)) for name in self._columns}
        return {**columns, "kept_total": np.array([self.total])}

    def set_state(self, state: Arrays) -> None:
        """Takes back what `get_state` gave.

        Raises:
            LearnError: columns are missing or differ in length.
        """
        columns = dict(state)
        total = int(columns.pop("kept_total", np.zeros(1))[0])
        if columns and columns.keys() != _COLUMNS:
            raise LearnError(f"kept rows must have the columns {sorted(_COLUMNS)}; got {sorted(columns)}")
        lengths = {name: len(column) for name, column in columns.items()}
        if len(set(lengths.values())) > 1:
            raise LearnError(f"kept rows must have columns of equal length; got {lengths}")
        count = next(iter(lengths.values()), 0)
        self._columns, self._room, self.total = {}, 0, total
        if count:
            self._grow(columns, count)
            for name, column in columns.items():
                self._columns[name][np.arange(total - count, total) % self._most] = column

    def _grow(self, like: Arrays, rows: int) -> None:
        """Makes room for so many rows; the ring only turns once all of `most` are there."""
        if rows <= self._room:
            return
        room = self._most if rows > self._most // 2 else max(_FIRST, 2 * rows)
        room = min(room, self._most)
        for name, column in like.items():
            grown = np.zeros((room, *column.shape[1:]), column.dtype)
            if name in self._columns:
                grown[: self._room] = self._columns[name]
            self._columns[name] = grown
        self._room = room
