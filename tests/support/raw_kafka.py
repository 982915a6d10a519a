"""Kafka as a client sees it that knows nothing of this project: fresh topics, raw records in, raw records out."""

import uuid

import kafka

from stream.kafka.settings import KafkaSettings
from stream.kafka.topics import create_topics


def fresh_settings(broker, partitions):
    """Topics and a group of a test's own."""
    prefix = uuid.uuid4().hex[:8]
    topics = {role: f"{prefix}-{role}" for role in ("impressions", "clicks", "recommendations", "outcomes")}
    chosen = KafkaSettings(
        bootstrap_servers=broker.bootstrap,
        group_id=f"{prefix}-group",
        topics=topics | {"dead_letters": f"{prefix}-dead"},
        partitions=partitions,
    )
    create_topics(chosen)
    return chosen


def consume(settings, topic):
    """Every committed record of a topic."""
    consumer = kafka.KafkaConsumer(
        bootstrap_servers=settings.bootstrap_servers, isolation_level="read_committed", enable_auto_commit=False
    )
    partitions = [kafka.TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic)]
    consumer.assign(partitions)
    consumer.seek_to_beginning()
    ends, records = consumer.end_offsets(partitions), []
    while any(consumer.position(partition) < ends[partition] for partition in partitions):
        for batch in consumer.poll(timeout_ms=500).values():
            records += batch
    consumer.close()
    return records
