"""What a commit of `KafkaLog` promises beyond the contract; most of it is a trap that was measured, see the names."""

import threading
import time

import pytest
from kafka import KafkaConsumer, KafkaProducer
from kafka.errors import KafkaTimeoutError
from support.kafka_records import done, kafka_impression, outcomes, poll, publish, show

from stream.errors import CommitFailedError, StreamError
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


# What is on its way


def late(monkeypatch, guarantee, seconds):
    """Lets the last step of each settling begin so much later."""
    owner, name = (KafkaProducer, "commit_transaction") if guarantee == "exactly_once" else (KafkaConsumer, "commit")
    last_step = getattr(owner, name)

    def later(self, *arguments, **named):
        time.sleep(seconds)
        return last_step(self, *arguments, **named)

    monkeypatch.setattr(owner, name, later)


def sent(log, records):
    unit = log.begin()
    for record in records:
        unit.publish("outcomes", record.partition, record.key, record.value)
    unit.send(done(records))
    return unit


@pytest.mark.parametrize("guarantee", ["exactly_once", "low_latency"])
def test_a_rebalance_waits_for_what_is_on_its_way_and_nothing_comes_again(kafka, monkeypatch, guarantee):
    world, first = kafka.world(), kafka.log(0, guarantee=guarantee)
    show(world, range(40))
    records = poll(first, 40)
    late(monkeypatch, guarantee, 2.0)
    unit = sent(first, records)
    found, stop = [], threading.Event()

    def other_member():
        log = kafka.log(1, guarantee=guarantee)
        while not stop.is_set():
            mine = log.poll(100, 100)
            if mine:
                sent(log, mine).landed()
                found.extend(mine)

    thread = threading.Thread(target=other_member)
    thread.start()
    try:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and len(first.assignment()) == 4:
            assert first.poll(100, 100) == []
        assert len(first.assignment()) == 2
        assert len(unit.landed()) == 40
        monkeypatch.undo()
        show(world, range(40, 60))  # and both go on under the new generation
        while time.monotonic() < deadline and len(found) < 20:
            mine = first.poll(100, 100)
            sent(first, mine).landed()
            found.extend(mine)
    finally:
        stop.set()
        thread.join(20)
    values = [value for partition in range(4) for value in outcomes(first, partition)]
    assert len(values) == len(set(values)) == 60


def test_only_one_unit_is_on_its_way(kafka, monkeypatch):
    log = kafka.log()
    late(monkeypatch, "exactly_once", 0.5)
    unit, following = sent(log, []), log.begin()
    following.publish("outcomes", 0, b"u", b"second")
    with pytest.raises(StreamError, match="must have landed before the next one is sent"):
        following.send({})
    assert unit.landed() == ()


def test_what_was_polled_upon_a_unit_that_does_not_land_comes_again_with_it(kafka):
    world, log = kafka.world(), kafka.log()
    publish(log, b"before")
    show(world, range(8))
    records = poll(log, 4)
    TransactionalPublisher(kafka.settings, f"{kafka.settings.group_id}-0").close()  # the same runner, started again
    unit = sent(log, records)
    meanwhile = poll(log, 4)
    with pytest.raises(CommitFailedError):
        unit.landed()
    again = poll(log, 8)
    assert {(each.partition, each.offset) for each in again} == {
        (each.partition, each.offset) for each in [*records, *meanwhile]
    }
    assert len(sent(log, again).landed()) == 8


@pytest.mark.parametrize("guarantee", ["exactly_once", "low_latency"])
def test_closing_waits_for_what_is_on_its_way(kafka, monkeypatch, guarantee):
    world, log = kafka.world(), kafka.log(0, guarantee=guarantee)
    show(world, range(4))
    late(monkeypatch, guarantee, 1.0)
    sent(log, poll(log, 4))
    log.close()
    monkeypatch.undo()
    next_run = kafka.log(0, guarantee=guarantee)
    assert next_run.poll(10, 3_000) == []
    assert sum(len(outcomes(next_run, partition)) for partition in range(4)) == 4


def test_positions_that_could_not_be_committed_fail_the_next_unit_and_all_comes_again(kafka, monkeypatch):
    world, log = kafka.world(), kafka.log(guarantee="low_latency")
    show(world, range(6))

    def refuse(*arguments, **named):
        raise KafkaTimeoutError("no answer")

    monkeypatch.setattr(KafkaConsumer, "commit", refuse)
    first = poll(log, 3)
    assert len(sent(log, first).landed()) == 3  # its events are visible; its positions follow
    following = sent(log, poll(log, 3))
    with pytest.raises(CommitFailedError, match="positions must be committed"):
        following.landed()
    monkeypatch.undo()
    again = poll(log, 6)
    assert len(sent(log, again).landed()) == 6
    log.close()
    assert kafka.log(guarantee="low_latency").poll(10, 3_000) == []
