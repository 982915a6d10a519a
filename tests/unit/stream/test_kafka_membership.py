"""What a member of a group takes for read: nothing on the word of an end that is older than its last poll."""

from types import SimpleNamespace

import pytest
from kafka import TopicPartition
from kafka.structs import MemberState

from stream.kafka.ends import Ends
from stream.kafka.membership import Membership
from stream.kafka.settings import KafkaSettings
from stream.log import TopicPartition as Place

PLACES = [TopicPartition(topic, partition) for topic in ("impressions", "clicks") for partition in (0, 1)]


class Member:
    """A member that owns two partitions, and the broker that it asks; records are written and polled by the test."""

    def __init__(self):
        self.now_s = 10.0
        self.written = dict.fromkeys(PLACES, 0)
        self.position_of = dict.fromkeys(PLACES, 0)
        self.membership = Membership(self, KafkaSettings(), Ends(self, lambda: self.now_s))

    def assignment(self):
        return set(PLACES)

    def group_metadata(self):
        return SimpleNamespace(generation_id=1, member_id="m", state=MemberState.STABLE)

    def position(self, place, timeout_ms):
        assert timeout_ms == 0
        return self.position_of[place]

    def end_offsets(self, places, timeout_ms):
        assert timeout_ms
        return {place: self.written[place] for place in places}

    def write(self, topic, partition):
        self.written[TopicPartition(topic, partition)] += 1

    def poll(self, *found):
        """Notes a poll that brought one record of each place."""
        for topic, partition in found:
            self.position_of[TopicPartition(topic, partition)] += 1
        self.membership.polled({Place(*place): self.position_of[TopicPartition(*place)] for place in found})


@pytest.fixture
def member():
    member = Member()
    member.poll()
    assert member.membership.lag() == {Place(place.topic, place.partition): 0 for place in PLACES}
    return member


def test_a_partition_is_not_read_to_its_end_by_an_end_from_before_the_poll(member):
    member.write("impressions", 1)
    member.write("impressions", 0)
    member.now_s += 0.06
    member.poll(("impressions", 0))  # that of partition 1 was written before it, and has not come yet
    assert member.membership.lag() == {}
    member.now_s += 0.06
    assert member.membership.lag()[Place("impressions", 1)] == 1
    assert member.membership.lag()[Place("impressions", 0)] == 0


def test_what_is_known_to_wait_stays_known_after_a_poll(member):
    for _ in range(3):
        member.write("clicks", 0)
    member.now_s += 0.2
    member.poll(("clicks", 0))
    assert member.membership.lag()[Place("clicks", 0)] == 2
    member.poll(("clicks", 0))
    assert member.membership.lag() == {Place("clicks", 0): 1}


def test_a_poll_that_found_nothing_is_followed_by_a_question(member):
    member.now_s += 0.01
    member.poll()
    assert set(member.membership.lag().values()) == {0}
