"""Which outcomes were learned, in a form that anybody who reads the topic can check."""

from collections.abc import Iterable
from hashlib import blake2b
from itertools import groupby

import msgspec
import numpy as np
from numpy.typing import NDArray

_BITS = 64


class Learned(msgspec.Struct, frozen=True):
    """A count of outcomes and of their rows, and a digest of their places in the log.

    The digest does not depend on the order: it is the sum, modulo 2^64, of one number for each outcome, the first 8
    bytes of BLAKE2b (`digest_size=8`, no key) of the ASCII text `partition:offset`, read as a big-endian integer. So
    with the count it tells whether exactly the outcomes of a topic were learned, each once.

    Attributes:
        outcomes: outcomes learned.
        rows: their shown slots.
        digest: 16 hexadecimal digits.

    >>> Learned().plus([(0, 7), (1, 2)], rows=3) == Learned().plus([(1, 2)], rows=1).plus([(0, 7)], rows=2)
    True
    """

    outcomes: int = 0
    rows: int = 0
    digest: str = "0" * (_BITS // 4)

    def plus(self, places: Iterable[tuple[int, int]], rows: int) -> "Learned":
        """With more outcomes, by partition and offset, and the number of their rows."""
        numbers = [number_of(partition, offset) for partition, offset in places]
        total = (int(self.digest, 16) + sum(numbers)) % 2**_BITS
        return Learned(self.outcomes + len(numbers), self.rows + rows, f"{total:0{_BITS // 4}x}")


def number_of(partition: int, offset: int) -> int:
    """What one outcome adds to the digest."""
    return int.from_bytes(blake2b(b"%d:%d" % (partition, offset), digest_size=_BITS // 8).digest(), "big")


def places_of(partition_R: NDArray[np.int64], offset_R: NDArray[np.int64]) -> list[tuple[int, int]]:
    """The outcomes of rows whose slots lie together, each once and in order."""
    return [place for place, _ in groupby(zip(partition_R.tolist(), offset_R.tolist(), strict=True))]
