"""A record as the Kafka client gives it, put into ours: what may be missing there is empty here."""

from types import SimpleNamespace

from stream.kafka.client import as_record
from stream.log import Record


def found(**changes):
    fields = {"partition": 1, "offset": 7, "key": b"u1", "value": b"{}", "headers": [], "timestamp": 5}
    return SimpleNamespace(**fields | changes)


def test_all_fields_are_taken_over():
    record = as_record("clicks", found(headers=[("a", b"1"), ("a", b"2")]))
    assert record == Record("clicks", 1, 7, b"u1", b"{}", (("a", b"1"), ("a", b"2")), 5)


def test_a_missing_value_or_header_is_empty_and_a_missing_key_stays_missing():
    record = as_record("clicks", found(value=None, key=None, headers=[("streambandit-schema", None)]))
    assert (record.value, record.key, record.headers) == (b"", None, (("streambandit-schema", b""),))
