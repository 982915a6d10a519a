"""How much a shown item resembles those above it in its slate: the largest cosine between their vectors."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from envs.protocols import Floats

_LEAST_NORM = 1e-12


def directions(vector_NE: Floats) -> Floats:
    """Vectors scaled to length 1; those of length 0 stay 0, and resemble nothing.

    >>> directions(np.array([[3.0, 4.0], [0.0, 0.0]], np.float32)).round(2).tolist()
    [[0.6000000238418579, 0.800000011920929], [0.0, 0.0]]
    """
    norm_N1 = np.linalg.norm(vector_NE, axis=1, keepdims=True)
    unit_NE: Floats = vector_NE / np.maximum(norm_N1, _LEAST_NORM)
    return unit_NE


def alike_above(vector_RE: Floats, slot_R: Sequence[int] | NDArray[np.int64]) -> Floats:
    """The largest cosine [R] of each shown item to those above it; 0 in the first slot, where there is none.

    Args:
        vector_RE: of the shown items, those of one slate one after the other from the first slot on.
        slot_R: their slots, the first 0.

    >>> alike_above(np.array([[1, 0], [0, 1], [1, 1], [1, 0]], np.float32), [0, 1, 2, 0]).round(2).tolist()
    [0.0, 0.0, 0.7099999785423279, 0.0]
    """
    slots_R = np.asarray(slot_R, dtype=np.int64)
    alike_R = np.where(slots_R > 0, -np.inf, 0.0).astype(np.float32)
    deepest = int(slots_R.max(initial=0))
    unit_RE = directions(vector_RE) if deepest else vector_RE
    for above in range(1, deepest + 1):
        rows = np.flatnonzero(slots_R >= above)
        cosine_r = (unit_RE[rows] * unit_RE[rows - above]).sum(axis=1)
        alike_R[rows] = np.maximum(alike_R[rows], np.clip(cosine_r, -1.0, 1.0))
    return alike_R
