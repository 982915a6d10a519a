"""Records of impressions and clicks, and what may go wrong with one on its way: in its bytes, JSON, key and headers."""

import json
from dataclasses import dataclass, replace
from random import Random

from stream.codec import SCHEMA_HEADER

STRINGS = ["", "a", "u1", "x" * 512, "x" * 600, "\0", "\n", "\x9b2J", "\ud800", "ü用户😀", "null", "1", " "]
NUMBERS = [-1, 0, 1, 1.5, -0.0, 2**31, 2**53, 2**63, 2**64, 10**30, 10**400, 1e38, -1e39, 1e308, 5e-324]
OTHERS = [None, True, float("nan"), float("inf"), [], {}, [[]], ["a"], {"a": 1}, [1e30] * 5]
EXTREMES = STRINGS + NUMBERS + OTHERS
TOKENS = [b"NaN", b"1e999", b"-", b"\xff", b"\\ud800", b"\\u0000", b"\0", b'"', b"{", b"]", b"," * 3, b"9" * 5_000]
RARE_TOKENS = [b"[" * 60_000, b'{"a":' * 20_000, b" " * 1_000_000, b"a" * 900_000]
HEADERS = [
    ((SCHEMA_HEADER, b"1"),) * 3,
    ((SCHEMA_HEADER, b"1"), (SCHEMA_HEADER, b"2")),
    ((SCHEMA_HEADER, b""),),
    ((SCHEMA_HEADER, b"9" * 50_000),),
    (("other", b"\xff" * 50_000),),
    (("", b""),) * 300,
]
RARE = 0.002


@dataclass(frozen=True)
class Raw:
    """A record before it lies in a log."""

    topic: str
    key: bytes | None
    value: bytes
    headers: tuple[tuple[str, bytes], ...] = ()


def mutated(random: Random, raw: Raw, other: Raw) -> Raw:
    """The record after one to three accidents; pieces of another one may get into it."""
    for _ in range(random.choice([1, 1, 1, 2, 3])):
        accident = random.choices([_bytes, _json, _key, _headers], [4, 8, 1, 1])[0]
        raw = accident(random, raw, other)
    return raw


def _key(random, raw, other):
    key = raw.key or b""
    return replace(raw, key=random.choice([None, b"", other.key, key + b"\0", key.upper(), b"\xff", b"k" * 100_000]))


def _headers(random, raw, other):
    return replace(raw, headers=random.choice(HEADERS))


def _bytes(random, raw, other):
    value = bytearray(raw.value or b"{}")
    at = random.randrange(len(value))
    kind = random.choice(["flip", "cut", "splice", "insert", "double", "rubbish", "empty"])
    if kind == "flip":
        for _ in range(random.choice([1, 1, 4])):
            value[random.randrange(len(value))] ^= 1 << random.randrange(8)
    elif kind == "cut":
        del value[at:]
    elif kind == "splice":
        value[at:] = other.value[random.randrange(len(other.value) + 1) :]
    elif kind == "insert":
        value[at:at] = random.choice(RARE_TOKENS if random.random() < RARE else TOKENS)
    elif kind == "double":
        value[at:at] = value[at : at + random.randrange(40)]
    else:
        value = bytearray(random.randbytes(random.randrange(200)) if kind == "rubbish" else b"")
    return replace(raw, value=bytes(value))


def _json(random, raw, other):
    """Changes one place of the JSON; bytes that are none any more stay as they are."""
    try:
        event = json.loads(raw.value)
    except (ValueError, RecursionError):
        return raw
    places = list(_places(event))
    if places:
        holder, name = random.choice(places)
        random.choices([_replace, _delete, _repeat, _rename, _add, _swap], [6, 2, 2, 1, 1, 1])[0](
            random, places, holder, name
        )
    try:
        return replace(
            raw, value=json.dumps(event, ensure_ascii=random.random() < 0.5).encode("utf-8", "surrogatepass")
        )
    except ValueError:
        return raw  # a number that Python refuses to print


def _places(node):
    """Every (holder, name or index) inside a JSON value."""
    names = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for name, inner in list(names):
        yield node, name
        yield from _places(inner)


def _replace(random, places, holder, name):
    holder[name] = random.choice(EXTREMES)


def _delete(random, places, holder, name):
    del holder[name]


def _repeat(random, places, holder, name):
    if isinstance(holder, list):
        holder.extend([holder[name]] * (10_000 if random.random() < RARE else 1))
    elif isinstance(holder[name], list):
        holder[name] = holder[name] * 2
    elif isinstance(holder[name], str):
        holder[name] *= 100_000 if random.random() < RARE else 2


def _rename(random, places, holder, name):
    if isinstance(holder, dict):
        holder[random.choice(["", "ts_ms", "user_id", "features", "logged", str(name).upper()])] = holder.pop(name)


def _add(random, places, holder, name):
    if isinstance(holder, dict):
        holder["unknown"] = random.choice(EXTREMES)
    else:
        holder.append(random.choice(EXTREMES))


def _swap(random, places, holder, name):
    other, there = random.choice(places)
    holder[name], other[there] = other[there], holder[name]
