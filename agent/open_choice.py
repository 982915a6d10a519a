"""Which open decisions are read where there are too many: the newest, and a sample that stands for the older ones."""

from collections.abc import Mapping, Sequence
from heapq import nsmallest

from stream.identity import decision_seed

Entry = tuple[int, bytes]  # partition, and the key of a decision in it


def choose(keys: Mapping[int, Sequence[bytes]], most: int, seed: int) -> dict[Entry, float]:
    """The entries to read, in the order of partition and arrival, and how many open decisions each stands for.

    Half of `most` are the newest, as many of each partition as of any other; the rest is drawn from the older ones by
    a hash of their keys, so that the choice depends on nothing but what is open, and one stays chosen as others close.

    Args:
        keys: what is open, by partition, in the order of arrival.
        most: how many entries, at most.
        seed: of the hash.

    >>> choose({0: [b"k", b"a"]}, most=2, seed=0)
    {(0, b'k'): 1.0, (0, b'a'): 1.0}
    >>> few = choose({0: [bytes([number]) for number in range(100)]}, most=10, seed=0)
    >>> sum(few.values()), [key[0] for _, key in few][-5:]
    (100.0, [95, 96, 97, 98, 99])
    """
    entries = [(number, key) for number in sorted(keys) for key in keys[number]]
    if len(entries) <= most:
        return dict.fromkeys(entries, 1.0)
    newest = most // 2 // len(keys)
    older = [(number, key) for number in sorted(keys) for key in keys[number][: max(0, len(keys[number]) - newest)]]
    room = most - (len(entries) - len(older))
    sample = nsmallest(room, older, key=lambda entry: decision_seed(seed, entry[1].hex()))
    stands_for = dict.fromkeys(older, 0.0) | dict.fromkeys(sample, len(older) / room)
    shares = {entry: stands_for.get(entry, 1.0) for entry in entries}
    return {entry: share for entry, share in shares.items() if share}
