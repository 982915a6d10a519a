"""A batch of records read at once is what the client's own reader makes of it."""

import pytest
from kafka.errors import CorruptRecordError
from kafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder

from stream.kafka.batches import records_of
from stream.log import Record

HEADERS = [("streambandit-schema", b"1")]


def batch_of(rows, compression=0):
    builder = DefaultRecordBatchBuilder(2, compression, False, -1, -1, -1, 10**7)
    for place, (timestamp, key, value, headers) in enumerate(rows):
        assert builder.append(place, timestamp, key, value, headers)
    return DefaultRecordBatch(bytes(builder.build()))


def of_the_client(rows, compression=0):
    return [
        Record("clicks", 3, each.offset, each.key, each.value or b"", tuple(each.headers), each.timestamp)
        for each in batch_of(rows, compression)
    ]


@pytest.mark.parametrize("compression", [0, 3])
def test_records_are_those_of_the_client(compression):
    rows = [(1_700_000_000_000 + 37 * n, b"u%d" % n, b"x" * (n * 97), HEADERS) for n in range(200)]
    rows += [
        (1_700_000_000_000, None, b"no key, and earlier than the first", []),
        (1_800_000_000_000, b"", None, HEADERS),
        (1_700_000_000_001, b"k" * 70, b"v" * 20_000, [("a", b""), ("b", b"\x00" * 200), ("ü", b"2")]),
    ]
    found = records_of("clicks", 3, batch_of(rows, compression), {})
    assert found == of_the_client(rows, compression)
    assert len(found) == 203


def test_headers_that_recur_are_read_once():
    known = {}
    found = records_of("clicks", 0, batch_of([(5, b"k", b"v", HEADERS)] * 3), known)
    assert len(known) == 1
    assert found[0].headers is found[2].headers


@pytest.mark.parametrize("cut", [1, 5, 40])
def test_a_batch_that_ends_too_early_or_too_late_is_corrupt(cut):
    batch = batch_of([(5, b"k", b"v" * 30, HEADERS)] * 3)
    batch._buffer = batch._buffer[:-cut]
    with pytest.raises(CorruptRecordError, match="batch at 0"):
        records_of("clicks", 0, batch, {})
    batch = batch_of([(5, b"k", b"v" * 30, HEADERS)] * 3)
    batch._buffer = batch._buffer + b"\x00" * cut
    with pytest.raises(CorruptRecordError, match=f"{cut} bytes are left"):
        records_of("clicks", 0, batch, {})


def test_a_missing_value_or_header_is_empty_and_a_missing_key_stays_missing():
    (record,) = records_of("clicks", 0, batch_of([(5, None, None, [("streambandit-schema", None)])]), {})
    assert (record.key, record.value, record.headers) == (None, b"", (("streambandit-schema", b""),))


def test_a_header_whose_name_is_no_text_stops_nothing():
    class Raw(str):
        def encode(self, *_):
            return b"\xff\xfe"

    first, second = records_of("clicks", 0, batch_of([(5, b"k", b"v", [(Raw("x"), b"1")]), (5, b"k", b"w", [])]), {})
    assert (first.headers, first.value, second.value) == ((("\ufffd\ufffd", b"1"),), b"v", b"w")
