"""All that the agent does with the broker, once: polls, publishes, commits, restores."""

import time
from typing import NamedTuple

from stream.events import Candidate, Click, Impression
from stream.kafka.log import KafkaLog
from stream.kafka.settings import KafkaSettings
from stream.kafka.world import KafkaWorldLog
from stream.log import INPUT_TOPICS, OUTPUT_TOPICS, Progress, Record
from support.kafka_records import recommendation

DEADLINE_S = 20
USERS = [f"u{index}" for index in range(5)]


class Cycle(NamedTuple):
    """What came of it.

    Attributes:
        read: events of each topic that were read, of a partition that holds some.
        committed: the next impression of each partition, as it was committed.
        restored: the same, as a second log of the group found it.
    """

    read: dict[str, int]
    committed: dict[int, int]
    restored: dict[int, int]


def show(settings: KafkaSettings) -> None:
    """The world's part: an impression of each user, and a click."""
    world = KafkaWorldLog(settings)
    try:
        for user in USERS:
            name, candidates = f"i-{user}", (Candidate(item_id="a"),)
            world.append(Impression(impression_id=name, user_id=user, ts_ms=5, candidates=candidates))
            world.append(Click(impression_id=name, user_id=user, item_id="a", ts_ms=6))
        world.flush()
    finally:
        world.close()


def cycle(settings: KafkaSettings, world: KafkaSettings) -> Cycle:
    """Everything in the order of a run and a restart; whatever is refused raises."""
    show(world)
    log = KafkaLog(settings)
    try:
        records = polled(log)
        committed = publish(log, records)
        partition, read = records[-1].partition, {}
        for topic in (*INPUT_TOPICS, *OUTPUT_TOPICS):
            where = 0 if topic == "dead-letters" else partition
            read[topic] = len(list(log.read(topic, where, 0, log.end(topic, where))))
    finally:
        log.close()
    again = KafkaLog(settings)
    try:
        found = {partition: again.progress(partition) for partition in committed}
    finally:
        again.close()
    restored = {partition: progress.next["impressions"] for partition, progress in found.items() if progress}
    return Cycle(read, committed, restored)


def publish(log: KafkaLog, records: list[Record]) -> dict[int, int]:
    """Commits an event of each output, with positions of the partitions that records came from; these."""
    partition = records[-1].partition
    unit = log.begin()
    for topic in OUTPUT_TOPICS:
        unit.publish(topic, partition, b"u", recommendation("d"))
    taken = [record for record in records if record.topic == "impressions"]
    committed = {record.partition: record.offset + 1 for record in taken}
    unit.commit({partition: Progress(next={"impressions": offset}) for partition, offset in committed.items()})
    return committed


def polled(log: KafkaLog) -> list[Record]:
    """Up to one impression of `show`, so of a partition with a click as well; other tests write others."""
    deadline, users = time.monotonic() + DEADLINE_S, {user.encode() for user in USERS}
    records: list[Record] = []
    while time.monotonic() < deadline:
        for record in log.poll(100, 200):
            if record.topic == "impressions":
                records.append(record)
                if record.key in users:
                    return records
    raise TimeoutError("no impression came")
