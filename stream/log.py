"""The two sides of a log: what the agent needs of it, and what the world (a simulator, a load generator) needs.

The agent's side, in full:

    records = log.poll(max_records=512, timeout_ms=50)
    unit = log.begin()
    unit.publish("recommendations", record.partition, key, value)
    unit.commit({partition: Progress(next={"impressions": 12, "clicks": 3}, ...)})

A unit of work holds the published events *and* the input positions: either all of it becomes visible, or nothing.
`commit` is `send` and `landed`. In between the next records can be polled and the next unit begun:

    unit.send(progress)
    records = log.poll(max_records=512, timeout_ms=50)
    positions = unit.landed()
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, NamedTuple, Protocol

import msgspec

from stream.events import Click, Impression, Recommendation

Topic = Literal["impressions", "clicks", "recommendations", "outcomes", "dead-letters"]
INPUT_TOPICS: tuple[Topic, ...] = ("impressions", "clicks")
OUTPUT_TOPICS: tuple[Topic, ...] = ("recommendations", "outcomes", "dead-letters")
Headers = tuple[tuple[str, bytes], ...]


class TopicPartition(NamedTuple):
    """One partition of one topic, by the topic's role (its name on a broker is a setting of the log)."""

    topic: Topic
    partition: int


class Record(msgspec.Struct, frozen=True, gc=False):
    """One record of a log, undecoded. `timestamp_ms` is the log's own time for it, not the event's."""

    topic: Topic
    partition: int
    offset: int
    key: bytes | None
    value: bytes
    headers: Headers
    timestamp_ms: int


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far one partition has been processed, as committed.

    Attributes:
        next: the first offset not yet processed, by input topic.
        low: the first offset that rebuilding the open decisions needs, by topic (inputs and recommendations), and
            the first outcome that this commit may not cover.
        watermark_ms: the watermark at the commit; 0 before the first event.
        closed_ms: all decisions whose window ends by then have closed as well, some of them before their time; 0
            where that is not above the watermark.
    """

    next: dict[str, int]
    low: dict[str, int] = {}
    watermark_ms: int = 0
    closed_ms: int = 0


class Published(NamedTuple):
    """Where one event of a committed unit of work came to lie."""

    topic: Topic
    partition: int
    offset: int


class UnitOfWork(Protocol):
    """What becomes visible together: events and input positions. Used once, by one thread.

    Attributes:
        took_s: seconds from `send` until all of it was visible; 0 before.
    """

    took_s: float

    def publish(self, topic: Topic, partition: int, key: bytes, value: bytes, headers: Headers = ()) -> None:
        """Adds an event. The partition of a dead letter is the log's affair; for all others it is that of the input."""
        ...

    def commit(self, progress: Mapping[int, Progress]) -> Sequence[Published]:
        """Makes all of it visible and returns where each event lies, in the order of `publish`.

        Raises:
            CommitFailedError: nothing became visible; the reader has been set back to the committed positions.
        """
        ...

    def send(self, progress: Mapping[int, Progress]) -> None:
        """Sets all of it on its way and returns. One is on its way at a time, so what was sent before has `landed`.

        Raises:
            CommitFailedError: as by `commit`.
        """
        ...

    def landed(self) -> Sequence[Published]:
        """Waits until all that was sent is visible; returns and raises what `commit` does."""
        ...

    def abort(self) -> None:
        """Drops all of it and sets the reader back to the committed positions."""
        ...


class EventLog(Protocol):
    """The agent's side of a log: inputs with their positions, and units of work."""

    def assignment(self) -> frozenset[int]:
        """The partitions that this reader owns now; may change in `poll`."""
        ...

    def progress(self, partition: int) -> Progress | None:
        """What was committed for a partition; None where nothing was."""
        ...

    def poll(self, max_records: int, timeout_ms: int) -> list[Record]:
        """The next records of the input topics, in order within a partition; empty when none came in time.

        Raises:
            LogUnavailableError: the log did not answer within its deadline.
        """
        ...

    def lag(self) -> Mapping[TopicPartition, int]:
        """Records that wait in each owned input partition after the last poll; absent where the end is not known."""
        ...

    def begin(self) -> UnitOfWork:
        """Starts a unit of work; one at a time."""
        ...

    def read(self, topic: Topic, partition: int, start: int, stop: int) -> Iterator[Record]:
        """Committed records of any topic with `start <= offset < stop`, apart from `poll`'s position."""
        ...

    def end(self, topic: Topic, partition: int) -> int:
        """The offset after the last committed record of a partition."""
        ...

    def close(self) -> None:
        """Releases what the log holds; safe to call twice."""
        ...


class WorldLog(Protocol):
    """The world's side of a log: it shows impressions and clicks, and sees what was recommended."""

    def append(self, event: Impression | Click) -> None:
        """Writes an event to its topic, keyed by its user.

        Raises:
            LogFullError: the log is at its capacity and refuses.
        """
        ...

    def recommendations(self, max_records: int, timeout_ms: int) -> list[Recommendation]:
        """The next published recommendations, in order within a partition; empty when none came in time."""
        ...

    def flush(self) -> None:
        """Returns when all that was appended can be read by the agent's side."""
        ...

    def close(self) -> None:
        """Releases what the log holds; safe to call twice."""
        ...
