"""What `KafkaLog` promises beyond the contract; see also `test_kafka_commits.py` and `test_kafka_members.py`."""

import pickle
import time

import pytest
from support.kafka_records import ids, kafka_impression, poll, recommendation

from stream.errors import LogUnavailableError, StreamError
from stream.kafka.client import make_admin
from stream.kafka.log import KafkaLog
from stream.kafka.settings import KafkaSettings
from stream.kafka.topics import describe_topics

pytestmark = pytest.mark.kafka


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


def test_the_world_knows_how_far_the_impressions_on_its_topics_reach(kafka):
    world = kafka.world()
    assert world.newest_ms() == 0
    for number in (0, 7, 3):
        world.append(kafka_impression(number))
    world.flush()
    kafka.append_raw("impressions", b"u", b"not an impression")
    assert world.newest_ms() == max(kafka_impression(number).ts_ms for number in (0, 7, 3))


def test_a_cluster_that_does_not_answer_is_named_with_its_cause():
    settings = KafkaSettings(bootstrap_servers="127.0.0.1:9", bootstrap_timeout_ms=300)
    with pytest.raises(LogUnavailableError, match=r"127\.0\.0\.1:9 must answer within 300 ms.*refused"):
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
    with pytest.raises(ValueError, match="password or password_file, must be set"):
        KafkaSettings(security_protocol="SASL_SSL", sasl_mechanism="PLAIN", username="agent")
