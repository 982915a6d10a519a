"""All that the agent does with the broker, once: polls, publishes, commits, restores."""

import time

from stream.events import Candidate, Click, Impression
from stream.kafka.log import KafkaLog
from stream.kafka.settings import KafkaSettings
from stream.kafka.world import KafkaWorldLog
from stream.log import INPUT_TOPICS, OUTPUT_TOPICS, Progress, Record
from support.kafka_records import recommendation

DEADLINE_S = 20
USERS = [f"u{index}" for index in range(5)]


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


def cycle(settings: KafkaSettings, world: KafkaSettings) -> None:
    """Everything in the order of a run and a restart; whatever is refused raises."""
    show(world)
    log = KafkaLog(settings)
    try:
        records = polled(log)
        progress = publish(log, records)
        partition = records[-1].partition
        for topic in (*INPUT_TOPICS, *OUTPUT_TOPICS):
            where = 0 if topic == "dead-letters" else partition
            end = log.end(topic, where)
            assert list(log.read(topic, where, 0, end)), topic
    finally:
        log.close()
    again = KafkaLog(settings)
    try:
        for partition, before in progress.items():
            found = again.progress(partition)
            assert found is not None
            assert found.next["impressions"] == before.next["impressions"]
    finally:
        again.close()


def publish(log: KafkaLog, records: list[Record]) -> dict[int, Progress]:
    """Commits an event of each output, with positions of the partitions that records came from."""
    partition = records[0].partition
    unit = log.begin()
    for topic in OUTPUT_TOPICS:
        unit.publish(topic, partition, b"u", recommendation("d"))
    taken = [record for record in records if record.topic == "impressions"]
    progress = {record.partition: Progress(next={"impressions": record.offset + 1}) for record in taken}
    assert len(unit.commit(progress)) == len(OUTPUT_TOPICS)
    return progress


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
