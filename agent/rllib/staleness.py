"""How old feedback is when it first decides: from the close of an outcome, or the joining of a click, to the swap.

The runner notes when its outcomes closed and its clicks were joined; the weights that come back say which of the
outcomes they have learned and which look at open decisions they hold. So no clocks of two machines are compared.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from agent.resolved import Span
from stream.meter import Meter

_MOST = 4_096  # stretches of outcomes, and looks, that wait; the oldest go, and are not observed


@dataclass(frozen=True, slots=True)
class Knows:
    """What weights hold of the feedback.

    Attributes:
        learned: the next outcome to learn, by partition.
        looks: the last look at open decisions, by runner.
    """

    learned: Mapping[int, int] = field(default_factory=dict)
    looks: Mapping[int, int] = field(default_factory=dict)


class Staleness:
    """Of one runner.

    Args:
        meter: takes `outcome_staleness_ms` and `click_staleness_ms`, one value for each outcome and joined click.

    >>> from stream.meter import Tally
    >>> tally = Tally()
    >>> staleness = Staleness(tally)
    >>> staleness.closed([Span(partition=0, start=3, stop=5)], now_s=1.0)
    >>> staleness.swapped(Knows(learned={0: 4}), runner=1, now_s=1.2)        # not all of it is learned
    >>> staleness.swapped(Knows(learned={0: 5}), runner=1, now_s=1.5)
    >>> sum(tally.histograms["outcome_staleness_ms"].buckets), tally.histograms["outcome_staleness_ms"].total
    (2, 1000.0)
    """

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._closed: dict[int, deque[tuple[Span, float]]] = {}
        self._joined: list[tuple[int, float]] = []
        self._looked: deque[tuple[int, list[tuple[int, float]]]] = deque(maxlen=_MOST)

    def closed(self, spans: Iterable[Span], now_s: float) -> None:
        """Notes outcomes that were just committed."""
        for span in spans:
            if span.start < span.stop:
                self._closed.setdefault(span.partition, deque(maxlen=_MOST)).append((span, now_s))

    def joined(self, clicks: int, now_s: float) -> None:
        """Notes clicks that were just joined to open decisions."""
        if clicks:
            self._joined.append((clicks, now_s))
            del self._joined[:-_MOST]

    def looked(self, number: int) -> None:
        """Notes that a look at what is open holds all clicks that were joined by now."""
        self._looked.append((number, self._joined))
        self._joined = []

    def swapped(self, knows: Knows, runner: int, now_s: float) -> None:
        """Notes that weights decide from now on.

        Args:
            knows: what they hold.
            runner: index of this one.
            now_s: by the clock of the other calls.
        """
        for partition, stop in knows.learned.items():
            waiting = self._closed.get(partition, deque())
            while waiting and waiting[0][0].stop <= stop:
                span, closed_s = waiting.popleft()
                self._observe("outcome_staleness_ms", span.stop - span.start, now_s - closed_s)
        while self._looked and self._looked[0][0] <= knows.looks.get(runner, 0):
            for clicks, joined_s in self._looked.popleft()[1]:
                self._observe("click_staleness_ms", clicks, now_s - joined_s)

    def _observe(self, name: str, count: int, age_s: float) -> None:
        self._meter.observe(name, [1_000.0 * age_s] * count)
