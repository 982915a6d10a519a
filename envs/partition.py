"""The state of one owned partition: its open decisions and how far each topic has been read."""

from envs.decision import logged_recommendation
from stream.codec import Codec
from stream.errors import CodecError
from stream.events import Click, Impression, Recommendation
from stream.join import ClickJoin
from stream.log import EventLog, Progress
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


def restore(log: EventLog, number: int, codec: Codec, settings: AttributionSettings) -> Partition:
    """Rebuilds a partition from its committed progress, by replay and without emitting anything.

    What had been decided is read from the recommendations; an impression without one was late, repeated or logged.
    """
    progress = log.progress(number)
    partition = Partition(settings, progress)
    partition.published_next = log.end("recommendations", number)
    if progress is None:
        return partition
    shown = _recommendations(log, number, codec, progress)
    stop = progress.next.get("impressions", 0)
    clicks_low = progress.low.get("clicks", 0)
    for record in log.read("impressions", number, progress.low.get("impressions", stop), stop):
        try:
            impression = codec.decode(record.value, Impression, record.headers)
        except CodecError:
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
            partition.join.click(codec.decode(record.value, Click, record.headers), record.offset)
        except CodecError:
            continue
    return partition


def _recommendations(
    log: EventLog, number: int, codec: Codec, progress: Progress
) -> dict[tuple[str, str], tuple[Recommendation, int]]:
    stop = log.end("recommendations", number)
    shown: dict[tuple[str, str], tuple[Recommendation, int]] = {}
    for record in log.read("recommendations", number, progress.low.get("recommendations", 0), stop):
        event = codec.decode(record.value, Recommendation, record.headers)
        shown.setdefault((event.user_id, event.impression_id), (event, record.offset))
    return shown
