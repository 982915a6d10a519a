"""Which open decisions are read where there are too many: the newest, and a sample that stands for the older ones."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from stream.identity import decision_seed

Entry = tuple[int, bytes]  # partition, and the key of a decision in it
_KEY_BYTES = 16
_MULTIPLIERS = (0xBF58476D1CE4E5B9, 0x94D049BB133111EB)
_SHIFTS = (30, 27, 31)


def choose(keys: Mapping[int, Sequence[bytes]], most: int, seed: int) -> dict[Entry, float]:
    """The entries to read, in the order of partition and arrival, and how many open decisions each stands for.

    Half of `most` are the newest, as many of each partition as of any other; the rest is drawn from the older ones by
    a hash of their keys, so that the choice depends on nothing but what is open, and one stays chosen as others close.

    Args:
        keys: what is open, by partition, in the order of arrival; keys of 16 bytes.
        most: how many entries, at most.
        seed: of the hash.

    >>> choose({0: [b"k" * 16, b"a" * 16]}, most=2, seed=0)
    {(0, b'kkkkkkkkkkkkkkkk'): 1.0, (0, b'aaaaaaaaaaaaaaaa'): 1.0}
    >>> few = choose({0: [bytes([number]) * 16 for number in range(100)]}, most=10, seed=0)
    >>> sum(few.values()), [key[0] for _, key in few][-5:]
    (100.0, [95, 96, 97, 98, 99])
    """
    numbers = sorted(keys)
    if sum(map(len, keys.values())) <= most:
        return {(number, key): 1.0 for number in numbers for key in keys[number]}
    newest = most // 2 // len(keys)
    older = {number: keys[number][: max(0, len(keys[number]) - newest)] for number in numbers}
    size = sum(map(len, older.values()))
    room = most - sum(len(keys[number]) - len(older[number]) for number in numbers)
    drawn_P = _draws(b"".join(b"".join(older[number]) for number in numbers), seed)
    sample = iter(np.sort(np.argpartition(drawn_P, room - 1)[:room]).tolist())
    shares, start, place = {}, 0, next(sample, size)
    for number in numbers:
        stop = start + len(older[number])
        while place < stop:
            shares[number, older[number][place - start]] = size / room
            place = next(sample, size)
        shares |= {(number, key): 1.0 for key in keys[number][len(older[number]) :]}
        start = stop
    return shares


def _draws(keys: bytes, seed: int) -> NDArray[np.uint64]:
    """A number [P] for each of P keys, which lie one after the other.

    References:
        Steele, Lea, Flood (2014), Fast splittable pseudorandom number generators: the finaliser of SplitMix64.
    """
    halves_P2 = np.frombuffer(keys, dtype="<u8").reshape(-1, _KEY_BYTES // 8)
    return _mixed(_mixed(halves_P2[:, 0] ^ np.uint64(decision_seed(seed, ""))) ^ halves_P2[:, 1])


def _mixed(number_P: NDArray[np.uint64]) -> NDArray[np.uint64]:
    for shift, multiplier in zip(_SHIFTS, _MULTIPLIERS, strict=False):
        number_P = (number_P ^ (number_P >> np.uint64(shift))) * np.uint64(multiplier)
    return number_P ^ (number_P >> np.uint64(_SHIFTS[-1]))
