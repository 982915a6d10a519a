"""How fresh the known ends of partitions are; that they are the broker's is shown by the contract of `lag`."""

from threading import Event

import pytest
from kafka import TopicPartition
from kafka.errors import KafkaTimeoutError

from stream.kafka.ends import Ends

A, B = TopicPartition("impressions", 0), TopicPartition("clicks", 0)
WAIT_S = 10.0


class Broker:
    """Answers with ends that grow by one per question, unless it is away; it may be told to think first."""

    def __init__(self):
        self.asked = []
        self.answers = True
        self.thinking, self.asked_now = Event(), Event()
        self.thinking.set()

    def end_offsets(self, places, timeout_ms):
        assert timeout_ms
        self.asked_now.set()
        assert self.thinking.wait(WAIT_S)
        self.asked.append(sorted(places))
        if not self.answers:
            raise KafkaTimeoutError("no answer")
        return dict.fromkeys(places, len(self.asked))


@pytest.fixture
def broker():
    return Broker()


@pytest.fixture
def ends_at(broker):
    """Ends by a clock that says what is passed in."""
    now = [0.0]
    ends = Ends(broker, lambda: now[0])

    def at(now_s, places):
        now[0] = now_s
        return ends.of(places)

    yield at
    broker.thinking.set()
    ends.close()


def test_what_is_not_known_or_too_old_is_waited_for(broker, ends_at):
    assert ends_at(0.0, {A}) == {A: 1}
    assert ends_at(0.05, {A}) == {A: 1}
    assert ends_at(0.31, {A}) == {A: 2}
    assert ends_at(0.32, {A, B}) == {A: 3, B: 3}
    assert broker.asked == [[A], [A], [B, A]]


def test_newer_ends_are_asked_for_beside_and_told_once_they_are_there(broker, ends_at):
    assert ends_at(0.0, {A}) == {A: 1}
    broker.asked_now.clear()
    broker.thinking.clear()
    assert ends_at(0.11, {A}) == {A: 1}  # the question is under way
    assert broker.asked_now.wait(WAIT_S)
    assert ends_at(0.2, {A}) == {A: 1}  # and is not asked twice
    broker.thinking.set()
    assert ends_at(0.26, {A}) == {A: 2}  # old by now, so the answer is waited for; it is of 0.11
    assert broker.asked == [[A], [A]]


def test_a_question_under_way_about_other_partitions_does_not_do(broker, ends_at):
    assert ends_at(0.0, {A}) == {A: 1}
    assert ends_at(0.11, {A}) == {A: 1}
    assert ends_at(0.12, {A, B}) == {A: 3, B: 3}
    assert broker.asked == [[A], [A], [B, A]]


def test_without_an_answer_no_end_is_known_and_none_of_a_partition_that_is_not_asked_about(broker, ends_at):
    ends_at(0.0, {A, B})
    assert ends_at(0.01, {B}) == {B: 1}
    broker.answers = False
    assert ends_at(0.3, {A}) == {}
    broker.answers = True
    assert ends_at(0.31, {A}) == {A: 3}


def test_nobody_is_asked_about_nothing(broker, ends_at):
    assert ends_at(0.0, ()) == {}
    assert broker.asked == []
