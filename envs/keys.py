"""Ids as numbers: what a policy keeps of an item or a user, it keeps under a key of 64 bits.

Two of a million ids share a key with a probability of 3e-8.
"""

from collections.abc import Sequence
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from stream.events import Context

_REMEMBERED = 1 << 16


def keys_of(ids: Sequence[str]) -> NDArray[np.int64]:
    """The key of each id, the same in every process.

    >>> keys_of(["a", "b", "a"]).tolist()
    [3405396810240292928, 8453121595177857668, 3405396810240292928]
    """
    return np.fromiter(map(_KEYS.__getitem__, ids), np.int64, len(ids))


def groups_of(contexts: Sequence[Context]) -> NDArray[np.int64]:
    """The key of what impressions of each context share: of its attribute `group`, else of its text; 0 without both.

    >>> named = Context(text="News", attributes={"group": "Sports"})
    >>> sports, named_so, none = groups_of([Context(text="Sports"), named, Context(features=(1.0,))]).tolist()
    >>> sports == named_so, none
    (True, 0)
    """
    names = [c.attributes.get("group") or c.text if c.attributes else c.text for c in contexts]
    return np.array([_KEYS[name] if name else 0 for name in names], dtype=np.int64)


class _Keys(dict[str, int]):
    """Keys of the last names; in C where a name is among them."""

    def __missing__(self, name: str) -> int:
        if len(self) >= _REMEMBERED:
            self.clear()
        self[name] = key = int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "little", signed=True)
        return key


_KEYS = _Keys()
