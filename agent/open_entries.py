"""Open decisions by partition and key, as arrays: thousands are compared with those of the last look each time."""

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from agent.places import places_among

Entry = tuple[int, bytes]  # partition, and the key of a decision in it
Wholes = NDArray[np.int64]
_KEY_BYTES = 16


class Entries(NamedTuple):
    """P open decisions.

    Attributes:
        partition_P: of each.
        half_P2: the two halves of its key of 16 bytes, which is a hash.

    >>> entries = Entries.of({1: [b"b" * 16], 0: [b"k" * 16, b"a" * 16]})
    >>> entries.entry(1), entries.entry(2)
    ((0, b'aaaaaaaaaaaaaaaa'), (1, b'bbbbbbbbbbbbbbbb'))
    >>> entries.places_in(entries.at(np.array([2, 0])))
    array([ 1, -1,  0])
    """

    partition_P: Wholes
    half_P2: NDArray[np.uint64]

    @classmethod
    def of(cls, keys: Mapping[int, Sequence[bytes]]) -> "Entries":
        """Those of all partitions, in the order of partition and as given."""
        numbers = sorted(keys)
        joined = b"".join(chain.from_iterable(keys[number] for number in numbers))
        partition_P = np.repeat(np.array(numbers, dtype=np.int64), [len(keys[number]) for number in numbers])
        return cls(partition_P, np.frombuffer(joined, dtype="<u8").reshape(-1, _KEY_BYTES // 8))

    def __len__(self) -> int:
        return len(self.partition_P)

    def at(self, place_M: Wholes) -> "Entries":
        """Those at some places."""
        return Entries(self.partition_P[place_M], self.half_P2[place_M])

    def entry(self, place: int) -> Entry:
        """The one at a place."""
        return int(self.partition_P[place]), self.half_P2[place].tobytes()

    def places_in(self, known: "Entries") -> Wholes:
        """Where each lies among those that are known; -1 where it does not, or where half of its key has a double."""
        place_P = places_among(known._halves(), self._halves())
        near_P = np.flatnonzero(place_P >= 0)
        there = known.at(place_P[near_P])
        same_N = (there.partition_P == self.partition_P[near_P]) & (there.half_P2 == self.half_P2[near_P]).all(axis=1)
        place_P[near_P[~same_N]] = -1
        return place_P

    def _halves(self) -> NDArray[np.uint64]:
        return self.half_P2[:, 0] + self.partition_P.astype(np.uint64)
