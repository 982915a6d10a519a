"""The AsyncAPI document of the topics, generated from the event types, for clients in any language.

The rules that events keep in code (`__post_init__`) are stated here as far as JSON Schema can: a test holds both to the
same examples. Rules over several fields stand in the descriptions.
"""

import inspect
import json
from typing import Any

import msgspec

from stream.codec import SCHEMA_HEADER
from stream.events import MAX_CANDIDATES, SCHEMA_VERSION, Click, DeadLetter, Event, Impression, Outcome, Recommendation
from stream.log import INPUT_TOPICS, OUTPUT_TOPICS, Topic
from stream.rules import CONTROLS, LAST_CLOSE_MS, LAST_MS, MAX_FEATURES, MAX_ID

_EVENTS: tuple[type[Event], ...] = (Impression, Click, Recommendation, Outcome)
_NAME = {"maxLength": MAX_ID, "pattern": f"^[^{CONTROLS}]*$"}
_ID = {"minLength": 1, **_NAME}
_TIME = {"minimum": 1, "maximum": LAST_MS}
_FEATURES = {"maxItems": MAX_FEATURES}
_PROPENSITY = {"exclusiveMinimum": 0, "maximum": 1}
_SHARE = {"minimum": 0, "maximum": 1}
_SOME = {"minItems": 1}
_DISTINCT = {"minItems": 1, "uniqueItems": True}
_RULES: dict[str, dict[str, dict[str, Any]]] = {
    "Context": {"features": _FEATURES},
    "Candidate": {"item_id": _ID, "features": _FEATURES},
    "Logged": {"item_ids": _DISTINCT, "propensities": _PROPENSITY, "policy": _NAME},
    "Impression": {
        "impression_id": _ID,
        "user_id": _ID,
        "ts_ms": _TIME,
        "candidates": {"minItems": 1, "maxItems": MAX_CANDIDATES},
        "slots": {"minimum": 1, "maximum": MAX_CANDIDATES},
    },
    "Click": {"impression_id": _ID, "user_id": _ID, "item_id": _ID, "kind": _ID, "ts_ms": _TIME, "click_id": _NAME},
    "Slot": {"item_id": _ID, "propensity": _PROPENSITY},
    "Exploring": {"greedy": {"minimum": 0}},
    "Recommendation": {
        "decision_id": _ID,
        "impression_id": _ID,
        "user_id": _ID,
        "ts_ms": _TIME,
        "slate": _SOME,
        "slate_propensity": _PROPENSITY,
        "probabilities": _PROPENSITY,
        "slot_probabilities": _SHARE,
    },
    "Outcome": {"closed_ms": {"minimum": 1, "maximum": LAST_CLOSE_MS}},
}
_BEYOND = {
    "Logged": "One propensity for each item, where they are given.",
    "Impression": "Candidates have distinct item ids; slots are at most as many; logged items are candidates.",
    "Recommendation": "Items of the slate are distinct; probabilities sum to 1, and so do those of each later slot.",
    "Outcome": "One reward for each slot; the recommendation is of the impression.",
}
_CHANNELS: dict[Topic, tuple[type[msgspec.Struct], str]] = {
    "impressions": (Impression, "Users who are here and can be shown something. Keyed by user_id."),
    "clicks": (Click, "Feedback on what was shown. Keyed by user_id, with as many partitions as impressions."),
    "recommendations": (Recommendation, "What the agent decided, once for each impression, in its partition number."),
    "outcomes": (Outcome, "Closed decisions with their rewards: enough to train and to replay."),
    "dead-letters": (DeadLetter, "Records that could not be used: their bytes, the reason in headers."),
}
_NUMBERS = {"minimum", "maximum", "exclusiveMinimum"}
_STRINGS = {"minLength", "maxLength", "pattern"}


def asyncapi_document() -> dict[str, Any]:
    """The document as JSON-able data.

    >>> sorted(asyncapi_document()["channels"])
    ['clicks', 'dead-letters', 'impressions', 'outcomes', 'recommendations']
    """
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "streambandit",
            "version": f"{SCHEMA_VERSION}.0.0",
            "description": "Impressions and clicks in, recommendations and outcomes out. Topic names are settings.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {topic: _channel(topic) for topic in _CHANNELS},
        "operations": {_operation(topic): _action(topic) for topic in (*INPUT_TOPICS, *OUTPUT_TOPICS)},
        "components": {
            "messages": {kind.__name__: _message(kind) for kind, _ in _CHANNELS.values()},
            "schemas": _schemas(),
        },
    }


def asyncapi_json() -> str:
    """The document as text, the same on every machine."""
    return json.dumps(asyncapi_document(), indent=2, ensure_ascii=False) + "\n"


def _channel(topic: Topic) -> dict[str, Any]:
    kind, about = _CHANNELS[topic]
    name = kind.__name__
    return {
        "address": topic,
        "description": about,
        "messages": {name: {"$ref": f"#/components/messages/{name}"}},
    }


def _operation(topic: Topic) -> str:
    verb = "read" if topic in INPUT_TOPICS else "publish"
    return verb + "".join(word.capitalize() for word in topic.split("-"))


def _action(topic: Topic) -> dict[str, Any]:
    name = _CHANNELS[topic][0].__name__
    return {
        "action": "receive" if topic in INPUT_TOPICS else "send",
        "channel": {"$ref": f"#/channels/{topic}"},
        "summary": _CHANNELS[topic][1],
        "messages": [{"$ref": f"#/channels/{topic}/messages/{name}"}],
    }


def _message(kind: type[msgspec.Struct]) -> dict[str, Any]:
    summary = (inspect.getdoc(kind) or "").splitlines()[0]
    if kind is DeadLetter:
        names = ("topic", "partition", "offset", "reason")
        texts: dict[str, Any] = {name: {"type": "string"} for name in names}
        whole = {"type": "string", "description": "Length of the whole value, where only its first part is kept."}
        headers = {"type": "object", "required": list(names), "properties": texts | {"truncated": whole}}
        return {
            "name": kind.__name__,
            "summary": summary,
            "contentType": "application/octet-stream",
            "headers": headers,
            "payload": {"description": "The record's value, whatever it was."},
        }
    version = {"type": "string", "const": str(SCHEMA_VERSION), "description": "A missing one means 1."}
    return {
        "name": kind.__name__,
        "summary": summary,
        "headers": {"type": "object", "properties": {SCHEMA_HEADER: version}},
        "payload": {"$ref": f"#/components/schemas/{kind.__name__}"},
        "bindings": {"kafka": {"key": {"type": "string", "description": "The event's user_id, UTF-8."}}},
    }


def _schemas() -> dict[str, Any]:
    _, schemas = msgspec.json.schema_components(_EVENTS, ref_template="#/components/schemas/{name}")
    for name, schema in schemas.items():
        for field, keywords in _RULES.get(name, {}).items():
            _restrict(schema["properties"][field], keywords)
        parts = (inspect.cleandoc(schema["description"]), _BEYOND.get(name, ""))
        schema["description"] = "\n\n".join(filter(None, parts))
    return dict(sorted(schemas.items()))


def _restrict(node: dict[str, Any], keywords: dict[str, Any]) -> None:
    """Writes the keywords where they apply: to numbers and strings also inside a choice or a list."""
    kinds = {"number": _NUMBERS, "integer": _NUMBERS, "string": _STRINGS, "array": set(keywords) - _NUMBERS - _STRINGS}
    node.update({word: value for word, value in keywords.items() if word in kinds.get(node.get("type", ""), ())})
    for choice in node.get("anyOf", ()):
        _restrict(choice, keywords)
    if "items" in node and not set(keywords) - _NUMBERS - _STRINGS:
        _restrict(node["items"], keywords)
