"""Open decisions in little memory: compressed events and numbers in columns, by a 16-byte key, closing in order.

A decision has a number, which grows with its arrival. What is known of it stands in columns, at the place of its
number; one that has closed leaves a hole, and holes at the front are cut away. Numbers, not objects, so a million open
decisions are nothing that the garbage collector has to walk through.
"""

from array import array
from heapq import heappop, heappush
from typing import NamedTuple

from stream.low_offsets import LowOffsets
from stream.packing import Packing

ENTRY_BYTES = 300  # measured: key, table, columns, expiry and the object that holds the block
_NUMBER_BITS = 64
_NUMBER = (1 << _NUMBER_BITS) - 1
_HOLES = 1_024  # at the front, before they are cut away


class Origin(NamedTuple):
    """From where a decision can be rebuilt: the offset of its impression, and one not above those of all else of it."""

    impressions: int
    clicks: int = 0
    recommendations: int = 0


class OpenDecisions:
    """The packed store. Decisions are added in the order of their impressions' offsets.

    Attributes:
        bytes: the memory of all that is in it.
    """

    def __init__(self, packing: Packing) -> None:
        self._packing = packing
        self._numbers: dict[bytes, int] = {}  # by key, of what is open
        self._undecided: dict[int, bytes] = {}  # impressions by number
        self._expiry: list[int] = []  # a heap of (time of expiry, number), each pair as one whole number
        self._base = self._holes = 0  # the number at place 0 of the columns; holes from there on
        self._keys: list[bytes | None] = []
        self._blocks: list[bytes] = []
        self._expiry_ms = array("q")
        self._impressions = array("q")
        self._clicks, self._recommendations = LowOffsets(), LowOffsets()
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._numbers)

    def __contains__(self, key: bytes) -> bool:
        return key in self._numbers

    def add(
        self, key: bytes, expiry_ms: int, origin: Origin, impression: bytes, recommendation: bytes | None = None
    ) -> None:
        """Adds a decision, taken or to be taken; its impression lies after that of the one before."""
        number = self._base + len(self._keys)
        self._numbers[key] = number
        if recommendation is None:
            self._undecided[number] = kept = impression
        else:
            kept = self._packing.pack(impression, recommendation)
        heappush(self._expiry, expiry_ms << _NUMBER_BITS | number)
        self._keys.append(key)
        self._blocks.append(b"" if recommendation is None else kept)
        self._expiry_ms.append(expiry_ms)
        self._impressions.append(origin.impressions)
        self._clicks.add(number, origin.clicks)
        self._recommendations.add(number, origin.recommendations)
        self.bytes += ENTRY_BYTES + len(kept)

    def decide(self, key: bytes, recommendation: bytes) -> None:
        """Adds what was decided."""
        number = self._numbers[key]
        impression = self._undecided.pop(number)
        block = self._packing.pack(impression, recommendation)
        self._blocks[number - self._base] = block
        self.bytes += len(block) - len(impression)

    def decided(self) -> list[bytes]:
        """The keys of decisions that have been taken, in the order of arrival."""
        return [key for key, block in zip(self._keys, self._blocks, strict=True) if key is not None and block]

    def is_decided(self, key: bytes) -> bool:
        """Whether a decision is open that has been taken."""
        number = self._numbers.get(key)
        return number is not None and bool(self._blocks[number - self._base])

    def expiry_ms(self, key: bytes) -> int:
        """When an open decision closes."""
        return self._expiry_ms[self._numbers[key] - self._base]

    def events(self, key: bytes) -> tuple[bytes, bytes]:
        """The impression and the recommendation of an open decision that has been taken."""
        return self._packing.unpack(self._blocks[self._numbers[key] - self._base])

    def raw_bytes(self, key: bytes) -> int:
        """The length of both events of an open decision that has been taken."""
        return self._packing.raw_bytes(self._blocks[self._numbers[key] - self._base])

    def next_to_close(self) -> tuple[int, bytes] | None:
        """The time and the key of the one that closes first, of several the one that arrived first."""
        while self._expiry:
            entry = self._expiry[0]
            number = entry & _NUMBER
            key = self._keys[number - self._base] if number >= self._base else None
            if key is not None:
                return entry >> _NUMBER_BITS, key
            heappop(self._expiry)
        return None

    def last_expiry_ms(self) -> int:
        """When the last one closes; 0 where nothing is open."""
        return max((entry >> _NUMBER_BITS for entry in self._expiry), default=0) if self._numbers else 0

    def offset(self, key: bytes) -> int:
        """Where the impression of an open decision lies."""
        return self._impressions[self._numbers[key] - self._base]

    def remove(self, key: bytes) -> None:
        """Takes a decision out; without effect where it is not open."""
        number = self._numbers.pop(key, None)
        if number is None:
            return
        place = number - self._base
        self.bytes -= ENTRY_BYTES + len(self._blocks[place]) + len(self._undecided.pop(number, b""))
        self._keys[place], self._blocks[place] = None, b""
        if place == self._holes:
            self._cut()

    def lower_clicks(self, key: bytes, offset: int) -> None:
        """Notes that a click of a decision lies before what its origin says."""
        self._clicks.lower(self._numbers[key], offset)

    def origin(self) -> Origin | None:
        """From where everything that is open can be rebuilt; None where nothing is open."""
        if not self._numbers:
            return None
        first = self._base + self._holes
        return Origin(
            self._impressions[self._holes],
            self._clicks.lowest(first, self._is_open),
            self._recommendations.lowest(first, self._is_open),
        )

    def recount(self) -> int:
        """What `bytes` must be, counted anew."""
        blocks = sum(map(len, self._blocks)) + sum(map(len, self._undecided.values()))
        return ENTRY_BYTES * len(self._numbers) + blocks

    def _is_open(self, number: int) -> bool:
        return number >= self._base and self._keys[number - self._base] is not None

    def _cut(self) -> None:
        count = len(self._keys)
        while self._holes < count and self._keys[self._holes] is None:
            self._holes += 1
        if self._holes < max(_HOLES, count // 2):
            return
        del self._keys[: self._holes], self._blocks[: self._holes]
        del self._expiry_ms[: self._holes], self._impressions[: self._holes]
        self._clicks.cut(self._holes)
        self._recommendations.cut(self._holes)
        self._base, self._holes = self._base + self._holes, 0
