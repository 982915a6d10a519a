"""A recorded log as a file of JSON lines, one record each: to keep a run, look at it, and play it again."""

from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from stream.codec import Codec, JsonCodec
from stream.errors import CodecError
from stream.events import Click, Impression, Recommendation
from stream.log import Record, Topic, WorldLog


class _Base64(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Bytes that are not UTF-8."""

    base64: str


_Content = str | _Base64


class _Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A record as it stands in the file."""

    topic: Topic
    partition: int
    offset: int
    key: _Content | None
    value: _Content
    headers: list[tuple[str, _Content]]
    timestamp_ms: int


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(_Line)


def write_records(path: Path, records: Iterable[Record]) -> int:
    """Writes records to a new file, one per line, and returns how many.

    Raises:
        OSError: the file cannot be written.
    """
    count = 0
    with path.open("wb") as file:
        for record in records:
            file.write(_line_of(record))
            count += 1
    return count


def read_records(path: Path) -> Iterator[Record]:
    """The records of a file, in its order; empty lines are passed over.

    Raises:
        OSError: the file cannot be read.
        CodecError: a line is not a record; the message names the file and the line.
    """
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if line.strip():
                try:
                    yield _record_of(_decoder.decode(line))
                except (msgspec.DecodeError, ValueError) as error:
                    raise CodecError(f"line {number} of {path} must be a record: {error}; got {line[:80]!r}") from error


class RecordingWorldLog:
    """A `WorldLog` that writes what is appended to a file while passing it on; use it as a context manager.

    The log settles partitions and offsets on its own, so in the file every record is of partition 0, with the offsets
    of the file's order by topic and the event's own time.

    Args:
        log: the log that is written to.
        path: the file, written anew.
        codec: the wire format of the recorded values.
    """

    def __init__(self, log: WorldLog, path: Path, codec: Codec | None = None) -> None:
        self._log, self._codec = log, codec or JsonCodec()
        self._file = path.open("wb")
        self._next: dict[Topic, int] = {"impressions": 0, "clicks": 0}

    def append(self, event: Impression | Click) -> None:
        """Appends to the log, then to the file: what the log refuses is not recorded."""
        self._log.append(event)
        topic: Topic = "impressions" if isinstance(event, Impression) else "clicks"
        record = Record(
            topic=topic,
            partition=0,
            offset=self._next[topic],
            key=event.user_id.encode(),
            value=self._codec.encode(event),
            headers=self._codec.headers,
            timestamp_ms=event.ts_ms,
        )
        self._next[topic] += 1
        self._file.write(_line_of(record))

    def recommendations(self, max_records: int, timeout_ms: int) -> list[Recommendation]:
        """The log's recommendations; not recorded."""
        return self._log.recommendations(max_records, timeout_ms)

    def flush(self) -> None:
        """Flushes the log and the file."""
        self._log.flush()
        self._file.flush()

    def close(self) -> None:
        """Closes the file and the log; safe to call twice."""
        self._file.close()
        self._log.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _line_of(record: Record) -> bytes:
    line = _Line(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        key=None if record.key is None else _content(record.key),
        value=_content(record.value),
        headers=[(name, _content(value)) for name, value in record.headers],
        timestamp_ms=record.timestamp_ms,
    )
    return _encoder.encode(line) + b"\n"


def _record_of(line: _Line) -> Record:
    return Record(
        topic=line.topic,
        partition=line.partition,
        offset=line.offset,
        key=None if line.key is None else _raw(line.key),
        value=_raw(line.value),
        headers=tuple((name, _raw(value)) for name, value in line.headers),
        timestamp_ms=line.timestamp_ms,
    )


def _content(raw: bytes) -> _Content:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return _Base64(b64encode(raw).decode())


def _raw(content: _Content) -> bytes:
    return content.encode() if isinstance(content, str) else b64decode(content.base64, validate=True)
