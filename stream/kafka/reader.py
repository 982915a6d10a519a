"""Reads committed records of any partition between two offsets, with a consumer of its own and no group."""

import time
from collections.abc import Iterator

from kafka import KafkaConsumer, TopicPartition

from stream.errors import LogUnavailableError
from stream.kafka.batches import read_batch_wise
from stream.kafka.client import answering, make_consumer
from stream.kafka.deadline import Deadline
from stream.kafka.settings import KafkaSettings
from stream.log import INPUT_TOPICS, OUTPUT_TOPICS, Record, Topic

_BATCH = 5_000


class Reader:
    """Bounded reads for one thread. Iterators may be interleaved: each finds its place again."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._consumer: KafkaConsumer | None = None
        self._any_consumer: KafkaConsumer | None = None  # sees what open transactions have written
        self._reading: object = None  # the read whose place the consumer holds

    def begin(self, topic: Topic, partition: int) -> int:
        """The first offset that is still kept."""
        place = self._place(topic, partition)
        with answering(self._settings, f"begin of {place.topic}[{place.partition}]"):
            client = self._client()
            begin: int = client.beginning_offsets([place], timeout_ms=self._settings.request_timeout_ms)[place]
        return begin

    def end(self, topic: Topic, partition: int) -> int:
        """The offset after the last record, once all transactions up to there are settled.

        A commit is confirmed before its markers are written, so for some milliseconds committed records are not yet
        readable. The end that can be read at once would miss them; so this waits for the end of all that was written.

        Raises:
            LogUnavailableError: a transaction stays open longer than its timeout allows.
        """
        place = self._place(topic, partition)
        deadline = Deadline((self._settings.request_timeout_ms + 2 * self._settings.transaction_timeout_ms) / 1000)
        written = self._end(self._any_client(), place)
        while self._end(self._client(), place) < written:
            if not deadline.remaining_s():
                raise LogUnavailableError(f"{place.topic}[{partition}] must settle its transactions; one stays open")
            time.sleep(0.002)
        return written

    def read(self, topic: Topic, partition: int, start: int, stop: int) -> Iterator[Record]:
        """Committed records with `start <= offset < stop`.

        Transaction markers and aborted records take offsets as well, so the end is where the position is, not where
        a count of records would be.

        Raises:
            LogUnavailableError: the broker stopped answering on the way.
        """
        place = self._place(topic, partition)
        if start < stop and stop > self._end(self._client(), place):
            stop = min(stop, self.end(topic, partition))
        this_read = object()
        deadline = Deadline(self._settings.request_timeout_ms / 1000)
        while start < stop:
            consumer = self._client()
            if self._reading is not this_read:
                consumer.assign([place])
                consumer.seek(place, start)
                self._reading = this_read
            with answering(self._settings, f"reading {place.topic}[{partition}]@{start}"):
                batch = consumer.poll(timeout_ms=100, max_records=_BATCH).get(place, [])
                position = consumer.position(place, timeout_ms=self._settings.request_timeout_ms)
            if position > start:
                deadline = Deadline(self._settings.request_timeout_ms / 1000)
                start = position
            elif not deadline.remaining_s():
                raise LogUnavailableError(f"{place.topic}[{partition}]@{start} must be readable; nothing came")
            for record in batch:  # a `Record` each, see `_client`
                if record.offset < stop:
                    yield record

    def last(self, topic: Topic, partition: int, offsets: int) -> Iterator[Record]:
        """The committed records among the last offsets of a partition; what is not kept any more is passed over."""
        end = self.end(topic, partition)
        return self.read(topic, partition, max(0, end - offsets), end)

    def close(self) -> None:
        """Closes the consumers that there are."""
        for consumer in (self._consumer, self._any_consumer):
            if consumer is not None:
                consumer.close(autocommit=False, timeout_ms=1_000)
        self._consumer = self._any_consumer = None

    def _client(self) -> KafkaConsumer:
        if self._consumer is None:
            # A fetch that waits at one partition's end holds up the next read, which is of another.
            self._consumer = make_consumer(self._settings, group=False, fetch_max_wait_ms=10)
            roles = {self._settings.topics.of(topic): topic for topic in INPUT_TOPICS + OUTPUT_TOPICS}
            read_batch_wise(self._consumer, roles)
        return self._consumer

    def _any_client(self) -> KafkaConsumer:
        if self._any_consumer is None:
            self._any_consumer = make_consumer(self._settings, group=False, isolation="read_uncommitted")
        return self._any_consumer

    def _end(self, consumer: KafkaConsumer, place: TopicPartition) -> int:
        with answering(self._settings, f"end of {place.topic}[{place.partition}]"):
            end: int = consumer.end_offsets([place], timeout_ms=self._settings.request_timeout_ms)[place]
        return end

    def _place(self, topic: Topic, partition: int) -> TopicPartition:
        return TopicPartition(self._settings.topics.of(topic), partition)
