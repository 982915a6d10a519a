"""Drawing a slate: a function of the probabilities and a seed, so that anyone can repeat it from the record."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_MASK = (1 << 64) - 1
_GOLDEN = 0x9E3779B97F4A7C15


def uniform(seed: int, slot: int) -> float:
    """A number in [0, 1) for one slot of one decision: the slot-th output of SplitMix64, its upper 53 bits.

    References:
        Steele, Lea, Flood (2014), Fast splittable pseudorandom number generators, OOPSLA.

    >>> uniform(1, 0) == uniform(1, 0) != uniform(1, 1)
    True
    """
    z = (seed + (slot + 1) * _GOLDEN) & _MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
    return float((z ^ (z >> 31)) >> 11) * 2.0**-53


def draw_slate(probabilities_K: NDArray[np.float64], slots: int, seed: int) -> tuple[list[int], list[float]]:
    """Draws `slots` different candidates, slot by slot, each from what is left, in proportion.

    Args:
        probabilities_K: of each candidate for the first slot; positive, summing to 1.
        slots: L, at most K.
        seed: of this decision.

    Returns:
        The indices in slot order, and the propensity of each slot given the slots above.

    >>> draw_slate(np.array([0.5, 0.5]), slots=2, seed=7)[1]
    [0.5, 1.0]
    """
    left_K = np.array(probabilities_K, dtype=np.float64)
    indices: list[int] = []
    propensities: list[float] = []
    for slot in range(slots):
        cumulative_K = np.cumsum(left_K)
        index = int(np.searchsorted(cumulative_K, uniform(seed, slot) * cumulative_K[-1], side="right"))
        index = min(index, len(left_K) - 1)
        while left_K[index] == 0.0:  # rounding put the draw behind the last candidate that is left
            index -= 1
        indices.append(index)
        propensities.append(float(left_K[index]) if slot == 0 else min(float(left_K[index] / cumulative_K[-1]), 1.0))
        left_K[index] = 0.0
    return indices, propensities


def split(values_N: NDArray[np.float64], counts_B: Sequence[int] | NDArray[np.int64]) -> list[NDArray[np.float64]]:
    """Cuts ragged values into one array a decision."""
    return np.split(values_N, np.cumsum(counts_B)[:-1])
