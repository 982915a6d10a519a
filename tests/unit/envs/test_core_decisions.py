"""The core over a real memory log: what is published of a decision, and with what."""

import pytest
from support.core_bench import T0_MS, Bench, candidates, click, impression

from stream.identity import decision_id


def test_a_decision_is_published_with_its_propensities_under_the_users_key():
    bench = Bench()
    bench.append(impression(slots=2))
    bench.step()
    (record,) = bench.records("recommendations")
    assert (record.key, record.headers) == (b"u1", (("streambandit-schema", b"1"),))
    (shown,) = bench.published()
    assert (shown.decision_id, shown.impression_id) == (decision_id("u1", "i1"), "i1")
    assert [(slot.item_id, slot.propensity, slot.score) for slot in shown.slate] == [
        ("a", 1 / 4, 0.5),
        ("b", 1 / 3, 0.5),
    ]
    assert shown.slate_propensity == pytest.approx(1 / 4 * 1 / 3)
    assert shown.probabilities == (0.25,) * 4
    assert (shown.ts_ms, shown.strategy, shown.policy_version, shown.seed) == (T0_MS, "first", "3.4", 5)
    assert shown.knew is not None


def test_probabilities_of_many_candidates_are_left_out():
    bench = Bench(max_probabilities=3)
    bench.append(impression(), impression("i2", candidates=candidates("a", "b", "c")))
    bench.step()
    assert [shown.probabilities for shown in bench.published()] == [None, (1 / 3,) * 3]


def test_a_slate_too_long_for_its_propensity_to_be_a_number_has_an_unknown_one():
    bench = Bench()
    bench.append(impression(candidates=candidates(*map(str, range(300))), slots=300))
    bench.step()
    (shown,) = bench.published()
    assert len(shown.slate) == 300  # 1/300! is about 10**-614
    assert shown.slate_propensity is None


def test_decisions_come_back_in_the_partition_of_their_users():
    bench = Bench(partitions=2)
    bench.append(*(impression(f"i{number}", user=f"u{number}") for number in range(8)))
    bench.step()
    for partition in (0, 1):
        asked = {record.key for record in bench.records("impressions", partition)}
        assert asked == {record.key for record in bench.records("recommendations", partition)} != set()


def test_what_the_policy_read_of_the_user_is_what_is_published():
    bench = Bench()
    bench.append(impression())
    bench.step()
    bench.append(click(item="b"), click(item="a"), impression("i2", T0_MS + 500))
    bench.step()
    assert [(shown.knew.clicks, shown.knew.idle_ms) for shown in bench.published()] == [(0, None), (1, 400)]


def test_a_poll_of_nothing_publishes_and_commits_nothing():
    bench = Bench()
    assert bench.step() == []
    assert bench.log.progress(0) is None
