"""What every array and option has to be before anything is estimated from it."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from agent.evaluation.errors import EvaluationError

Doubles = NDArray[np.float64]
Places = NDArray[np.int64]
Flags = NDArray[np.bool_]

_SUM_TOLERANCE = 1e-4  # probabilities may come from single precision


def numbers(name: str, values: ArrayLike, axes: int = 1) -> Doubles:
    """The values as finite doubles with the given number of axes and at least one decision.

    Raises:
        EvaluationError: they are no numbers, have other axes, none of them, or one that is not finite.
    """
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise EvaluationError(f"{name} must hold numbers in rows of one length; got {error}") from error
    if array.ndim != axes:
        raise EvaluationError(f"{name} must have {axes} axes; got the shape {array.shape}")
    if not array.size:
        raise EvaluationError(f"{name} must hold at least one decision; got the shape {array.shape}")
    _require(name, "must be finite", array, np.isfinite(array))
    return array


def propensities(name: str, values: ArrayLike) -> Doubles:
    """Propensities [N] of what was logged, in (0, 1]."""
    array_N = numbers(name, values)
    _require(name, "must lie in (0, 1]", array_N, (array_N > 0.0) & (array_N <= 1.0))
    return array_N


def probabilities(name: str, values: ArrayLike, axes: int = 1) -> Doubles:
    """Probabilities in [0, 1]."""
    array = numbers(name, values, axes)
    _require(name, "must lie in [0, 1]", array, (array >= 0.0) & (array <= 1.0))
    return array


def distributions(name: str, values: ArrayLike) -> Doubles:
    """Probabilities [N, K] of which each row sums to 1; shorter rows are padded by 0."""
    array_NK = probabilities(name, values, axes=2)
    sum_N = array_NK.sum(axis=1)
    _require(name, "must sum to 1 in every row", sum_N, np.abs(sum_N - 1.0) <= _SUM_TOLERANCE)
    return array_NK


def places(name: str, values: ArrayLike, candidates: int) -> Places:
    """Indices [N] into the candidates."""
    array_N = numbers(name, values)
    inside_N = (array_N >= 0) & (array_N < candidates) & (array_N == np.floor(array_N))
    _require(name, f"must be whole numbers in 0..{candidates - 1}", array_N, inside_N)
    return array_N.astype(np.int64)


def same_shape(arrays: dict[str, Doubles] | dict[str, Doubles | Places]) -> None:
    """Raises unless all arrays, by name, have the shape of the first.

    Raises:
        EvaluationError: one has another shape.
    """
    (first, shape), *others = ((name, array.shape) for name, array in arrays.items())
    for name, other in others:
        if other != shape:
            raise EvaluationError(f"{name} must have the shape of {first}, {shape}; got {other}")


def option(name: str, rule: str, value: float, *, holds: bool) -> None:
    """Raises unless an option holds its rule.

    Raises:
        EvaluationError: it does not.
    """
    if not holds:
        raise EvaluationError(f"{name} {rule}; got {value}")


def _require(name: str, rule: str, array: Doubles, holds: Flags) -> None:
    if not holds.all():
        at = tuple(int(axis[0]) for axis in np.nonzero(~holds))
        where = at[0] if len(at) == 1 else at
        raise EvaluationError(f"{name} {rule}; got {array[at]} at {where}")
