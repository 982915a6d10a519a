"""Rows of numbers that are worked out by key, each once while what they follow from stands still.

A product over rows differs in its last bit with how many rows there are. So rows are worked out in parts of one size:
what is remembered of a key never depends on which keys were asked for together, nor on who asked first.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Array = NDArray[Any]

PART = 64  # keys that are worked out together


class Remembered:
    """At most `most` rows in single precision; where there would be more, all are worked out anew.

    Args:
        width: of a row.
        most: rows.

    >>> remembered, asked = Remembered(width=1, most=4), []
    >>> def half(key_M):
    ...     asked.append(key_M.tolist())
    ...     return key_M.numpy()[:, None] / 2
    >>> remembered.rows(torch.tensor([3, 8, 3]), half).tolist(), remembered.rows(torch.tensor([8, 1]), half).tolist()
    ([[1.5], [4.0], [1.5]], [[4.0], [0.5]])
    >>> [(len(part), sorted(set(part))) for part in asked]
    [(64, [3, 8]), (64, [1])]
    """

    def __init__(self, width: int, most: int = 65_536) -> None:
        self._most = most
        self._place_of: dict[int, int] = {}
        self._rows = np.zeros((0, width), np.float32)

    def clear(self) -> None:
        """Forgets all rows; the room for them stays."""
        self._place_of.clear()

    def rows(self, key_N: Tensor, work_out: Callable[[Tensor], Array]) -> Array:
        """The row of each key, [N, width].

        Args:
            key_N: keys.
            work_out: gives the rows of `PART` keys; a last part is filled up with one of its own.
        """
        keys = key_N.tolist()
        place_of = self._place_of.__getitem__
        try:
            places = list(map(place_of, keys))
        except KeyError:
            self._work_out(dict.fromkeys(keys), work_out)
            places = list(map(place_of, keys))
        return self._rows[places]

    def _work_out(self, wanted: dict[int, None], work_out: Callable[[Tensor], Array]) -> None:
        new = [key for key in wanted if key not in self._place_of]
        if len(self._place_of) + len(new) > self._most:
            self._place_of.clear()
            new = list(wanted)
        start, stop = len(self._place_of), len(self._place_of) + len(new)
        if stop > len(self._rows):
            grown = np.zeros((max(2 * len(self._rows), stop), self._rows.shape[1]), np.float32)
            grown[:start] = self._rows[:start]
            self._rows = grown
        for begin in range(0, len(new), PART):
            part = new[begin : begin + PART]
            full = part + part[-1:] * (PART - len(part))
            row_PX = work_out(torch.tensor(full, dtype=torch.int64))
            self._rows[start + begin : start + begin + len(part)] = row_PX[: len(part)]
        self._place_of.update(zip(new, range(start, stop), strict=True))
