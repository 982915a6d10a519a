"""How fresh the known ends of partitions are; that they are the broker's is shown by the contract of `lag`."""

from kafka import TopicPartition
from kafka.errors import KafkaTimeoutError

from stream.kafka.ends import Ends

A, B = TopicPartition("impressions", 0), TopicPartition("clicks", 0)


class Broker:
    """Answers with ends that grow by one per question, unless it is away."""

    def __init__(self):
        self.asked = []
        self.answers = True

    def end_offsets(self, places, timeout_ms):
        assert timeout_ms
        self.asked.append(sorted(places))
        if not self.answers:
            raise KafkaTimeoutError("no answer")
        return dict.fromkeys(places, len(self.asked))


def test_ends_are_asked_for_anew_when_they_are_old_or_a_partition_is_new():
    times = iter([0.0, 0.05, 0.11, 0.12])
    broker = Broker()
    ends = Ends(broker, lambda: next(times))
    assert ends.of({A}) == {A: 1}
    assert ends.of({A}) == {A: 1}
    assert ends.of({A}) == {A: 2}
    assert ends.of({A, B}) == {A: 3, B: 3}
    assert broker.asked == [[A], [A], [B, A]]


def test_without_an_answer_no_end_is_known_and_none_of_a_partition_that_is_not_asked_about():
    times = iter([0.0, 0.01, 0.2, 0.21])
    broker = Broker()
    ends = Ends(broker, lambda: next(times))
    ends.of({A, B})
    assert ends.of({B}) == {B: 1}
    broker.answers = False
    assert ends.of({A}) == {}
    broker.answers = True
    assert ends.of({A}) == {A: 3}


def test_nobody_is_asked_about_nothing():
    broker = Broker()
    assert Ends(broker, lambda: 0.0).of(()) == {}
    assert broker.asked == []


def test_a_poll_that_found_something_asks_in_advance_and_the_answer_counts_for_that_poll_alone():
    now_s = [0.0]
    broker = Broker()
    ends = Ends(broker, lambda: now_s[0])
    ends.polled({A}, found=True)
    assert (ends.of({A}), ends.current, broker.asked) == ({A: 1}, True, [[A]])
    ends.polled({A}, found=True)  # too soon to ask again
    assert (ends.of({A}), ends.current, broker.asked) == ({A: 1}, False, [[A]])
    now_s[0] = 0.1
    ends.polled({A}, found=True)
    ends.polled({A}, found=True)  # nobody has heard the answer, which is of the poll before
    assert (ends.of({A}), ends.current, broker.asked) == ({A: 2}, False, [[A], [A]])
    ends.polled({A}, found=False)
    assert (ends.of({A}), ends.current, broker.asked) == ({A: 3}, True, [[A], [A], [A]])
    ends.close()
