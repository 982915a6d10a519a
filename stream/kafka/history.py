"""Reads any partition of the topics without being a member of the group."""

from collections.abc import Iterator

from stream.kafka.reader import Reader
from stream.kafka.settings import KafkaSettings
from stream.kafka.topics import describe_topics
from stream.log import Record, Topic


class KafkaHistory:
    """Bounded reads of committed records; for one thread.

    Args:
        settings: where and how; the group is not used.

    Raises (from its methods):
        LogUnavailableError: the cluster did not answer in time.
    """

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._reader = Reader(settings)

    def partitions(self) -> range:
        """The partitions that the topic of outcomes has now."""
        states = {state.topic: state.partitions for state in describe_topics(self._settings).topics}
        return range(states["outcomes"])

    def begin(self, topic: Topic, partition: int) -> int:
        """The first offset that is still kept."""
        return self._reader.begin(topic, partition)

    def end(self, topic: Topic, partition: int) -> int:
        """The offset after the last record, once all transactions up to there are settled."""
        return self._reader.end(topic, partition)

    def read(self, topic: Topic, partition: int, start: int, stop: int) -> Iterator[Record]:
        """Committed records with `start <= offset < stop`; iterators may be interleaved."""
        return self._reader.read(topic, partition, start, stop)

    def close(self) -> None:
        """Closes its clients."""
        self._reader.close()
