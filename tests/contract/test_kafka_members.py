"""What `KafkaLog` promises when readers come and go, partitions are added, and the broker is killed."""

import time
from collections import Counter

import pytest
from support.kafka_records import done, echo, kafka_impression, outcomes, poll

from deploy.broker.broker import start_broker
from stream.errors import CommitFailedError, LogUnavailableError
from stream.kafka.client import make_admin
from stream.kafka.topics import create_topics

pytestmark = pytest.mark.kafka


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
