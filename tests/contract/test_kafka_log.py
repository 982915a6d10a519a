"""What `KafkaLog` promises beyond the contract; most of it is a trap that was measured, see the names."""

import pickle
import threading
import time
from collections import Counter
from contextlib import suppress

import pytest
from kafka import KafkaProducer
from kafka.errors import KafkaTimeoutError

from deploy.broker.broker import start_broker
from stream.codec import JsonCodec
from stream.errors import CommitFailedError, LogUnavailableError, StreamError
from stream.events import Candidate, Impression, Recommendation, Slot
from stream.kafka.client import make_admin
from stream.kafka.log import KafkaLog
from stream.kafka.publisher import TransactionalPublisher
from stream.kafka.settings import KafkaSettings
from stream.kafka.topics import create_topics, describe_topics
from stream.log import Progress

pytestmark = pytest.mark.kafka


def kafka_impression(index: int) -> Impression:
    return Impression(
        impression_id=f"i{index}", user_id=f"u{index}", ts_ms=1_000 + index, candidates=(Candidate(item_id="a"),)
    )


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
    """Publishes every polled record to outcomes until so many lie there."""
    deadline = time.monotonic() + 60
    while sum(len(outcomes(log, partition)) for partition in range(4)) < upto and time.monotonic() < deadline:
        records = log.poll(5, 200)
        unit = log.begin()
        for record in records:
            unit.publish("outcomes", record.partition, record.key, record.value)
        with suppress(CommitFailedError):  # after a crash of the broker the membership may be lost once more
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


def test_a_commit_that_hangs_is_given_up_and_leaves_nothing(kafka, monkeypatch):
    log = kafka.log(commit_timeout_ms=1_000)
    publish(log, b"before")
    let_go = threading.Event()
    monkeypatch.setattr(KafkaProducer, "commit_transaction", lambda _self: let_go.wait(30))
    started = time.monotonic()
    with pytest.raises(CommitFailedError, match="aborted"):
        publish(log, b"hangs")
    assert time.monotonic() - started < 10
    let_go.set()
    monkeypatch.undo()
    publish(log, b"after")
    assert outcomes(log) == [b"before", b"after"]


def test_a_commit_whose_answer_is_lost_counts_once_it_is_seen_to_have_landed(kafka, monkeypatch):
    log = kafka.log()
    commit = KafkaProducer.commit_transaction

    def commit_without_answer(producer: KafkaProducer) -> None:
        commit(producer)
        raise KafkaTimeoutError("no answer")

    monkeypatch.setattr(KafkaProducer, "commit_transaction", commit_without_answer)
    [place] = publish(log, b"landed")
    monkeypatch.undo()
    assert [record.value for record in log.read(*place, place.offset + 1)] == [b"landed"]
    publish(log, b"after")
    assert outcomes(log) == [b"landed", b"after"]


def test_a_send_that_fails_fails_the_commit(kafka):
    log = kafka.log()
    unit = log.begin()
    unit.publish("outcomes", 0, b"u", b"good")
    unit.publish("outcomes", 0, b"u", b"x" * 5_000_000)  # more than a record may have
    with pytest.raises(CommitFailedError, match="MessageSizeTooLarge"):
        unit.commit({})
    publish(log, b"after")
    assert outcomes(log) == [b"after"]


def test_a_transaction_that_outlives_its_timeout_is_no_silent_loss(kafka, monkeypatch):
    log = kafka.log(transaction_timeout_ms=1_000, commit_timeout_ms=60_000)  # past what settings allow
    flush = KafkaProducer.flush

    def slow_flush(producer: KafkaProducer, timeout: float | None = None) -> None:
        flush(producer, timeout)
        time.sleep(4)  # the test broker looks for timed-out transactions every second

    monkeypatch.setattr(KafkaProducer, "flush", slow_flush)
    with pytest.raises(CommitFailedError):
        publish(log, b"lost")
    monkeypatch.undo()
    publish(log, b"after")
    assert outcomes(log) == [b"after"]


def test_a_fenced_producer_fails_its_commit_and_is_replaced(kafka):
    log = kafka.log()
    publish(log, b"first")
    TransactionalPublisher(kafka.settings, f"{kafka.settings.group_id}-0").close()  # the same runner, started again
    with pytest.raises(CommitFailedError):
        publish(log, b"fenced")
    publish(log, b"after")
    assert outcomes(log) == [b"first", b"after"]


def test_a_stale_group_generation_is_refused_by_the_broker(kafka):
    kafka.world().append(kafka_impression(0))
    log = kafka.log()
    [record] = poll(log, 1)
    membership = log._membership
    offsets = membership.offsets({record.partition: Progress(next={"impressions": 1})})
    stale = membership.require_current({})._replace(generation_id=99)
    publisher = TransactionalPublisher(kafka.settings, "other")
    event = ("outcomes", 0, b"u", b"stale", ())
    with pytest.raises(CommitFailedError):
        publisher.publish([event], offsets, stale)
    publisher.publish([("outcomes", 0, b"u", b"current", ())], offsets, membership.require_current({}))
    publisher.close()
    assert outcomes(log) == [b"current"]


def test_members_share_the_partitions_and_a_rebalance_fails_what_was_polled_before_it(kafka):
    world = kafka.world()
    for index in range(40):
        world.append(kafka_impression(index))
    world.flush()
    first = kafka.log(0)
    early = poll(first, 40)
    unit = first.begin()
    for record in early:
        unit.publish("outcomes", record.partition, record.key, record.value)
    second = kafka.log(1)
    deadline = time.monotonic() + 30
    found = {0: [], 1: []}
    while time.monotonic() < deadline and (not second.assignment() or len(first.assignment()) == 4):
        found[0] += first.poll(100, 100)
        found[1] += second.poll(100, 100)
    assert first.assignment() | second.assignment() == {0, 1, 2, 3}
    assert not first.assignment() & second.assignment()
    with pytest.raises(CommitFailedError):
        unit.commit(done(early))
    found[0].clear()  # the failed commit has set the first reader back
    while time.monotonic() < deadline and len(found[0]) + len(found[1]) < 40:
        found[0] += first.poll(100, 100)
        found[1] += second.poll(100, 100)
    for log, records in ((first, found[0]), (second, found[1])):
        unit = log.begin()
        for record in records:
            unit.publish("outcomes", record.partition, record.key, record.value)
        unit.commit(done(records))
    values = Counter(value for partition in range(4) for value in outcomes(first, partition))
    assert values == Counter(record.value for record in early)


def test_a_join_that_outlives_its_poll_is_finished_by_later_ones(kafka):
    log = kafka.log()
    while len(log.assignment()) < 4:
        log.poll(1, 200)
    with make_admin(kafka.settings) as admin:
        names = (kafka.settings.topics.impressions, kafka.settings.topics.clicks)
        admin.create_partitions(dict.fromkeys(names, 5))
    deadline = time.monotonic() + 20
    while len(log.assignment()) < 5 and time.monotonic() < deadline:
        if log._consumer.group_metadata().state == "<stable>":
            log._consumer._cluster.request_update()  # else the client looks for new partitions every five minutes
        log.poll(1, 1)  # a join takes longer than that
    assert log.assignment() == {0, 1, 2, 3, 4}


def test_nothing_is_lost_or_doubled_when_the_broker_is_killed(kafka, tmp_path):
    with start_broker(tmp_path) as own:
        changed = {"bootstrap_servers": own.bootstrap, "commit_timeout_ms": 2_000, "request_timeout_ms": 3_000}
        kafka.settings = kafka.settings.model_copy(update=changed)
        create_topics(kafka.settings)
        world, log = kafka.world(), kafka.log()
        for index in range(30):
            world.append(kafka_impression(index))
        world.flush()
        echo(log, 10)
        before = log.poll(5, 1_000)
        unit = log.begin()
        for record in before:
            unit.publish("outcomes", record.partition, record.key, record.value)
        own.kill()
        with pytest.raises((CommitFailedError, LogUnavailableError)):
            unit.commit(done(before))
        own.start()
        echo(log, 30)
        values = Counter(value for partition in range(4) for value in outcomes(log, partition))
        assert len(values) == 30
        assert set(values.values()) == {1}
        for side in (world, log):
            side.close()


def test_a_deleted_value_is_delivered_as_empty_bytes(kafka):
    kafka.append_raw("clicks", b"u", None)
    log = kafka.log()
    assert [record.value for record in poll(log, 1)] == [b""]


def test_positions_set_by_another_tool_have_no_metadata(kafka):
    log = kafka.log()
    kafka.world().append(kafka_impression(0))
    [record] = poll(log, 1)
    log._consumer.commit()
    log._membership.rewind()
    assert log.progress(record.partition).low == {}
    assert log.progress(record.partition).next["impressions"] == 1


def test_the_world_sees_what_is_published_from_its_construction_on(kafka):
    log = kafka.log()
    unit = log.begin()
    unit.publish("recommendations", 0, b"u", recommendation("old"))
    unit.commit({})
    log.end("recommendations", 0)  # waits until the commit can be read
    late, early = kafka.world(), kafka.world(from_start=True)
    unit = log.begin()
    unit.publish("recommendations", 0, b"u", recommendation("new"))
    unit.commit({})
    assert ids(late, 1) == ["new"]
    assert ids(early, 2) == ["old", "new"]


def test_a_cluster_that_does_not_answer_is_named_with_every_likely_cause():
    settings = KafkaSettings(bootstrap_servers="127.0.0.1:9", bootstrap_timeout_ms=300)
    with pytest.raises(LogUnavailableError, match=r"127\.0\.0\.1:9.*no broker.*password.*ssl_cafile.*TLS"):
        KafkaLog(settings)


def test_missing_topics_and_unequal_partition_counts_are_said_in_words(kafka):
    names = kafka.settings.topics
    with make_admin(kafka.settings) as admin:
        admin.delete_topics([names.clicks, names.outcomes])
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline and {names.clicks, names.outcomes} & set(admin.list_topics()):
            time.sleep(0.1)
        admin.create_topics({names.clicks: {"num_partitions": 2, "replication_factor": 1}}, wait_for_metadata=True)
    report = describe_topics(kafka.settings)
    assert [problem.split(";")[0] for problem in report.problems] == [
        f"topic {names.outcomes!r} (outcomes) must exist",
        "all topics but dead-letters must have the same number of partitions",
    ]
    assert report.warnings == (
        f"topic {names.clicks!r} should have message.timestamp.type=LogAppendTime; it has CreateTime",
    )
    with pytest.raises(StreamError, match=r"must exist.*same number of partitions"):
        KafkaLog(kafka.settings)


def test_settings_cross_process_walls_and_hide_the_password():
    settings = KafkaSettings(
        security_protocol="SASL_SSL",
        sasl_mechanism="SCRAM-SHA-512",
        username="agent",
        password="secret-word",  # noqa: S106 - of nobody
    )
    assert pickle.loads(pickle.dumps(settings)) == settings  # noqa: S301 - our own bytes
    assert "secret-word" not in repr(settings)
    assert settings.connection()["sasl_plain_password"] == "secret-word"  # noqa: S105
    with pytest.raises(ValueError, match="password must both be set"):
        KafkaSettings(security_protocol="SASL_SSL", sasl_mechanism="PLAIN", username="agent")
