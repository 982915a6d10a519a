"""What a world knows and the agent does not: true click probabilities of what was shown, and what became of clicks."""

from array import array
from base64 import b64decode, b64encode
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

Column = Literal["shown", "uniform", "oracle"]
_COLUMNS: tuple[Column, ...] = ("shown", "uniform", "oracle")
_COUNTS = ("impressions", "clicks", "lost", "duplicates", "late", "overdue", "unmatched", "foreign", "forgotten")


class WorldTally:
    """The true value of every decided impression, and counts; worlds that ran side by side are merged by index.

    Rates are expected clicks per impression: on true probabilities, so without the noise of the clicks themselves,
    and summed over the slots of a slate. They are None while nothing was decided.

    Attributes:
        impressions: impressions emitted.
        clicks: clicks emitted, without their repeats.
        lost: clicks that happened and were never emitted.
        duplicates: clicks emitted a second time.
        late: clicks emitted further behind their impression than the world's `late_after_ms`.
        overdue: clicks whose time had passed when their recommendation was seen; emitted at once.
        unmatched: recommendations of no undecided impression: a second one, one of another world, one forgotten.
        foreign: recommended items that were no candidates.
        forgotten: impressions whose hidden truth was dropped because too many were undecided.

    >>> tally = WorldTally()
    >>> tally.add(index=0, shown=0.1, uniform=0.05, oracle=0.25)
    >>> round(tally.lift, 3), WorldTally.from_dict(tally.to_dict()).decided
    (0.25, 1)
    """

    def __init__(self) -> None:
        self.impressions = self.clicks = self.lost = self.duplicates = self.late = 0
        self.overdue = self.unmatched = self.foreign = self.forgotten = 0
        self._index = array("I")
        self._values: dict[Column, array[float]] = {name: array("f") for name in _COLUMNS}

    def add(self, index: int, shown: float, uniform: float, oracle: float) -> None:
        """Takes in one decided impression, in any order of their indices."""
        self._index.append(index)
        self._values["shown"].append(shown)
        self._values["uniform"].append(uniform)
        self._values["oracle"].append(oracle)

    @property
    def decided(self) -> int:
        """N, the impressions for which a recommendation was seen."""
        return len(self._index)

    def values(self, column: Column) -> NDArray[np.float32]:
        """Expected clicks [N] in impression order: of what was `shown`, of a `uniform` choice, of the `oracle`."""
        return np.array(self._values[column], dtype=np.float32)[self._order()]

    def rate(self, column: Column, *, last_quarter: bool = False) -> float | None:
        """The mean of a column, over all decided impressions or the last quarter of them; None where there are none."""
        values_N = self.values(column)[(3 * self.decided) // 4 if last_quarter else 0 :]
        return float(values_N.mean(dtype=np.float64)) if len(values_N) else None

    @property
    def click_rate(self) -> float | None:
        """Expected clicks per impression of what was shown."""
        return self.rate("shown")

    @property
    def click_rate_uniform(self) -> float | None:
        """The same, had a uniform choice been shown."""
        return self.rate("uniform")

    @property
    def click_rate_oracle(self) -> float | None:
        """The same, had the best slate been shown."""
        return self.rate("oracle")

    @property
    def click_rate_last_quarter(self) -> float | None:
        """`click_rate` over the last quarter of the decided impressions."""
        return self.rate("shown", last_quarter=True)

    @property
    def click_rate_uniform_last_quarter(self) -> float | None:
        """`click_rate_uniform` over the last quarter."""
        return self.rate("uniform", last_quarter=True)

    @property
    def click_rate_oracle_last_quarter(self) -> float | None:
        """`click_rate_oracle` over the last quarter."""
        return self.rate("oracle", last_quarter=True)

    @property
    def lift(self) -> float | None:
        """Where the shown lies between a uniform choice (0) and the oracle (1)."""
        return self._lift(last_quarter=False)

    @property
    def lift_last_quarter(self) -> float | None:
        """`lift` over the last quarter."""
        return self._lift(last_quarter=True)

    def merge(self, other: "WorldTally") -> None:
        """Takes in what another world counted."""
        self._index.extend(other._index)
        for column in _COLUMNS:
            self._values[column].extend(other._values[column])
        for name in _COUNTS:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def counts(self) -> dict[str, int]:
        """Every count by name, with `decided`."""
        return {name: getattr(self, name) for name in _COUNTS} | {"decided": self.decided}

    def to_dict(self) -> dict[str, Any]:
        """All of it as what JSON can hold; arrays as base64 of little-endian numbers."""
        columns = {name: _pack(np.array(values), "<f4") for name, values in self._values.items()}
        return {
            "counts": {name: getattr(self, name) for name in _COUNTS},
            "index": _pack(np.array(self._index), "<u4"),
        } | {"columns": columns}

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Self:
        """The inverse of `to_dict`."""
        tally = cls()
        tally._index.extend(np.frombuffer(b64decode(content["index"]), "<u4").tolist())
        for column in _COLUMNS:
            tally._values[column].extend(np.frombuffer(b64decode(content["columns"][column]), "<f4").tolist())
        for name in _COUNTS:
            setattr(tally, name, content["counts"][name])
        return tally

    def _order(self) -> NDArray[np.int64]:
        return np.argsort(np.array(self._index, dtype=np.uint32), kind="stable").astype(np.int64)

    def _lift(self, *, last_quarter: bool) -> float | None:
        shown, uniform, oracle = (self.rate(name, last_quarter=last_quarter) for name in _COLUMNS)
        if shown is None or uniform is None or oracle is None or oracle <= uniform:
            return None
        return (shown - uniform) / (oracle - uniform)


def _pack(values: NDArray[Any], kind: str) -> str:
    return b64encode(values.astype(kind).tobytes()).decode()
