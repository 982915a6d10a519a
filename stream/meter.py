"""What the loop counts: a `Meter` protocol, and `Tally`, which keeps sums in process until someone takes them."""

from bisect import bisect_left
from collections.abc import Sequence
from typing import Protocol

import msgspec

LATENCY_BUCKETS_MS: tuple[float, ...] = (
    *(0.5, 1, 2, 5, 10, 20, 50, 100, 150, 200, 300, 500, 700),
    *(1_000, 1_500, 2_000, 3_000, 5_000, 10_000),
)


class Meter(Protocol):
    """Counts, distributions and levels, by metric name and label value ("" where a metric has no label)."""

    def count(self, name: str, amount: float = 1.0, label: str = "") -> None:
        """Adds to a counter."""
        ...

    def observe(self, name: str, values: Sequence[float]) -> None:
        """Adds values to a distribution with the buckets `LATENCY_BUCKETS_MS`."""
        ...

    def level(self, name: str, value: float) -> None:
        """Sets a gauge."""
        ...


class Histogram(msgspec.Struct):
    """Counts per bucket (the last one is what lies above all bounds), and the sum of the values."""

    buckets: list[int] = msgspec.field(default_factory=lambda: [0] * (len(LATENCY_BUCKETS_MS) + 1))
    total: float = 0.0

    def quantile(self, q: float) -> float:
        """The value below which a share `q` lies, linear within its bucket; 0 when empty.

        >>> Histogram(buckets=[0, 0, 10] + [0] * 17).quantile(0.5)
        1.5
        """
        rank = q * sum(self.buckets)
        seen = 0.0
        for index, count in enumerate(self.buckets):
            if count and seen + count >= rank:
                low = LATENCY_BUCKETS_MS[index - 1] if index else 0.0
                high = LATENCY_BUCKETS_MS[min(index, len(LATENCY_BUCKETS_MS) - 1)]
                return low + (high - low) * (rank - seen) / count
            seen += count
        return 0.0


class Tally(msgspec.Struct):
    """A `Meter` that adds up in process. It travels between processes and merges; `take` hands over and starts anew.

    >>> tally = Tally()
    >>> tally.count("clicks", label="late")
    >>> tally.take().counters, tally.counters
    ({('clicks', 'late'): 1.0}, {})
    """

    counters: dict[tuple[str, str], float] = {}
    histograms: dict[str, Histogram] = {}
    levels: dict[str, float] = {}

    def count(self, name: str, amount: float = 1.0, label: str = "") -> None:
        """Adds to a counter."""
        key = (name, label)
        self.counters[key] = self.counters.get(key, 0.0) + amount

    def observe(self, name: str, values: Sequence[float]) -> None:
        """Adds values to a distribution."""
        histogram = self.histograms.setdefault(name, Histogram())
        for value in values:
            histogram.buckets[bisect_left(LATENCY_BUCKETS_MS, value)] += 1
            histogram.total += value

    def level(self, name: str, value: float) -> None:
        """Sets a gauge."""
        self.levels[name] = value

    def take(self) -> "Tally":
        """All that came since the last take; levels stay as they are."""
        taken = Tally(counters=self.counters, histograms=self.histograms, levels=dict(self.levels))
        self.counters, self.histograms = {}, {}
        return taken

    def merge(self, other: "Tally") -> None:
        """Adds another tally to this one; its levels replace those of the same name."""
        for (name, label), amount in other.counters.items():
            self.count(name, amount, label)
        for name, histogram in other.histograms.items():
            mine = self.histograms.setdefault(name, Histogram())
            mine.buckets = [a + b for a, b in zip(mine.buckets, histogram.buckets, strict=True)]
            mine.total += histogram.total
        self.levels.update(other.levels)

    def total(self, name: str) -> float:
        """A counter summed over its labels."""
        return sum(amount for (key, _), amount in self.counters.items() if key == name)
