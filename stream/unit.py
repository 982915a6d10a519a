"""The unit of work of both logs: it holds its events back, and hands them over whole at the commit."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from stream.errors import StreamError
from stream.log import OUTPUT_TOPICS, Headers, Progress, Published, Topic

HeldEvent = tuple[Topic, int, bytes, bytes, Headers]
Landing = Callable[[], Sequence[Published]]


class UnitOwner(Protocol):
    """What a log does for its units of work."""

    def holds(self, unit: "HeldUnit") -> bool:
        """Whether this is the one open unit."""
        ...

    def require_partition(self, topic: Topic, partition: int) -> None:
        """Raises StreamError unless the topic has the partition."""
        ...

    def send(self, unit: "HeldUnit", progress: Mapping[int, Progress]) -> Landing:
        """Sets the unit's events and the positions on their way together, and closes the unit in any case.

        Returns:
            What waits until they are visible.
        """
        ...

    def drop(self, unit: "HeldUnit") -> None:
        """Closes the unit if it is open and sets the reader back."""
        ...


class HeldUnit:
    """A `UnitOfWork`. Nothing leaves the process before the commit, so an abort has nothing to undo outside it."""

    def __init__(self, owner: UnitOwner) -> None:
        self._owner = owner
        self._landing: Landing | None = None
        self.events: list[HeldEvent] = []
        self.took_s = 0.0

    def publish(self, topic: Topic, partition: int, key: bytes, value: bytes, headers: Headers = ()) -> None:
        """Adds an event; all dead letters go to partition 0.

        Raises:
            StreamError: the unit is used, or there is no such output topic or partition.
        """
        self._require_open()
        if topic not in OUTPUT_TOPICS:
            raise StreamError(f"published topic must be one of {', '.join(OUTPUT_TOPICS)}; got {topic!r}")
        if topic == "dead-letters":
            partition = 0
        self._owner.require_partition(topic, partition)
        self.events.append((topic, partition, key, value, headers))

    def commit(self, progress: Mapping[int, Progress]) -> Sequence[Published]:
        """Makes all of it visible and moves the positions; a topic that `next` does not name keeps its own."""
        self.send(progress)
        return self.landed()

    def send(self, progress: Mapping[int, Progress]) -> None:
        """Sets all of it on its way."""
        self._require_open()
        self._landing = self._owner.send(self, progress)

    def landed(self) -> Sequence[Published]:
        """Waits until all of it is visible.

        Raises:
            StreamError: it was never sent, or has landed.
        """
        if self._landing is None:
            raise StreamError("unit of work must be sent before it lands, and lands once; it is not on its way")
        landing, self._landing = self._landing, None
        return landing()

    def abort(self) -> None:
        """Drops all of it and sets the reader back. A used unit stays as it is, so an error path may always call it."""
        self._owner.drop(self)

    def _require_open(self) -> None:
        if not self._owner.holds(self):
            raise StreamError("unit of work must be used once; it was committed or aborted, or the log was reset")


def advance(before: Progress | None, now: Progress) -> Progress:
    """The progress after a commit.

    >>> advance(Progress(next={"clicks": 3}, watermark_ms=1), Progress(next={"impressions": 5}, watermark_ms=2))
    Progress(next={'clicks': 3, 'impressions': 5}, low={}, watermark_ms=2, closed_ms=0)
    """
    return Progress(
        next={**(before.next if before else {}), **now.next},
        low=dict(now.low),
        watermark_ms=now.watermark_ms,
        closed_ms=now.closed_ms,
    )
