"""The state of one owned partition: its open decisions and how far each topic has been read."""

from envs.protocols import Interests
from envs.uncommitted import Shown, Uncommitted
from stream.codec import Codec
from stream.join import ClickJoin
from stream.log import Progress, Record
from stream.open_decisions import Origin
from stream.settings import AttributionSettings


class Partition:
    """Open decisions and positions of one partition. What it holds is a fold over the log, so it can be rebuilt.

    Attributes:
        users: what is known of its users; set once the open decisions are there.
        outcomes_next: the first outcome that is not committed yet.
        published_next: the first recommendation that is not committed yet.
        moved: something has been read since the last commit.
        uncommitted: what was published and not committed before the partition was restored.
    """

    users: Interests

    def __init__(self, settings: AttributionSettings, progress: Progress | None, codec: Codec | None = None) -> None:
        self.join = ClickJoin(settings, codec)
        self.next: dict[str, int] = dict(progress.next) if progress else {}
        self.published_next = self.outcomes_next = 0
        self.moved = False
        self.uncommitted = Uncommitted()
        if progress is not None:
            self.join.watermark_ms = progress.watermark_ms
            self.join.closed_ms = max(progress.watermark_ms, progress.closed_ms)

    def read_up_to(self, topic: str, offset: int) -> None:
        """Notes that everything before `offset` of an input topic has been processed."""
        self.next[topic] = offset
        self.moved = True

    def origin(self, record: Record, shown: Shown | None = None) -> Origin:
        """From where the decision of an impression can be rebuilt; `shown` where it has been published already."""
        low = self.published_next if shown is None else shown.offset
        return Origin(record.offset, self.next.get("clicks", 0), low)

    def progress(self) -> Progress:
        """What is to be committed now."""
        low = {"recommendations": self.published_next, "outcomes": self.outcomes_next, **self.next}
        low |= self.join.low_offsets()
        if self.uncommitted:
            self.uncommitted.settle(self.next.get("impressions", 0), self.join.closed_ms)
            low |= {topic: min(offset, low[topic]) for topic, offset in self.uncommitted.low_offsets().items()}
        closed_ms = self.join.closed_ms if self.join.closed_ms > self.join.watermark_ms else 0
        return Progress(next=dict(self.next), low=low, watermark_ms=self.join.watermark_ms, closed_ms=closed_ms)

    def published(self, offset: int) -> None:
        """Notes where a recommendation lies, once it is committed."""
        self.published_next = offset + 1
