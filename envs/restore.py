"""Rebuilds a partition's open decisions from the log, without emitting anything.

An impression with a recommendation was valid and was decided, so only the first fields of both are read, and their
bytes are kept as they are; two different records of one impression are checked, for one may be a dead letter. An
impression without a recommendation was late, a repeat, a dead letter or too old, unless it was logged.
"""

import logging
from typing import Protocol

from envs.decision import logged_recommendation
from envs.errors import FeatureError
from envs.partition import Partition
from envs.parts import Parts
from envs.shown import ShownAhead
from envs.uncommitted import Closed, Uncommitted
from stream.errors import CodecError
from stream.events import Click, Impression
from stream.heads import ImpressionHead, OutcomeHead
from stream.log import Progress, Record
from stream.open_decisions import Origin
from stream.settings import AttributionSettings

_log = logging.getLogger("streambandit.restore")


class Reader(Protocol):
    """Decodes and checks input records; what was a dead letter when it first came is one again in a replay."""

    def impression(self, record: Record) -> Impression:
        """The impression of a record; raises CodecError or FeatureError where it is a dead letter."""
        ...

    def click(self, record: Record) -> Click:
        """The click of a record; raises CodecError where it is a dead letter."""
        ...


def restore(parts: Parts, number: int, reader: Reader, settings: AttributionSettings) -> Partition:
    """Rebuilds a partition from its committed progress.

    Raises:
        LogUnavailableError: the log did not answer in time.
    """
    progress = parts.log.progress(number)
    partition = Partition(settings, progress, parts.codec)
    partition.published_next = parts.log.end("recommendations", number)
    partition.outcomes_next = parts.log.end("outcomes", number)
    if progress is not None:
        replay = _Replay(parts, number, reader, progress, partition)
        replay.impressions()
        replay.clicks()
        replay.finish(settings.window_ms)
    return partition


class _Replay:
    """One rebuilding of one partition."""

    def __init__(self, parts: Parts, number: int, reader: Reader, progress: Progress, partition: Partition) -> None:
        self._parts, self._number, self._reader = parts, number, reader
        self._progress, self._partition, self._join = progress, partition, partition.join
        self._skipped, self._features_settled = 0, False
        self._closed = self._read_closed()
        low = progress.low.get("recommendations", partition.published_next)
        self._clicks_from = self._low("clicks", 0)
        self._shown = ShownAhead(parts, number, low, partition.published_next)
        self._undecided: list[ImpressionHead] = []

    def impressions(self) -> None:
        """Takes the impressions in, each with what was decided for it."""
        stop = self._progress.next.get("impressions", 0)
        for record in self._parts.log.read("impressions", self._number, self._low("impressions", stop), stop):
            try:
                head = self._parts.codec.decode(record.value, ImpressionHead, record.headers)
            except CodecError:
                continue  # it is a dead letter already
            if record.key == head.user_id.encode():  # else it is one as well
                self._take(head, record)
        self._shown.read_all()
        for head in self._undecided:
            shown = self._shown.take(head)
            if shown is not None and shown.head.decision_id not in self._closed:
                self._join.decide(shown.head, shown.value)
            else:
                self._join.withdraw(head)

    def clicks(self) -> None:
        """Joins the clicks again, as far as they had been read."""
        stop = self._progress.next.get("clicks", 0)
        for record in self._parts.log.read("clicks", self._number, self._low("clicks", stop), stop):
            try:
                self._join.click(self._reader.click(record), record.offset)
            except CodecError:
                continue

    def finish(self, window_ms: int) -> None:
        """Sets aside what was published without being committed, and tells what could not be read."""
        floor_ms = self._join.closed_ms
        left = [
            shown
            for shown in self._shown.rest()
            if shown.head.ts_ms + window_ms > floor_ms  # else it had closed, or would have been late
            and shown.head.decision_id not in self._closed
            and not self._join.has(shown.head)
        ]
        if left or self._closed:
            until = self._parts.log.end("impressions", self._number)
            self._partition.uncommitted = Uncommitted(left, until, self._closed)
            found = (self._number, len(left), len(self._closed))
            _log.info("partition %d: %d decisions and %d outcomes were published and not committed", *found)
        # An outcome of the same millisecond may be missing behind the last one, so this one stays open to others.
        self._join.replayed(max((each.closed_ms for each in self._closed.values()), default=1) - 1)
        skipped = self._skipped + self._shown.skipped
        if skipped:
            self._parts.meter.count("restore_skipped", skipped, label="open_decisions")
            _log.warning("partition %d: %d records of our outputs cannot be read; left out", self._number, skipped)
        _log.info(
            "partition %d: %d open decisions rebuilt; goes on at %s, watermark %d",
            self._number,
            len(self._join),
            ", ".join(f"{topic}@{offset}" for topic, offset in sorted(self._progress.next.items())),
            self._join.watermark_ms,
        )

    def _take(self, head: ImpressionHead, record: Record) -> None:
        shown = self._shown.take(head)
        low = shown.offset if shown is not None else self._shown.low
        origin = Origin(record.offset, self._clicks_from, low)
        if shown is None and head.is_logged:
            self._take_logged(record, origin)
        elif shown is not None and shown.head.decision_id in self._closed:
            return
        elif shown is not None:
            if not self._features_settled:  # what the settings leave open of them, the first impression settles
                self._features_settled = self._is_valid(record)
            self._join.rebuild(head, origin, record.value, shown.value)
        elif self._join.has(head):
            self._take_again(head, record, origin)
        elif not self._shown.complete and self._join.arrive(head, origin, record.value) == "new":
            self._undecided.append(head)

    def _take_again(self, head: ImpressionHead, record: Record, origin: Origin) -> None:
        """Of two different records of one impression the first may be a dead letter, and the other what was decided."""
        first = self._join.impression_of(head)
        if first is None or first[0] == record.value or not self._is_valid(record):
            return
        offset = first[1]
        if not all(
            self._is_valid(each) for each in self._parts.log.read("impressions", self._number, offset, offset + 1)
        ):
            self._join.replace(head, origin, record.value)

    def _is_valid(self, record: Record) -> bool:
        try:
            self._reader.impression(record)
        except (CodecError, FeatureError):
            return False
        return True

    def _take_logged(self, record: Record, origin: Origin) -> None:
        try:
            impression = self._reader.impression(record)
        except (CodecError, FeatureError):
            return
        theirs = logged_recommendation(impression, self._parts.pseudonyms(impression.user_id))
        if theirs.decision_id not in self._closed and self._join.arrive(impression, origin, record.value) == "new":
            self._join.decide(theirs)

    def _low(self, topic: str, default: int) -> int:
        return self._progress.low.get(topic, default)

    def _read_closed(self) -> dict[str, Closed]:
        """The decisions that closed after the commit, which only a log without transactions can hold."""
        closed: dict[str, Closed] = {}
        floor_ms, stop = self._join.closed_ms, self._partition.outcomes_next
        for record in self._parts.log.read("outcomes", self._number, self._low("outcomes", stop), stop):
            try:
                head = self._parts.codec.decode(record.value, OutcomeHead, record.headers)
            except CodecError:
                self._skipped += 1
                continue
            if head.closed_ms > floor_ms:
                closed.setdefault(head.decision_id, Closed(record.offset, head.closed_ms))
        return closed
