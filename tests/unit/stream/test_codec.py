"""JSON on the wire: what decodes, what does not, and that a reader of version 1 ignores what it does not know."""

import re

import pytest
from support.events import T0_MS, click, impression, outcome, recommendation

from stream.codec import MAX_RECORD_BYTES, SCHEMA_HEADER, JsonCodec, dead_letter_headers, read_dead_letter
from stream.errors import CodecError, EventError
from stream.events import (
    Candidate,
    Click,
    Context,
    DeadLetter,
    Experiment,
    Impression,
    Knew,
    Logged,
    Slot,
)

CODEC = JsonCodec()
IMPRESSION = impression(
    user_id="ü-用户",
    context=Context(text="“quoted”\n", features=(0.1, -1e-30), attributes={"device": "phone"}),
    candidates=(Candidate(item_id="a", text="A"), Candidate(item_id="b", features=(1.0,))),
    slots=2,
    logged=Logged(item_ids=("b", "a"), propensities=(0.25, None), policy="editor"),
)
CLICK = click(user_id="ü-用户", ts_ms=T0_MS + 5, kind="like", value=0.1, click_id="c")
RECOMMENDATION = recommendation(
    user_id="ü-用户",
    slate=(Slot(item_id="b", propensity=0.1, score=-1.5), Slot(item_id="a")),
    probabilities=(0.9, 0.1),
    knew=Knew(clicks=3, decisions=9, idle_ms=0, interest=bytes(range(256))),
    strategy="boltzmann",
    policy_version="2.7",
    encoder_version="e",
    seed=2**53 - 1,
    experiment=Experiment(name="x", arm="y"),
)
OUTCOME = outcome(
    impression=IMPRESSION, recommendation=RECOMMENDATION, rewards=(0.3, 0.0), clicks=(CLICK,), closed_ms=T0_MS + 30_000
)
MINIMAL = b'{"impression_id": "i1", "user_id": "u1", "item_id": "a", "ts_ms": 5}'


@pytest.mark.parametrize("event", [IMPRESSION, CLICK, RECOMMENDATION, OUTCOME], ids=lambda event: type(event).__name__)
def test_an_event_comes_back_as_it_went(event):
    assert CODEC.decode(CODEC.encode(event), type(event), CODEC.headers) == event


def test_what_is_at_its_default_is_left_out():
    assert CODEC.encode(click(ts_ms=5)) == MINIMAL.replace(b" ", b"")


def test_a_missing_schema_header_means_version_1():
    assert CODEC.decode(MINIMAL, Click, ()).ts_ms == 5
    assert CODEC.decode(MINIMAL, Click, (("other", b"9"), (SCHEMA_HEADER, b"1"))).ts_ms == 5


@pytest.mark.parametrize("version", [b"2", b"", b"01", b"\xff"])
def test_a_schema_version_that_is_not_known_is_refused(version):
    with pytest.raises(CodecError, match=re.escape(f"must be a known version (1); got {version!r}")):
        CODEC.decode(MINIMAL, Click, ((SCHEMA_HEADER, version),))


def test_a_record_is_at_most_a_million_bytes():
    longest = MINIMAL + b" " * (MAX_RECORD_BYTES - len(MINIMAL))
    assert CODEC.decode(longest, Click).item_id == "a"
    with pytest.raises(CodecError, match="Click must be at most 1,000,000 bytes; got 1,000,001"):
        CODEC.decode(longest + b" ", Click)


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"null",
        b"[]",
        b"{",
        MINIMAL[:-1],
        MINIMAL + b"}",
        b"\xff\xfe",
        MINIMAL.replace(b'"a"', b'"\xff"'),
        MINIMAL.replace(b'"a"', b'"\\ud800"'),
        b"[" * 100_000,
        b'{"x":' * 100_000,
        MINIMAL[:-1] + b', "x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
    ids=lambda value: repr(value[:20]),
)
def test_broken_json_is_a_codec_error_however_deep(value):
    with pytest.raises(CodecError, match=r"^Click is not valid: "):
        CODEC.decode(value, Click)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("ts_ms", b'"5"'),
        ("ts_ms", b"5.5"),
        ("ts_ms", b"null"),
        ("ts_ms", b"1e400"),
        ("item_id", b"7"),
        ("item_id", b"null"),
        ("item_id", b'""'),
        ("value", b"true"),
        ("value", b"NaN"),
        ("value", b"1e39"),
        ("value", b"1e400"),
        ("value", b"1" + b"0" * 400),
    ],
)
def test_a_value_of_the_wrong_type_or_range_is_a_codec_error(field, value):
    fields = {"impression_id": b'"i1"', "user_id": b'"u1"', "item_id": b'"a"', "ts_ms": b"5"} | {field: value}
    raw = b"{" + b",".join(b'"%s":%s' % (name.encode(), content) for name, content in fields.items()) + b"}"
    with pytest.raises(CodecError, match=r"^Click is not valid: "):
        CODEC.decode(raw, Click)


def test_a_broken_rule_of_the_event_is_told_in_its_own_words():
    raw = CODEC.encode(IMPRESSION).replace(b'"slots":2', b'"slots":3')
    with pytest.raises(CodecError, match=r"impression.slots must be 1 to the number of candidates \(2\); got 3"):
        CODEC.decode(raw, Impression)
    assert issubclass(CodecError, EventError)


def test_an_event_of_another_kind_is_refused():
    with pytest.raises(CodecError, match=r"^Impression is not valid: Object missing required field"):
        CODEC.decode(MINIMAL, Impression)


def test_fields_that_the_reader_does_not_know_are_ignored():
    assert CODEC.decode(MINIMAL[:-1] + b', "new": {"a": [1]}}', Click) == CODEC.decode(MINIMAL, Click)


def test_a_dead_letter_keeps_its_bytes_and_says_in_headers_where_it_came_from_and_why():
    letter = DeadLetter(value=b"\x00\xff", topic="clicks", partition=3, offset=17, reason="x must be y; got „z“")
    headers = dead_letter_headers(letter)
    assert headers == (
        ("topic", b"clicks"),
        ("partition", b"3"),
        ("offset", b"17"),
        ("reason", "x must be y; got „z“".encode()),
    )
    assert read_dead_letter(letter.value, headers) == letter


@pytest.mark.parametrize("broken", [("topic", None), ("partition", b"x"), ("offset", None), ("reason", b"\xff")])
def test_a_dead_letter_without_its_headers_is_refused(broken):
    name, content = broken
    headers = dict(dead_letter_headers(DeadLetter(value=b"", topic="clicks", partition=0, offset=0, reason="r")))
    headers = {**headers, name: content} if content is not None else {k: v for k, v in headers.items() if k != name}
    with pytest.raises(CodecError, match="dead letter must have headers topic, partition, offset, reason"):
        read_dead_letter(b"", tuple(headers.items()))
