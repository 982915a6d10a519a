"""Estimates of a log that goes on, from sums: those of many processes add up, and nothing is kept of a decision.

The formulas are those of `snips` and `ModelledLog.dr`, for rewards in [0, 1], and over the same decisions they agree.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from agent.evaluation.estimate import Estimate, few
from agent.evaluation.interval import Spread

_Z = 1.959963984540054  # the .975 quantile of the normal distribution


@dataclass(frozen=True, slots=True)
class RunningSums:
    """Sums over judged decisions of rewards r, weights w = target probability / propensity, and what a model expects.

    Expected are q of what was logged and e of the target policy; x = e + w (r - q) is what doubly robust estimation
    takes the mean of. No sum ever falls, so counters can carry them.

    >>> reward_N, half_N, target_N = np.array([1.0, 0.0]), np.array([0.5, 0.5]), np.array([0.75, 0.25])
    >>> half = RunningSums.of(reward_N, half_N, target_N, q_logged_N=half_N, q_target_N=half_N)
    >>> both = half + half
    >>> both.decisions, both.snips().value, both.dr().value
    (4.0, 0.75, 0.75)
    """

    decisions: float = 0.0
    w: float = 0.0
    w2: float = 0.0
    wr: float = 0.0
    w2r: float = 0.0
    w2r2: float = 0.0
    r: float = 0.0
    r2: float = 0.0
    e: float = 0.0
    wq: float = 0.0
    x2: float = 0.0
    er: float = 0.0
    wr2: float = 0.0
    wqr: float = 0.0

    @classmethod
    def of(
        cls,
        reward_N: NDArray[np.float64],
        logging_propensity_N: NDArray[np.float64],
        target_propensity_N: NDArray[np.float64],
        q_logged_N: NDArray[np.float64],
        q_target_N: NDArray[np.float64],
    ) -> "RunningSums":
        """The sums of N decisions, N may be 0; the arguments are those of `ModelledLog.of`."""
        r_N, q_N, e_N = reward_N, q_logged_N, q_target_N
        w_N = target_propensity_N / logging_propensity_N
        x_N = e_N + w_N * (r_N - q_N)
        return cls(
            decisions=float(len(r_N)),
            w=float(w_N.sum()),
            w2=float((w_N**2).sum()),
            wr=float((w_N * r_N).sum()),
            w2r=float((w_N**2 * r_N).sum()),
            w2r2=float(((w_N * r_N) ** 2).sum()),
            r=float(r_N.sum()),
            r2=float((r_N**2).sum()),
            e=float(e_N.sum()),
            wq=float((w_N * q_N).sum()),
            x2=float((x_N**2).sum()),
            er=float((e_N * r_N).sum()),
            wr2=float((w_N * r_N**2).sum()),
            wqr=float((w_N * q_N * r_N).sum()),
        )

    @classmethod
    def named(cls, sums: Mapping[str, float]) -> "RunningSums":
        """Of sums by name; those that are missing are 0."""
        return cls(**{field.name: sums.get(field.name, 0.0) for field in fields(cls)})

    def by_name(self) -> dict[str, float]:
        """The inverse of `named`."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def __add__(self, other: "RunningSums") -> "RunningSums":
        mine, theirs = self.by_name(), other.by_name()
        return RunningSums(**{name: value + theirs[name] for name, value in mine.items()})

    @property
    def _effective(self) -> tuple[float, float]:
        """Effective decisions and effective clicks."""
        clicks = self.wr**2 / self.w2r2 if self.w2r2 else 0.0
        return (self.w**2 / self.w2 if self.w2 else 0.0), clicks

    def logging(self) -> Estimate | None:
        """What the log's own policy earned in these decisions; None without any."""
        return _mean(self.decisions, self.r, self.r2, cut=True)

    def snips(self) -> Estimate | None:
        """As `snips`; None where all weights are 0."""
        if not self.w:
            return None
        value = self.wr / self.w
        square = self.w2r2 - 2.0 * value * self.w2r + value**2 * self.w2  # sum of (w (r - value))^2
        return self._estimate(value, _error(self.decisions, square * (self.decisions / self.w) ** 2), positive=True)

    def dr(self) -> Estimate | None:
        """As `ModelledLog.dr`; None without decisions."""
        if not self.decisions:
            return None
        value = (self.e + self.wr - self.wq) / self.decisions
        square = self.x2 - self.decisions * value**2
        return self._estimate(value, _error(self.decisions, square), positive=False)

    def gain(self) -> Estimate | None:
        """The doubly robust value less what the log's policy earned, in the same decisions; None without any."""
        total = self.e + self.wr - self.wq - self.r
        square = self.x2 - 2.0 * (self.er + self.wr2 - self.wqr) + self.r2
        return _mean(self.decisions, total, square, cut=False)

    def _estimate(self, value: float, std_error: float, *, positive: bool) -> Estimate:
        decisions, clicks = self._effective
        # one more click of a mean weight: of SNIPS the weights are divided by their mean, which leaves this ratio
        scale = self.decisions / self.w if positive and self.w else 1.0
        step = scale * self.w2 / self.w / self.decisions if self.w else 0.0
        spread = Spread(value, std_error, decisions, step, positive, (0.0, 1.0))
        warning = "; ".join(few(decisions, clicks)) or None
        return Estimate(value, std_error, *spread.interval(), decisions, warning, clicks)


def _mean(count: float, total: float, square: float, *, cut: bool) -> Estimate | None:
    """The mean of values with these sums, and its normal interval."""
    if not count:
        return None
    value = total / count
    error = _error(count, square - count * value**2)
    ends = (value - _Z * error, value + _Z * error) if math.isfinite(error) else (-math.inf, math.inf)
    lower, upper = (min(max(end, 0.0), 1.0) for end in ends) if cut else ends
    return Estimate(value, error, lower, upper, count, "; ".join(few(count)) or None)


def _error(count: float, square: float) -> float:
    """The standard error of a mean from the sum of squared deviations."""
    return math.sqrt(max(square, 0.0) / (count * (count - 1.0))) if count > 1 else math.inf
