"""The rules that events keep. Each raises `EventError` with the thing, the rule and the value."""

import math
import re
from collections.abc import Sequence
from typing import Any

from stream.errors import EventError
from stream.reason import shown

LARGEST = 3.4e38  # what learns works in float32
LAST_MS = 253_402_300_799_999  # the end of the year 9999; what is later was counted in micro- or nanoseconds
LAST_CLOSE_MS = 2**53 - 1  # exact in any JSON reader, and a window behind any event
MAX_ID = 512  # characters
MAX_FEATURES = 4_096
CONTROLS = "\\u0000-\\u001f\\u007f-\\u009f"  # C0, DEL and C1, as they stand in a pattern
_UNFIT = re.compile(f"[{CONTROLS}\\ud800-\\udfff]")
_SUM_TOLERANCE = 1e-6


def require_id(name: str, value: str) -> None:
    """Raises EventError unless `value` is a non-empty string as `require_name` wants it."""
    if isinstance(value, str) and 0 < len(value) <= MAX_ID and value.isprintable():
        return  # the usual case, at the speed of C
    if not value or not isinstance(value, str):
        raise EventError(f"{name} must be a non-empty string; got {shown(value)}")
    require_name(name, value)


def require_name(name: str, value: str) -> None:
    """Raises EventError if `value` is long, or holds what a terminal would act on or UTF-8 has no bytes for."""
    if len(value) > MAX_ID:
        raise EventError(f"{name} must be at most {MAX_ID} characters long; got {shown(value)}")
    unfit = None if value.isprintable() else _UNFIT.search(value)
    if unfit:
        raise EventError(f"{name} must hold no control characters; got {unfit[0]!r} in {shown(value)}")


def require_text(name: str, value: str | None) -> None:
    """Raises EventError unless `value` is None or a text that has a form in UTF-8."""
    if value is None or value.isascii():
        return
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise EventError(f"{name} must be text that UTF-8 can hold; got {value[error.start]!r}") from error


def require_time(name: str, value: int) -> None:
    """Raises EventError unless `value` is a positive whole number of milliseconds, before the year 10,000."""
    if not isinstance(value, int) or not 0 < value <= LAST_MS:
        raise EventError(
            f"{name} must be a positive whole number of milliseconds, before the year 10,000; got {shown(value)}"
        )


def require_close(name: str, value: int) -> None:
    """Raises EventError unless `value` is a positive whole number of milliseconds; the last window may end late."""
    if not isinstance(value, int) or not 0 < value <= LAST_CLOSE_MS:
        raise EventError(f"{name} must be a positive whole number of milliseconds; got {shown(value)}")


def require_features(name: str, values: Sequence[float]) -> None:
    """Raises EventError unless the values are finite and not too many."""
    if len(values) > MAX_FEATURES:
        raise EventError(f"{name} must be at most {MAX_FEATURES:,} values; got {len(values):,}")
    require_finite(name, values)


def are_features(values: Sequence[float]) -> bool:
    """Whether `require_features` lets the values pass; at the speed of C, and without a name to be made."""
    return len(values) <= MAX_FEATURES and _are_finite(values)


def require_finite(name: str, values: Sequence[float]) -> None:
    """Raises EventError unless every value is a finite number, as float32 too."""
    if _are_finite(values):
        return
    for index, value in enumerate(values):
        if not abs(value) <= LARGEST:  # so put, it holds for NaN as well
            raise EventError(f"{name}[{index}] must be finite, at most {LARGEST:.1e}; got {shown(value)}")


def _are_finite(values: Sequence[float]) -> bool:
    return not values or (not math.isnan(sum(values)) and min(values) >= -LARGEST and max(values) <= LARGEST)


def require_distinct(name: str, values: Sequence[Any]) -> None:
    """Raises EventError if a value occurs twice; the message names it."""
    seen = set()
    for value in values:
        if value in seen:
            raise EventError(f"{name} must be distinct; got {shown(value)} twice")
        seen.add(value)


def require_propensity(name: str, value: float | None) -> None:
    """Raises EventError unless `value` is None (unknown) or in (0, 1]."""
    if value is not None and not 0.0 < value <= 1.0:
        raise EventError(f"{name} must be in (0, 1]; got {shown(value)}")


def require_shares(name: str, values: Sequence[float], length: int) -> None:
    """Raises EventError unless there are so many values, all in [0, 1], that sum to 1."""
    if len(values) != length:
        raise EventError(f"{name} must hold {length} values; got {len(values)}")
    for value in values:
        if not 0.0 <= value <= 1.0:
            raise EventError(f"{name} must be in [0, 1]; got {shown(value)}")
    if abs(math.fsum(values) - 1.0) > _SUM_TOLERANCE:
        raise EventError(f"{name} must sum to 1; got {math.fsum(values)!r}")


def require_distribution(name: str, values: Sequence[float]) -> None:
    """Raises EventError unless all values are propensities and sum to 1."""
    if values and min(values) > 0.0 and max(values) <= 1.0 and abs(math.fsum(values) - 1.0) <= _SUM_TOLERANCE:
        return  # the usual case, at the speed of C; what is not a number sums up to none
    for value in values:
        require_propensity(name, value)
    if abs(math.fsum(values) - 1.0) > _SUM_TOLERANCE:
        raise EventError(f"{name} must sum to 1; got {math.fsum(values)!r}")
