"""Events in files of JSON lines: what kind of lines they are, and how each is read."""

from collections.abc import Iterator
from pathlib import Path

import msgspec

from deploy.errors import EvaluateError
from stream.codec import Codec, JsonCodec
from stream.errors import CodecError
from stream.events import Click, Impression, Outcome
from stream.log import Record


def holds_records(path: Path) -> bool:
    """Whether the lines of a file are records of a log, and not bare outcomes.

    Raises:
        EvaluateError: its first line is no JSON object, or there is none.
    """
    with path.open("rb") as file:
        first = next((line for line in file if line.strip()), None)
    if first is None:
        raise EvaluateError(f"--log must hold at least one event; got the empty file {path}")
    try:
        return "topic" in msgspec.json.decode(first, type=dict[str, msgspec.Raw])
    except msgspec.DecodeError as error:
        raise EvaluateError(f"--log {path} must hold JSON lines; got {first[:60]!r} ({error})") from error


def bare_outcomes(path: Path) -> Iterator[Outcome]:
    """The outcomes of a file that holds one a line.

    Raises:
        CodecError: a line is no outcome; the message names the line.
    """
    codec = JsonCodec()
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if line.strip():
                try:
                    yield codec.decode(line, Outcome)
                except CodecError as error:
                    raise CodecError(f"line {number}: {error}") from error


def event_of(codec: Codec, record: Record) -> Outcome | Impression | Click | None:
    """The event of a record; None where its topic tells nothing of what was shown and earned."""
    if record.topic == "outcomes":
        return codec.decode(record.value, Outcome, record.headers)
    if record.topic == "impressions":
        return codec.decode(record.value, Impression, record.headers)
    return codec.decode(record.value, Click, record.headers) if record.topic == "clicks" else None
