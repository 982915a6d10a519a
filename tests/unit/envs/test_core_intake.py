"""The core over a real memory log: what is set aside, and what is only counted."""

import pytest
from support.core_bench import CODEC, T0_MS, Bench, candidates, click, impression, tick

from stream.codec import read_dead_letter
from stream.events import Context, Logged
from stream.memory import MemoryLog


@pytest.mark.parametrize(
    ("topic", "value", "headers", "reason"),
    [
        ("impressions", b"{", (), "Impression is not valid"),
        ("clicks", b"\xff", (), "Click is not valid"),
        ("clicks", CODEC.encode(click()), (("streambandit-schema", b"2"),), "must be a known version"),
        ("impressions", CODEC.encode(impression(slots=4)).replace(b'"slots":4', b'"slots":9'), (), "impression.slots"),
        ("impressions", CODEC.encode(impression(context=Context(features=(1.0,)))), (), "context.features must have 2"),
        ("clicks", CODEC.encode(click(ts_ms=T0_MS + 60_001)), (), "ts_ms must be at most 60000 ms ahead"),
        ("impressions", CODEC.encode(impression(ts_ms=T0_MS + 60_001)), (), "ts_ms must be at most 60000 ms ahead"),
    ],
)
def test_a_record_that_cannot_be_used_is_set_aside_with_its_place_and_the_stream_goes_on(topic, value, headers, reason):
    bench = Bench()
    bench.append(tick(T0_MS))
    bench.log.append_raw(topic, b"u1", value, headers)
    bench.append(impression("next"))
    bench.step()
    (record,) = bench.records("dead-letters")
    letter = read_dead_letter(record.value, record.headers)
    offset = 0 if topic == "impressions" else 1
    assert (letter.value, letter.topic, letter.partition, letter.offset) == (value, topic, 0, offset)
    assert reason in letter.reason
    assert [shown.impression_id for shown in bench.published()] == ["next"]
    assert bench.counted("dead_letters") == {topic: 1}
    assert bench.log.progress(0).next[topic] == 2


def test_an_event_exactly_as_far_ahead_as_allowed_is_taken():
    bench = Bench(log=MemoryLog(clock=lambda: T0_MS))
    bench.append(impression(ts_ms=T0_MS + 60_000))
    bench.step()
    assert len(bench.published()) == 1


def test_what_another_policy_showed_is_not_decided_but_learned_from():
    logged = Logged(item_ids=("c", "a"), propensities=(0.5, None), policy="editor")
    bench = Bench()
    bench.append(impression(slots=2, logged=logged), click(item="c"), click(item="b"), tick(T0_MS + 1_000))
    assert bench.core.poll() == []
    bench.core.publish([])
    assert bench.published() == []
    (outcome,) = bench.outcomes()
    shown = outcome.recommendation
    assert (shown.strategy, shown.policy_version, outcome.rewards) == ("logged", "editor", (1.0, 0.0))
    assert [(slot.item_id, slot.propensity) for slot in shown.slate] == [("c", 0.5), ("a", None)]
    assert bench.counted("impressions") == {"logged": 1}
    assert bench.counted("clicks") == {"joined": 1, "not_shown": 1, "early": 1, "unknown": 1}


def test_late_repeated_and_too_old_impressions_are_counted_and_not_decided():
    bench = Bench(decide_deadline_ms=2_000)
    bench.append(impression(), impression())
    bench.step()
    bench.append(tick(T0_MS + 1_000))
    bench.step()
    bench.clock.now_ms = T0_MS + 2_002
    bench.append(impression(), impression("i2", T0_MS + 1), impression("i3", T0_MS + 2))
    bench.step()
    assert [shown.impression_id for shown in bench.published()] == ["i1", "i3"]
    assert bench.counted("impressions") == {"new": 2, "repeated": 1, "late": 1, "too_old": 1}


def test_what_becomes_of_clicks_is_counted():
    bench = Bench()
    bench.append(click("i2", T0_MS + 10), impression(), impression("i2"))
    bench.step()
    bench.append(click(), click(), click(item="d"), click(ts_ms=T0_MS - 1), click("i3"))
    bench.step()
    bench.append(tick(T0_MS + 5_000))
    bench.step()
    bench.append(click())
    bench.step()
    assert bench.counted("clicks") == {
        "early": 3,  # that of i2, that of i3, the tick
        "joined": 2,
        "repeated": 1,
        "not_shown": 1,
        "outside_window": 1,
        "unknown": 2,  # those of i3 and the tick, whose impressions never came
        "late": 1,
    }


def test_the_value_of_a_uniform_choice_is_estimated_from_propensities():
    bench = Bench()
    bench.append(impression(), impression("i2", candidates=candidates("a", "b")), click("i2"))
    bench.step()
    bench.core.publish([], final=True)
    counters = bench.meter.counters
    # uniform among four and among two: weights 1 / (4 * 1/4) and 1 / (2 * 1/2)
    assert counters["uniform_weight", ""] == pytest.approx(2.0)
    assert counters["uniform_reward", ""] == pytest.approx(1.0)
    assert (counters["rewarded", ""], counters["reward", ""]) == (2, 1)
    assert counters["exploration", ""] == pytest.approx(3 / 4 + 1 / 2)


def test_what_an_incumbent_earned_is_not_the_policys():
    bench = Bench()
    logged = Logged(item_ids=("c",), propensities=(0.25,))
    bench.append(impression(), impression("i2", logged=logged), click("i2", item="c"), tick(T0_MS + 2_000))
    bench.step()
    bench.step()
    assert (bench.meter.total("outcomes"), bench.meter.total("rewarded"), bench.meter.total("reward")) == (2, 1, 0)
