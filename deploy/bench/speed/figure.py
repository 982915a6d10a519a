"""What a benchmark of speed found: a ratio of two sides measured by turns, and whether it reaches its goal."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

T = TypeVar("T")


@dataclass(frozen=True)
class Goal:
    """A bound of a figure's ratio.

    Attributes:
        bound: the ratio to reach.
        at_most: whether less is better.

    >>> str(Goal(1.5, at_most=True)), Goal(0.5).met(0.6)
    ('≤ 1.5', True)
    """

    bound: float
    at_most: bool = False

    def met(self, ratio: float) -> bool:
        """Whether a ratio reaches it."""
        return ratio <= self.bound if self.at_most else ratio >= self.bound

    def __str__(self) -> str:
        return f"{'≤' if self.at_most else '≥'} {self.bound:,g}"


@dataclass(frozen=True)
class Figure:
    """One line of a benchmark.

    Attributes:
        name: which, in kebab case; the same at every commit.
        ours: median of our side.
        theirs: median of the side beside it.
        unit: of both.
        ratio: median of ours over theirs, taken within each repeat.
        spread: distance between the quartiles of that ratio; None of a single repeat.
        goal: what the ratio should reach; None where it is shown only.
    """

    name: str
    ours: float
    theirs: float
    unit: str
    ratio: float
    spread: float | None = None
    goal: Goal | None = None

    @property
    def met(self) -> bool | None:
        """Whether the goal is reached; None without one."""
        return None if self.goal is None else self.goal.met(self.ratio)

    def json_line(self) -> str:
        """The figure as one line of JSON.

        >>> Figure("echo", ours=500.0, theirs=1000.0, unit="records/s", ratio=0.5).json_line()
        '{"name": "echo", "ratio": 0.5, "ours": 500.0, "theirs": 1000.0, "unit": "records/s", "spread": null}'
        """
        found: dict[str, Any] = {
            "name": self.name,
            "ratio": short(self.ratio),
            "ours": short(self.ours),
            "theirs": short(self.theirs),
            "unit": self.unit,
            "spread": None if self.spread is None else short(self.spread),
        }
        return json.dumps(found)


def figure(name: str, ours_P: list[float], theirs_P: list[float], unit: str, goal: Goal | None = None) -> Figure:
    """The figure of P repeats.

    Args:
        name: of the figure.
        ours_P: our side, a number for each repeat.
        theirs_P: the other side, measured beside it.
        unit: of both.
        goal: of the ratio.

    >>> figure("x", [1.0, 3.0, 2.0], [2.0, 3.0, 8.0], "rows/s").ratio
    0.5
    """
    ours, theirs = np.asarray(ours_P, np.float64), np.asarray(theirs_P, np.float64)
    ratio_P = ours / theirs
    low, middle, high = np.quantile(ratio_P, [0.25, 0.5, 0.75]).tolist()
    spread = high - low if len(ratio_P) > 1 else None
    return Figure(name, float(np.median(ours)), float(np.median(theirs)), unit, middle, spread, goal)


def paired(ours: Callable[[], T], theirs: Callable[[], T], repeats: int) -> tuple[list[T], list[T]]:
    """Measures two sides by turns, the first one alternating, and returns what each said in each repeat.

    >>> paired(lambda: 1.0, lambda: 2.0, 2)
    ([1.0, 1.0], [2.0, 2.0])
    """
    ours_P: list[T] = []
    theirs_P: list[T] = []
    for repeat in range(repeats):
        if repeat % 2:
            theirs_P.append(theirs())
            ours_P.append(ours())
        else:
            ours_P.append(ours())
            theirs_P.append(theirs())
    return ours_P, theirs_P


def short(value: float) -> float:
    """Four digits are more than a measurement is worth."""
    return float(f"{value:.4g}")
