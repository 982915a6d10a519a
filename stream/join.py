"""Attribution: clicks are joined to open decisions in event time, in whatever order they come.

A decision is open from its impression's time until the watermark has passed `window_ms` behind it. Then it closes
with the clicks that fell into the window, ordered by time, so that the result does not depend on arrival order.
Open decisions are the memory of repeats: an impression whose window has passed is late and not decided again.
"""

import logging
from collections.abc import Iterator
from operator import itemgetter
from typing import Literal

import msgspec

from stream.codec import Codec, JsonCodec
from stream.early_clicks import EarlyClicks, click_bytes, identity_of
from stream.errors import CodecError, StreamError
from stream.events import Candidate, Click, Impression, Recommendation
from stream.heads import ImpressionHead, RecommendationHead
from stream.identity import decision_key
from stream.open_decisions import ENTRY_BYTES, OpenDecisions, Origin
from stream.packing import Packing
from stream.settings import AttributionSettings

_log = logging.getLogger("streambandit.join")
Arrival = Literal["new", "late", "repeated", "decided"]
ClickFate = Literal[
    "joined", "early", "late", "repeated", "not_shown", "outside_window", "dropped_early", "too_many", "unknown"
]


class OpenDecision(msgspec.Struct, frozen=True):
    """What an open decision held when it closed; its clicks are in the order of their times."""

    impression: Impression
    offset: int
    shown: Recommendation
    clicks: tuple[Click, ...] = ()


class ClickJoin:
    """The join of one partition. All methods are in event time; nothing here reads a clock.

    Where memory is short the oldest decision closes before its time. It must not be decided again, so whatever would
    have closed by the end of its window is late from then on: `closed_ms` rises past the watermark. The watermark does
    not, for it also tells which early clicks wait in vain. So decisions always close in ascending order of
    (end of window, offset of the impression).

    Args:
        settings: the window and the bounds.
        codec: reads and writes the events that are kept.

    Attributes:
        watermark_ms: the event time up to which everything is taken to have arrived.
        closed_ms: all decisions whose window ends by then have closed; at least the watermark.
    """

    def __init__(self, settings: AttributionSettings, codec: Codec | None = None) -> None:
        self._settings = settings
        self._codec = codec or JsonCodec()
        self._open = OpenDecisions(Packing(self._codec))
        self._early = EarlyClicks(settings.max_early_bytes)
        self._clicks: dict[bytes, list[tuple[Click, int]]] = {}
        self._click_bytes = 0
        self.watermark_ms = self.closed_ms = 0
        self._forced = self._unreadable = 0

    def __len__(self) -> int:
        return len(self._open)

    @property
    def early(self) -> int:
        """Clicks that wait for their impression."""
        return len(self._early)

    @property
    def early_bytes(self) -> int:
        """Their memory."""
        return self._early.bytes

    @property
    def open_bytes(self) -> int:
        """Memory of the open decisions and their clicks."""
        return self._open.bytes + self._click_bytes

    @property
    def packed_bytes(self) -> int:
        """Of that, the compressed events alone."""
        return self._open.bytes - ENTRY_BYTES * len(self._open)

    def arrive(
        self, impression: Impression | ImpressionHead, origin: Origin, value: bytes | None = None, *, due: bool = False
    ) -> Arrival:
        """Takes an impression in, unless its window has passed or it is open already.

        Args:
            impression: the impression, or as much as is known of it.
            origin: where it lies, and the next unread offset of the clicks and recommendations beside it.
            value: the impression as the codec wrote it; written here where it is None.
            due: take it in even where its window has passed, because its decision has been published.
        """
        key = decision_key(impression.user_id, impression.impression_id)
        if key in self._open:
            return "repeated"
        expiry_ms = impression.ts_ms + self._settings.window_ms
        if expiry_ms <= self.closed_ms and not due:
            return "late"
        self._open.add(key, expiry_ms, origin, self._codec.encode(impression) if value is None else value)
        return "new"

    def rebuild(self, impression: ImpressionHead, origin: Origin, value: bytes, shown: bytes) -> None:
        """Takes in what had been decided, both as bytes, unless it has closed or is open already."""
        key = decision_key(impression.user_id, impression.impression_id)
        expiry_ms = impression.ts_ms + self._settings.window_ms
        if expiry_ms <= self.closed_ms or self._open.is_decided(key):
            return
        self._open.remove(key)
        self._open.add(key, expiry_ms, origin, value, shown)

    def impression_of(self, head: ImpressionHead) -> tuple[bytes, int] | None:
        """The impression of an open decision that has been taken, as bytes, and where it lies; else None."""
        key = decision_key(head.user_id, head.impression_id)
        return (self._open.events(key)[0], self._open.offset(key)) if self._open.is_decided(key) else None

    def replace(self, head: ImpressionHead, origin: Origin, value: bytes) -> None:
        """Puts another impression in the place of that of an open decision, which keeps what was shown."""
        key = decision_key(head.user_id, head.impression_id)
        shown = self._open.events(key)[1]
        self._open.remove(key)
        self.rebuild(head, origin, value, shown)

    def has(self, head: ImpressionHead | RecommendationHead) -> bool:
        """Whether the decision of an impression is open."""
        return decision_key(head.user_id, head.impression_id) in self._open

    def decide(
        self, recommendation: Recommendation | RecommendationHead, value: bytes | None = None
    ) -> list[tuple[Click, ClickFate]]:
        """Records what was shown for an open impression, and joins the clicks that had come before it.

        Args:
            recommendation: what was shown, or as much as says for which impression.
            value: the recommendation as the codec wrote it; written here where it is None.

        Raises:
            StreamError: its impression is not open, or decided already.
        """
        key = decision_key(recommendation.user_id, recommendation.impression_id)
        if key not in self._open or self._open.is_decided(key):
            raise StreamError(f"decided impression must be open and undecided; got {recommendation.impression_id!r}")
        self._open.decide(key, self._codec.encode(recommendation) if value is None else value)
        waiting = self._early.take(key)
        if waiting:
            self._open.lower_clicks(key, waiting[0][1])
        return [(click, self.click(click, offset)) for click, offset in waiting]

    def withdraw(self, impression: Impression | ImpressionHead) -> None:
        """Forgets an impression that arrived but will not be decided."""
        key = decision_key(impression.user_id, impression.impression_id)
        if not self._open.is_decided(key):
            self._open.remove(key)

    def click(self, click: Click, offset: int) -> ClickFate:
        """Joins a click to its decision, or says why not."""
        key = decision_key(click.user_id, click.impression_id)
        if not self._open.is_decided(key):
            if click.ts_ms + self._settings.window_ms <= self.watermark_ms:
                return "late"
            return self._early.add(key, click, offset)
        age_ms = click.ts_ms - (self._open.expiry_ms(key) - self._settings.window_ms)
        if not 0 <= age_ms < self._settings.window_ms:
            return "outside_window"
        try:
            shown = self._codec.decode(self._open.events(key)[1], Recommendation)
        except CodecError:
            return "unknown"
        if all(slot.item_id != click.item_id for slot in shown.slate):
            return "not_shown"
        return self._add(key, click, offset)

    def candidate(self, click: Click) -> Candidate:
        """The candidate that a joined click is on."""
        value, _ = self._open.events(decision_key(click.user_id, click.impression_id))
        candidates = self._codec.decode(value, Impression).candidates
        return next(candidate for candidate in candidates if candidate.item_id == click.item_id)

    def open_clicks(self) -> Iterator[tuple[tuple[str, str], Click]]:
        """The clicks that were joined to what is open, with user and impression, in the order of their offsets."""
        clicks = sorted((each for clicks in self._clicks.values() for each in clicks), key=itemgetter(1))
        return (((click.user_id, click.impression_id), click) for click, _ in clicks)

    def open_keys(self) -> list[bytes]:
        """The keys of open decisions that have been taken, in the order of arrival."""
        return self._open.decided()

    def clicked_keys(self) -> list[bytes]:
        """The keys of open decisions that have clicks."""
        return list(self._clicks)

    def open_decision(self, key: bytes) -> OpenDecision | None:
        """One of `open_keys`, with its clicks so far; None where it cannot be read."""
        clicks = sorted((click for click, _ in self._clicks.get(key, ())), key=_click_order)
        values = self._open.events(key)
        try:
            impression = self._codec.decode(values[0], Impression)
            shown = self._codec.decode(values[1], Recommendation)
        except CodecError:
            return None
        return OpenDecision(impression, self._open.offset(key), shown, tuple(clicks))

    def close_all(self) -> tuple[list[OpenDecision], int]:
        """Closes everything that is open, as `advance` would with a watermark behind all windows."""
        return self.advance(max(self._open.last_expiry_ms(), self.watermark_ms))

    def advance(self, watermark_ms: int, max_bytes: int | None = None) -> tuple[list[OpenDecision], int]:
        """Moves the watermark on; where more than `max_open_bytes` are held, the oldest close as well.

        Args:
            watermark_ms: where to.
            max_bytes: of events that close at once, so that one unit of work can hold them; past it the watermark
                stays at the last that closed, and the next call goes on. What ends in one millisecond closes together.

        Returns:
            The decisions that closed, by the time of their close, and the number of early clicks whose impression
            never came. An impression still undecided when its window ends is not among the closed.
        """
        due_ms, spent, closed = max(self.watermark_ms, watermark_ms), 0, []
        while (first := self._open.next_to_close()) is not None:
            expiry_ms, key = first
            early = expiry_ms > max(due_ms, self.closed_ms)
            if early and self.open_bytes <= self._settings.max_open_bytes:
                break
            if max_bytes is not None and spent >= max_bytes and expiry_ms > self.closed_ms:
                due_ms = min(due_ms, self.closed_ms)
                break
            self._forced += early
            self.closed_ms = max(self.closed_ms, expiry_ms)
            if self._open.is_decided(key):
                spent += self._open.raw_bytes(key)
                closed += self._closed(key)
            self._open.remove(key)
        self.watermark_ms = max(self.watermark_ms, due_ms)
        self.closed_ms = max(self.closed_ms, self.watermark_ms)
        return closed, self._early.drop_orphans(self.watermark_ms)

    def take_counts(self) -> dict[str, int]:
        """What happened since this was last asked.

        Returns:
            `forced_closes`: decisions that closed before their time. `unreadable_decisions`: those that closed without
            an outcome, because what the log holds of them cannot be read.
        """
        counts = {"forced_closes": self._forced, "unreadable_decisions": self._unreadable}
        self._forced = self._unreadable = 0
        return counts

    def replayed(self, closed_ms: int = 0) -> None:
        """Ends a replay: an early click that the watermark had passed was counted when it was read first.

        Args:
            closed_ms: the end of the last window that has an outcome already.
        """
        self._early.drop_orphans(self.watermark_ms)
        self.closed_ms = max(self.closed_ms, closed_ms)

    def low_offsets(self) -> dict[str, int]:
        """The first offset, by topic, from which a replay finds all that is open; absent where nothing is open."""
        origin = self._open.origin()
        low = {} if origin is None else origin._asdict()
        early = self._early.low_offset()
        if early is not None:
            low["clicks"] = min(early, low.get("clicks", early))
        return low

    def _add(self, key: bytes, click: Click, offset: int) -> ClickFate:
        clicks = self._clicks.setdefault(key, [])
        identity = identity_of(click)
        if any(identity == identity_of(other) for other, _ in clicks):
            return "repeated"
        if len(clicks) >= self._settings.max_clicks:
            return "too_many"
        clicks.append((click, offset))
        self._click_bytes += click_bytes(click)
        return "joined"

    def _closed(self, key: bytes) -> list[OpenDecision]:
        """The decision that closes; none where a record that is not ours was taken for a part of it in a replay."""
        found = self.open_decision(key)
        self._click_bytes -= sum(click_bytes(click) for click, _ in self._clicks.pop(key, ()))
        if found is not None:
            return [found]
        self._unreadable += 1
        _log.error("decision of impression offset %d cannot be read; it has no outcome", self._open.offset(key))
        return []


def _click_order(click: Click) -> tuple[int, str, str, float, str]:
    return (click.ts_ms, click.item_id, click.kind, click.value, click.click_id or "")
