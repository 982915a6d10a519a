"""A recorded log: what was written is read again, whatever the bytes, and a wrong line says where it is."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stream.codec import JsonCodec
from stream.errors import CodecError, LogFullError
from stream.events import Candidate, Click, Impression
from stream.log import INPUT_TOPICS, OUTPUT_TOPICS, Record
from stream.memory import MemoryLog
from stream.record_file import RecordingWorldLog, read_records, write_records

RECORDS = st.builds(
    Record,
    topic=st.sampled_from(INPUT_TOPICS + OUTPUT_TOPICS),
    partition=st.integers(0, 64),
    offset=st.integers(0, 2**53),
    key=st.none() | st.binary(max_size=20) | st.text(max_size=20).map(str.encode),
    value=st.binary(max_size=60) | st.text(max_size=60).map(str.encode),
    headers=st.lists(st.tuples(st.text(max_size=8), st.binary(max_size=8)), max_size=3).map(tuple),
    timestamp_ms=st.integers(0, 2**53),
)
IMPRESSION = Impression(impression_id="i1", user_id="ü1", ts_ms=5, candidates=(Candidate(item_id="a", text="Où?"),))
CLICK = Click(impression_id="i1", user_id="ü1", item_id="a", ts_ms=9)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(records=st.lists(RECORDS, max_size=5))
def test_records_survive_the_file(tmp_path, records):
    path = tmp_path / "log.jsonl"
    assert write_records(path, records) == len(records)
    assert list(read_records(path)) == records


def test_text_stands_in_the_file_as_it_is_and_other_bytes_as_base64(tmp_path):
    path = tmp_path / "log.jsonl"
    write_records(path, [Record("clicks", 0, 3, b"u1", b'{"a": 1}', (("v", b"\xff\x00"),), 7)])
    assert path.read_text() == (
        '{"topic":"clicks","partition":0,"offset":3,"key":"u1","value":"{\\"a\\": 1}",'
        '"headers":[["v",{"base64":"/wA="}]],"timestamp_ms":7}\n'
    )


def test_text_that_looks_like_base64_stays_text(tmp_path):
    path = tmp_path / "log.jsonl"
    record = Record("clicks", 0, 0, None, b'{"base64": "/wA="}', (), 1)
    write_records(path, [record])
    assert list(read_records(path)) == [record]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("not json", "malformed"),
        ('{"topic": "clicks"}', "missing required field `partition`"),
        ('{"topic":"sales","partition":0,"offset":0,"key":null,"value":"","headers":[],"timestamp_ms":1}', "sales"),
        (
            '{"topic":"clicks","partition":0,"offset":0,"key":null,"value":{"base64":"?"},"headers":[],"timestamp_ms":1}',
            "base64",
        ),
    ],
)
def test_a_wrong_line_is_named_by_file_and_number(tmp_path, line, reason):
    path = tmp_path / "log.jsonl"
    write_records(path, [Record("clicks", 0, 0, None, b"", (), 1)])
    with path.open("a") as file:
        file.write(f"\n{line}\n")
    records = read_records(path)
    assert next(records).offset == 0
    with pytest.raises(CodecError, match=rf"line 3 of .*log\.jsonl must be a record: .*{reason}"):
        next(records)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.jsonl"):
        next(read_records(tmp_path / "none.jsonl"))


def test_what_is_appended_is_passed_on_and_can_be_played_again(tmp_path):
    path, log, again = tmp_path / "log.jsonl", MemoryLog(), MemoryLog()
    with RecordingWorldLog(log, path) as recording:
        for event in (IMPRESSION, CLICK, CLICK):
            recording.append(event)
        assert recording.recommendations(10, 0) == []
        recording.flush()
        assert len(list(read_records(path))) == 3
    recording.close()
    for record in read_records(path):
        again.append_raw(record.topic, record.key, record.value, record.headers)
    passed_on, replayed = log.poll(10, 0), again.poll(10, 0)
    assert [(r.topic, r.offset, r.value) for r in replayed] == [(r.topic, r.offset, r.value) for r in passed_on]
    assert JsonCodec().decode(replayed[0].value, Impression, replayed[0].headers) == IMPRESSION


def test_what_the_log_refuses_is_not_recorded(tmp_path):
    path = tmp_path / "log.jsonl"
    with RecordingWorldLog(MemoryLog(capacity=1), path) as recording:
        recording.append(IMPRESSION)
        with pytest.raises(LogFullError):
            recording.append(CLICK)
    assert [record.topic for record in read_records(path)] == ["impressions"]
