"""Drawing slates: a function of the probabilities and a seed, so that anyone can repeat it from the record."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

_MASK = (1 << 64) - 1
_GOLDEN = 0x9E3779B97F4A7C15

Counts = Sequence[int] | NDArray[np.int64]

Later = Callable[[NDArray[np.int64], NDArray[np.int64]], NDArray[np.float64]]
"""Gives the probabilities [A, K] of the next slot of A decisions, by their indices and what they show by now [A, L]."""


class Drawn(NamedTuple):
    """A slate: the indices of its candidates in slot order, and each slot's propensity given the slots above."""

    indices: list[int]
    propensities: list[float]


def uniform(seed: int, slot: int) -> float:
    """A number in [0, 1) for one slot of one decision: the slot-th output of SplitMix64, its upper 53 bits.

    References:
        Steele, Lea, Flood (2014), Fast splittable pseudorandom number generators, OOPSLA.

    >>> uniform(1, 0) == uniform(1, 0) != uniform(1, 1)
    True
    """
    return float(_uniforms(_words([seed]), slot)[0])


def draw_slate(
    probabilities_K: ArrayLike, slots: int, seed: int, slot_probabilities_SK: ArrayLike | None = None
) -> Drawn:
    """The slate of one decision, see `draw_slates`; as it can be drawn again from its record.

    Args:
        probabilities_K: of each candidate for the first slot.
        slots: L.
        seed: of the decision.
        slot_probabilities_SK: of each candidate for the slots after the first, where they are recorded.

    >>> draw_slate(np.array([0.5, 0.5]), slots=2, seed=7).propensities
    [0.5, 1.0]
    >>> draw_slate([0.25, 0.5, 0.25], slots=2, seed=7, slot_probabilities_SK=[[0.75, 0.0, 0.25]])
    Drawn(indices=[1, 0], propensities=[0.5, 0.75])
    """
    shares_K = np.asarray(probabilities_K, dtype=np.float64)
    if slot_probabilities_SK is None:
        return draw_slates(shares_K, [len(shares_K)], [slots], [seed])[0]
    shares_SK = np.asarray(slot_probabilities_SK, dtype=np.float64)

    def recorded(_: NDArray[np.int64], above_AL: NDArray[np.int64]) -> NDArray[np.float64]:
        return shares_SK[[above_AL.shape[1] - 1]]

    return draw_slates(shares_K, [len(shares_K)], [slots], [seed], recorded)[0]


def draw_slates(
    probabilities_N: NDArray[np.float64],
    counts_B: Counts,
    slots_B: Counts,
    seeds_B: Sequence[int],
    later: Later | None = None,
) -> list[Drawn]:
    """Draws `slots` different candidates a decision, slot by slot, each from what is left.

    A decision's slate does not depend on the others.

    Args:
        probabilities_N: of each candidate for the first slot; positive, summing to 1 within a decision.
        counts_B: candidates of each decision.
        slots_B: L of each decision, at most its candidates.
        seeds_B: of each decision.
        later: probabilities of a slot after the first, 0 for what is shown above it, summing to 1; without it they are
            in proportion to those of the first slot.

    >>> draw_slates(np.array([1.0, 0.5, 0.5]), [1, 2], [1, 2], [7, 7])[1] == draw_slate([0.5, 0.5], slots=2, seed=7)
    True
    """
    left_BK = padded(probabilities_N, counts_B)
    words_B, slots_B = _words(seeds_B), np.asarray(slots_B, dtype=np.int64)
    drawn_B = [Drawn([], []) for _ in seeds_B]
    for slot in range(slots_B.max(initial=0)):
        (rows_A,) = (slots_B > slot).nonzero()  # the decisions that have this slot
        if slot and later is not None:
            left_BK[rows_A] = later(rows_A, np.array([drawn_B[row].indices for row in rows_A.tolist()]))
        left_AK = left_BK if len(rows_A) == len(left_BK) else left_BK[rows_A]
        cumulative_AK = left_AK.cumsum(axis=1)
        total_A = cumulative_AK[:, -1]
        target_A = _uniforms(words_B[rows_A], slot) * total_A
        index_A = (cumulative_AK <= target_A[:, None]).sum(axis=1)
        if index_A.max() == left_AK.shape[1]:  # rounding may point behind the last one that is left
            last_A = left_AK.shape[1] - 1 - (left_AK[:, ::-1] > 0).argmax(axis=1)
            index_A = np.minimum(index_A, last_A)
        share_A = left_BK[rows_A, index_A]
        given = slot == 0 or later is not None
        propensity_A = share_A if given else np.minimum(share_A / total_A, 1.0)
        left_BK[rows_A, index_A] = 0.0
        for row, index, propensity in zip(rows_A.tolist(), index_A.tolist(), propensity_A.tolist(), strict=True):
            drawn_B[row].indices.append(index)
            drawn_B[row].propensities.append(propensity)
    return drawn_B


def padded(values_N: NDArray[np.float64], counts_B: Counts) -> NDArray[np.float64]:
    """Ragged values as one row a decision, [B, K] for the most candidates K, filled up with zeros."""
    counts = np.asarray(counts_B, dtype=np.int64)
    most = int(counts.max(initial=0))
    if len(values_N) == most * len(counts):
        return values_N.reshape(len(counts), most).astype(np.float64)
    values_BK = np.zeros((len(counts), most))
    values_BK[np.arange(most) < counts[:, None]] = values_N
    return values_BK


def split(values_N: NDArray[np.float64], counts_B: Counts) -> list[NDArray[np.float64]]:
    """Cuts ragged values into one array a decision."""
    return np.split(values_N, np.cumsum(counts_B)[:-1])


def _words(seeds_B: Sequence[int]) -> NDArray[np.uint64]:
    return np.array([seed & _MASK for seed in seeds_B], dtype=np.uint64)


def _uniforms(words_B: NDArray[np.uint64], slot: int) -> NDArray[np.float64]:
    z_B = words_B + np.uint64((slot + 1) * _GOLDEN & _MASK)
    z_B = (z_B ^ (z_B >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z_B = (z_B ^ (z_B >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z_B ^= z_B >> np.uint64(31)
    return (z_B >> np.uint64(11)).astype(np.float64) * 2.0**-53
