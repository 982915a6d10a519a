"""Features by name as a vector of one length: each name has its column and sign by a hash (the hashing trick).

Numbers stand for themselves, texts and truths are a one under their name and value. Two names may share a column; with
signs they cancel out in the mean.

References:
    Weinberger, Dasgupta, Langford, Smola, Attenberg (2009), Feature hashing for large scale multitask learning.
"""

from collections.abc import Iterator, Mapping, Sequence
from hashlib import blake2b
from typing import Any

import numpy as np

COLUMNS = 64
TEXT = "_text"  # free text, read by the encoder and not hashed


def hashed(features: Mapping[str, Any], but: Sequence[str] = (), columns: int = COLUMNS) -> tuple[float, ...]:
    """The vector of features.

    Args:
        features: numbers, texts, truths, lists of them and mappings of the same, by name. Names that begin with an
            underscore are not features.
        but: names that are left out, in lower case: those of ids.
        columns: length of the vector.

    >>> hashed({"age": 2.5}) == tuple(2.5 * each for each in hashed({"age": 1}))
    True
    >>> hashed({"user": {"city": "Bern"}}) == hashed({"user": {"city": "Basel"}})
    False
    >>> any(hashed({"_tag": "a", "none": None, "off": False}))
    False
    """
    vector = np.zeros(columns)
    for name, value in _flat("", features, but):
        number = int.from_bytes(blake2b(name.encode("utf-8", "replace"), digest_size=8).digest(), "big")
        vector[(number >> 1) % columns] += value if number & 1 else -value
    return tuple(vector.tolist())


def texts(features: Mapping[str, Any]) -> str | None:
    """The free texts among features, one after the other; None where there are none.

    >>> texts({"_text": "Noodle soup", "more": {"_text": "in ten minutes", "tag": "food"}})
    'Noodle soup in ten minutes'
    """
    return " ".join(_texts(features)) or None


def _flat(prefix: str, value: Any, but: Sequence[str]) -> Iterator[tuple[str, float]]:  # noqa: ANN401 - any JSON
    if isinstance(value, Mapping):
        for name, each in value.items():
            if not name.startswith("_") and name.lower() not in but:
                yield from _flat(f"{prefix}|{name}", each, but)
    elif isinstance(value, list):
        for place, each in enumerate(value):
            yield from _flat(prefix if isinstance(each, Mapping | str) else f"{prefix}[{place}]", each, but)
    elif isinstance(value, str):
        yield f"{prefix}={value}", 1.0
    elif isinstance(value, bool):
        if value:
            yield prefix, 1.0
    elif isinstance(value, int | float):
        yield prefix, float(value)


def _texts(features: Mapping[str, Any]) -> Iterator[str]:
    for name, value in features.items():
        if name == TEXT and isinstance(value, str):
            yield value
        elif isinstance(value, Mapping) and not name.startswith("_"):
            yield from _texts(value)
