"""The rules that events keep. Each raises `EventError` with the thing, the rule and the value."""

import math
from collections.abc import Sequence
from typing import Any

from stream.errors import EventError

LARGEST = 3.4e38  # what learns works in float32
_SUM_TOLERANCE = 1e-6


def require_id(name: str, value: str) -> None:
    """Raises EventError unless `value` is a non-empty string."""
    if not value or not isinstance(value, str):
        raise EventError(f"{name} must be a non-empty string; got {value!r}")


def require_time(name: str, value: int) -> None:
    """Raises EventError unless `value` is a positive whole number of milliseconds."""
    if not isinstance(value, int) or not 0 < value < 2**53:
        raise EventError(f"{name} must be a positive whole number of milliseconds; got {value!r}")


def require_finite(name: str, values: Sequence[float]) -> None:
    """Raises EventError unless every value is a finite number, as float32 too."""
    if not values or (not math.isnan(sum(values)) and min(values) >= -LARGEST and max(values) <= LARGEST):
        return  # the usual case, at the speed of C
    for index, value in enumerate(values):
        if not abs(value) <= LARGEST:  # so put, it holds for NaN as well
            raise EventError(f"{name}[{index}] must be finite, at most {LARGEST:.1e}; got {value!r}")


def require_distinct(name: str, values: Sequence[Any]) -> None:
    """Raises EventError if a value occurs twice; the message names it."""
    seen = set()
    for value in values:
        if value in seen:
            raise EventError(f"{name} must be distinct; got {value!r} twice")
        seen.add(value)


def require_propensity(name: str, value: float | None) -> None:
    """Raises EventError unless `value` is None (unknown) or in (0, 1]."""
    if value is not None and not 0.0 < value <= 1.0:
        raise EventError(f"{name} must be in (0, 1]; got {value!r}")


def require_distribution(name: str, values: Sequence[float]) -> None:
    """Raises EventError unless all values are propensities and sum to 1."""
    for value in values:
        require_propensity(name, value)
    if abs(math.fsum(values) - 1.0) > _SUM_TOLERANCE:
        raise EventError(f"{name} must sum to 1; got {math.fsum(values)!r}")
