"""Delayed clicks: how long they take, and how much an open decision without one counts as a negative by now.

An open decision of some age that was not clicked is a negative of weight F(age), F the share of clicks that have come
by that age; one that was clicked is a positive at once. So positives and negatives are as complete as each other.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agent.errors import LearnError
from agent.settings import DelaySettings
from envs.rows import Rows

Doubles = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Delays:
    """How long the clicks of R closed rows took.

    Attributes:
        delay_ms_R: from the impression to its first click on the row's item; NaN where it was not clicked.
        window_ms_R: the attribution window of each row; a click after it was not seen.
    """

    delay_ms_R: Doubles
    window_ms_R: Doubles


@dataclass(frozen=True, slots=True)
class OpenRows:
    """Open decisions as rows, with the rewards that they have so far: R shown slots, in the order of the log.

    Attributes:
        rows: what was shown, as known at decision time; a reward above 0 was clicked already.
        age_ms_R: event time since the impression; below 0 counts as 0.
        share_R: how many open rows each stands for, where only some of them are here.
        window_ms: the attribution window.
        number_R: a number of each row, by which whoever saw it before knows it; None where they have none.
    """

    rows: Rows
    age_ms_R: Doubles
    share_R: Doubles
    window_ms: int
    number_R: NDArray[np.int64] | None = None

    def where(self, keep_R: NDArray[np.bool_] | NDArray[np.int64]) -> "OpenRows":
        """Those for which `keep_R` is true, or at such places."""
        number_R = self.number_R[keep_R] if self.number_R is not None else None
        return OpenRows(self.rows.where(keep_R), self.age_ms_R[keep_R], self.share_R[keep_R], self.window_ms, number_R)


class DelayDistribution:
    """F, the distribution of click delays within the window, from the last clicks of closed decisions.

    A click is seen only if it comes within its window, so delays are truncated on the right; where all windows are
    alike, the estimate is the plain share of clicks.

    References:
        Lynden-Bell (1971), A method of allowing for known observational selection in small samples; Woodroofe (1985),
        Estimating a distribution function with truncated data.

    >>> delays = DelayDistribution(DelaySettings(min_clicks=4))
    >>> delays.share(np.array([0.0, 250.0, 2_000.0]), window_ms=1_000).tolist()
    [0.0, 0.25, 1.0]
    >>> delays.observe(Delays(np.array([10.0, 10.0, 20.0, np.nan, 90.0]), np.full(5, 1_000.0)))
    >>> delays.share(np.array([5.0, 10.0, 89.0, 90.0]), window_ms=1_000).tolist()
    [0.0, 0.5, 0.75, 1.0]
    """

    def __init__(self, settings: DelaySettings) -> None:
        self._settings = settings
        self._steps: tuple[Doubles, Doubles] | None = None
        self._restart(np.zeros(0), np.zeros(0))

    def observe(self, delays: Delays) -> None:
        """Takes in the clicks of closed rows that lie in their window; the oldest of more than `kept_clicks` go."""
        clicked_R = (delays.delay_ms_R >= 0) & (delays.delay_ms_R <= delays.window_ms_R)
        if not clicked_R.any():
            return
        delay_ms_C = np.concatenate([self._delay_ms_C, delays.delay_ms_R[clicked_R]])
        window_ms_C = np.concatenate([self._window_ms_C, delays.window_ms_R[clicked_R]])
        kept = slice(-self._settings.kept_clicks, None)
        self._restart(delay_ms_C[kept], window_ms_C[kept])

    def share(self, age_ms_R: Doubles, window_ms: int) -> Doubles:
        """F at each age: linear in the window until there are `min_clicks` clicks, and 1 from the window on."""
        if len(self._delay_ms_C) < self._settings.min_clicks:
            return np.clip(age_ms_R / window_ms, 0.0, 1.0)
        if self._steps is None:
            self._steps = lynden_bell(self._delay_ms_C, self._window_ms_C)
        at_ms_M, share_M = self._steps
        share_R = np.concatenate([[0.0], share_M])[np.searchsorted(at_ms_M, age_ms_R, side="right")]
        return np.where(age_ms_R >= window_ms, 1.0, share_R)

    def weights(self, open_rows: OpenRows) -> Doubles:
        """How much each open row counts: a clicked one whole, any other by the share of clicks that have come."""
        negative_R = self.share(open_rows.age_ms_R, open_rows.window_ms)
        return open_rows.share_R * np.where(open_rows.rows.reward_R > 0, 1.0, negative_R)

    def get_state(self) -> dict[str, Any]:
        """The clicks that are kept, as arrays; empty where there are none."""
        if not len(self._delay_ms_C):
            return {}
        return {"delay_ms_C": self._delay_ms_C, "window_ms_C": self._window_ms_C}

    def set_state(self, state: dict[str, Any]) -> None:
        """Takes back what `get_state` gave."""
        self._restart(state.get("delay_ms_C", np.zeros(0)), state.get("window_ms_C", np.zeros(0)))

    def _restart(self, delay_ms_C: Doubles, window_ms_C: Doubles) -> None:
        if len(delay_ms_C) != len(window_ms_C):
            raise LearnError(f"click delays must have a window each; got {len(delay_ms_C)} and {len(window_ms_C)}")
        self._delay_ms_C, self._window_ms_C = delay_ms_C, window_ms_C
        self._steps = None


def lynden_bell(value_C: Doubles, limit_C: Doubles) -> tuple[Doubles, Doubles]:
    """The distribution of values of which each was seen only because it was not above its limit.

    Args:
        value_C: C observed values.
        limit_C: the limit of each.

    Returns:
        The M different values, ascending, and the share of all values, seen or not, that are not above each.

    >>> lynden_bell(np.array([1.0, 2.0, 2.0, 4.0]), np.full(4, 9.0))[1].tolist()      # one limit: plain shares
    [0.25, 0.75, 1.0]
    >>> lynden_bell(np.array([1.0, 1.0, 3.0]), np.array([2.0, 9.0, 9.0]))[1].tolist()  # half could not show a 3
    [0.5, 1.0]
    """
    at_M, count_M = np.unique(value_C, return_counts=True)
    beside_M = np.cumsum(count_M) - np.searchsorted(np.sort(limit_C), at_M, side="left")  # value <= at <= limit
    survival_M = 1.0 - count_M / beside_M
    above_M = np.concatenate([np.cumprod(survival_M[:0:-1])[::-1], [1.0]])
    return at_M, above_M
