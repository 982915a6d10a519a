"""The state of one owned partition: its open decisions and how far each topic has been read."""

from typing import Protocol

from envs.decision import logged_recommendation
from envs.errors import FeatureError
from envs.parts import Parts
from stream.errors import CodecError
from stream.events import Click, Impression, Recommendation
from stream.join import ClickJoin
from stream.log import Progress, Record
from stream.settings import AttributionSettings


class Partition:
    """Open decisions and positions of one partition. What it holds is a fold over the log, so it can be rebuilt."""

    def __init__(self, settings: AttributionSettings, progress: Progress | None) -> None:
        self.join = ClickJoin(settings)
        self.next: dict[str, int] = dict(progress.next) if progress else {}
        self.published_next = 0
        self.moved = False
        if progress is not None:
            self.join.watermark_ms = progress.watermark_ms

    def read_up_to(self, topic: str, offset: int) -> None:
        """Notes that everything before `offset` of an input topic has been processed."""
        self.next[topic] = offset
        self.moved = True

    def progress(self) -> Progress:
        """What is to be committed now."""
        low = {"recommendations": self.published_next, **self.next, **self.join.low_offsets()}
        return Progress(next=dict(self.next), low=low, watermark_ms=self.join.watermark_ms)

    def published(self, impression: Impression, offset: int) -> None:
        """Notes where a recommendation lies, once it is committed."""
        self.published_next = offset + 1
        self.join.published(impression.user_id, impression.impression_id, offset)


class Reader(Protocol):
    """Decodes and checks input records; what was a dead letter when it first came is one again in a replay."""

    def impression(self, record: Record) -> Impression:
        """The impression of a record; raises CodecError or FeatureError where it is a dead letter."""
        ...

    def click(self, record: Record) -> Click:
        """The click of a record; raises CodecError where it is a dead letter."""
        ...


def restore(parts: Parts, number: int, reader: Reader, settings: AttributionSettings) -> Partition:
    """Rebuilds a partition from its committed progress, by replay and without emitting anything.

    What had been decided is read from the recommendations; an impression without one was late, repeated or logged.
    """
    log = parts.log
    progress = log.progress(number)
    partition = Partition(settings, progress)
    partition.published_next = log.end("recommendations", number)
    if progress is None:
        return partition
    shown = _recommendations(parts, number, progress)
    stop = progress.next.get("impressions", 0)
    clicks_low = progress.low.get("clicks", 0)
    for record in log.read("impressions", number, progress.low.get("impressions", stop), stop):
        try:
            impression = reader.impression(record)
        except (CodecError, FeatureError):
            continue  # it is a dead letter already
        found = shown.get((impression.user_id, impression.impression_id))
        if partition.join.arrive(impression, record.offset, clicks_from=clicks_low) != "new":
            continue
        if found is not None:
            partition.join.decide(found[0])
            partition.join.published(impression.user_id, impression.impression_id, found[1])
        elif impression.logged is not None:
            partition.join.decide(logged_recommendation(impression))
        else:
            partition.join.withdraw(impression)
    stop = progress.next.get("clicks", 0)
    for record in log.read("clicks", number, progress.low.get("clicks", stop), stop):
        try:
            partition.join.click(reader.click(record), record.offset)
        except CodecError:
            continue
    return partition


def _recommendations(
    parts: Parts, number: int, progress: Progress
) -> dict[tuple[str, str], tuple[Recommendation, int]]:
    log, codec = parts.log, parts.codec
    stop = log.end("recommendations", number)
    shown: dict[tuple[str, str], tuple[Recommendation, int]] = {}
    for record in log.read("recommendations", number, progress.low.get("recommendations", 0), stop):
        event = codec.decode(record.value, Recommendation, record.headers)
        shown.setdefault((event.user_id, event.impression_id), (event, record.offset))
    return shown
