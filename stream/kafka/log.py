"""The agent's side of Apache Kafka."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial

from kafka import ConsumerGroupMetadata
from kafka.errors import KafkaError
from kafka.structs import MemberState

from stream.errors import CommitFailedError, LogUnavailableError, StreamError
from stream.kafka.access import refusal
from stream.kafka.batches import read_batch_wise
from stream.kafka.client import answering, make_consumer
from stream.kafka.deadline import Deadline
from stream.kafka.ends import Ends
from stream.kafka.flight import Carrier, Flight
from stream.kafka.membership import Membership
from stream.kafka.publisher import Offsets, PlainPublisher, TransactionalPublisher, UnsettledError
from stream.kafka.reader import Reader
from stream.kafka.settings import KafkaSettings
from stream.kafka.topics import describe_topics
from stream.log import INPUT_TOPICS, Progress, Published, Record, Topic, TopicPartition
from stream.unit import HeldUnit, Landing


class KafkaLog:
    """`EventLog` over Apache Kafka, as one member of a consumer group; for one thread.

    Exactly once: a unit of work is one transaction of its events and its positions. Low latency: its events are
    published first, then its positions, so a crash between the two publishes them again; they have landed with the
    first, and positions follow, one unit behind at most. What was sent is settled by a thread of its own, while the
    next records are polled and decided.

    Args:
        settings: where and how; picklable, so that a log can be made in another process.
        index: which runner of the group this is; it fences an earlier process of the same runner.

    Raises:
        LogUnavailableError: the cluster did not answer; the message names the likely causes.
        StreamError: topics are missing or their partition counts differ.
    """

    def __init__(self, settings: KafkaSettings, index: int = 0) -> None:
        self._settings = settings
        report = describe_topics(settings)
        if report.problems:
            raise StreamError("; ".join(report.problems))
        self._partitions = {state.topic: state.partitions for state in report.topics}
        self._roles: dict[str, Topic] = {settings.topics.of(topic): topic for topic in INPUT_TOPICS}
        self._reader = Reader(settings)
        self._transactional = (
            TransactionalPublisher(settings, f"{settings.group_id}-{index}")
            if settings.guarantee == "exactly_once"
            else None
        )
        self._plain = None if self._transactional else PlainPublisher(settings)
        self._consumer = make_consumer(settings, group=True)
        read_batch_wise(self._consumer, self._roles)
        self._carrier = Carrier(self._consumer)
        self._flight: Flight | None = None
        self._consumer.subscribe(list(self._roles), listener=self._carrier)
        self._await_metadata()
        self._asking = make_consumer(settings, group=False)
        self._ends = Ends(self._asking)
        self._membership = Membership(self._consumer, settings, self._ends)
        self._open: HeldUnit | None = None
        self._rewind_due = False
        self._closed = False

    def assignment(self) -> frozenset[int]:
        """The partitions that this member owns now; changes only in `poll`."""
        return self._membership.partitions()

    def progress(self, partition: int) -> Progress | None:
        """What was committed for a partition; None where nothing was."""
        return self._membership.progress(partition)

    def poll(self, max_records: int, timeout_ms: int) -> list[Record]:
        """The next records of the owned partitions, in order within a partition."""
        if self._rewind_due:
            self._rewind()
        if self._flight and self._consumer.group_metadata().state == MemberState.REBALANCING:
            self._carrier.wait()  # it was sent after the join had begun, which this poll may end
        with answering(self._settings, "poll"):
            batches = self._consumer.poll(timeout_ms=timeout_ms, max_records=max_records)
            if self._carrier.held_back and not batches:
                # The client forgets a join that ends between two polls, and begins another, which all members join.
                batches = self._consumer.poll(timeout_ms=timeout_ms, max_records=max_records)
            self._carrier.held_back = False
        self._note_arrival()
        records: list[Record] = []
        ends: dict[TopicPartition, int] = {}
        for tp, batch in batches.items():
            records += batch
            ends[TopicPartition(self._roles[tp.topic], tp.partition)] = batch[-1].offset + 1
        self._membership.polled(ends)
        return records

    def lag(self) -> Mapping[TopicPartition, int]:
        """Records known to wait in each owned input partition after the last poll."""
        return self._membership.lag()

    def begin(self) -> HeldUnit:
        """Starts a unit of work; one at a time."""
        if self._open is not None:
            raise StreamError("a unit of work must be committed or aborted before the next one begins")
        self._open = HeldUnit(self)
        return self._open

    def read(self, topic: Topic, partition: int, start: int, stop: int) -> Iterator[Record]:
        """Committed records with `start <= offset < stop`, by a consumer apart from the group."""
        self.require_partition(topic, partition)
        return self._reader.read(topic, partition, start, stop)

    def end(self, topic: Topic, partition: int) -> int:
        """The offset after the last committed record (or transaction marker) of a partition."""
        self.require_partition(topic, partition)
        return self._reader.end(topic, partition)

    def close(self) -> None:
        """Leaves the group and closes all clients; an open unit of work is lost, as it was never sent."""
        if self._closed:
            return
        self._closed = True
        self._open = None
        self._carrier.close()
        for publisher in (self._transactional, self._plain):
            if publisher:
                publisher.close()
        self._reader.close()
        self._ends.close()
        self._asking.close(autocommit=False, timeout_ms=1_000)
        self._consumer.close(autocommit=False, timeout_ms=self._settings.request_timeout_ms)

    # The owner's side of a unit of work

    def holds(self, unit: HeldUnit) -> bool:
        """Whether this is the open unit."""
        return self._open is unit

    def require_partition(self, topic: Topic, partition: int) -> None:
        """Raises StreamError unless the topic had the partition when the log was opened."""
        if not 0 <= partition < self._partitions[topic]:
            raise StreamError(f"partition must be one that the log has; got {topic}[{partition}]")

    def send(self, unit: HeldUnit, progress: Mapping[int, Progress]) -> Landing:
        """Sets events and positions on their way; on failure the reader is set back to the committed positions.

        Raises:
            CommitFailedError: nothing is visible.
            StreamError: what was sent before has not landed.
        """
        self._open = None
        if self._flight is not None:
            raise StreamError("a unit of work must have landed before the next one is sent; one is on its way")
        try:
            group = self._membership.require_current(progress)
            flight = Flight(unit, self._membership.advanced(progress))
            offsets = self._membership.offsets(flight.advanced)
        except StreamError:
            self._try_to_rewind()
            raise
        self._flight = flight
        self._carrier.take(flight, partial(self._settle, unit, offsets, group))
        return partial(self._land, flight)

    def drop(self, unit: HeldUnit) -> None:
        """Closes the unit if it is open and sets the reader back to the committed positions."""
        if self._open is unit:
            self._open = None
            self._rewind()

    def _settle(self, unit: HeldUnit, offsets: Offsets, group: ConsumerGroupMetadata) -> Sequence[Published]:
        """Makes events and positions visible; called by the carrying thread, alone with publisher and commit."""
        if self._transactional and unit.events:
            return self._transactional.publish(unit.events, offsets, group)
        if self._plain is None:
            self._commit_offsets(offsets)
            return ()
        published = self._plain.publish(unit.events) if unit.events else ()
        self._carrier.follow(partial(self._commit_offsets, offsets))
        return published

    def _land(self, flight: Flight) -> Sequence[Published]:
        """Waits for what was sent.

        Raises:
            CommitFailedError: nothing is visible.
            LogUnavailableError: the broker went away in the commit, so only the log will tell whether it landed.
        """
        try:
            published = self._outcome(flight)
        except StreamError:
            self._flight = None
            self._try_to_rewind()
            raise
        if self._flight is flight:
            self._membership.committed(flight.advanced)
            self._flight = None
        return published

    def _outcome(self, flight: Flight) -> Sequence[Published]:
        try:
            return flight.carried.result()
        except UnsettledError as error:
            if self._transactional is None:
                raise
            return self._find_out(self._transactional, error)

    def _note_arrival(self) -> None:
        """Notes what has arrived before a poll's records are: after a rebalance these are of another generation."""
        if self._flight is not None and self._flight.has_arrived():
            self._membership.committed(self._flight.advanced)

    def _await_metadata(self) -> None:
        """Waits for the partitions of the inputs: a member that leads the group without knowing them assigns none."""
        deadline = Deadline(self._settings.request_timeout_ms / 1000)
        for name in self._roles:
            with answering(self._settings, f"metadata of {name}"):
                deadline.run(f"metadata of {name}", partial(self._consumer.partitions_for_topic, name))

    def _try_to_rewind(self) -> None:
        with suppress(LogUnavailableError):  # if not now, then before the next poll
            self._rewind()

    def _rewind(self) -> None:
        self._rewind_due = True
        flight, self._flight = self._flight, None
        if flight is not None:  # its positions count once it has landed
            with suppress(StreamError):
                self._outcome(flight)
        self._carrier.forget()
        self._membership.rewind()
        self._rewind_due = False

    def _commit_offsets(self, offsets: Offsets) -> None:
        """Positions alone need no transaction: the group's generation fences them."""
        if not offsets:
            return
        try:
            self._consumer.commit(dict(offsets), timeout_ms=self._settings.commit_timeout_ms)
        except KafkaError as error:
            refused = refusal(error, self._settings, "committing positions")
            raise refused or CommitFailedError(f"positions must be committed within the deadline; {error}") from error

    def _find_out(self, publisher: TransactionalPublisher, error: UnsettledError) -> Sequence[Published]:
        """Settles a commit without an answer: the next producer of the id ends it, then the log itself knows."""
        publisher.open()
        topic, partition, offset = error.published[0]
        if not any(self._reader.read(topic, partition, offset, offset + 1)):
            raise CommitFailedError(f"transaction must be committed; the broker aborted it ({error})") from error
        return error.published
