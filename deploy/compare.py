"""Comparing policies that decided the same impressions: paired differences with an interval, rolling rates."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

_BATCHES = 20
_T_975 = 2.093  # 97.5 % quantile of Student's t with one degree of freedom less


class Difference(NamedTuple):
    """A mean difference with its 95 % interval; the bounds are None below 20 pairs."""

    mean: float
    lower: float | None
    upper: float | None

    @property
    def clear(self) -> bool:
        """Whether the interval leaves 0 out."""
        return self.lower is not None and self.upper is not None and (self.lower > 0 or self.upper < 0)


def paired_difference(one_N: NDArray[Any], other_N: NDArray[Any]) -> Difference | None:
    """The mean of one − other over N impressions that both decided, in their order; None where there are none.

    The interval is of batch means: neighbouring decisions share readers, moods and policy versions, so single
    differences are not independent; the means of 20 long stretches nearly are.

    Args:
        one_N: true click probability of what one policy showed.
        other_N: the same of the other; where one is longer, only the common start counts.

    References:
        Law, Kelton (1984), Confidence intervals for steady-state simulations: I.

    >>> ramp = np.linspace(0.0, 0.2, 400)
    >>> paired_difference(ramp + 0.05, ramp).clear
    True
    """
    size = min(len(one_N), len(other_N))
    if not size:
        return None
    difference_N = one_N[:size].astype(np.float64) - other_N[:size]
    mean = float(difference_N.mean())
    if size < _BATCHES:
        return Difference(mean, None, None)
    length = size // _BATCHES
    means_B = difference_N[-length * _BATCHES :].reshape(_BATCHES, length).mean(axis=1)
    half = _T_975 * float(means_B.std(ddof=1)) / _BATCHES**0.5
    return Difference(mean, mean - half, mean + half)


def rolling(rates_N: NDArray[Any], window: int, points: int = 300) -> tuple[NDArray[Any], NDArray[Any]]:
    """The mean of the last `window` values, at about `points` places: how many values there were, and the mean.

    >>> [places.tolist() for places in rolling(np.array([0.0, 1.0, 1.0, 1.0]), window=2)]
    [[2, 3, 4], [0.5, 1.0, 1.0]]
    """
    window = max(1, min(window, len(rates_N)))
    if not len(rates_N):
        return np.zeros(0), np.zeros(0)
    sums = np.concatenate([[0.0], np.cumsum(rates_N, dtype=np.float64)])
    ends = np.unique(np.linspace(window, len(rates_N), points).astype(np.int64))
    return ends, (sums[ends] - sums[ends - window]) / window


def last_quarter(rates_N: NDArray[Any]) -> NDArray[Any]:
    """The last quarter of a run's values."""
    return rates_N[3 * len(rates_N) // 4 :]


def mean_or_none(rates_N: NDArray[Any]) -> float | None:
    """The mean; None of nothing."""
    return float(rates_N.mean(dtype=np.float64)) if len(rates_N) else None
