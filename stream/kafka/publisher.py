"""Publishes the events of a unit of work: in one transaction with the positions, or (low latency) without one."""

from collections.abc import Mapping, Sequence
from contextlib import suppress

from kafka import ConsumerGroupMetadata, KafkaProducer, OffsetAndMetadata, TopicPartition
from kafka.errors import KafkaError

from stream.errors import CommitFailedError, LogUnavailableError, StreamError
from stream.kafka.access import refusal
from stream.kafka.client import answering, close_producer, make_producer
from stream.kafka.deadline import Deadline
from stream.kafka.settings import KafkaSettings
from stream.log import Published
from stream.unit import HeldEvent

Offsets = Mapping[TopicPartition, OffsetAndMetadata]


class UnsettledError(Exception):
    """The broker was asked to commit and gave no clear answer: the transaction may have landed or not."""

    def __init__(self, published: Sequence[Published], cause: Exception) -> None:
        super().__init__(f"commit gave no clear answer: {cause}")
        self.published = published


class PlainPublisher:
    """An idempotent producer: no gaps and no repeats while it lives, at-least-once over a crash."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._producer = make_producer(settings)

    def publish(self, events: Sequence[HeldEvent]) -> list[Published]:
        """Sends all events and returns when the broker has every one of them.

        Raises:
            AccessError: the broker refused for want of a right.
            CommitFailedError: at least one did not arrive in time; others may have.
        """
        try:
            deadline = Deadline(self._settings.commit_timeout_ms / 1000)
            return _send_all(self._producer, self._settings, events, deadline)
        except KafkaError as error:
            refused = refusal(error, self._settings, "publishing")
            raise refused or CommitFailedError(
                f"events must reach the broker within the commit deadline; {error}"
            ) from error

    def close(self) -> None:
        """Closes the producer; every publish has waited for its events."""
        with suppress(LogUnavailableError):
            close_producer(self._producer)


class TransactionalPublisher:
    """A producer that commits events and positions together, and is replaced when the broker fences it.

    Args:
        settings: where, and how long to wait.
        transactional_id: the id that fences an earlier process of the same runner.
    """

    def __init__(self, settings: KafkaSettings, transactional_id: str) -> None:
        self._settings, self._transactional_id = settings, transactional_id
        self._producer: KafkaProducer | None = None
        self.open()

    def open(self) -> KafkaProducer:
        """The ready producer. A new one first settles whatever its predecessor left open: aborted, or committed.

        Raises:
            AccessError: the broker refused the transactional id.
            LogUnavailableError: the cluster did not answer.
        """
        if self._producer is None:
            producer = make_producer(self._settings, self._transactional_id)
            try:
                with answering(self._settings, f"transactional id {self._transactional_id}"):
                    producer.init_transactions()
            except StreamError:
                close_producer(producer)  # nothing was sent, so nothing can be lost
                raise
            self._producer = producer
        return self._producer

    def publish(self, events: Sequence[HeldEvent], offsets: Offsets, group: ConsumerGroupMetadata) -> list[Published]:
        """Makes events and positions visible in one transaction.

        Raises:
            AccessError: the broker refused for want of a right; nothing is visible.
            CommitFailedError: nothing is visible.
            UnsettledError: the commit was asked for and not confirmed; `open` settles it.
        """
        deadline = Deadline(self._settings.commit_timeout_ms / 1000)
        producer = self.open()
        try:
            producer.begin_transaction()
            # commit_transaction returns normally for a transaction that the broker timed out with records on the
            # way: only the sends know. So all of them are waited for and looked at before it is called.
            published = _send_all(producer, self._settings, events, deadline)
            if offsets:
                deadline.run("offsets", lambda: producer.send_offsets_to_transaction(dict(offsets), group))
        except (KafkaError, LogUnavailableError) as error:
            self._abort()
            refused = refusal(error, self._settings, "publishing")
            raise refused or CommitFailedError(f"transaction must take its events and positions; {error}") from error
        try:
            deadline.run("commit", producer.commit_transaction)
        except (KafkaError, LogUnavailableError) as error:
            self._drop()
            raise UnsettledError(published, error) from error
        return published

    def close(self) -> None:
        """Closes the producer; a transaction that is still open is aborted by the broker's timeout."""
        self._drop()

    def _abort(self) -> None:
        """Aborts if the broker lets us; a fenced or broken producer is dropped instead and replaced later."""
        producer = self._producer
        try:
            if producer:
                Deadline(self._settings.commit_timeout_ms / 1000).run("abort", producer.abort_transaction)
        except (KafkaError, LogUnavailableError):
            self._drop()

    def _drop(self) -> None:
        producer, self._producer = self._producer, None
        if producer:
            with suppress(LogUnavailableError):  # what it could not send belongs to a transaction that is given up
                close_producer(producer)


def _send_all(
    producer: KafkaProducer, settings: KafkaSettings, events: Sequence[HeldEvent], deadline: Deadline
) -> list[Published]:
    futures = [
        producer.send(settings.topics.of(topic), value, key, list(headers), partition)
        for topic, partition, key, value, headers in events
    ]
    producer.flush(timeout=deadline.remaining_s())
    return [
        Published(event[0], event[1], future.get(timeout=deadline.remaining_s()).offset)
        for event, future in zip(events, futures, strict=True)
    ]
