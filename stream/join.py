"""Attribution: clicks are joined to open decisions in event time, in whatever order they come.

A decision is open from its impression's time until the watermark has passed `window_ms` behind it. Then it closes
with the clicks that fell into the window, ordered by time, so that the result does not depend on arrival order.
Open decisions are the memory of repeats: an impression whose window has passed is late and not decided again.
"""

from collections import OrderedDict, deque
from heapq import heappop, heappush
from typing import Literal

import msgspec

from stream.errors import StreamError
from stream.events import Candidate, Click, Impression, Recommendation
from stream.settings import AttributionSettings

Arrival = Literal["new", "late", "repeated"]
ClickFate = Literal["joined", "early", "late", "repeated", "not_shown", "outside_window", "dropped_early", "unknown"]
Key = tuple[str, str]  # user_id, impression_id


class OpenDecision(msgspec.Struct):
    """An impression that waits for its clicks. `recommendation` is None between its arrival and its decision."""

    impression: Impression
    offset: int
    recommendation: Recommendation | None = None
    clicks: list[Click] = []

    @property
    def shown(self) -> Recommendation:
        """What was decided.

        Raises:
            StreamError: nothing was decided yet.
        """
        if self.recommendation is None:
            raise StreamError(f"impression {self.impression.impression_id!r} must be decided; got no decision")
        return self.recommendation


class ClickJoin:
    """The join of one partition. All methods are in event time; nothing here reads a clock."""

    def __init__(self, settings: AttributionSettings) -> None:
        self._settings = settings
        self._open: OrderedDict[Key, OpenDecision] = OrderedDict()
        self._expiry: list[tuple[int, int, Key]] = []
        self._early: OrderedDict[Key, list[tuple[Click, int]]] = OrderedDict()
        self._early_count = 0
        self._early_times: list[tuple[int, Key]] = []
        self._published: deque[tuple[int, Key]] = deque()
        self._clicks_from: list[tuple[int, Key]] = []
        self.watermark_ms = 0

    def __len__(self) -> int:
        return len(self._open)

    @property
    def early(self) -> int:
        """Clicks that wait for their impression."""
        return self._early_count

    def arrive(self, impression: Impression, offset: int, clicks_from: int = 0) -> Arrival:
        """Takes an impression in, unless its window has passed or it is open already.

        Args:
            impression: the impression.
            offset: where it lies in its partition of the log.
            clicks_from: the next unread offset of the clicks beside it; earlier ones can only be early clicks.
        """
        key = (impression.user_id, impression.impression_id)
        if key in self._open:
            return "repeated"
        expiry_ms = impression.ts_ms + self._settings.window_ms
        if expiry_ms <= self.watermark_ms:
            return "late"
        self._open[key] = OpenDecision(impression, offset)
        heappush(self._expiry, (expiry_ms, offset, key))
        heappush(self._clicks_from, (clicks_from, key))
        return "new"

    def decide(self, recommendation: Recommendation) -> list[tuple[Click, ClickFate]]:
        """Records what was shown for an open impression, and joins the clicks that had come before it."""
        key = (recommendation.user_id, recommendation.impression_id)
        self._open[key].recommendation = recommendation
        waiting = self._early.pop(key, [])
        self._early_count -= len(waiting)
        if waiting:
            heappush(self._clicks_from, (waiting[0][1], key))
        return [(click, self.click(click, offset)) for click, offset in waiting]

    def published(self, user_id: str, impression_id: str, offset: int) -> None:
        """Notes where the recommendation of an open decision lies, once it is committed."""
        key = (user_id, impression_id)
        if key in self._open:
            self._published.append((offset, key))

    def withdraw(self, impression: Impression) -> None:
        """Forgets an impression that arrived but will not be decided."""
        self._open.pop((impression.user_id, impression.impression_id), None)

    def click(self, click: Click, offset: int) -> ClickFate:
        """Joins a click to its decision, or says why not."""
        key = (click.user_id, click.impression_id)
        decision = self._open.get(key)
        if decision is None or decision.recommendation is None:
            return self._wait(key, click, offset)
        age_ms = click.ts_ms - decision.impression.ts_ms
        if not 0 <= age_ms < self._settings.window_ms:
            return "outside_window"
        if all(slot.item_id != click.item_id for slot in decision.recommendation.slate):
            return "not_shown"
        if any(_same(click, other) for other in decision.clicks):
            return "repeated"
        decision.clicks.append(click)
        return "joined"

    def candidate(self, click: Click) -> Candidate:
        """The candidate that a joined click is on."""
        candidates = self._open[click.user_id, click.impression_id].impression.candidates
        return next(candidate for candidate in candidates if candidate.item_id == click.item_id)

    def close_all(self) -> tuple[list[OpenDecision], int]:
        """Closes everything that is open, as `advance` would with a watermark behind all windows."""
        last_ms = max((expiry_ms for expiry_ms, _, _ in self._expiry), default=self.watermark_ms)
        return self.advance(last_ms)

    def advance(self, watermark_ms: int) -> tuple[list[OpenDecision], int]:
        """Moves the watermark on; where more than `max_open` are open, as far as the oldest need to close.

        Returns:
            The decisions that closed, by the time of their close, and the number of early clicks whose impression
            never came. An impression still undecided when its window ends is not among the closed.
        """
        self.watermark_ms = max(self.watermark_ms, watermark_ms)
        closed = []
        while self._expiry and self._must_close():
            expiry_ms, _, key = heappop(self._expiry)
            self.watermark_ms = max(self.watermark_ms, expiry_ms)  # what has closed is late from now on
            decision = self._open.pop(key, None)
            if decision is not None and decision.recommendation is not None:
                decision.clicks.sort(key=_click_order)
                closed.append(decision)
        return closed, self._drop_orphans(watermark_ms)

    def low_offsets(self) -> dict[str, int]:
        """The first offset, by topic, from which a replay finds all that is open; absent where nothing is open.

        Impressions of a partition arrive, and are decided, in the order of their offsets, so the oldest open
        decision has the lowest ones.
        """
        low = {}
        while self._published and self._published[0][1] not in self._open:
            self._published.popleft()
        if self._published:
            low["recommendations"] = self._published[0][0]
        while self._clicks_from and self._clicks_from[0][1] not in self._open:
            heappop(self._clicks_from)
        clicks_from = [self._clicks_from[0][0]] if self._clicks_from else []
        if self._early:
            clicks_from.append(next(iter(self._early.values()))[0][1])
        if clicks_from:
            low["clicks"] = min(clicks_from)
        if self._open:
            low["impressions"] = next(iter(self._open.values())).offset
        return low

    def _must_close(self) -> bool:
        return self._expiry[0][0] <= self.watermark_ms or len(self._open) > self._settings.max_open

    def _wait(self, key: Key, click: Click, offset: int) -> ClickFate:
        if click.ts_ms + self._settings.window_ms <= self.watermark_ms:
            return "late"
        if self._early_count >= self._settings.max_early:
            return "dropped_early"
        waiting = self._early.setdefault(key, [])
        if any(_same(click, other) for other, _ in waiting):
            return "repeated"
        waiting.append((click, offset))
        heappush(self._early_times, (click.ts_ms, key))
        self._early_count += 1
        return "early"

    def _drop_orphans(self, watermark_ms: int) -> int:
        """Drops the early clicks of an impression once the watermark has passed them all: it would be here by now."""
        dropped = 0
        while self._early_times and self._early_times[0][0] <= watermark_ms:
            _, key = heappop(self._early_times)
            if all(click.ts_ms <= watermark_ms for click, _ in self._early.get(key, ())):
                dropped += len(self._early.pop(key, ()))
        self._early_count -= dropped
        return dropped


def _same(one: Click, other: Click) -> bool:
    if one.click_id is not None or other.click_id is not None:
        return one.click_id == other.click_id
    return _click_order(one) == _click_order(other)


def _click_order(click: Click) -> tuple[int, str, str, float, str]:
    return (click.ts_ms, click.item_id, click.kind, click.value, click.click_id or "")
