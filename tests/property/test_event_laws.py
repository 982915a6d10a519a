"""Laws of the wire: every valid event comes back as it went; tampered bytes decode or raise CodecError."""

import json
import math

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from stream.codec import JsonCodec
from stream.errors import CodecError
from stream.events import (
    Candidate,
    Click,
    Context,
    Experiment,
    Impression,
    Knew,
    Logged,
    Outcome,
    Recommendation,
    Slot,
)
from stream.rules import LARGEST, LAST_CLOSE_MS, LAST_MS

LAW = settings(deadline=None)  # a busy machine breaks no law

CODEC = JsonCodec()
KINDS = (Impression, Click, Recommendation, Outcome)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)  # a lone surrogate is no text
NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=8)
IDS = NAMES.filter(bool)
TIMES = st.integers(1, LAST_MS)
NUMBERS = st.floats(-LARGEST, LARGEST)
PROPENSITIES = st.none() | st.floats(0, 1, exclude_min=True)
FEATURES = st.none() | st.lists(NUMBERS, max_size=4).map(tuple)
ATTRIBUTES = st.none() | st.dictionaries(TEXT, TEXT, max_size=2)

contexts = st.builds(Context, text=st.none() | TEXT, features=FEATURES, attributes=ATTRIBUTES)
clicks = st.builds(
    Click,
    impression_id=IDS,
    user_id=IDS,
    item_id=IDS,
    ts_ms=TIMES,
    kind=IDS,
    value=NUMBERS,
    click_id=st.none() | NAMES,
)
knew = st.builds(
    Knew,
    clicks=st.integers(0, 10**6),
    decisions=st.integers(0, 10**6),
    idle_ms=st.none() | st.integers(0, 2**53),
    interest=st.none() | st.binary(max_size=16),
)


@st.composite
def impressions(draw):
    items = draw(st.lists(IDS, min_size=1, max_size=5, unique=True))
    texts = st.none() | TEXT
    shown = draw(st.permutations(items))[: draw(st.integers(0, len(items)))]
    chances = draw(st.none() | st.lists(PROPENSITIES, min_size=len(shown), max_size=len(shown)).map(tuple))
    return Impression(
        impression_id=draw(IDS),
        user_id=draw(IDS),
        ts_ms=draw(TIMES),
        context=draw(contexts),
        candidates=tuple(
            Candidate(item_id=item, text=draw(texts), features=draw(FEATURES), attributes=draw(ATTRIBUTES))
            for item in items
        ),
        slots=draw(st.integers(1, len(items))),
        logged=Logged(item_ids=tuple(shown), propensities=chances, policy=draw(NAMES)) if shown else None,
    )


@st.composite
def recommendations(draw):
    items = draw(st.lists(IDS, min_size=1, max_size=4, unique=True))
    weights = draw(st.lists(st.floats(1e-3, 1.0), min_size=1, max_size=6))
    return Recommendation(
        decision_id=draw(IDS),
        impression_id=draw(IDS),
        user_id=draw(IDS),
        ts_ms=draw(TIMES),
        slate=tuple(
            Slot(item_id=item, propensity=draw(PROPENSITIES), score=draw(st.none() | NUMBERS)) for item in items
        ),
        slate_propensity=draw(PROPENSITIES),
        probabilities=draw(st.none() | st.just(tuple(weight / math.fsum(weights) for weight in weights))),
        knew=draw(st.none() | knew),
        strategy=draw(TEXT),
        policy_version=draw(TEXT),
        encoder_version=draw(TEXT),
        seed=draw(st.integers(0, 2**53 - 1)),
        experiment=draw(st.none() | st.builds(Experiment, name=TEXT, arm=TEXT)),
    )


@st.composite
def outcomes(draw):
    impression, shown = draw(impressions()), draw(recommendations())
    fields = {name: getattr(shown, name) for name in shown.__struct_fields__}
    return Outcome(
        impression=impression,
        recommendation=Recommendation(**fields | {"impression_id": impression.impression_id}),
        rewards=tuple(draw(NUMBERS) for _ in shown.slate),
        clicks=tuple(draw(st.lists(clicks, max_size=2))),
        closed_ms=draw(st.integers(1, LAST_CLOSE_MS)),
    )


events = st.one_of(impressions(), clicks, recommendations(), outcomes())


@LAW
@given(events)
def test_every_valid_event_comes_back_as_it_went(event):
    assert CODEC.decode(CODEC.encode(event), type(event), CODEC.headers) == event


@LAW
@given(events, st.data())
def test_tampered_bytes_decode_to_a_valid_event_or_raise_codec_error(event, data):
    raw = bytearray(CODEC.encode(event))
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(raw)))
        stop = data.draw(st.integers(start, min(start + 6, len(raw))))
        raw[start:stop] = data.draw(
            st.binary(max_size=6) | st.sampled_from([b"null", b"-1", b"1e999", b"9" * 30, b'""', b"[]", b"{}", b"\\u0"])
        )
    kind = data.draw(st.sampled_from(KINDS)) if data.draw(st.booleans()) else type(event)
    assert_valid_or_codec_error(bytes(raw), kind)


@LAW
@given(st.binary(max_size=64), st.sampled_from(KINDS))
@example(b'{"ts_ms":' + b"9" * 10_000 + b"}", Click)
@example(b'{"candidates":' + b"[" * 60_000, Impression)
def test_any_bytes_decode_or_raise_codec_error(raw, kind):
    assert_valid_or_codec_error(raw, kind)


def assert_valid_or_codec_error(raw, kind):
    """Bytes of no event are refused with the error that intake knows, and by no other; what is read is an event."""
    try:
        event = CODEC.decode(raw, kind)
    except CodecError:
        return
    assert isinstance(event, kind)
    assert CODEC.decode(CODEC.encode(event), kind) == event


@pytest.mark.parametrize("kind", KINDS)
@LAW
@given(raw=st.recursive(st.none() | st.booleans() | st.floats() | TEXT, lambda inner: st.dictionaries(TEXT, inner)))
def test_json_that_is_no_event_raises_codec_error(kind, raw):
    with pytest.raises(CodecError):
        CODEC.decode(json.dumps(raw).encode(), kind)
