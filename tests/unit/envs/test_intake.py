"""Where a record must lie, how large it may be, and what is told of it where it cannot be used."""

import pytest
from support.core_bench import CODEC, T0_MS, Bench, candidates, click, impression, tick

from stream.codec import MAX_DEAD_LETTER_BYTES, read_dead_letter
from stream.events import Candidate, Context
from stream.memory import MemoryLog
from stream.rules import LAST_MS


def letters(bench):
    return [read_dead_letter(record.value, record.headers) for record in bench.records("dead-letters")]


@pytest.mark.parametrize("key", [None, b"", b"u2", b"U1", b"u1\0", b'"u1"', b"\xff", b"k" * 100_000])
@pytest.mark.parametrize(("topic", "event"), [("impressions", impression()), ("clicks", click())])
def test_a_record_that_is_not_keyed_by_its_user_is_set_aside(topic, event, key):
    bench = Bench(MemoryLog(clock=lambda: T0_MS))
    bench.log.append_raw(topic, key, CODEC.encode(event))
    bench.log.append_raw(topic, b"u1", CODEC.encode(event))
    bench.append(impression("next"))
    bench.step()
    (letter,) = letters(bench)
    assert "record must be keyed by its user_id in UTF-8" in letter.reason
    assert letter.reason.endswith(" for user_id 'u1'")
    assert len(letter.reason) < 350
    assert bench.counted("dead_letters") == {topic: 1}
    assert "next" in [shown.impression_id for shown in bench.published()]


def test_a_user_is_keyed_by_its_name_in_utf_8():
    bench = Bench()
    bench.append(impression(user="ü-用户"))
    bench.step()
    assert (len(bench.published()), letters(bench)) == (1, [])


def test_a_record_that_is_too_large_is_set_aside_by_its_first_part():
    bench = Bench()
    value = CODEC.encode(impression()).ljust(5_000_000)
    bench.log.append_raw("impressions", b"u1", value)
    bench.step()
    (letter,) = letters(bench)
    assert (letter.value, letter.truncated) == (value[:MAX_DEAD_LETTER_BYTES], 5_000_000)
    assert letter.reason == "Impression must be at most 1,000,000 bytes; got 5,000,000"


def test_a_replay_sets_the_same_records_aside_without_a_second_letter():
    bench = Bench()
    bench.append(impression())
    bench.log.append_raw("impressions", b"u2", CODEC.encode(impression("i2")))
    bench.log.append_raw("clicks", None, CODEC.encode(click()))
    bench.append(click(), click(ts_ms=T0_MS + 1))
    bench.step()
    bench.start()
    bench.append(tick(T0_MS + 1_000))
    bench.step()
    assert len(letters(bench)) == 2
    (outcome,) = bench.outcomes()
    assert outcome.clicks == (click(ts_ms=T0_MS + 1), click())


@pytest.mark.parametrize("first", ["dead letter", "impression"])
@pytest.mark.parametrize(
    ("key", "value"),
    [
        (b"u2", CODEC.encode(impression(candidates=candidates("x", "y")))),
        (b"u1", CODEC.encode(impression(candidates=candidates("x", "y"), context=Context(features=(1.0,))))),
        (b"u1", CODEC.encode(impression(ts_ms=T0_MS + 60_001, candidates=candidates("x", "y")))),
        (b"u1", CODEC.encode(impression(slots=2)).replace(b'"slots":2', b'"slots":9')),
        (b"u1", CODEC.encode(impression()).replace(b'"a"', b"7")),
    ],
    ids=["another's key", "features", "future", "slots", "type"],
)
def test_a_dead_letter_with_the_ids_of_a_decided_impression_is_not_taken_for_it_in_a_replay(key, value, first):
    bench = Bench(MemoryLog(clock=lambda: T0_MS))
    records = [(key, value), (b"u1", CODEC.encode(impression()))]
    for record in records if first == "dead letter" else records[::-1]:
        bench.log.append_raw("impressions", *record)
    bench.step()
    bench.start()
    bench.append(click())
    bench.step()
    bench.core.publish([], final=True)
    assert len(letters(bench)) == 1
    (outcome,) = bench.outcomes()
    assert (outcome.impression, outcome.clicks) == (impression(), (click(),))


def test_an_impression_at_the_end_of_time_closes_as_any_other():
    bench = Bench()
    bench.append(impression(ts_ms=LAST_MS))
    bench.step()
    bench.core.publish([], final=True)
    (outcome,) = bench.outcomes()
    assert outcome.closed_ms == LAST_MS + 1_000


def test_a_text_of_900_kilobytes_is_decided_and_becomes_an_outcome():
    bench = Bench()
    long = Candidate(item_id="a", features=(1.0,), text="!?" * 225_000)
    bench.append(impression(context=Context(text="用" * 150_000), candidates=(long, *candidates("b"))))
    bench.step()
    bench.core.publish([], final=True)
    assert bench.outcomes()[0].impression.candidates[0] == long


@pytest.mark.parametrize("broken", [b"", b"{", CODEC.encode(impression(slots=2)).replace(b'"slots":2', b'"slots":-1')])
def test_dead_letters_of_a_partition_that_went_away_are_left_to_its_new_owner(broken):
    bench = Bench()
    bench.log.append_raw("impressions", b"u1", broken)
    bench.core.poll()
    bench.log._assignment = frozenset()
    bench.core.poll()
    bench.core.publish([])
    assert letters(bench) == []
