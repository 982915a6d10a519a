"""Which open decisions are read where there are too many: the newest, and a sample that stands for the older ones."""

import numpy as np
from numpy.typing import NDArray

from agent.open_entries import Entries, Wholes
from stream.identity import decision_seed

_MULTIPLIERS = (0xBF58476D1CE4E5B9, 0x94D049BB133111EB)
_SHIFTS = (30, 27, 31)


def choose(entries: Entries, most: int, seed: int) -> tuple[Wholes, NDArray[np.float64]]:
    """The places [M] of the entries to read, ascending, and how many open decisions [M] each stands for.

    Half of `most` are the newest, as many of each partition with open ones as of any other; the rest is drawn from the older ones by
    a hash of their keys, so that the choice depends on nothing but what is open, and one stays chosen as others close.

    Args:
        entries: what is open, in the order of partition and arrival.
        most: how many to read, at most.
        seed: of the hash.

    >>> choose(Entries.of({0: [b"k" * 16, b"a" * 16]}), most=2, seed=0)
    (array([0, 1]), array([1., 1.]))
    >>> places, shares = choose(Entries.of({0: [bytes([number]) * 16 for number in range(100)]}), most=10, seed=0)
    >>> float(shares.sum()), places[-5:].tolist()
    (100.0, [95, 96, 97, 98, 99])
    """
    size = len(entries)
    if size <= most:
        return np.arange(size), np.ones(size)
    _, start_N, count_N = np.unique(entries.partition_P, return_index=True, return_counts=True)
    behind_P = np.repeat(start_N + count_N, count_N) - np.arange(size)  # 1 for the newest of a partition
    older_P = behind_P > most // 2 // len(count_N)
    older_O = np.flatnonzero(older_P)
    room = most - (size - len(older_O))
    drawn_O = _draws(entries.half_P2[older_O], seed)
    sample_S = older_O[np.argpartition(drawn_O, room - 1)[:room]]
    share_P = np.where(older_P, 0.0, 1.0)
    share_P[sample_S] = len(older_O) / room
    place_M = np.flatnonzero(share_P)
    return place_M, share_P[place_M]


def _draws(half_P2: NDArray[np.uint64], seed: int) -> NDArray[np.uint64]:
    """A number [P] for each of P keys.

    References:
        Steele, Lea, Flood (2014), Fast splittable pseudorandom number generators: the finaliser of SplitMix64.
    """
    return _mixed(_mixed(half_P2[:, 0] ^ np.uint64(decision_seed(seed, ""))) ^ half_P2[:, 1])


def _mixed(number_P: NDArray[np.uint64]) -> NDArray[np.uint64]:
    for shift, multiplier in zip(_SHIFTS, _MULTIPLIERS, strict=False):
        number_P = (number_P ^ (number_P >> np.uint64(shift))) * np.uint64(multiplier)
    return number_P ^ (number_P >> np.uint64(_SHIFTS[-1]))
