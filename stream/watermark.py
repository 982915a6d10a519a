"""The watermark: the event time up to which all events of a partition are taken to have arrived. It never recedes.

Per partition it follows the slowest input topic, `out_of_order_ms` behind the newest event read from it, and never the
clock of a sender beyond that of the log: an event from the future counts at the time of its record. A topic
that has been read to its end holds nothing back (rare clicks must not stall the windows). A partition without new
events follows the others; when all of them idle, processing time moves it on.
"""

from collections.abc import Callable, Collection

from stream.log import INPUT_TOPICS, TopicPartition
from stream.settings import AttributionSettings


class Watermarks:
    """The watermarks of all owned partitions, in milliseconds of event time; 0 before the first event.

    >>> marks = Watermarks(AttributionSettings(out_of_order_ms=100), clock=lambda: 0)
    >>> marks.observe(TopicPartition("impressions", 0), ts_ms=5_000, logged_ms=5_010)
    >>> marks.advance({0}, behind={TopicPartition("clicks", 0)})[0]     # clicks wait unread: hold
    0
    >>> marks.advance({0}, behind=set())[0]                             # all is read
    4900
    """

    def __init__(self, settings: AttributionSettings, clock: Callable[[], int]) -> None:
        self._settings = settings
        self._clock = clock
        self._newest: dict[TopicPartition, int] = {}
        self._mark: dict[int, int] = {}
        self._moved_ms: dict[int, int] = {}
        self._ticked_ms = clock()

    def observe(self, source: TopicPartition, ts_ms: int, logged_ms: int) -> None:
        """Takes note of an event's time.

        Args:
            source: where it was read.
            ts_ms: when it happened, as its sender says.
            logged_ms: the log's own time of its record. The earlier of the two counts, so that one sender whose clock
                is ahead closes nobody's window.
        """
        ts_ms = min(ts_ms, logged_ms)
        if ts_ms > self._newest.get(source, 0):
            self._newest[source] = ts_ms
        self._moved_ms[source.partition] = self._clock()

    def restore(self, partition: int, watermark_ms: int) -> None:
        """Sets a partition to its committed watermark; what was observed since will be read again."""
        self.forget(partition)
        self._mark[partition] = watermark_ms
        self._moved_ms[partition] = self._clock()

    def forget(self, partition: int) -> None:
        """Drops a partition that is no longer owned."""
        self._mark.pop(partition, None)
        self._moved_ms.pop(partition, None)
        for topic in INPUT_TOPICS:
            self._newest.pop(TopicPartition(topic, partition), None)

    def advance(self, owned: Collection[int], behind: Collection[TopicPartition]) -> dict[int, int]:
        """Moves the marks on and returns them.

        Args:
            owned: the partitions owned now.
            behind: the input partitions with records that are known to wait unread.
        """
        now = self._clock()
        elapsed, self._ticked_ms = now - self._ticked_ms, now
        idle = {p for p in owned if now - self._moved_ms.setdefault(p, now) >= self._settings.idle_ms}
        idle -= {source.partition for source in behind}
        for partition in set(owned) - idle:
            self._raise(partition, self._from_events(partition, behind))
        active = [self._mark.get(p, 0) for p in owned if p not in idle]
        for partition in idle:
            if active:
                self._raise(partition, min(active))
            elif self._mark.get(partition):
                self._mark[partition] += elapsed
        return {partition: self._mark.get(partition, 0) for partition in owned}

    def _from_events(self, partition: int, behind: Collection[TopicPartition]) -> int:
        sources = [TopicPartition(topic, partition) for topic in INPUT_TOPICS]
        newest = max(self._newest.get(source, 0) for source in sources)
        holding = [self._newest.get(source, 0) for source in sources if source in behind]
        return min([newest, *holding]) - self._settings.out_of_order_ms

    def _raise(self, partition: int, to_ms: int) -> None:
        if to_ms > self._mark.get(partition, 0):
            self._mark[partition] = to_ms
