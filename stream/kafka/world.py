"""The world's side of Apache Kafka: a simulator or load generator that writes inputs and sees recommendations."""

from contextlib import closing, suppress
from typing import Any

from kafka import TopicPartition

from stream.codec import Codec, JsonCodec
from stream.errors import CodecError, LogUnavailableError, StreamError
from stream.events import Click, Impression, Recommendation
from stream.kafka.access import refusal
from stream.kafka.client import answering, close_producer, make_consumer, make_producer
from stream.kafka.reader import Reader
from stream.kafka.settings import KafkaSettings
from stream.kafka.topics import describe_topics

_FLUSH_EVERY = 20_000  # kafka-python's producer has no bound on what it buffers
_LAST = 10  # offsets at the end of a partition that are looked at; the last may be a transaction's end


class KafkaWorldLog:
    """`WorldLog` over Apache Kafka; for one thread. An event's partition is that of its user, by Kafka's own hash.

    Args:
        settings: where; the consumer group is not used.
        from_start: whether `recommendations` starts with the oldest that is kept, and not with the next one.
        codec: the wire format.

    Raises:
        LogUnavailableError: the cluster did not answer.
        StreamError: topics are missing or their partition counts differ.
    """

    def __init__(self, settings: KafkaSettings, *, from_start: bool = False, codec: Codec | None = None) -> None:
        self._settings, self._codec = settings, codec or JsonCodec()
        report = describe_topics(settings, "world")
        if report.problems:
            raise StreamError("; ".join(report.problems))
        self._names = (settings.topics.impressions, settings.topics.clicks)
        self._headers = list(self._codec.headers)
        self._failure: Exception | None = None
        self._unflushed = 0
        self._closed = False
        self._producer = make_producer(settings)
        self._consumer = make_consumer(settings, group=False)
        counts = {state.topic: state.partitions for state in report.topics}
        self._partitions = counts["recommendations"]
        self._follow(self._partitions, from_start)

    def append(self, event: Impression | Click) -> None:
        """Writes an event to its topic, keyed by its user; it is sent within milliseconds.

        Raises:
            LogUnavailableError: an earlier event was lost, or the broker does not take more.
        """
        name = self._names[0] if isinstance(event, Impression) else self._names[1]
        with answering(self._settings, f"append to {name}", "world"):
            sent = self._producer.send(name, self._codec.encode(event), event.user_id.encode(), self._headers)
        sent.add_errback(self._note)
        self._unflushed += 1
        if self._failure or self._unflushed >= _FLUSH_EVERY:
            self.flush()

    def recommendations(self, max_records: int, timeout_ms: int) -> list[Recommendation]:
        """The next published recommendations, in order within a partition; empty when none came in time."""
        with answering(self._settings, "recommendations", "world"):
            batches = self._consumer.poll(timeout_ms=timeout_ms, max_records=max_records)
        return [
            self._codec.decode(found.value or b"", Recommendation, tuple(found.headers))
            for batch in batches.values()
            for found in batch
        ]

    def newest_ms(self) -> int:
        """The latest event time among the last impressions of all partitions; 0 where there are none.

        Raises:
            AccessError: the world may not read impressions.
            LogUnavailableError: the broker did not answer.
        """
        newest_ms = 0
        with closing(Reader(self._settings)) as reader:
            for partition in range(self._partitions):
                for record in reader.last("impressions", partition, _LAST):
                    with suppress(CodecError):
                        newest_ms = max(newest_ms, self._codec.decode(record.value, Impression, record.headers).ts_ms)
        return newest_ms

    def flush(self) -> None:
        """Returns when the broker has all that was appended.

        Raises:
            AccessError: the broker refused something appended.
            LogUnavailableError: something appended was lost.
        """
        self._unflushed = 0
        with answering(self._settings, "flush", "world"):
            self._producer.flush(timeout=self._settings.request_timeout_ms / 1000)
        failure, self._failure = self._failure, None
        if failure:
            refused = refusal(failure, self._settings, "what was appended", "world")
            raise refused or LogUnavailableError(f"appended events must reach the broker; got {failure}") from failure

    def close(self) -> None:
        """Sends what was appended and closes both clients.

        Raises:
            LogUnavailableError: something appended was lost.
        """
        if self._closed:
            return
        self._closed = True
        try:
            close_producer(self._producer, self._settings.request_timeout_ms / 1000)
        finally:
            self._consumer.close(autocommit=False, timeout_ms=1_000)

    def _follow(self, partitions: int, from_start: bool) -> None:
        """Starts at fixed offsets, so that nothing published after the construction is missed."""
        places = [TopicPartition(self._settings.topics.recommendations, index) for index in range(partitions)]
        self._consumer.assign(places)
        with answering(self._settings, "offsets of recommendations", "world"):
            limit = self._settings.request_timeout_ms
            find = self._consumer.beginning_offsets if from_start else self._consumer.end_offsets
            for place, offset in find(places, timeout_ms=limit).items():
                self._consumer.seek(place, offset)

    def _note(self, error: Any) -> None:  # noqa: ANN401 - called back by the client with whatever went wrong
        self._failure = self._failure or error
