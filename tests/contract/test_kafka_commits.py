"""What a commit of `KafkaLog` promises beyond the contract; most of it is a trap that was measured, see the names."""

import threading
import time

import pytest
from kafka import KafkaProducer
from kafka.errors import KafkaTimeoutError
from support.kafka_records import kafka_impression, outcomes, poll, publish

from stream.errors import CommitFailedError
from stream.kafka.publisher import TransactionalPublisher
from stream.log import Progress

pytestmark = pytest.mark.kafka


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
