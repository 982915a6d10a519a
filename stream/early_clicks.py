"""Clicks that came before their impression: they wait for it, within bounds, until it should have come."""

from collections import OrderedDict
from heapq import heappop, heappush
from typing import Literal

import msgspec

from stream.events import Click

CLICK_BYTES = 700  # measured: the struct with short ids, its place in the tables and in the order of time
Identity = str | tuple[int, str, str, float]


class _Waiting(msgspec.Struct):
    """The early clicks of one impression, by what makes them the same."""

    newest_ms: int
    clicks: dict[Identity, tuple[Click, int]]


class EarlyClicks:
    """Early clicks of one partition, by the key of their decision.

    Args:
        max_bytes: memory for them; the next one is dropped where it would not fit.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._waiting: OrderedDict[bytes, _Waiting] = OrderedDict()
        self._times: list[tuple[int, bytes]] = []
        self._count = 0
        self.bytes = 0

    def __len__(self) -> int:
        return self._count

    def add(self, key: bytes, click: Click, offset: int) -> Literal["early", "repeated", "dropped_early"]:
        """Takes a click in, in the order of offsets, unless it waits already or there is no room for it."""
        waiting = self._waiting.get(key)
        identity = identity_of(click)
        if waiting is not None and identity in waiting.clicks:
            return "repeated"
        size = click_bytes(click)
        if self.bytes + size > self._max_bytes:
            return "dropped_early"
        if waiting is None:
            waiting = self._waiting[key] = _Waiting(click.ts_ms, {})
        waiting.newest_ms = max(waiting.newest_ms, click.ts_ms)
        waiting.clicks[identity] = (click, offset)
        heappush(self._times, (click.ts_ms, key))
        self._count += 1
        self.bytes += size
        return "early"

    def take(self, key: bytes) -> list[tuple[Click, int]]:
        """The clicks that waited for a decision, with their offsets, in the order of these; they wait no longer."""
        waiting = self._waiting.pop(key, None)
        if waiting is None:
            return []
        taken = list(waiting.clicks.values())
        self._count -= len(taken)
        self.bytes -= sum(click_bytes(click) for click, _ in taken)
        return taken

    def drop_orphans(self, watermark_ms: int) -> int:
        """Drops the clicks of an impression once the watermark has passed them all: it would be here by now."""
        dropped = 0
        while self._times and self._times[0][0] <= watermark_ms:
            _, key = heappop(self._times)
            waiting = self._waiting.get(key)
            if waiting is not None and waiting.newest_ms <= watermark_ms:
                dropped += len(self.take(key))
        return dropped

    def low_offset(self) -> int | None:
        """The lowest offset of those that wait; None where none does."""
        if not self._waiting:
            return None
        return next(iter(next(iter(self._waiting.values())).clicks.values()))[1]


def identity_of(click: Click) -> Identity:
    """What makes two clicks of one decision the same: their id, or all that they say where they have none."""
    return click.click_id if click.click_id is not None else (click.ts_ms, click.item_id, click.kind, click.value)


def click_bytes(click: Click) -> int:
    """The memory of one click."""
    ids = (click.impression_id, click.user_id, click.item_id, click.kind, click.click_id or "")
    return CLICK_BYTES + 4 * sum(map(len, ids))  # a character takes up to four bytes
