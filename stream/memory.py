"""The bounded log in process: both sides in one object, no broker, the same run again after `reset`."""

import threading
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from typing import Literal

from stream.codec import Codec, JsonCodec
from stream.errors import CommitFailedError, LogFullError, StreamError
from stream.events import Click, Impression, Recommendation
from stream.log import INPUT_TOPICS, Headers, Progress, Published, Record, Topic, TopicPartition
from stream.memory_store import MemoryStore
from stream.unit import HeldUnit, Landing, advance


class MemoryLog:
    """Both `EventLog` and `WorldLog`, with one reader; all methods can be called from any thread.

    `poll` gives the records of both input topics in the order of their appending, so a run in one thread is repeatable.
    An input record is held until a commit says that it is processed and that no open decision needs it (`low`).
    Output records are held in a ring of `capacity` per topic, which keeps recommendations that are still needed.

    Args:
        partitions: partitions of every topic but dead-letters, which has one.
        capacity: input records held at most, and the size of each output ring.
        policy: past the capacity, `refuse` raises LogFullError and `drop` drops the new record and counts it.
        clock: the log's own time in ms; without one a record has the time of its event, or the newest time seen.
        codec: the wire format.
        assignment: the partitions that the reader owns; all of them without.

    >>> log = MemoryLog()
    >>> log.append(Click(impression_id="i1", user_id="u1", item_id="a", ts_ms=5))
    >>> [(record.topic, record.offset, record.timestamp_ms) for record in log.poll(max_records=10, timeout_ms=0)]
    [('clicks', 0, 5)]
    >>> log.begin().commit({0: Progress(next={"clicks": 1})})
    []
    >>> log.progress(0).next
    {'clicks': 1}
    """

    def __init__(
        self,
        partitions: int = 1,
        capacity: int = 100_000,
        *,
        policy: Literal["refuse", "drop"] = "refuse",
        clock: Callable[[], int] | None = None,
        codec: Codec | None = None,
        assignment: Iterable[int] | None = None,
    ) -> None:
        if partitions < 1 or capacity < 1:
            raise StreamError(f"partitions and capacity must be at least 1; got {partitions} and {capacity}")
        self._partitions, self._capacity, self._policy, self._clock = partitions, capacity, policy, clock
        self._codec = codec or JsonCodec()
        self._assignment = frozenset(range(partitions) if assignment is None else assignment)
        self._arrived = threading.Condition()
        self._clear()

    def _clear(self) -> None:
        self.dropped = 0  # input records that policy "drop" dropped
        self._store = MemoryStore(self._partitions, self._capacity, self._clock)
        self._waiting: deque[Record] = deque()  # not yet polled
        self._polled: deque[Record] = deque()  # polled, not yet committed
        self._position: dict[tuple[Topic, int], int] = {}
        self._progress: dict[int, Progress] = {}
        self._open: HeldUnit | None = None

    def reset(self) -> None:
        """Goes back to the start: no records, no positions, counters at 0; an open unit can no longer commit."""
        with self._arrived:
            self._clear()

    @property
    def evicted(self) -> Mapping[Topic, int]:
        """Output records that fell out of their ring, by topic; of recommendations only those the world never saw."""
        return self._store.evicted

    # The world's side

    def append(self, event: Impression | Click) -> None:
        """Writes an event to its topic, in the partition of its user."""
        topic: Topic = "impressions" if isinstance(event, Impression) else "clicks"
        key = event.user_id.encode()
        self._append(topic, key, self._codec.encode(event), self._codec.headers, event.ts_ms)

    def append_raw(self, topic: Topic, key: bytes | None, value: bytes, headers: Headers = ()) -> None:
        """Writes bytes as they are, events or not, to the partition of their key."""
        self._append(topic, key, value, headers, None)

    def recommendations(self, max_records: int, timeout_ms: int) -> list[Recommendation]:
        """The next published recommendations, in the order of their commits."""
        with self._arrived:
            self._arrived.wait_for(lambda: self._store.unread, timeout_ms / 1000)
            batch = [self._store.unread.popleft() for _ in range(min(max_records, len(self._store.unread)))]
        return [self._codec.decode(record.value, Recommendation, record.headers) for record in batch]

    def flush(self) -> None:
        """Returns at once: what was appended can be read already."""

    # The agent's side

    def assignment(self) -> frozenset[int]:
        """The partitions that the reader owns; they never change."""
        return self._assignment

    def progress(self, partition: int) -> Progress | None:
        """What was committed for a partition; None where nothing was."""
        return self._progress.get(partition)

    def poll(self, max_records: int, timeout_ms: int) -> list[Record]:
        """The next input records in the order of their appending; waits only while there are none."""
        with self._arrived:
            self._arrived.wait_for(lambda: self._waiting, timeout_ms / 1000)
            batch = [self._waiting.popleft() for _ in range(min(max_records, len(self._waiting)))]
            self._polled.extend(batch)
            for record in batch:
                self._position[record.topic, record.partition] = record.offset + 1
            return batch

    def lag(self) -> Mapping[TopicPartition, int]:
        """Records that wait in each owned input partition."""
        with self._arrived:
            return {
                TopicPartition(*place): self._store.partition(*place).end - self._position.get(place, 0)
                for place in ((topic, partition) for topic in INPUT_TOPICS for partition in sorted(self._assignment))
            }

    def begin(self) -> HeldUnit:
        """Starts a unit of work; one at a time."""
        with self._arrived:
            if self._open is not None:
                raise StreamError("a unit of work must be committed or aborted before the next one begins")
            self._open = HeldUnit(self)
            return self._open

    def read(self, topic: Topic, partition: int, start: int, stop: int) -> Iterator[Record]:
        """Held records with `start <= offset < stop`; those that were let go are left out, as on a broker."""
        with self._arrived:
            return iter(self._store.partition(topic, partition).between(start, stop))

    def end(self, topic: Topic, partition: int) -> int:
        """The offset after the last record of a partition."""
        with self._arrived:
            return self._store.partition(topic, partition).end

    def close(self) -> None:
        """Nothing is held that needs releasing; both sides go on working."""

    # The owner's side of a unit of work

    def holds(self, unit: HeldUnit) -> bool:
        """Whether this is the open unit."""
        return self._open is unit

    def require_partition(self, topic: Topic, partition: int) -> None:
        """Raises StreamError unless the log has the partition."""
        self._store.partition(topic, partition)

    def send(self, unit: HeldUnit, progress: Mapping[int, Progress]) -> Landing:
        """Moves the positions and writes the events, under the one lock; so all of it has landed already."""
        with self._arrived:
            self._open = None
            for partition in progress:
                if partition not in self._assignment:
                    self._rewind()
                    raise CommitFailedError(f"committed partitions must be owned by the reader; got {partition}")
            for partition, now in progress.items():
                self._progress[partition] = advance(self._progress.get(partition), now)
                self._store.release(partition, self._progress[partition])
            while self._polled and self._is_done(self._polled[0]):
                self._polled.popleft()
            written = [self._store.write(*event) for event in unit.events]
            self._arrived.notify_all()
            published = [Published(record.topic, record.partition, record.offset) for record in written]
        return lambda: published

    def drop(self, unit: HeldUnit) -> None:
        """Closes the unit if it is open and sets the reader back."""
        with self._arrived:
            if self._open is unit:
                self._open = None
                self._rewind()

    # Inside

    def _append(self, topic: Topic, key: bytes | None, value: bytes, headers: Headers, ts_ms: int | None) -> None:
        partition = zlib.crc32(key) % self._partitions if key is not None and topic != "dead-letters" else 0
        with self._arrived:
            if topic in INPUT_TOPICS and self._store.held >= self._capacity:
                if self._policy == "refuse":
                    raise LogFullError(f"log must hold at most {self._capacity:,} input records; it is full ({topic})")
                self.dropped += 1
                return
            record = self._store.write(topic, partition, key, value, headers, ts_ms)
            if topic in INPUT_TOPICS and partition in self._assignment:
                self._waiting.append(record)
            self._arrived.notify_all()

    def _is_done(self, record: Record) -> bool:
        progress = self._progress.get(record.partition)
        return progress is not None and record.offset < progress.next.get(record.topic, 0)

    def _rewind(self) -> None:
        again = [record for record in chain(self._polled, self._waiting) if not self._is_done(record)]
        self._waiting, self._polled = deque(again), deque()
        self._position = {
            (topic, partition): progress.next.get(topic, 0)
            for partition, progress in self._progress.items()
            for topic in INPUT_TOPICS
        }
        self._arrived.notify_all()
