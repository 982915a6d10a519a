"""What `MemoryLog` holds: records by topic and partition, and when each may be let go. Not thread-safe by itself."""

from collections import deque
from collections.abc import Callable

from stream.errors import StreamError
from stream.log import INPUT_TOPICS, OUTPUT_TOPICS, Headers, Progress, Record, Topic


class MemoryStore:
    """Bounded records of every topic.

    Input records count until `release` says that they are processed and that no open decision needs them. Output
    records stand in a ring of `capacity` per topic, which keeps recommendations that open decisions still need.

    Attributes:
        held: input records held now.
        unread: recommendations that the world has not seen, oldest first.
        evicted: output records that fell out of their ring, by topic; of recommendations only those never seen.
    """

    def __init__(self, partitions: int, capacity: int, clock: Callable[[], int] | None) -> None:
        self._capacity, self._clock = capacity, clock
        self._partitions: dict[tuple[Topic, int], _Partition] = {
            (topic, partition): _Partition()
            for topic in INPUT_TOPICS + OUTPUT_TOPICS
            for partition in range(1 if topic == "dead-letters" else partitions)
        }
        self._rings: dict[Topic, deque[Record]] = {topic: deque() for topic in OUTPUT_TOPICS}
        self._low: dict[int, int] = {}  # the first recommendation that open decisions need, by partition
        self._newest_ms = 0
        self.held = 0
        self.unread: deque[Record] = deque()
        self.evicted: dict[Topic, int] = dict.fromkeys(OUTPUT_TOPICS, 0)

    def partition(self, topic: Topic, partition: int) -> "_Partition":
        """The records of one partition.

        Raises:
            StreamError: the log has no such partition.
        """
        found = self._partitions.get((topic, partition))
        if found is None:
            raise StreamError(f"partition must be one that the log has; got {topic}[{partition}]")
        return found

    def write(
        self,
        topic: Topic,
        partition: int,
        key: bytes | None,
        value: bytes,
        headers: Headers,
        ts_ms: int | None = None,
    ) -> Record:
        """Adds a record; without a clock its time is `ts_ms`, or the newest time seen where that is None."""
        now_ms = self._clock() if self._clock else self._newest_ms if ts_ms is None else ts_ms
        self._newest_ms = max(self._newest_ms, now_ms)
        place = self._partitions[topic, partition]
        record = Record(topic, partition, place.end, key, value, headers, now_ms)
        place.add(record)
        if topic in INPUT_TOPICS:
            self.held += 1
        else:
            self._keep_in_ring(record)
        return record

    def release(self, partition: int, progress: Progress) -> None:
        """Lets go of the input records of a partition that are processed and that no open decision needs."""
        for topic in INPUT_TOPICS:
            after = progress.next.get(topic, 0)
            self.held -= self._partitions[topic, partition].free_below(min(after, progress.low.get(topic, after)))
        low = progress.low.get("recommendations")
        if low is None:
            self._low.pop(partition, None)
        else:
            self._low[partition] = low

    def _keep_in_ring(self, record: Record) -> None:
        ring = self._rings[record.topic]
        ring.append(record)
        if record.topic == "recommendations":
            self.unread.append(record)
        while len(ring) > self._capacity and not self._is_needed(ring[0]):
            oldest = ring.popleft()
            self._partitions[oldest.topic, oldest.partition].free_below(oldest.offset + 1)
            unseen = bool(self.unread) and self.unread[0] is oldest
            if unseen:
                self.unread.popleft()
            self.evicted[oldest.topic] += unseen or oldest.topic != "recommendations"

    def _is_needed(self, record: Record) -> bool:
        low = self._low.get(record.partition)
        return record.topic == "recommendations" and low is not None and record.offset >= low


class _Partition:
    """The held records of one partition, by offset."""

    __slots__ = ("_records", "_start", "end")

    def __init__(self) -> None:
        self._records: dict[int, Record] = {}
        self._start = 0
        self.end = 0

    def add(self, record: Record) -> None:
        self._records[record.offset] = record
        self.end = record.offset + 1

    def between(self, start: int, stop: int) -> list[Record]:
        return [self._records[offset] for offset in range(max(start, self._start), min(stop, self.end))]

    def free_below(self, offset: int) -> int:
        """Lets go of the records below an offset and returns how many they were."""
        stop = min(offset, self.end)
        for freed in range(self._start, stop):
            del self._records[freed]
        count = max(0, stop - self._start)
        self._start += count
        return count
