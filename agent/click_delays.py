"""How long clicks of closed decisions took, on their way from the runner to the update that learns their rows."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from agent.delay import Delays
from agent.outcome_fold import delays_of
from envs.core import Closed


class ClickDelay(NamedTuple):
    """One clicked slot of an outcome: where the outcome lies, the delay, and the attribution window."""

    partition: int
    offset: int
    delay_ms: float
    window_ms: float


def click_delays(closed: Iterable[Closed]) -> list[ClickDelay]:
    """The delays of all clicked slots of closed decisions."""
    found = []
    for each in closed:
        if each.outcome.clicks:
            delays = delays_of([each.outcome])
            pairs = zip(delays.delay_ms_R.tolist(), delays.window_ms_R.tolist(), strict=True)
            place = each.position.partition, each.position.offset
            found += [ClickDelay(*place, delay_ms, window_ms) for delay_ms, window_ms in pairs if delay_ms >= 0]
    return found


class DelayBook:
    """Click delays that wait for the update in which their rows are learned; so each counts once, as the rows do."""

    def __init__(self) -> None:
        self._waiting: dict[tuple[int, int], list[ClickDelay]] = {}

    def __len__(self) -> int:
        """Outcomes whose delays wait."""
        return len(self._waiting)

    def add(self, delays: Iterable[ClickDelay]) -> None:
        """Takes in what a runner handed over; an outcome that is handed over again replaces itself."""
        fresh: dict[tuple[int, int], list[ClickDelay]] = {}
        for delay in delays:
            fresh.setdefault((delay.partition, delay.offset), []).append(delay)
        self._waiting |= fresh

    def take(self, places: Sequence[tuple[int, int]]) -> Delays:
        """The delays of outcomes that are learned now, by partition and offset."""
        taken = [delay for place in places for delay in self._waiting.pop(place, ())]
        return Delays(
            np.array([delay.delay_ms for delay in taken], dtype=np.float64),
            np.array([delay.window_ms for delay in taken], dtype=np.float64),
        )

    def forget(self, positions: Mapping[int, int]) -> None:
        """Drops what lies before the next offset to learn, because it was learned before."""
        self._waiting = {
            place: delays for place, delays in self._waiting.items() if place[1] >= positions.get(place[0], 0)
        }
