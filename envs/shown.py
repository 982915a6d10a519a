"""Recommendations of a replay, found by their impression while both are read side by side."""

from collections.abc import Iterator
from itertools import islice

from envs.parts import Parts
from envs.uncommitted import Shown
from stream.errors import CodecError
from stream.heads import ImpressionHead, RecommendationHead
from stream.log import Record

_AHEAD = 20_000  # enough to change seldom between the topics, little enough to hold


class ShownAhead:
    """Reads recommendations as far ahead as their impressions need.

    Both lie in the same order, so a few thousand are held, not all of them. Where two exist for one decision the lower
    offset counts.

    Args:
        parts: log and codec.
        number: of the partition.
        start: offset of the first one.
        stop: offset after the last one.

    Attributes:
        low: an offset not above any that has not been taken.
        complete: all have been read, so what is not found does not exist.
        skipped: records that could not be read.
    """

    def __init__(self, parts: Parts, number: int, start: int, stop: int) -> None:
        self._codec = parts.codec
        self._records: Iterator[Record] = iter(parts.log.read("recommendations", number, start, stop))
        self._ahead: dict[tuple[str, str], Shown] = {}
        self.low = self._next = start
        self.complete = start >= stop
        self.skipped = 0

    def take(self, head: ImpressionHead) -> Shown | None:
        """The recommendation of an impression; None where it does not exist, or (unless `complete`) lies further on."""
        key = (head.user_id, head.impression_id)
        found = self._ahead.pop(key, None)
        if found is None and not self.complete and len(self._ahead) < _AHEAD:
            self._read(_AHEAD)
            found = self._ahead.pop(key, None)
        if found is None or found.head.ts_ms == head.ts_ms:
            return found
        self._ahead[key] = found  # another impression of the same name, which was none: it may have been a dead letter
        return None

    def rest(self) -> list[Shown]:
        """Those that no impression has taken."""
        self.read_all()
        return list(self._ahead.values())

    def read_all(self) -> None:
        """Reads on to the end."""
        while not self.complete:
            self._read(_AHEAD)

    def _read(self, count: int) -> None:
        self.low = min([self._next, *(shown.offset for shown in self._ahead.values())])
        batch = list(islice(self._records, count))
        self.complete = len(batch) < count
        for record in batch:
            try:
                head = self._codec.decode(record.value, RecommendationHead, record.headers)
            except CodecError:
                self.skipped += 1
                continue
            self._ahead.setdefault((head.user_id, head.impression_id), Shown(head, record.offset, record.value))
        if batch:
            self._next = batch[-1].offset + 1
