"""The AsyncAPI document: it is the committed one, its references resolve, and it tells what the types enforce."""

from pathlib import Path

import jsonschema
import msgspec
import pytest

from stream.asyncapi import asyncapi_document, asyncapi_json
from stream.codec import JsonCodec
from stream.errors import CodecError
from stream.events import Candidate, Click, Impression, Logged, Outcome, Recommendation, Slot
from stream.log import INPUT_TOPICS, OUTPUT_TOPICS

ROOT = Path(__file__).parents[3]
IMPRESSION = Impression(
    impression_id="i",
    user_id="u",
    ts_ms=5,
    candidates=(Candidate(item_id="a", features=(0.5,)), Candidate(item_id="b", text="B")),
    logged=Logged(item_ids=("a",), propensities=(None,)),
)
CLICK = Click(impression_id="i", user_id="u", item_id="a", ts_ms=9)
RECOMMENDATION = Recommendation(
    decision_id="d",
    impression_id="i",
    user_id="u",
    ts_ms=5,
    slate=(Slot(item_id="a", propensity=0.25),),
    slate_propensity=0.25,
    probabilities=(0.25, 0.75),
    strategy="s",
    policy_version="0.1",
)
OUTCOME = Outcome(
    impression=IMPRESSION, recommendation=RECOMMENDATION, rewards=(1.0,), clicks=(CLICK,), closed_ms=30_005
)


def validator(kind: type) -> jsonschema.Draft202012Validator:
    document = asyncapi_document()
    schema = {"$ref": f"#/components/schemas/{kind.__name__}", "components": document["components"]}
    return jsonschema.Draft202012Validator(schema)


def changed(event, path: str, value):
    content = msgspec.to_builtins(event)
    place = content
    *way, last = path.split(".")
    for name in way:
        place = place[int(name) if name.isdecimal() else name]
    place[int(last) if last.isdecimal() else last] = value
    return content


def test_the_committed_document_is_the_generated_one():
    committed = (ROOT / "docs" / "asyncapi.json").read_text()
    assert committed == asyncapi_json(), "run: streambandit asyncapi > docs/asyncapi.json"


def test_every_topic_is_a_channel_and_every_reference_resolves():
    document = asyncapi_document()
    assert set(document["channels"]) == {*INPUT_TOPICS, *OUTPUT_TOPICS}
    assert {action["action"] for action in document["operations"].values()} == {"receive", "send"}

    def resolve(node) -> int:
        if isinstance(node, list):
            return sum(map(resolve, node))
        if not isinstance(node, dict):
            return 0
        found = sum(map(resolve, node.values()))
        if "$ref" not in node:
            return found
        place = document
        for name in node["$ref"].removeprefix("#/").split("/"):
            place = place[name]
        return found + 1

    assert resolve(document) > 20
    for schema in document["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize("event", [IMPRESSION, CLICK, RECOMMENDATION, OUTCOME], ids=lambda e: type(e).__name__)
def test_what_the_codec_writes_fits_the_document(event):
    content = msgspec.json.decode(JsonCodec().encode(event))
    assert list(validator(type(event)).iter_errors(content)) == []


@pytest.mark.parametrize(
    ("event", "path", "value"),
    [
        (IMPRESSION, "impression_id", ""),
        (IMPRESSION, "user_id", None),
        (IMPRESSION, "ts_ms", 0),
        (IMPRESSION, "ts_ms", 253_402_300_800_000),
        (IMPRESSION, "impression_id", "x" * 513),
        (IMPRESSION, "impression_id", "a\n"),
        (IMPRESSION, "candidates.0.features", [0.5] * 4_097),
        (IMPRESSION, "context", {"features": [0.5] * 4_097}),
        (IMPRESSION, "logged.policy", "\x9b"),
        (IMPRESSION, "ts_ms", "soon"),
        (IMPRESSION, "candidates", []),
        (IMPRESSION, "candidates", [{"item_id": f"{number}"} for number in range(1_001)]),
        (IMPRESSION, "candidates.0.item_id", ""),
        (IMPRESSION, "candidates.0.features", ["x"]),
        (IMPRESSION, "slots", 0),
        (IMPRESSION, "logged.item_ids", []),
        (IMPRESSION, "logged.item_ids", ["a", "a"]),
        (IMPRESSION, "logged.propensities", [0.0]),
        (CLICK, "item_id", ""),
        (CLICK, "kind", ""),
        (CLICK, "click_id", "x" * 513),
        (CLICK, "click_id", "\x00"),
        (CLICK, "ts_ms", -1),
        (RECOMMENDATION, "decision_id", ""),
        (RECOMMENDATION, "slate", []),
        (RECOMMENDATION, "slate.0.propensity", 1.5),
        (RECOMMENDATION, "slate_propensity", 0),
        (RECOMMENDATION, "probabilities", [0.0, 1.0]),
        (OUTCOME, "closed_ms", 0),
        (OUTCOME, "closed_ms", 2**53),
        (OUTCOME, "impression.candidates.0.item_id", ""),
    ],
)
def test_the_document_and_the_types_refuse_the_same(event, path, value):
    content = changed(event, path, value)
    assert not validator(type(event)).is_valid(content)
    with pytest.raises(CodecError):
        JsonCodec().decode(msgspec.json.encode(content), type(event))
