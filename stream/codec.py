"""JSON on the wire, decoded and validated into the event structs. One replaceable object: `Codec`."""

import re
from typing import Any, Protocol, TypeVar

import msgspec

from stream.errors import CodecError, EventError
from stream.events import SCHEMA_VERSION, Click, DeadLetter, Event, Impression, Outcome, Recommendation
from stream.heads import ImpressionHead, OutcomeHead, RecommendationHead
from stream.log import Headers, Record
from stream.reason import readable, shown

SCHEMA_HEADER = "streambandit-schema"
MAX_INPUT_BYTES = 1_000_000
MAX_OUTPUT_BYTES = 4_000_000  # an outcome holds its impression, its recommendation and its clicks
MAX_DEAD_LETTER_BYTES = MAX_INPUT_BYTES  # what a topic with a broker's own limits still takes
_MAX_BYTES: dict[type[Event], int] = {
    Impression: MAX_INPUT_BYTES,
    Click: MAX_INPUT_BYTES,
    Recommendation: MAX_OUTPUT_BYTES,
    Outcome: MAX_OUTPUT_BYTES,
}
_HEADS: tuple[type[Event], ...] = (ImpressionHead, RecommendationHead, OutcomeHead)
_GROWTH = 4  # `1e15,` of a sender is written again as `1000000000000000.0,`, and nothing grows more
_BYTE = re.compile(r"\(byte (\d+)\)$")
_VERSION = str(SCHEMA_VERSION).encode()
E = TypeVar("E", bound=Event)


class Codec(Protocol):
    """Turns events into record values and back; another wire format replaces this object.

    An outcome holds its impression again, so an impression must be small enough as this codec would write it.
    """

    headers: Headers

    def encode(self, event: Event) -> bytes:
        """The record value of an event."""
        ...

    def decode(self, value: bytes, kind: type[E], headers: Headers = ()) -> E:
        """The event of a record value.

        Raises:
            CodecError: the bytes are not a valid event of this kind in a known schema version.
        """
        ...


class JsonCodec:
    """The default codec.

    >>> codec = JsonCodec()
    >>> click = Click(impression_id="i1", user_id="u1", item_id="a", ts_ms=1_700_000_000_000)
    >>> codec.decode(codec.encode(click), Click) == click
    True
    >>> codec.decode(b'{"impression_id": "i1", "user_id": "", "item_id": "a", "ts_ms": 5}', Click)
    Traceback (most recent call last):
        ...
    stream.errors.CodecError: Click is not valid: click.user_id must be a non-empty string; got ''
    """

    headers: Headers = ((SCHEMA_HEADER, _VERSION),)

    def __init__(self) -> None:
        self._encoder = msgspec.json.Encoder()
        self._decoders: dict[type[Event], msgspec.json.Decoder[Any]] = {
            kind: msgspec.json.Decoder(kind) for kind in (*_MAX_BYTES, *_HEADS)
        }

    def encode(self, event: Event) -> bytes:
        """The event as compact JSON; fields at their default are left out."""
        return self._encoder.encode(event)

    def decode(self, value: bytes, kind: type[E], headers: Headers = ()) -> E:
        """The event, with every rule of its type checked. A missing schema header means version 1."""
        _require_size(kind, len(value))
        for name, content in headers:
            if name == SCHEMA_HEADER and content != _VERSION:
                raise CodecError(
                    f"header {SCHEMA_HEADER} must be a known version ({SCHEMA_VERSION}); got {shown(content)}"
                )
        try:
            event: E = self._decoders[kind].decode(value)
        except RecursionError as error:
            raise CodecError(f"{kind.__name__} is not valid: it is nested too deep") from error
        except UnicodeDecodeError as error:
            raise CodecError(f"{kind.__name__} is not valid: its text is not UTF-8, {error}") from error
        except (msgspec.DecodeError, EventError) as error:
            raise CodecError(f"{kind.__name__} is not valid: {_told(error, value)}") from error
        if kind is Impression and len(value) > MAX_INPUT_BYTES // _GROWTH:
            _require_size(kind, len(self.encode(event)), " as its outcome will hold it")
        return event


def _require_size(kind: type[Event], size: int, when: str = "") -> None:
    limit = _MAX_BYTES.get(kind, MAX_OUTPUT_BYTES)
    if size > limit:
        raise CodecError(f"{kind.__name__} must be at most {limit:,} bytes{when}; got {size:,}")


def _told(error: Exception, value: bytes) -> str:
    """What is wrong, with the bytes around the place where the parser names one."""
    if not value:
        return "it is empty, as a tombstone is"
    place = _BYTE.search(str(error))
    if place is None:
        return str(error)
    at = int(place[1])
    return f"{error}, in {value[max(at - 20, 0) : at + 20]!r}"


def dead_letter(record: Record, reason: str) -> DeadLetter:
    """The dead letter of a record; of what no topic may take only the first part is kept."""
    size = len(record.value)
    return DeadLetter(
        value=record.value[:MAX_DEAD_LETTER_BYTES],
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        reason=readable(reason),
        truncated=size if size > MAX_DEAD_LETTER_BYTES else None,
    )


def dead_letter_headers(letter: DeadLetter) -> Headers:
    """The headers that go with a dead letter: where it came from and why it is one."""
    headers = (
        ("topic", letter.topic.encode()),
        ("partition", str(letter.partition).encode()),
        ("offset", str(letter.offset).encode()),
        ("reason", letter.reason.encode()),
    )
    return headers if letter.truncated is None else (*headers, ("truncated", str(letter.truncated).encode()))


def read_dead_letter(value: bytes, headers: Headers) -> DeadLetter:
    """The dead letter of a record; the inverse of `dead_letter_headers`.

    Raises:
        CodecError: a header is missing or no number where one must be.
    """
    found = dict(headers)
    try:
        return DeadLetter(
            value=value,
            topic=found["topic"].decode(),
            partition=int(found["partition"]),
            offset=int(found["offset"]),
            reason=found["reason"].decode(),
            truncated=int(found["truncated"]) if "truncated" in found else None,
        )
    except (KeyError, ValueError) as error:
        raise CodecError(
            f"dead letter must have headers topic, partition, offset, reason; got {readable(repr(headers))}"
        ) from error
