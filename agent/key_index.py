"""Where the row of each key lies, for many keys at once, in a few array operations whatever the number of keys.

A Python dict takes .1 us a key while there are a thousand and five times that with a million, whose numbers lie all
over the memory. Here a key is one of the eight of its bucket, which fill a cache line, and the buckets of all keys
asked for are read together: .05 us a key, .07 with a million. A million keys take 50 MB, in a dict over 100.

Nothing of a removed key stays: those of its bucket move up, so that free slots are the last ones of their bucket and
all alike, and only a bucket without any has keys in the next. However many come and go, lookups stay as they were.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Keys = NDArray[np.int64]
Places = NDArray[Any]

_FREE = -1
_BUCKET = 8  # keys: a cache line
_ROOM = 4  # slots a key, at least: then hardly any bucket is full
_FIRST_BITS = 6
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_COUNTING, _LAST_BYTE = np.uint64(0x0001020304050607), np.uint64(56)  # times 256 ** n, its last byte is n
_ONE = np.uint64(1)


class KeyIndex:
    """Places by key. Keys are spread over buckets by multiplication; where one's bucket is full, it lies in the next.

    Attributes:
        built: how often room was made for all keys anew.

    References:
        Knuth (1998), The art of computer programming, volume 3, section 6.4: multiplicative hashing, buckets, and
        algorithm R, which removes a key so that none that lies behind it is lost.

    >>> index = KeyIndex()
    >>> index.put(np.array([70, 80, 90]), np.array([0, 1, 2]))
    >>> index.remove(np.array([80]))
    >>> index.find(np.array([90, 80, 70, 7])).tolist(), len(index)
    ([2, -1, 0, -1], 2)
    """

    def __init__(self) -> None:
        self.built = 0
        self.clear()

    def __len__(self) -> int:
        return self._held

    def clear(self) -> None:
        """Forgets all keys."""
        self._make_room(_FIRST_BITS)

    def find(self, key_N: Keys) -> Keys:
        """The place [N] of each key; -1 where there is none."""
        bucket_N, slot_N, ours_N = self._first(key_N)
        place_N = self._place_S.take(slot_N).astype(np.int64)
        if not ours_N.all():
            (other,) = (~ours_N).nonzero()
            place_N[other] = _FREE
            full = self._full(bucket_N.take(other))
            if full.any():
                behind = other[full]
                slot_M, key_M = self._slots(key_N[behind]), key_N[behind]
                place_N[behind] = np.where(self._key_S[slot_M] == key_M, self._place_S[slot_M], _FREE)
        return place_N

    def put(self, key_M: Keys, place_M: Places) -> None:
        """Gives different keys their places, new or not."""
        if _ROOM * (self._held + len(key_M)) > len(self._key_S):
            self._grow(len(key_M))
        while len(key_M):
            slot_M = self._slots(key_M)
            new_M = self._place_S[slot_M] == _FREE
            self._key_S[slot_M], self._place_S[slot_M] = key_M, place_M
            put_M = self._key_S[slot_M] == key_M  # of several that found one slot free, the last
            self._held += int((new_M & put_M).sum())
            key_M, place_M = key_M[~put_M], place_M[~put_M]

    def remove(self, key_M: Keys) -> None:
        """Forgets different keys that are there."""
        slot_M = self._slots(key_M)
        bucket_M = slot_M // _BUCKET
        full_M = self._full(bucket_M)
        self._free(slot_M)
        self._held -= len(key_M)
        last_M = slot_M % _BUCKET == _BUCKET - 1
        self._close_up(bucket_M[~last_M & (self._place_S.take(slot_M + 1, mode="clip") != _FREE)])
        if full_M.any():
            self._draw_up(bucket_M[full_M])

    def _close_up(self, bucket_B: Keys) -> None:
        """Moves the keys of some buckets up to where slots before them are free."""
        key_SW, place_SW = self._key_S.reshape(-1, _BUCKET), self._place_S.reshape(-1, _BUCKET)
        order_BW = (place_SW[bucket_B] == _FREE).argsort(axis=1, kind="stable")
        slot_BW = (bucket_B * _BUCKET)[:, None] + order_BW
        key_SW[bucket_B], place_SW[bucket_B] = self._key_S[slot_BW], self._place_S[slot_BW]

    def _draw_up(self, bucket_F: Keys) -> None:
        """Puts those again that may lie behind these buckets because these had been full."""
        behind_F, behind_B = bucket_F, []
        while len(behind_F):
            behind_F = (behind_F + 1) & self._last
            behind_B.append(behind_F)
            behind_F = behind_F[self._full(behind_F)]
        bucket_B = np.unique(np.concatenate(behind_B))
        slot_M = (bucket_B[:, None] * _BUCKET + np.arange(_BUCKET)).ravel()
        slot_M = slot_M[self._place_S[slot_M] != _FREE]
        key_M, place_M = self._key_S[slot_M], self._place_S[slot_M]
        self._free(slot_M)
        self._held -= len(slot_M)
        self.put(key_M, place_M)

    def _free(self, slot_M: Keys) -> None:
        self._key_S[slot_M], self._place_S[slot_M] = 0, _FREE  # key 0 is found in a first free slot, or its own

    def _full(self, bucket_N: Keys) -> NDArray[np.bool_]:
        full_N: NDArray[np.bool_] = self._place_S.take(bucket_N * _BUCKET + (_BUCKET - 1)) != _FREE
        return full_N

    def _first(self, key_N: Keys) -> tuple[Keys, Keys, NDArray[np.bool_]]:
        """The first bucket of each key, its slot there, or any where it is not there, and whether it is."""
        bucket_N = ((key_N.view(np.uint64) * _GOLDEN) >> self._shift).view(np.int64)
        ours_NW = self._key_S.reshape(-1, _BUCKET).take(bucket_N, axis=0) == key_N[:, None]
        truths_N = ours_NW.view("<u8")[:, 0]  # of a bucket in one number, a byte each; the lowest is the first
        slot_N = bucket_N * _BUCKET
        slot_N += (((truths_N & (~truths_N + _ONE)) * _COUNTING) >> _LAST_BYTE).view(np.int64)
        return bucket_N, slot_N, truths_N != 0

    def _slots(self, key_N: Keys) -> Keys:
        """The slot of each key, or the first free one on its way where it has none."""
        bucket_N, slot_N, ours_N = self._first(key_N)
        left = np.flatnonzero(~ours_N)
        while len(left):
            bucket_L, key_L = bucket_N[left], key_N[left]
            ours_LW = self._key_S.reshape(-1, _BUCKET)[bucket_L] == key_L[:, None]
            ends_LW = ours_LW | (self._place_S.reshape(-1, _BUCKET)[bucket_L] == _FREE)
            slot_N[left] = bucket_L * _BUCKET + ends_LW.argmax(axis=1)
            left = left[~ends_LW.any(axis=1)]
            bucket_N[left] = (bucket_N[left] + 1) & self._last
        return slot_N

    def _grow(self, more: int) -> None:
        held_S = self._place_S != _FREE
        key_M, place_M = self._key_S[held_S], self._place_S[held_S]
        self._make_room(max(_FIRST_BITS, (_ROOM * (len(key_M) + more)).bit_length()))
        self.built += 1
        self.put(key_M, place_M)

    def _make_room(self, bits: int) -> None:
        self._shift = np.uint64(64 - bits + 3)
        self._last = (1 << bits - 3) - 1
        self._key_S = np.zeros(1 << bits, np.int64)
        self._place_S = np.full(1 << bits, _FREE, np.int32)
        self._held = 0
