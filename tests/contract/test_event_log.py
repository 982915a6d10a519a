"""What every log promises, run over `MemoryLog` and `KafkaLog`."""

import time
from collections import defaultdict

import pytest

from stream.codec import SCHEMA_HEADER, JsonCodec, dead_letter_headers, read_dead_letter
from stream.errors import CommitFailedError, StreamError
from stream.events import Click, DeadLetter, Impression
from stream.log import Progress, Published, TopicPartition

CODEC = JsonCodec()


def done(records) -> dict[int, Progress]:
    """The progress that says that these records are processed."""
    after = defaultdict(dict)
    for record in records:
        after[record.partition][record.topic] = record.offset + 1
    return {partition: Progress(next=offsets) for partition, offsets in after.items()}


def ids(records) -> list[str]:
    return [CODEC.decode(record.value, Impression).impression_id for record in records]


def test_nothing_is_committed_at_the_start(logs):
    assert logs.agent.poll(max_records=10, timeout_ms=10) == []
    assert all(logs.agent.progress(partition) is None for partition in range(logs.partitions))
    assert logs.agent.end("outcomes", 0) == 0


def test_records_come_in_order_of_their_offsets_within_a_partition(logs):
    shown = logs.show(40)
    by_partition = defaultdict(list)
    for record in logs.take(40):
        by_partition[record.partition].append(record)
    assert len(by_partition) > 1, "40 users must not all lie in one partition"
    order = {impression.impression_id: index for index, impression in enumerate(shown)}
    for records in by_partition.values():
        assert [record.offset for record in records] == list(range(len(records)))
        positions = [order[impression_id] for impression_id in ids(records)]
        assert positions == sorted(positions)


def test_all_partitions_are_owned_by_the_only_reader(logs):
    logs.show(1)
    logs.take(1)
    assert logs.agent.assignment() == frozenset(range(logs.partitions))


def test_a_record_carries_key_value_and_headers_as_they_were_appended(logs):
    [impression] = logs.show(1, user="ü1")
    [record] = logs.take(1)
    assert (record.topic, record.key, CODEC.decode(record.value, Impression)) == (
        "impressions",
        "ü1".encode(),
        impression,
    )
    assert dict(record.headers)[SCHEMA_HEADER] == b"1"
    assert record.timestamp_ms > 0


def test_bytes_that_are_no_event_are_delivered_like_any_other(logs):
    logs.append_raw("clicks", b"u1", b"\xff not json", (("x", b"1"),))
    logs.append_raw("clicks", None, b"")
    found = {record.value: record for record in logs.take(2)}
    assert found[b"\xff not json"].headers == (("x", b"1"),)
    assert found[b""].key is None


def test_a_user_has_one_partition_in_both_input_topics(logs):
    for impression in logs.show(20):
        logs.world.append(logs.click(impression))
    logs.world.flush()
    places = defaultdict(set)
    for record in logs.take(40):
        places[record.key].add(record.partition)
    assert len(places) == 20
    assert all(len(partitions) == 1 for partitions in places.values())


def test_a_published_event_is_visible_after_the_commit_and_not_before(logs):
    logs.show(1)
    records = logs.take(1)
    partition = records[0].partition
    unit = logs.agent.begin()
    unit.publish("outcomes", partition, b"u0", b"value", (("h", b"1"),))
    assert list(logs.agent.read("outcomes", partition, 0, 10)) == []
    [published] = unit.commit(done(records))
    assert published == Published("outcomes", partition, 0)
    [found] = logs.agent.read("outcomes", partition, 0, 1)
    assert (found.topic, found.partition, found.offset) == published
    assert (found.key, found.value, found.headers) == (b"u0", b"value", (("h", b"1"),))


def test_an_abort_leaves_nothing_visible_and_the_inputs_come_again(logs):
    logs.show(10)
    first = logs.take(10)
    unit = logs.agent.begin()
    unit.publish("outcomes", 0, b"u", b"aborted")
    unit.abort()
    assert sorted(logs.take(10), key=str) == sorted(first, key=str)
    assert list(logs.agent.read("outcomes", 0, 0, 10)) == []
    assert logs.agent.progress(0) is None


def test_an_abort_goes_back_to_the_committed_position_and_no_further(logs):
    logs.show(6, user="u1")
    first = logs.take(3)
    logs.agent.begin().commit(done(first))
    logs.take(3)
    logs.agent.begin().abort()
    assert ids(logs.take(3)) == ["i3", "i4", "i5"]


def test_a_commit_that_fails_leaves_nothing_visible_and_the_inputs_come_again(logs):
    logs.show(3)
    logs.take(3)
    unit = logs.agent.begin()
    unit.publish("outcomes", 0, b"u", b"failed")
    not_owned = logs.partitions
    with pytest.raises(CommitFailedError, match=str(not_owned)):
        unit.commit({not_owned: Progress(next={"impressions": 1})})
    again = logs.take(3)
    assert list(logs.agent.read("outcomes", 0, 0, 10)) == []
    unit = logs.agent.begin()
    unit.publish("outcomes", 0, b"u", b"good")
    unit.commit(done(again))
    assert [record.value for record in logs.agent.read("outcomes", 0, 0, 10)] == [b"good"]


def test_progress_comes_back_as_it_was_committed(logs):
    [impression] = logs.show(1)
    logs.world.append(logs.click(impression))
    logs.world.flush()
    partition = logs.take(2)[0].partition
    progress = Progress(
        next={"impressions": 1, "clicks": 1},
        low={"impressions": 0, "clicks": 1, "recommendations": 0},
        watermark_ms=impression.ts_ms,
    )
    logs.agent.begin().commit({partition: progress})
    assert logs.agent.progress(partition) == progress
    reader = logs.reopen()
    logs.show(1, user=impression.user_id)
    logs.take(1, reader)
    assert reader.progress(partition) == progress


def test_a_topic_that_a_commit_does_not_name_keeps_its_position(logs):
    [impression] = logs.show(1)
    logs.world.append(logs.click(impression))
    logs.world.flush()
    partition = logs.take(2)[0].partition
    logs.agent.begin().commit({partition: Progress(next={"clicks": 1}, watermark_ms=1)})
    logs.agent.begin().commit({partition: Progress(next={"impressions": 1}, watermark_ms=2)})
    assert logs.agent.progress(partition) == Progress(next={"impressions": 1, "clicks": 1}, watermark_ms=2)


def test_a_reader_goes_on_at_the_committed_positions(logs):
    logs.show(5, user="u1")
    logs.agent.begin().commit(done(logs.take(3)))
    logs.agent.begin().abort()
    assert ids(logs.take(2, logs.reopen())) == ["i3", "i4"]


def test_a_unit_of_positions_only_commits(logs):
    logs.show(2, user="u1")
    records = logs.take(2)
    assert list(logs.agent.begin().commit(done(records))) == []
    assert logs.agent.progress(records[0].partition).next == {"impressions": 2}
    assert list(logs.agent.begin().commit({})) == []


def test_positions_are_returned_in_the_order_of_publish_and_can_be_read(logs):
    sent = [
        ("outcomes", 1, b"o1"),
        ("recommendations", 1, b"r1"),
        ("outcomes", 0, b"o0"),
        ("outcomes", 1, b"o2"),
        ("dead-letters", 3, b"d"),
    ]
    for round_ in range(3):  # transaction markers stand between the rounds
        unit = logs.agent.begin()
        for topic, partition, value in sent:
            unit.publish(topic, partition, b"u", value + b"%d" % round_)
        published = unit.commit({})
        assert [place.topic for place in published] == [topic for topic, _, _ in sent]
        for place, (_, _, value) in zip(published, sent, strict=True):
            [found] = logs.agent.read(place.topic, place.partition, place.offset, place.offset + 1)
            assert found.value == value + b"%d" % round_
    everything = logs.agent.read("outcomes", 1, 0, logs.agent.end("outcomes", 1))
    assert [record.value for record in everything] == [b"o10", b"o20", b"o11", b"o21", b"o12", b"o22"]


def test_a_read_keeps_its_bounds(logs):
    unit = logs.agent.begin()
    for index in range(6):
        unit.publish("outcomes", 2, b"u", b"%d" % index)
    unit.commit({})

    def values(start: int, stop: int) -> list[bytes]:
        return [record.value for record in logs.agent.read("outcomes", 2, start, stop)]

    assert values(2, 4) == [b"2", b"3"]
    assert values(4, 1_000) == [b"4", b"5"]
    assert values(3, 3) == values(5, 2) == values(100, 200) == []
    assert logs.agent.end("outcomes", 2) >= 6


def test_a_read_does_not_move_the_position_of_poll(logs):
    logs.show(4, user="u1")
    [first] = logs.take(1)
    assert len(list(logs.agent.read("impressions", first.partition, 0, 4))) == 4
    assert ids(logs.take(3)) == ["i1", "i2", "i3"]


def test_inputs_from_the_low_position_on_stay_readable_after_a_commit(logs):
    logs.show(6, user="u1")
    partition = logs.take(6)[0].partition
    logs.agent.begin().commit({partition: Progress(next={"impressions": 6}, low={"impressions": 2})})
    assert ids(logs.agent.read("impressions", partition, 2, 6)) == ["i2", "i3", "i4", "i5"]


def test_lag_counts_what_waits(logs):
    logs.show(10, user="u1")
    records = logs.take(3)
    place = TopicPartition("impressions", records[0].partition)
    assert logs.agent.lag()[place] == 7
    logs.take(7)
    assert sum(logs.agent.lag().values()) == 0


def test_lag_counts_what_came_after_the_last_poll(logs):
    logs.show(3, user="u1")
    place = TopicPartition("impressions", logs.take(3)[0].partition)
    assert logs.agent.lag()[place] == 0
    logs.show(2, user="u1")
    deadline = time.monotonic() + 5
    while logs.agent.lag()[place] != 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    assert logs.agent.lag()[place] == 2


def test_a_dead_letter_keeps_its_bytes_and_where_it_came_from(logs):
    letter = DeadLetter(value=b"\xff", topic="clicks", partition=3, offset=7, reason="Click is not valid: ü")
    unit = logs.agent.begin()
    unit.publish("dead-letters", letter.partition, b"u", letter.value, dead_letter_headers(letter))
    [place] = unit.commit({})
    assert place.partition == 0
    [found] = logs.agent.read("dead-letters", 0, place.offset, place.offset + 1)
    assert read_dead_letter(found.value, found.headers) == letter


def test_the_world_sees_recommendations_once_they_are_committed(logs):
    shown = logs.show(5, user="u1")
    records = logs.take(5)
    unit = logs.agent.begin()
    for impression, record in zip(shown, records, strict=True):
        value = CODEC.encode(logs.recommendation(impression))
        unit.publish("recommendations", record.partition, record.key, value, CODEC.headers)
    assert logs.world.recommendations(max_records=10, timeout_ms=50) == []
    unit.commit(done(records))
    assert logs.recommended(5) == [logs.recommendation(impression) for impression in shown]
    assert logs.world.recommendations(max_records=10, timeout_ms=50) == []


def test_the_loop_closes_from_impression_to_click(logs):
    [impression] = logs.show(1)
    records = logs.take(1)
    unit = logs.agent.begin()
    value = CODEC.encode(logs.recommendation(impression))
    unit.publish("recommendations", records[0].partition, records[0].key, value)
    unit.commit(done(records))
    logs.recommended(1)
    logs.world.append(logs.click(impression))
    logs.world.flush()
    [record] = logs.take(1)
    assert (record.topic, record.offset) == ("clicks", 0)
    assert CODEC.decode(record.value, Click) == logs.click(impression)


def test_a_unit_is_used_once(logs):
    unit = logs.agent.begin()
    with pytest.raises(StreamError, match="before the next one"):
        logs.agent.begin()
    unit.commit({})
    with pytest.raises(StreamError, match="used once"):
        unit.commit({})
    with pytest.raises(StreamError, match="used once"):
        unit.publish("outcomes", 0, b"u", b"v")
    unit.abort()  # of a used unit does nothing, so that an error path may always call it
    logs.agent.begin().abort()


def test_a_publish_must_name_an_output_topic_and_a_partition_of_it(logs):
    unit = logs.agent.begin()
    with pytest.raises(StreamError, match="impressions"):
        unit.publish("impressions", 0, b"u", b"v")
    with pytest.raises(StreamError, match=r"outcomes\[4\]"):
        unit.publish("outcomes", logs.partitions, b"u", b"v")
    unit.abort()


def test_closing_twice_is_harmless_and_what_was_appended_stays(logs):
    logs.show(1)
    for side in (logs.agent, logs.world):
        side.close()
        side.close()
    assert len(logs.take(1, logs.reopen())) == 1


# A unit on its way


def test_the_next_records_are_polled_and_the_next_unit_is_begun_while_one_is_on_its_way(logs):
    logs.show(6)
    first = logs.take(3)
    unit = logs.agent.begin()
    for record in first:
        unit.publish("outcomes", record.partition, record.key, record.value)
    unit.send(done(first))
    second = logs.take(3)
    following = logs.agent.begin()
    for record in second:
        following.publish("outcomes", record.partition, record.key, record.value)
    places = unit.landed()
    assert [(place.topic, place.partition) for place in places] == [("outcomes", record.partition) for record in first]
    following.commit(done(second))
    after = done([*first, *second])
    assert {partition: logs.agent.progress(partition).next for partition in after} == {
        partition: progress.next for partition, progress in after.items()
    }
    read = [
        record.value
        for partition in range(logs.partitions)
        for record in logs.agent.read("outcomes", partition, 0, logs.agent.end("outcomes", partition))
    ]
    assert sorted(read) == sorted(record.value for record in [*first, *second])


def test_a_unit_lands_once_and_only_after_it_was_sent(logs):
    unit = logs.agent.begin()
    with pytest.raises(StreamError, match="must be sent before it lands"):
        unit.landed()
    unit.publish("outcomes", 0, b"u", b"value")
    unit.send({})
    assert [place[:2] for place in unit.landed()] == [("outcomes", 0)]
    with pytest.raises(StreamError, match="lands once"):
        unit.landed()


def test_a_reader_that_is_set_back_goes_on_behind_the_unit_that_is_on_its_way(logs):
    logs.show(6)
    first = logs.take(3)
    unit = logs.agent.begin()
    unit.publish("outcomes", 0, b"u", b"value")
    unit.send(done(first))
    second = logs.take(3)
    logs.agent.begin().abort()
    again = logs.take(3)
    assert {(record.partition, record.offset) for record in again} == {
        (record.partition, record.offset) for record in second
    }
    logs.agent.begin().commit(done(again))
    assert [record.value for record in logs.agent.read("outcomes", 0, 0, logs.agent.end("outcomes", 0))] == [b"value"]
