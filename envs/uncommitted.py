"""What was published after the last commit by a process that crashed in between, where no transaction holds both.

The impressions come again. Those that were decided are not decided again, and what has an outcome gets no second one.
With transactions there is never anything in here.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from stream.events import Impression
from stream.heads import RecommendationHead


class Shown(NamedTuple):
    """A recommendation as the log holds it."""

    head: RecommendationHead
    offset: int
    value: bytes


class Closed(NamedTuple):
    """Where an outcome lies, and when its window ended."""

    offset: int
    closed_ms: int


class Uncommitted:
    """Recommendations and outcomes of one partition beyond its commit, until their impressions have come again.

    Args:
        shown: recommendations whose impressions come again.
        until: the offset by which all these impressions have come.
        closed: outcomes that `closed_ms` does not cover, by decision.
    """

    def __init__(self, shown: Sequence[Shown] = (), until: int = 0, closed: Mapping[str, Closed] | None = None) -> None:
        self._shown = {(each.head.user_id, each.head.impression_id): each for each in shown}
        self._until = until
        self._closed = dict(closed or {})

    def __bool__(self) -> bool:
        return bool(self._shown or self._closed)

    def take(self, impression: Impression) -> Shown | None:
        """What has been published for an impression that comes again; None for all others."""
        return self._shown.pop((impression.user_id, impression.impression_id), None)

    def has_closed(self, decision: str) -> bool:
        """Whether a decision has an outcome already."""
        return decision in self._closed

    def settle(self, next_impression: int, closed_ms: int) -> None:
        """Forgets what cannot come again, or would be late."""
        if next_impression >= self._until:
            self._shown.clear()
        self._closed = {decision: each for decision, each in self._closed.items() if each.closed_ms > closed_ms}

    def low_offsets(self) -> dict[str, int]:
        """The first offset, by topic, that another restart needs; absent where it needs none."""
        low = {
            "recommendations": [each.offset for each in self._shown.values()],
            "outcomes": [each.offset for each in self._closed.values()],
        }
        return {topic: min(offsets) for topic, offsets in low.items() if offsets}
