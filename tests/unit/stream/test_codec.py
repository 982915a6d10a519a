"""JSON on the wire: what decodes, what does not, and that a reader of version 1 ignores what it does not know."""

import re

import msgspec
import pytest
from support.events import T0_MS, click, impression, outcome, recommendation

from stream.codec import (
    MAX_DEAD_LETTER_BYTES,
    MAX_INPUT_BYTES,
    MAX_OUTPUT_BYTES,
    SCHEMA_HEADER,
    JsonCodec,
    dead_letter,
    dead_letter_headers,
    read_dead_letter,
)
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
from stream.log import Record

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


@pytest.mark.parametrize(
    ("event", "limit"),
    [
        (IMPRESSION, MAX_INPUT_BYTES),
        (CLICK, MAX_INPUT_BYTES),
        (RECOMMENDATION, MAX_OUTPUT_BYTES),
        (OUTCOME, MAX_OUTPUT_BYTES),
    ],
    ids=lambda case: type(case).__name__,
)
def test_a_record_has_at_most_the_bytes_of_its_kind(event, limit):
    kind = type(event)
    longest = CODEC.encode(event).ljust(limit)
    assert CODEC.decode(longest, kind) == event
    with pytest.raises(CodecError, match=f"{kind.__name__} must be at most {limit:,} bytes; got {limit + 1:,}"):
        CODEC.decode(longest + b" ", kind)


def test_an_impression_that_grows_past_the_limit_when_written_again_is_refused():
    features = b",".join([b"1e15"] * 4_096)
    items = b",".join(b'{"item_id":"%d","features":[%s]}' % (number, features) for number in range(16))
    raw = b'{"impression_id":"i","user_id":"u","ts_ms":5,"candidates":[' + items + b"]}"
    assert len(raw) < MAX_INPUT_BYTES
    with pytest.raises(CodecError, match="at most 1,000,000 bytes as its outcome will hold it; got 1,2"):
        CODEC.decode(raw, Impression)


@pytest.mark.parametrize("number", [f"{digit}e{power}" for digit in (1, 9, -1) for power in range(-20, 30)])
def test_no_number_grows_more_than_fourfold_so_shorter_impressions_need_no_second_look(number):
    raw = b'{"item_id":"a","features":[%s]}' % b",".join([number.encode()] * 1_000)
    assert len(CODEC.encode(msgspec.json.decode(raw, type=Candidate))) < 4 * len(raw)


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


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"", "it is empty, as a tombstone is"),
        (b'{"a":' * 100_000, "it is nested too deep"),
        (MINIMAL.replace(b"5", b"NaN"), r"""invalid character \(byte 66\), in b'.*"ts_ms": NaN}'"""),
        (MINIMAL.replace(b"5", b"9" * 4_000), "before the year 10,000; got a whole number of 13,288 bits"),
        (MINIMAL.replace(b'"a"', b'"%s"' % (b"y" * 100_000)), r"at most 512 characters long; got 'y+'... \(100,000 in"),
    ],
    ids=["empty", "deep", "NaN", "long number", "long id"],
)
def test_a_reason_is_short_and_in_words(value, reason):
    with pytest.raises(CodecError, match=f"^Click is not valid: .*{reason}") as caught:
        CODEC.decode(value, Click)
    assert len(str(caught.value)) < 300


def test_a_header_without_content_is_no_known_version():
    with pytest.raises(CodecError, match="must be a known version"):
        CODEC.decode(MINIMAL, Click, ((SCHEMA_HEADER, None),))


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


def test_of_a_record_that_no_topic_may_take_the_dead_letter_keeps_the_first_part_and_the_length():
    size = MAX_DEAD_LETTER_BYTES + 1
    record = Record("clicks", 3, 17, b"k", b"x" * size, (), 0)
    letter = dead_letter(record, "r")
    assert (len(letter.value), letter.truncated) == (MAX_DEAD_LETTER_BYTES, size)
    headers = dead_letter_headers(letter)
    assert ("truncated", b"%d" % size) in headers
    assert read_dead_letter(letter.value, headers) == letter
    whole = dead_letter(Record("clicks", 3, 17, b"k", b"x" * MAX_DEAD_LETTER_BYTES, (), 0), "r")
    assert (len(whole.value), whole.truncated) == (MAX_DEAD_LETTER_BYTES, None)


def test_the_reason_of_a_dead_letter_is_one_short_line_without_control_characters():
    letter = dead_letter(Record("clicks", 0, 0, b"k", b"", (), 0), "bad \x1b[2J\n\ud800 ü " + "x" * 1_000)
    assert letter.reason.startswith("bad \\x1b[2J\\n\\ud800 ü xxx")
    assert len(letter.reason) == 500
    assert read_dead_letter(b"", dead_letter_headers(letter)) == letter


@pytest.mark.parametrize("broken", [("topic", None), ("partition", b"x"), ("offset", None), ("reason", b"\xff")])
def test_a_dead_letter_without_its_headers_is_refused(broken):
    name, content = broken
    headers = dict(dead_letter_headers(DeadLetter(value=b"", topic="clicks", partition=0, offset=0, reason="r")))
    headers = {**headers, name: content} if content is not None else {k: v for k, v in headers.items() if k != name}
    with pytest.raises(CodecError, match="dead letter must have headers topic, partition, offset, reason"):
        read_dead_letter(b"", tuple(headers.items()))
