"""One record of every bad kind among good ones on a real broker: set aside with a reason or counted, and life goes on.

Written by a raw producer and counted by a raw consumer; between them a core that shows the first candidates.
"""

import json
import time
from collections import Counter
from contextlib import closing

import kafka
import pytest
from support.core_bench import CODEC, T0_MS, Bench, click, first_of, impression
from support.raw_kafka import consume, fresh_settings

from stream.kafka.log import KafkaLog

pytestmark = pytest.mark.kafka

GOOD = CODEC.encode(impression("bad"))
CLICK = CODEC.encode(click("good-0"))
VERSION_2 = [("streambandit-schema", b"2")]
HUGE = [("other", b"x" * 500_000), *[("n", b"") for _ in range(1_000)]]
MANY = b",".join(b'{"item_id":"%d"}' % number for number in range(10_000))


def with_(field, content, event=GOOD):
    """The event with one field written otherwise."""
    fields = {name: json.dumps(value).encode() for name, value in json.loads(event).items()} | {field: content}
    return b"{" + b",".join(b'"%s":%s' % (name.encode(), value) for name, value in fields.items()) + b"}"


# (what it is, topic, key, value, headers, what a person would look for in the reason)
BAD = [
    ("broken JSON", "impressions", b"u1", b'{"impression_id": "x", ', [], "Impression is not valid"),
    ("no JSON", "impressions", b"u1", b"\x00\x01\x02", [], "JSON is malformed"),
    ("a tombstone", "impressions", b"u1", None, [], "empty, as a tombstone is"),
    ("another kind", "impressions", b"u1", CLICK, [], "missing required field"),
    ("a list", "impressions", b"u1", b"[1]", [], "Expected `object`, got `array`"),
    ("a wrong type", "impressions", b"u1", with_("ts_ms", b'"soon"'), [], "Expected `int`, got `str` - at `$.ts_ms`"),
    ("an unknown version", "impressions", b"u1", GOOD, VERSION_2, "known version (1); got b'2'"),
    ("an empty version", "impressions", b"u1", GOOD, [("streambandit-schema", b"")], "known version (1); got b''"),
    ("contrary versions", "impressions", b"u1", GOOD, [("streambandit-schema", b"1"), *VERSION_2], "known version (1)"),
    ("no id", "impressions", b"u1", with_("impression_id", b'""'), [], "impression_id must be a non-empty string"),
    ("no user", "impressions", b"", with_("user_id", b'""'), [], "user_id must be a non-empty string"),
    (
        "a long id",
        "impressions",
        b"u1",
        with_("impression_id", b'"%s"' % (b"x" * 100_000)),
        [],
        "at most 512 characters",
    ),
    ("control characters", "impressions", b"u1", with_("impression_id", b'"a\\u0000b"'), [], "no control characters"),
    ("a NaN", "impressions", b"u1", with_("context", b'{"features":[NaN,1]}'), [], '"features":[NaN'),
    ("an infinity", "impressions", b"u1", with_("context", b'{"features":[1e999,1]}'), [], "out of range"),
    (
        "beyond float32",
        "impressions",
        b"u1",
        with_("context", b'{"features":[1e39,1]}'),
        [],
        "features[0] must be finite",
    ),
    ("too few features", "impressions", b"u1", with_("context", b'{"features":[1]}'), [], "must have 2 values; got 1"),
    ("no candidates", "impressions", b"u1", with_("candidates", b"[]"), [], "candidates must be 1 to 1,000; got 0"),
    ("10,000 candidates", "impressions", b"u1", with_("candidates", b"[%s]" % MANY), [], "1 to 1,000; got 10,000"),
    (
        "a repeated item",
        "impressions",
        b"u1",
        with_("candidates", b'[{"item_id":"a"},{"item_id":"a"}]'),
        [],
        "'a' twice",
    ),
    (
        "too many slots",
        "impressions",
        b"u1",
        with_("slots", b"5"),
        [],
        "slots must be 1 to the number of candidates (4)",
    ),
    ("a huge number", "impressions", b"u1", with_("slots", b"9" * 400), [], "a whole number of 1,329 bits"),
    ("a negative time", "impressions", b"u1", with_("ts_ms", b"-5"), [], "positive whole number of milliseconds"),
    ("nanoseconds", "impressions", b"u1", with_("ts_ms", b"1700000000000000000"), [], "before the year 10,000"),
    ("beyond 64 bits", "impressions", b"u1", with_("ts_ms", b"9" * 20), [], "before the year 10,000"),
    ("the far future", "impressions", b"u1", with_("ts_ms", b"99999999999999"), [], "ahead of its record's time"),
    ("too deep", "impressions", b"u1", b'{"context":' * 50_000, [], "nested too deep"),
    ("invalid UTF-8", "impressions", b"u1", with_("impression_id", b'"\xff\xfe"'), [], "not UTF-8"),
    ("half a surrogate", "impressions", b"u1", with_("impression_id", b'"\\ud800 x"'), [], "surrogate"),
    ("5 MB", "impressions", b"u1", GOOD.ljust(5_000_000), [], "at most 1,000,000 bytes; got 5,000,000"),
    ("no key", "impressions", None, GOOD, [], "keyed by its user_id in UTF-8"),
    ("another's key", "impressions", b"u2", GOOD, [], "got key b'u2' for user_id 'u1'"),
    ("no click", "clicks", b"u1", b"clicked!", [], "Click is not valid"),
    ("no click key", "clicks", None, CLICK, [], "Click record must be keyed by its user_id"),
    ("a click's tombstone", "clicks", b"u1", None, [], "empty, as a tombstone is"),
    ("a click's value", "clicks", b"u1", with_("value", b"1e999", CLICK), [], "out of range"),
    (
        "a click in the future",
        "clicks",
        b"u1",
        with_("ts_ms", b"99999999999999", CLICK),
        [],
        "Click ts_ms must be at most",
    ),
]
COUNTED = {
    "not_shown": click("good-0", item="d"),
    "outside_window": click("good-0", T0_MS - 1),
    "unknown": click("never"),
}
OTHER_USER = click("good-0", user="u2")  # waits as early for an impression of its own user, then is unknown
HARMLESS = [
    ("huge headers", GOOD.replace(b'"bad"', b'"huge"'), HUGE),
    ("repeated versions", GOOD.replace(b'"bad"', b'"repeated"'), [("streambandit-schema", b"1")] * 3),
    ("a long text", with_("context", b'{"text":"%s","features":[1,2]}' % (b"!?" * 200_000)), []),
]


def write(settings):
    """Sends every bad record with a good impression behind it."""
    producer = kafka.KafkaProducer(
        bootstrap_servers=settings.bootstrap_servers, compression_type="gzip", max_request_size=6_000_000
    )
    names = {"impressions": settings.topics.impressions, "clicks": settings.topics.clicks}
    sent = []
    for number, (_, topic, key, value, headers, _) in enumerate(BAD):
        sent.append(producer.send(names[topic], value, key, headers, 0))
        sent.append(producer.send(names["impressions"], CODEC.encode(impression(f"good-{number}")), b"u1", [], 0))
        producer.flush(20)  # one record in each batch: the large one is compressed alone
    for _, value, headers in HARMLESS:
        sent.append(producer.send(names["impressions"], value, b"u1", headers, 0))
    sent += [
        producer.send(names["clicks"], CODEC.encode(event), event.user_id.encode(), [], 0)
        for event in [*COUNTED.values(), OTHER_USER]
    ]
    producer.flush(20)
    assert all(future.succeeded() for future in sent)
    producer.close(5)
    return len(sent)


def work_off(bench, count):
    """Drives the core until so many records are read, then closes what is open."""
    deadline, read = time.monotonic() + 60, 0
    while read < count and time.monotonic() < deadline:
        impressions = bench.core.poll(20, timeout_ms=200)
        read += bench.core.received
        if impressions:
            bench.core.observe(impressions)
        bench.core.publish([first_of(each) for each in impressions])
    assert read == count
    bench.core.publish([], final=True)


@pytest.mark.timeout(180)
def test_every_bad_record_ends_with_a_reason_and_the_stream_goes_on_behind_it(broker):
    settings = fresh_settings(broker, partitions=1)
    count = write(settings)
    with closing(KafkaLog(settings)) as log:
        bench = Bench(log)
        work_off(bench, count)
    letters = consume(settings, settings.topics.dead_letters)
    decided = [
        json.loads(record.value)["impression_id"] for record in consume(settings, settings.topics.recommendations)
    ]
    assert Counter(decided) == Counter([f"good-{number}" for number in range(len(BAD))] + ["huge", "repeated", "bad"])
    clicks = bench.counted("clicks")
    counted = [clicks[fate] for fate in ("not_shown", "outside_window", "unknown")]
    assert counted == [1, 1, 2]
    assert len(letters) + len(decided) + sum(counted) == count
    check_reasons(
        letters, {topic: consume(settings, getattr(settings.topics, topic)) for topic in ("impressions", "clicks")}
    )


def check_reasons(letters, inputs):
    """Each bad record has its one letter, with its bytes, its place and the words that a person would look for."""
    wanted = {topic: [case for case in BAD if case[1] == topic] for topic in inputs}
    found = [dict(record.headers) for record in letters]
    for topic, cases in wanted.items():
        own = [
            (int(h["offset"]), h, r.value) for h, r in zip(found, letters, strict=True) if h["topic"] == topic.encode()
        ]
        assert len(own) == len(cases)
        for (offset, headers, value), (what, _, _, sent, _, words) in zip(sorted(own), cases, strict=True):
            assert words in headers["reason"].decode(), what
            assert len(headers["reason"].decode()) <= 500, what
            assert (inputs[topic][offset].value or b"").startswith(value or b""), what
            assert int(headers.get("truncated", 0)) == (5_000_000 if what == "5 MB" else 0), what
            assert (value or b"") == (sent or b"")[:1_000_000], what
