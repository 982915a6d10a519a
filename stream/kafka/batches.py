"""Reads fetched records a batch at a time, in a fraction of the time that the client takes record by record.

Which records are committed, and where to go on, is decided here batch by batch with the client's own means.

References:
    The format of a batch: https://kafka.apache.org/documentation/#recordbatch
"""

from collections.abc import Iterator, Mapping
from typing import Any

from kafka import KafkaConsumer
from kafka.consumer.fetcher import Fetcher
from kafka.errors import CorruptRecordError
from kafka.record.default_records import DefaultRecordBatch
from kafka.record.memory_records import MemoryRecords

from stream.log import Headers, Record, Topic

_KNOWN_HEADERS = 1_000  # different headers that are kept; nearly all records of a topic have the same
_MAGIC = 2  # of the format that every broker since 0.11 writes


def read_batch_wise(consumer: KafkaConsumer, roles: Mapping[str, Topic]) -> None:
    """Makes a consumer return `Record`s.

    Args:
        consumer: one that has read nothing yet.
        roles: of its topics, by their names on the broker.
    """
    consumer._fetcher.PartitionRecords = _batch_wise(roles)


def _batch_wise(roles: Mapping[str, Topic]) -> type[Fetcher.PartitionRecords]:
    known: dict[bytes, Headers] = {}

    class BatchWise(Fetcher.PartitionRecords):
        """The records of one fetched partition."""

        def _unpack_records(self, tp: Any, records: MemoryRecords, *_: Any) -> Iterator[Record]:  # noqa: ANN401
            topic = roles[tp.topic]
            while (batch := records.next_batch()) is not None:
                if not batch.validate_crc() or batch.magic != _MAGIC:
                    raise CorruptRecordError(
                        f"batch of {tp} at {batch.base_offset} must be whole and of magic {_MAGIC}"
                    )
                if self._is_visible(batch):
                    self.records_read += batch.records_count
                    for record in records_of(topic, tp.partition, batch, known):
                        self.next_fetch_offset = record.offset + 1
                        yield record
                self.bytes_read += batch.size_in_bytes
                self.leader_epoch = batch.leader_epoch
                self.next_fetch_offset = batch.next_offset
            self.drain()

        def _is_visible(self, batch: DefaultRecordBatch) -> bool:
            if batch.has_producer_id():
                self._consume_aborted_transactions_up_to(batch.last_offset)
                if self._contains_abort_marker(batch):
                    self.aborted_producer_ids.discard(batch.producer_id)
                elif self._is_batch_aborted(batch):
                    return False
            return not batch.is_control_batch

    return BatchWise


def records_of(topic: Topic, partition: int, batch: DefaultRecordBatch, known: dict[bytes, Headers]) -> list[Record]:
    """All records of a batch.

    Args:
        topic: their topic's role.
        partition: of the topic.
        batch: in format 2.
        known: headers that were met before, by their bytes; grows.

    Raises:
        CorruptRecordError: the batch is not what its format says.
    """
    batch._maybe_uncompress()
    content = bytes(memoryview(batch._buffer)[batch._pos :])
    appended = batch.timestamp_type == batch.LOG_APPEND_TIME
    base, first_ms = batch.base_offset, batch.max_timestamp if appended else batch.first_timestamp
    records, at = [], 0
    try:
        for _ in range(batch.records_count):
            length, at = _varint(content, at)
            end = at + length
            delta_ms, at = _varint(content, at + 1)
            delta, at = _varint(content, at)
            size, at = _varint(content, at)
            key = content[at : at + size] if size >= 0 else None
            size, at = _varint(content, at + max(size, 0))
            value = content[at : at + max(size, 0)]
            tail = content[at + max(size, 0) : end]
            headers = known.get(tail)
            if headers is None:
                headers = _headers(tail, known)
            time_ms = first_ms if appended else first_ms + delta_ms
            records.append(Record(topic, partition, base + delta, key, value, headers, time_ms))
            at = end
    except (IndexError, UnicodeDecodeError) as error:
        raise CorruptRecordError(f"batch at {base} must hold whole records; {error}") from error
    if at != len(content):
        raise CorruptRecordError(f"batch at {base} must end with its last record; {len(content) - at} bytes are left")
    return records


def _varint(content: bytes, at: int) -> tuple[int, int]:
    """A whole number in zigzag coding, of one to ten bytes, and where the next one begins."""
    value = content[at]
    if value < 128:
        return (value >> 1) ^ -(value & 1), at + 1
    high = content[at + 1]
    if high < 128:
        value = (value & 127) | high << 7
        return (value >> 1) ^ -(value & 1), at + 2
    value, shift = 0, 0
    for place in range(at, at + 10):
        value |= (content[place] & 127) << shift
        shift += 7
        if content[place] < 128:
            return (value >> 1) ^ -(value & 1), place + 1
    raise IndexError(f"a number must end within 10 bytes; got {content[at : at + 10]!r}")


def _headers(tail: bytes, known: dict[bytes, Headers]) -> Headers:
    count, at = _varint(tail, 0)
    found = []
    for _ in range(count):
        size, at = _varint(tail, at)
        name = tail[at : at + size].decode(errors="replace")  # C clients write any bytes; one must not stop a topic
        size, at = _varint(tail, at + size)
        found.append((name, tail[at : at + max(size, 0)]))
        at += max(size, 0)
    if at != len(tail):
        raise IndexError(f"headers must end with their record; {len(tail) - at} bytes are left")
    if len(known) >= _KNOWN_HEADERS:
        known.clear()
    known[tail] = tuple(found)
    return known[tail]
