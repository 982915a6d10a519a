"""What exploring costs a day, from the sums that runners count of closed decisions: see `envs.exploring`."""

import math
from collections import deque
from typing import NamedTuple

from stream.meter import Tally

DAY_S, _PART_S = 86_400.0, 3_600.0
_NORMAL_95 = 1.96


class _Part(NamedTuple):
    hour: int
    lost: float
    variance: float


class DayCost(NamedTuple):
    """Reward that exploring cost within a day, by the doubly robust estimate, and its 95 % interval."""

    lost: float
    lower: float
    upper: float


class ExploringCost:
    """Adds up the last 24 hours, hour by hour.

    >>> cost = ExploringCost()
    >>> lost = {("lost_reward", "lost"): 9.0, ("lost_reward", "won"): 2.0, ("lost_reward_variance", ""): 4.0}
    >>> cost.absorb(Tally(counters=lost), now_s=0.0)
    >>> cost.day(now_s=3_600.0)
    DayCost(lost=7.0, lower=3.08, upper=10.92)
    >>> cost.day(now_s=90_000.0).lost
    0.0
    """

    def __init__(self) -> None:
        self._parts: deque[_Part] = deque()

    def absorb(self, tally: Tally, now_s: float) -> None:
        """Takes in what was counted since the last call, of one runner or of several.

        Args:
            tally: with `lost_reward` and `lost_reward_variance`, where decisions closed.
            now_s: seconds from an arbitrary start.
        """
        found = tally.counters
        variance = found.get(("lost_reward_variance", ""), 0.0)
        lost = found.get(("lost_reward", "lost"), 0.0) - found.get(("lost_reward", "won"), 0.0)
        if not variance:
            return
        hour = int(now_s // _PART_S)
        if self._parts and self._parts[-1].hour == hour:
            last = self._parts.pop()
            lost, variance = last.lost + lost, last.variance + variance
        self._parts.append(_Part(hour, lost, variance))

    def day(self, now_s: float) -> DayCost:
        """The cost of the last 24 hours, the present one included."""
        first = int((now_s - DAY_S) // _PART_S) + 1
        while self._parts and self._parts[0].hour < first:
            self._parts.popleft()
        lost = sum(part.lost for part in self._parts) + 0.0
        half = _NORMAL_95 * math.sqrt(sum(part.variance for part in self._parts))
        return DayCost(lost, lost - half, lost + half)
