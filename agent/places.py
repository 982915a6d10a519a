"""Where numbers lie among others."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def places_among(known_K: NDArray[Any], wanted_N: NDArray[Any]) -> NDArray[np.int64]:
    """The place [N] of each wanted number among known ones, which may lie in any order; -1 where it is not known.

    >>> places_among(np.array([7, 3, 5]), np.array([3, 4, 7]))
    array([ 1, -1,  0])
    """
    if not len(known_K):
        return np.full(len(wanted_N), -1, dtype=np.int64)
    order_K = np.argsort(known_K)
    rank_N = np.searchsorted(known_K, wanted_N, sorter=order_K)
    place_N = order_K.take(rank_N, mode="clip")
    return np.where(known_K[place_N] == wanted_N, place_N, -1)
