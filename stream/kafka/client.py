"""Makes kafka-python's clients with the settings that measurements asked for, and puts their errors into our words."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka.coordinator.assignors.range import RangePartitionAssignor
from kafka.errors import KafkaError

from stream.codec import MAX_OUTPUT_BYTES
from stream.errors import LogUnavailableError
from stream.kafka.access import refusal
from stream.kafka.diagnosis import why_no_answer
from stream.kafka.rights import Role
from stream.kafka.settings import KafkaSettings


@contextmanager
def answering(settings: KafkaSettings, what: str, role: Role = "agent") -> Iterator[None]:
    """Turns what the client raises inside into an error that names the cause and what to do.

    Raises:
        AccessError: the broker refused for want of a right, which is named.
        LogUnavailableError: the broker did not answer; where not even a connection came about, the message says why.
    """
    try:
        yield
    except KafkaError as error:
        refused = refusal(error, settings, what, role)
        if refused:
            raise refused from error
        if "Unable to bootstrap" not in str(error):
            raise LogUnavailableError(f"Kafka must answer within its deadline ({what}); got {error}") from error
        raise LogUnavailableError(
            f"Kafka at {settings.bootstrap_servers} must answer within {settings.bootstrap_timeout_ms} ms ({what}): "
            f"{why_no_answer(settings)}"
        ) from error


def make_admin(settings: KafkaSettings) -> KafkaAdminClient:
    """A client for topics and their configuration."""
    with answering(settings, "admin client"):
        return KafkaAdminClient(**settings.connection())


def make_consumer(
    settings: KafkaSettings, *, group: bool, isolation: str = "read_committed", fetch_max_wait_ms: int = 500
) -> KafkaConsumer:
    """A consumer of records as bytes: a deserialiser that raises would make a later poll spin for ever.

    Range assignment gives the same partition numbers of topics with equal counts to the same member.
    """
    membership = {
        "group_id": settings.group_id,
        "session_timeout_ms": settings.session_timeout_ms,
        "heartbeat_interval_ms": settings.session_timeout_ms // 4,
        "partition_assignment_strategy": (RangePartitionAssignor,),
    }
    with answering(settings, "consumer"):
        return KafkaConsumer(
            **settings.connection(),
            **(membership if group else {}),
            isolation_level=isolation,
            fetch_max_wait_ms=fetch_max_wait_ms,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            allow_auto_create_topics=False,
        )


def make_producer(settings: KafkaSettings, transactional_id: str | None = None) -> KafkaProducer:
    """An idempotent producer with large compressed batches, transactional where an id is given."""
    transactional = {
        "transactional_id": transactional_id,
        "transaction_timeout_ms": settings.transaction_timeout_ms,
    }
    with answering(settings, "producer"):
        return KafkaProducer(
            **settings.connection(),
            **(transactional if transactional_id else {}),
            allow_auto_create_topics=False,
            batch_size=262_144,
            linger_ms=5,
            compression_type="lz4",
            max_request_size=MAX_OUTPUT_BYTES,
            max_block_ms=settings.commit_timeout_ms,
            delivery_timeout_ms=settings.request_timeout_ms + 1_000,
        )


def close_producer(producer: KafkaProducer, timeout_s: float = 0.0) -> None:
    """Closes a producer for good, also where records cannot be sent any more.

    Its own `close` gives up at unsent records and leaves its thread alive, which would go on sending behind our back.

    Raises:
        LogUnavailableError: records were lost.
    """
    try:
        producer.close(timeout=timeout_s)
    except KafkaError as error:
        producer._sender.force_close()
        with suppress(KafkaError):
            producer.close(timeout=1)
        raise LogUnavailableError(f"producer must send its records before it closes; got {error}") from error
