"""This reader's place in its consumer group: owned partitions, committed progress, and whether both still hold."""

from collections.abc import Mapping

import msgspec
from kafka import ConsumerGroupMetadata, KafkaConsumer, OffsetAndMetadata, TopicPartition
from kafka.errors import KafkaError
from kafka.structs import MemberState

from stream.errors import CommitFailedError, StreamError
from stream.kafka.client import answering
from stream.kafka.ends import Ends
from stream.kafka.settings import KafkaSettings
from stream.log import INPUT_TOPICS, Progress, Topic
from stream.log import TopicPartition as Place
from stream.unit import advance


class _Metadata(msgspec.Struct, omit_defaults=True):
    """What stands beside each committed offset."""

    low: dict[str, int] = {}
    watermark_ms: int = 0
    closed_ms: int = 0


class Membership:
    """Positions of one group member.

    A rebalance sets every position back to what is committed, also of partitions that stay here. So records that were
    polled before one come again, and a commit of them must fail: it is made under the group generation in which the
    first of them was polled, and the broker refuses a stale one.
    """

    def __init__(self, consumer: KafkaConsumer, settings: KafkaSettings, ends: Ends) -> None:
        self._consumer, self._settings, self._ends = consumer, settings, ends
        self._committed: dict[int, Progress | None] = {}
        self._unsettled: dict[Place, int] = {}  # the offset after the last polled record, until it is committed
        self._polled: dict[TopicPartition, int] = {}  # the same, until the position may be another
        self._polled_under: ConsumerGroupMetadata | None = None
        self._generation: tuple[int, str] | None = None

    def partitions(self) -> frozenset[int]:
        """The partitions that are owned now.

        Raises:
            StreamError: of one partition only one of the two input topics is owned.
        """
        owned = self._consumer.assignment() or set()
        by_topic = [{tp.partition for tp in owned if tp.topic == self._name(topic)} for topic in INPUT_TOPICS]
        if by_topic[0] != by_topic[1]:
            raise StreamError(
                f"assignment must hold the same partitions of both input topics; got {INPUT_TOPICS[0]} "
                f"{sorted(by_topic[0])}, {INPUT_TOPICS[1]} {sorted(by_topic[1])}: are their partition counts equal, "
                f"and do all members of group {self._settings.group_id!r} read both with range assignment?"
            )
        return frozenset(by_topic[0])

    def polled(self, ends: Mapping[Place, int]) -> None:
        """Notes what a poll returned: the offset after the last record, by partition."""
        self._ends.polled(self._consumer.assignment() or (), found=bool(ends))
        now = self._consumer.group_metadata()
        if (now.generation_id, now.member_id) != self._generation:
            self._generation = (now.generation_id, now.member_id)
            self._committed.clear()
            self._polled.clear()
            self.partitions()
        if now.state == MemberState.REBALANCING:
            # A join that outlives its poll is taken up again by the next one only while the client knows that it must
            # join. A leader that joins because partitions were added has forgotten it by then, and would wait for ever.
            self._consumer._coordinator.request_rejoin()
        if ends and not self._unsettled:
            self._polled_under = now
        self._unsettled.update(ends)
        self._polled.update({TopicPartition(self._name(topic), number): end for (topic, number), end in ends.items()})

    def progress(self, partition: int) -> Progress | None:
        """What was committed for a partition; asked of the broker once per generation.

        Raises:
            LogUnavailableError: the broker did not answer.
        """
        if partition not in self._committed:
            self._committed[partition] = self._fetch(partition)
        return self._committed[partition]

    def require_current(self, partitions: Mapping[int, Progress]) -> ConsumerGroupMetadata:
        """The membership to commit under.

        Raises:
            CommitFailedError: a partition is not owned, or the group has rebalanced since the records were polled.
        """
        now = self._consumer.group_metadata()
        then = self._polled_under if self._unsettled and self._polled_under else now
        if (then.generation_id, then.member_id) != (now.generation_id, now.member_id):
            raise CommitFailedError(f"commit must be of the group's generation {now.generation_id}; got {then}")
        # Without a generation the broker would accept the positions unfenced.
        if partitions and then.generation_id < 0:
            raise CommitFailedError(f"commit must come from a member of group {self._settings.group_id!r}; got {then}")
        for partition in partitions.keys() - self.partitions():
            raise CommitFailedError(f"committed partitions must be owned by the reader; got {partition}")
        return then

    def advanced(self, progress: Mapping[int, Progress]) -> dict[int, Progress]:
        """The whole progress after this one: topics that it does not name keep their committed position."""
        return {partition: advance(self.progress(partition), now) for partition, now in progress.items()}

    def offsets(self, advanced: Mapping[int, Progress]) -> dict[TopicPartition, OffsetAndMetadata]:
        """Progress in the broker's form, with low positions and watermark in the metadata of each position."""
        return {
            TopicPartition(self._name(topic), partition): OffsetAndMetadata(
                now.next[topic],
                msgspec.json.encode(
                    _Metadata(low=now.low, watermark_ms=now.watermark_ms, closed_ms=now.closed_ms)
                ).decode(),
                -1,
            )
            for partition, now in advanced.items()
            for topic in INPUT_TOPICS
            if topic in now.next
        }

    def committed(self, advanced: Mapping[int, Progress]) -> None:
        """Notes that a commit has landed."""
        self._committed.update(advanced)
        for place, end in list(self._unsettled.items()):
            now = advanced.get(place.partition)
            if now and now.next.get(place.topic, 0) >= end:
                del self._unsettled[place]

    def rewind(self) -> None:
        """Sets every owned partition back to its committed position; what was polled beyond comes again.

        Raises:
            LogUnavailableError: the broker did not answer.
        """
        self._committed.clear()
        self._unsettled.clear()
        self._polled.clear()
        for tp in self._consumer.assignment() or ():
            with answering(self._settings, f"position of {tp.topic}[{tp.partition}]"):
                offset = self._consumer.committed(tp, timeout_ms=self._settings.request_timeout_ms)
            try:
                self._consumer.seek_to_beginning(tp) if offset is None else self._consumer.seek(tp, offset)
            except ValueError:  # a rebalance took it meanwhile; whoever gets it starts at the committed position
                continue

    def lag(self) -> dict[Place, int]:
        """Records that wait; without an entry where that is not known.

        It is not known where the broker or the position does not tell it, and where all was read up to an end that
        was asked for before the last poll: more may have come before what this poll brought.
        """
        waiting: dict[Place, int] = {}
        roles: dict[str, Topic] = {self._name(topic): topic for topic in INPUT_TOPICS}
        for tp, end in self._ends.of(self._consumer.assignment() or ()).items():
            position = self._polled.get(tp)
            if position is None or position < end:  # what has no record, as the end of a transaction, is passed as well
                position = self._position(tp)
            if position is not None and (end > position or self._ends.current):
                waiting[Place(roles[tp.topic], tp.partition)] = max(0, end - position)
        return waiting

    def _position(self, tp: TopicPartition) -> int | None:
        try:
            position: int | None = self._consumer.position(tp, timeout_ms=0)
        except KafkaError:  # it is not known yet, or a rebalance took the partition meanwhile
            return None
        return position

    def _fetch(self, partition: int) -> Progress | None:
        positions: dict[str, int] = {}
        known = _Metadata()
        for topic in reversed(INPUT_TOPICS):  # where both are committed, impressions have the newer metadata
            tp = TopicPartition(self._name(topic), partition)
            with answering(self._settings, f"progress of {tp.topic}[{partition}]"):
                found = self._consumer.committed(tp, metadata=True, timeout_ms=self._settings.request_timeout_ms)
            if found is not None:
                positions[topic] = found.offset
                known = _decode(found.metadata)
        if not positions:
            return None
        return Progress(next=positions, low=known.low, watermark_ms=known.watermark_ms, closed_ms=known.closed_ms)

    def _name(self, topic: Topic) -> str:
        return self._settings.topics.of(topic)


def _decode(metadata: str) -> _Metadata:
    """Positions that somebody else committed (a reset by a tool) carry no metadata, which means: nothing is open."""
    if not metadata:
        return _Metadata()
    try:
        return msgspec.json.decode(metadata, type=_Metadata)
    except msgspec.DecodeError as error:
        raise StreamError(f"committed metadata must be ours; got {metadata[:100]!r}") from error
