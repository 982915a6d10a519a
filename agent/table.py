"""Rows of numbers by key: what a policy keeps of each item or user that it has learned from. Bounded, at flat cost."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

_FIRST = 256
_EVICTED = 16  # a sixteenth goes at a time, so that finding the oldest costs nothing a row


class Table(nn.Module):
    """At most `most` rows; where there is no room, those go that were touched the longest ago.

    All of it is buffers, whose lengths are those of the rows in use: it is saved, sent and copied like any module.

    Args:
        columns: name -> width of each column; a new row holds zeros.
        most: rows, at most.

    >>> table = Table({"reward": 1}, most=100)
    >>> places = table.place(torch.tensor([7, 9]), now=1.0)
    >>> table.write(places, {"reward": torch.tensor([[0.5], [1.0]])})
    >>> table.find(torch.tensor([9, 8])).tolist()
    [1, -1]
    >>> table.reward[table.find(torch.tensor([9]))].tolist()
    [[1.0]]
    """

    key: Tensor
    touched: Tensor

    def __init__(self, columns: Mapping[str, int], most: int) -> None:
        super().__init__()
        self._most = most
        self._widths = dict(columns)
        self._place_of: dict[int, int] = {}
        self.register_buffer("key", torch.zeros(0, dtype=torch.int64))
        self.register_buffer("touched", torch.zeros(0, dtype=torch.float64))
        for name, width in self._widths.items():
            self.register_buffer(name, torch.zeros(0, width))

    def __len__(self) -> int:
        return len(self._place_of)

    def clear(self) -> None:
        """Forgets all rows."""
        self._place_of = {}
        self._resize(0)

    def find(self, key_N: Tensor) -> Tensor:
        """The place [N] of each key's row; -1 where there is none."""
        place_of = self._place_of
        return torch.tensor([place_of.get(key, -1) for key in key_N.tolist()], dtype=torch.int64)

    def place(self, key_M: Tensor, now: float) -> Tensor:
        """The places [M] of the rows of different keys, made where there are none; M <= `most`."""
        new = [key for key in key_M.tolist() if key not in self._place_of]
        if len(self) + len(new) > self._most:
            self._evict(max(len(self) + len(new) - self._most, self._most // _EVICTED), keep=key_M)
        if len(self) + len(new) > len(self.key):
            self._resize(min(max(2 * len(self.key), len(self) + len(new), _FIRST), self._most))
        start = len(self)
        self._place_of.update(zip(new, range(start, start + len(new)), strict=True))
        stop = len(self)
        self.key[start:stop] = torch.tensor(new, dtype=torch.int64)
        self.touched[start:stop] = now
        for name in self._widths:
            self.get_buffer(name)[start:stop] = 0.0
        return self.find(key_M)

    def read(self, places_M: Tensor) -> dict[str, Tensor]:
        """Copies of the rows at M places: each column [M, width], and `touched` [M]."""
        return {name: self.get_buffer(name)[places_M] for name in (*self._widths, "touched")}

    def write(self, places_M: Tensor, values: Mapping[str, Tensor], now: float | None = None) -> None:
        """Replaces columns of the rows at M places, and when they were touched."""
        for name, value in values.items():
            self.get_buffer(name)[places_M] = value.to(self.get_buffer(name).dtype)
        if now is not None:
            self.touched[places_M] = now

    def truncate(self, rows: int) -> None:
        """Forgets the rows made after there were so many."""
        for key in self.key[rows : len(self)].tolist():
            del self._place_of[key]

    def _evict(self, count: int, keep: Tensor) -> None:
        """Makes room for `count` rows; those of the keys to keep stay."""
        used = len(self)
        touched = self.touched[:used].clone()
        found = self.find(keep)
        touched[found[found >= 0]] = torch.inf
        staying = torch.argsort(touched, stable=True)[min(count, used) :].sort().values
        for name in ("key", "touched", *self._widths):
            buffer = self.get_buffer(name)
            buffer[: len(staying)] = buffer[staying]
        self._index(self.key[: len(staying)])

    def _index(self, key_M: Tensor) -> None:
        self._place_of = {key: place for place, key in enumerate(key_M.tolist())}

    def _resize(self, rows: int) -> None:
        for name in ("key", "touched", *self._widths):
            buffer = self.get_buffer(name)
            grown = buffer.new_zeros(rows, *buffer.shape[1:])
            kept = min(rows, len(buffer))
            grown[:kept] = buffer[:kept]
            setattr(self, name, grown)

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:  # noqa: ANN401 - torch's signature
        super()._save_to_state_dict(destination, prefix, keep_vars)
        for name in ("key", "touched", *self._widths):
            destination[prefix + name] = destination[prefix + name][: len(self)]

    def _load_from_state_dict(self, state_dict: Mapping[str, Any], prefix: str, *args: Any) -> None:  # noqa: ANN401 - torch's signature
        key_M = state_dict.get(prefix + "key")
        if key_M is not None:
            self._place_of = {}
            self._resize(len(key_M))
        super()._load_from_state_dict(state_dict, prefix, *args)
        if key_M is not None:
            self._index(self.key)
