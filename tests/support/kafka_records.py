"""Records for a Kafka log, and how a test reads and writes them; every wait has a deadline."""

import time
from contextlib import suppress

from stream.codec import JsonCodec
from stream.errors import CommitFailedError, LogUnavailableError
from stream.events import Candidate, Impression, Recommendation, Slot
from stream.log import Progress


def kafka_impression(index: int) -> Impression:
    return Impression(
        impression_id=f"i{index}", user_id=f"u{index}", ts_ms=1_000 + index, candidates=(Candidate(item_id="a"),)
    )


def show(world, indices) -> None:
    """Appends the impressions of these indices; they can be read when this returns."""
    for index in indices:
        world.append(kafka_impression(index))
    world.flush()


def recommendation(decision_id: str) -> bytes:
    return JsonCodec().encode(
        Recommendation(
            decision_id=decision_id,
            impression_id="i",
            user_id="u",
            ts_ms=1,
            slate=(Slot(item_id="a"),),
            strategy="uniform",
            policy_version="0.0",
        )
    )


def done(records) -> dict[int, Progress]:
    after: dict[int, int] = {}
    for record in records:
        after[record.partition] = record.offset + 1
    return {partition: Progress(next={"impressions": offset}) for partition, offset in after.items()}


def poll(log, count: int):
    records = []
    deadline = time.monotonic() + 30
    while len(records) < count and time.monotonic() < deadline:
        records += log.poll(count, 200)
    assert len(records) == count
    return records


def echo(log, upto: int) -> None:
    """Publishes every polled record to outcomes until so many lie there; tries again what fails, as a runner does."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with suppress(CommitFailedError, LogUnavailableError):  # a broker that has just come back may be slow at first
            if sum(len(outcomes(log, partition)) for partition in range(4)) >= upto:
                return
            records = log.poll(5, 200)
            unit = log.begin()
            for record in records:
                unit.publish("outcomes", record.partition, record.key, record.value)
            unit.commit(done(records))


def ids(world, count: int) -> list[str]:
    seen = []
    deadline = time.monotonic() + 30
    while len(seen) < count and time.monotonic() < deadline:
        seen += [found.decision_id for found in world.recommendations(10, 200)]
    return seen


def outcomes(log, partition=0) -> list[bytes]:
    return [record.value for record in log.read("outcomes", partition, 0, log.end("outcomes", partition))]


def publish(log, value: bytes, progress=None):
    unit = log.begin()
    unit.publish("outcomes", 0, b"u", value)
    return unit.commit(progress or {})
