"""JSON on the wire, decoded and validated into the event structs. One replaceable object: `Codec`."""

from typing import Any, Protocol, TypeVar

import msgspec

from stream.errors import CodecError, EventError
from stream.events import SCHEMA_VERSION, Click, DeadLetter, Event, Impression, Outcome, Recommendation
from stream.log import Headers

SCHEMA_HEADER = "streambandit-schema"
MAX_RECORD_BYTES = 1_000_000
_VERSION = str(SCHEMA_VERSION).encode()
E = TypeVar("E", bound=Event)


class Codec(Protocol):
    """Turns events into record values and back; another wire format replaces this object."""

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
            kind: msgspec.json.Decoder(kind) for kind in (Impression, Click, Recommendation, Outcome)
        }

    def encode(self, event: Event) -> bytes:
        """The event as compact JSON; fields at their default are left out."""
        return self._encoder.encode(event)

    def decode(self, value: bytes, kind: type[E], headers: Headers = ()) -> E:
        """The event, with every rule of its type checked. A missing schema header means version 1."""
        if len(value) > MAX_RECORD_BYTES:
            raise CodecError(f"{kind.__name__} must be at most {MAX_RECORD_BYTES:,} bytes; got {len(value):,}")
        for name, content in headers:
            if name == SCHEMA_HEADER and content != _VERSION:
                raise CodecError(
                    f"header {SCHEMA_HEADER} must be a known version ({SCHEMA_VERSION}); got {content[:20]!r}"
                )
        try:
            event: E = self._decoders[kind].decode(value)
        except (msgspec.DecodeError, EventError, UnicodeDecodeError, RecursionError) as error:
            raise CodecError(f"{kind.__name__} is not valid: {error}") from error
        return event


def dead_letter_headers(letter: DeadLetter) -> Headers:
    """The headers that go with a dead letter: where it came from and why it is one."""
    return (
        ("topic", letter.topic.encode()),
        ("partition", str(letter.partition).encode()),
        ("offset", str(letter.offset).encode()),
        ("reason", letter.reason.encode()),
    )


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
        )
    except (KeyError, ValueError) as error:
        raise CodecError(f"dead letter must have headers topic, partition, offset, reason; got {headers!r}") from error
