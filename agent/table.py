"""Rows of numbers by key: what a policy keeps of each item or user that it has learned from. Bounded, at flat cost."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from agent.errors import LearnError
from agent.key_index import KeyIndex
from agent.written import Places, Written

_FIRST = 256
_EVICTED = 16  # a sixteenth goes at a time, so that finding the oldest costs nothing a row
_REMEMBERED = 8  # of the rows that fit: where more than an eighth was written, a copy had better take all of them
_REMEMBERED_LEAST = 16_384


class Part(NamedTuple):
    """Some rows of a table.

    Attributes:
        rows: how many the whole table has.
        place_M: where these lie.
        columns: name -> what stands there, [M] or [M, width]; `key` and `touched` among them.
    """

    rows: int
    place_M: Places
    columns: dict[str, NDArray[Any]]


class Table(nn.Module):
    """At most `most` rows; where there is no room, those go that were touched the longest ago.

    Forgetting is lazy: a row holds what it did when it was touched, and `remaining` says how much of it still counts.

    All of it is buffers, whose lengths are those of the rows in use: it is saved and copied like any module. A copy
    elsewhere is kept the same by the rows that were written: `other.take(table.part(since))`.

    Args:
        columns: name -> width of each column; a new row holds zeros.
        most: rows, at most.
        memory_rows: after how many rows learned, as the clock counts them, what is held counts half.

    Attributes:
        evicted: rows that made room for others so far.

    >>> table = Table({"reward": 1}, most=100, memory_rows=8.0)
    >>> places = table.place(torch.tensor([7, 9]), now=1.0)
    >>> table.write(places, {"reward": torch.tensor([[0.5], [1.0]])})
    >>> table.find(torch.tensor([9, 8])).tolist()
    [1, -1]
    >>> table.read(table.find(torch.tensor([9])))["reward"].tolist()
    [[1.0]]
    >>> table.remaining(np.array([1.0, 9.0]), now=17.0).tolist()
    [0.25, 0.5]
    """

    key: Tensor
    touched: Tensor
    values: Tensor

    def __init__(self, columns: Mapping[str, int], most: int, memory_rows: float) -> None:
        super().__init__()
        self._most, self._memory_rows = most, memory_rows
        ends = np.cumsum(list(columns.values())).tolist()
        self._columns = {
            name: slice(end - width, end) for (name, width), end in zip(columns.items(), ends, strict=True)
        }
        self._index = KeyIndex()
        self._written = Written(max(most // _REMEMBERED, _REMEMBERED_LEAST))
        self.evicted = 0
        self.register_buffer("key", torch.zeros(0, dtype=torch.int64))
        self.register_buffer("touched", torch.zeros(0, dtype=torch.float64))
        self.register_buffer("values", torch.zeros(0, sum(columns.values())))  # side by side: one read a row

    def __len__(self) -> int:
        return len(self._index)

    def clear(self) -> None:
        """Forgets all rows."""
        self._index.clear()
        self._resize(0)
        self._written.forget()

    @property
    def revision(self) -> int:
        """Grows with every row written."""
        return self._written.revision

    def remembers(self, revision: int) -> bool:
        """Whether `part` can say what was written since a revision."""
        return self._written.remembers(revision)

    def find(self, key_N: Tensor) -> Tensor:
        """The place [N] of each key's row; -1 where there is none."""
        return torch.from_numpy(self.places(key_N.numpy()))

    def places(self, key_N: Places) -> Places:
        """As `find`, of arrays."""
        return self._index.find(key_N)

    def place(self, key_M: Tensor, now: float) -> Tensor:
        """The places [M] of the rows of different keys, made where there are none; M <= `most`."""
        new = key_M.numpy()[self._index.find(key_M.numpy()) < 0]
        if len(self) + len(new) > self._most:
            self._evict(max(len(self) + len(new) - self._most, self._most // _EVICTED), keep=key_M)
        if len(self) + len(new) > len(self.key):
            self._resize(min(max(2 * len(self.key), len(self) + len(new), _FIRST), self._most))
        start, stop = len(self), len(self) + len(new)
        self._index.put(new, np.arange(start, stop))
        self.key.numpy()[start:stop] = new
        self.touched.numpy()[start:stop] = now
        self.values.numpy()[start:stop] = 0.0
        self._written.note(np.arange(start, stop))
        return self.find(key_M)

    def read(self, places_M: Tensor) -> dict[str, Tensor]:
        """Copies of the rows at M places: each column [M, width], and `touched` [M]."""
        return {name: torch.from_numpy(column) for name, column in self.rows(places_M.numpy()).items()}

    def rows(self, places_M: Places) -> dict[str, NDArray[Any]]:
        """As `read`, as arrays."""
        values_XM = np.ascontiguousarray(self.values.numpy().take(places_M, axis=0).T)
        columns = {name: values_XM[ends].T for name, ends in self._columns.items()}
        columns["touched"] = self.touched.numpy().take(places_M)
        return columns

    def remaining(self, touched_M: NDArray[np.float64], now: float) -> NDArray[np.float64]:
        """The share [M] of what rows held when they were touched that is not forgotten."""
        remaining_M: NDArray[np.float64] = np.exp2((touched_M - now) / self._memory_rows)
        return remaining_M

    def write(self, places_M: Tensor, values: Mapping[str, Tensor], now: float | None = None) -> None:
        """Replaces columns of the rows at M places, and when they were touched."""
        places = places_M.numpy()
        for name, value in values.items():
            if name == "touched":
                self.touched.numpy()[places] = value.numpy()
            else:
                self.values.numpy()[places, self._columns[name]] = value.numpy()
        if now is not None:
            self.touched.numpy()[places] = now
        self._written.note(places)

    def truncate(self, rows: int) -> None:
        """Forgets the rows made after there were so many."""
        self._index.remove(self.key.numpy()[rows : len(self)])

    def part(self, since: int | None = None) -> Part:
        """The rows written since a revision that is remembered; without one all rows, in memory that both share."""
        place_M = np.arange(len(self)) if since is None else self._written.since(since)
        place_M = place_M[place_M < len(self)]
        these = slice(len(self)) if since is None else place_M
        return Part(len(self), place_M, {name: column.numpy()[these] for name, column in self._named().items()})

    def take(self, part: Part) -> None:
        """Becomes the table that a part is of; the rows that are not in it must be the same there already.

        Raises:
            LearnError: they are not as many as there.
        """
        self.truncate(part.rows)
        before = len(self)
        if part.rows > len(self.key):
            self._resize(min(max(2 * len(self.key), part.rows), self._most))
        known_M, others_M = part.place_M < before, self.key.numpy()[part.place_M] != part.columns["key"]
        self._index.remove(self.key.numpy()[part.place_M[known_M & others_M]])
        for name, column in self._named().items():
            column.numpy()[part.place_M] = part.columns[name]
        new_M = others_M | ~known_M
        self._index.put(part.columns["key"][new_M], part.place_M[new_M])
        self._written.forget()
        if len(self) != part.rows:
            raise LearnError(f"table must have {part.rows} rows once it took a part of another; got {len(self)}")

    def _named(self) -> dict[str, Tensor]:
        """All columns, in memory that they share with the table."""
        values = {name: self.values[:, ends] for name, ends in self._columns.items()}
        return {"key": self.key, "touched": self.touched, **values}

    def _evict(self, count: int, keep: Tensor) -> None:
        """Makes room for `count` rows, or for less where only rows to keep are left; the last ones fill the holes."""
        used = len(self)
        touched = self.touched[:used].clone()
        found = self.find(keep)
        kept = found[found >= 0]
        touched[kept] = torch.inf
        count = min(count, used - len(kept))
        latest = touched.kthvalue(count).values
        going = touched < latest
        ties = torch.nonzero(touched == latest)[:, 0]
        going[ties[: count - int(going.sum())]] = True
        gone, left = torch.nonzero(going)[:, 0], used - count
        self._index.remove(self.key[gone].numpy())
        hole_M, last_M = gone[gone < left], torch.nonzero(~going[left:])[:, 0] + left
        for buffer in (self.key, self.touched, self.values):
            buffer[hole_M] = buffer[last_M]
        self._index.put(self.key[hole_M].numpy(), hole_M.numpy())
        self._written.note(hole_M.numpy())
        self.evicted += count

    def _resize(self, rows: int) -> None:
        for name in ("key", "touched", "values"):
            buffer = self.get_buffer(name)
            grown = buffer.new_zeros(rows, *buffer.shape[1:])
            kept = min(rows, len(buffer))
            grown[:kept] = buffer[:kept]
            setattr(self, name, grown)

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:  # noqa: ANN401 - torch's signature
        super()._save_to_state_dict(destination, prefix, keep_vars)
        del destination[prefix + "values"]
        for name, column in self._named().items():
            destination[prefix + name] = column[: len(self)]

    def _load_from_state_dict(self, state_dict: Any, prefix: str, *args: Any) -> None:  # noqa: ANN401 - torch's signature
        _, _, missing_keys, _, error_msgs = args
        absent = [prefix + name for name in self._named() if prefix + name not in state_dict]
        misfits = [] if absent else self._misfits(state_dict, prefix)
        missing_keys += absent
        error_msgs += misfits
        if absent or misfits:
            return
        columns = [state_dict.pop(prefix + name) for name in self._columns]
        state_dict[prefix + "values"] = torch.cat(columns, dim=1)
        self._index.clear()
        self._resize(len(state_dict[prefix + "key"]))
        self._written.forget()
        super()._load_from_state_dict(state_dict, prefix, *args)
        self._index.put(self.key.numpy(), np.arange(len(self.key)))

    def _misfits(self, state_dict: Mapping[str, Tensor], prefix: str) -> list[str]:
        """What is wrong with the shapes of columns that were saved."""
        rows = len(state_dict[prefix + "key"])
        wanted = {prefix + name: (rows, *column.shape[1:]) for name, column in self._named().items()}
        found = {name: tuple(state_dict[name].shape) for name in wanted}
        return [
            f"{name} must have the shape {wanted[name]}; got {found[name]}"
            for name in wanted
            if found[name] != wanted[name]
        ]
