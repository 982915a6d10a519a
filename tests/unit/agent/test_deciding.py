"""The deciding side of the loop: when it ends, what it leaves open, what it measures, and where its rows come from."""

from collections import Counter

import numpy as np
import pytest
from support.core_bench import CODEC, T0_MS, Bench, FailingLog, LateLog, click, impression, tick

from agent.deciding import DecidingLoop, Ending
from agent.explore import Belief
from agent.resolved import Resolved, Span
from agent.settings import ExploreSettings
from envs.features import FeatureSettings
from envs.session import Session
from stream.errors import CommitFailedError
from stream.events import Candidate, Outcome
from stream.memory import MemoryLog


class Timer:
    """Seconds that pass only when a test says so."""

    def __init__(self):
        self.now_s = 100.0

    def __call__(self):
        return self.now_s


class Undecided:
    """A `Believer` for which all candidates are alike; believing takes a while, and it checks what it is asked."""

    version, explore = "3.4", ExploreSettings()

    def __init__(self, timer, takes_s=0.0):
        self.timer, self.takes_s = timer, takes_s
        self.batches = []

    def believe(self, observation):
        count = int(observation.counts_B.sum())
        assert len(observation.candidates_ND) == count > 0
        self.batches.append(len(observation.counts_B))
        self.timer.now_s += self.takes_s
        return Belief(np.zeros(count), np.ones(count), observation.counts_B, rows=0)


class Looped:
    """A deciding loop over a bench, whose time stands still."""

    def __init__(self, bench, ending=None, takes_s=0.0, *, overlap=False):
        self.timer = Timer()
        self.believer = Undecided(self.timer, takes_s)
        session = Session(bench.core, close=lambda: None, timer=self.timer)
        self.loop = DecidingLoop(session, self.believer, run_seed=0, ending=ending, overlap=overlap)

    def step(self):
        return self.loop.step()

    def run(self, at_most=100):
        """Steps until the end; everything that was resolved on the way."""
        resolved = []
        while not self.loop.ended:
            assert at_most > 0, "the loop must end"
            at_most -= 1
            resolved.append(self.step())
        return [each for each in resolved if each is not None]


# How a loop ends


@pytest.mark.parametrize(("most", "batches"), [(1, [1]), (4, [4]), (6, [4, 2]), (8, [4, 4])])
def test_after_so_many_decisions_it_ends_exactly_there(most, batches):
    bench = Bench(max_batch=4)
    bench.append(*(impression(f"i{number}") for number in range(10)))
    looped = Looped(bench, Ending(max_decisions=most))
    assert looped.run() == []
    assert looped.believer.batches == batches
    assert [shown.impression_id for shown in bench.published()] == [f"i{number}" for number in range(most)]
    assert bench.core.open_decisions == most
    assert bench.log.progress(0).next["impressions"] == most  # the next run begins there


def test_clicks_do_not_count_as_decisions():
    bench = Bench(max_batch=4)
    bench.append(impression(), click(), click(), impression("i2"), click("i2"), impression("i3"), impression("i4"))
    Looped(bench, Ending(max_decisions=3)).run()
    assert [shown.impression_id for shown in bench.published()] == ["i1", "i2", "i3"]


def test_a_batch_that_was_not_committed_does_not_count_and_comes_again():
    bench = Bench(log=FailingLog())
    bench.append(impression(), impression("i2"))
    looped = Looped(bench, Ending(max_decisions=2))
    bench.log.fail_commit = True
    with pytest.raises(CommitFailedError):
        looped.step()
    assert (looped.loop.ended, bench.published()) == (False, [])
    looped.run()
    assert [shown.impression_id for shown in bench.published()] == ["i1", "i2"]


def test_after_so_many_seconds_without_a_record_it_ends():
    bench = Bench()
    looped = Looped(bench, Ending(idle_s=10.0))
    found = []
    for at_s, event in [(0.0, None), (9.5, impression()), (19.0, tick(T0_MS + 1)), (28.5, None), (29.0, None)]:
        looped.timer.now_s = 100.0 + at_s
        if event is not None:
            bench.append(event)
        looped.step()
        found.append(looped.loop.ended)
    assert found == [False, False, False, False, True]


def test_without_a_bound_it_waits_for_ever():
    looped = Looped(Bench())
    looped.step()
    looped.timer.now_s += 1e9
    looped.step()
    assert not looped.loop.ended


@pytest.mark.parametrize("close_open", [False, True])
def test_at_an_idle_end_what_is_open_closes_only_if_told(close_open):
    bench = Bench()
    bench.append(impression(), impression("i2", user="u2"), click(item="a"))
    looped = Looped(bench, Ending(idle_s=1.0, close_open=close_open))
    assert looped.step() is None
    looped.timer.now_s += 1.0
    resolved = looped.step()
    assert looped.loop.ended
    assert bench.core.open_decisions == (0 if close_open else 2)
    assert [outcome.impression.impression_id for outcome in bench.outcomes()] == (["i1", "i2"] if close_open else [])
    assert (len(resolved) if close_open else resolved) == (2 if close_open else None)


def test_where_the_world_in_this_process_ends_everything_closes():
    log, left = MemoryLog(), [impression(), impression("i2")]

    def supply(count):
        if not left:
            return 0
        log.append(left.pop(0))
        return 1

    bench = Bench(log=log, supply=supply)
    (resolved,) = Looped(bench).run()
    assert (len(resolved), len(bench.published()), bench.core.open_decisions) == (2, 2, 0)


# What it measures


def test_the_latency_of_a_batch_is_observed_for_each_of_its_decisions():
    bench = Bench()
    bench.append(impression(), impression("i2"), impression("i3"))
    looped = Looped(bench, takes_s=0.25)
    looped.step()
    latency = bench.meter.histograms["decision_latency_ms"]
    assert (sum(latency.buckets), latency.total) == (3, pytest.approx(3 * 250.0))
    looped.step()  # nothing came, nothing is observed
    assert sum(latency.buckets) == 3
    bench.append(impression("i4"))
    looped.step()
    assert (sum(latency.buckets), latency.total) == (4, pytest.approx(4 * 250.0))


# How batches overlap


def shown(bench):
    return [each.impression_id for each in bench.published()]


def test_a_batch_is_decided_while_the_one_before_is_on_its_way_and_is_told_once_that_is_committed():
    bench = Bench(log=LateLog(), max_batch=1)
    bench.append(impression(), impression("i2", T0_MS + 2_000), impression("i3", T0_MS + 4_000))
    looped = Looped(bench, overlap=True)
    found = [(looped.step(), looped.loop.take_spans(), shown(bench)) for _ in range(4)]
    assert [committed for _, _, committed in found] == [[], ["i1"], ["i1", "i2"], ["i1", "i2", "i3"]]
    # the close of i1 is on its way with the decision of i2, that of i2 with that of i3
    assert [None if resolved is None else resolved.offset_R.tolist() for resolved, _, _ in found] == [
        None,
        None,
        [0],
        [1],
    ]
    assert [spans for _, spans, _ in found] == [(Span(0, 0, 0),), (), (Span(0, 0, 1),), (Span(0, 1, 2),)]
    assert bench.core.sent is None


@pytest.mark.parametrize("most", [1, 3, 4])
def test_at_its_end_nothing_is_on_its_way(most):
    bench = Bench(log=LateLog(), max_batch=2)
    bench.append(*(impression(f"i{number}") for number in range(10)))
    Looped(bench, Ending(max_decisions=most), overlap=True).run()
    assert shown(bench) == [f"i{number}" for number in range(most)]


def test_what_was_decided_upon_a_batch_that_does_not_land_comes_again_with_it_and_neither_counts():
    bench = Bench(log=LateLog(), max_batch=1)
    bench.append(impression(), impression("i2"), impression("i3"))
    looped = Looped(bench, Ending(max_decisions=3), overlap=True)
    looped.step()
    bench.log.fails = True
    with pytest.raises(CommitFailedError):
        looped.step()
    assert (shown(bench), looped.loop.ended, bench.counted("decisions")) == ([], False, {})
    looped.run()
    assert (shown(bench), bench.counted("decisions")) == (["i1", "i2", "i3"], {"": 3})


def test_whoever_steps_no_further_lands_what_is_on_its_way():
    bench = Bench(log=LateLog())
    bench.append(impression(), tick(T0_MS + 2_000))
    looped = Looped(bench, overlap=True)
    assert (looped.step(), shown(bench)) == (None, [])
    assert looped.loop.land().offset_R.tolist() == [0]
    assert (shown(bench), looped.loop.take_spans()) == (["i1"], (Span(0, 0, 0), Span(0, 0, 1)))
    assert looped.loop.land() is None


def test_the_latency_of_a_batch_on_its_way_is_that_of_its_decisions_and_of_its_way():
    bench = Bench(log=LateLog(), max_batch=1)
    bench.append(impression(), impression("i2"))
    looped = Looped(bench, takes_s=0.25, overlap=True)
    looped.step()
    bench.core.sent.unit.took_s = 0.5
    assert "decision_latency_ms" not in bench.meter.histograms
    looped.step()
    latency = bench.meter.histograms["decision_latency_ms"]
    assert (sum(latency.buckets), latency.total) == (1, pytest.approx(750.0))


# What it decides and hands over


def test_what_is_published_is_what_the_policy_believed():
    bench = Bench()
    bench.append(impression())
    Looped(bench).step()
    (shown,) = bench.published()
    assert shown.probabilities == (0.25,) * 4
    assert (shown.policy_version, shown.strategy, shown.knew is not None) == (
        "3.4",
        "inverse_gap_weighting",
        True,
    )


def test_resolved_rows_carry_the_positions_of_their_committed_outcomes():
    bench = Bench(partitions=2)
    users = [f"u{number}" for number in range(6)]
    bench.append(*(impression("first", user=user, slots=2) for user in users))
    looped = Looped(bench)
    assert looped.step() is None
    for user in users:
        bench.append(click("first", user=user, item="a"), click("first", user=user, item="c"))
    bench.append(*(tick(T0_MS + 1_000, user) for user in users))
    once = looped.step()
    bench.append(*(impression("second", T0_MS + 2_000, user) for user in users))
    bench.append(*(tick(T0_MS + 4_000, user) for user in users))
    twice = looped.step()
    assert (len(once), len(twice)) == (6 * 2, 6)
    slots = Counter()
    for resolved in (once, twice):
        columns = (resolved.partition_R, resolved.offset_R, resolved.rows.candidate_RD, resolved.rows.reward_R)
        for partition, offset, candidate_D, reward in zip(*columns, strict=True):
            outcome = committed(bench, partition, offset)
            slot = slots[partition, offset]
            item_id = outcome.recommendation.slate[slot].item_id
            assert candidate_D.tolist() == ["abcd".index(item_id)]
            assert reward == outcome.rewards[slot]
            slots[partition, offset] += 1
    assert sorted(slots.values()) == [1] * 6 + [2] * 6
    assert {partition: len(bench.outcomes(partition)) for partition in (0, 1)} == Counter(p for p, _ in slots)
    assert 0 < once.rows.reward_R.sum() < 12  # a and c were clicked, b and d were not


def committed(bench, partition, offset):
    (record,) = bench.log.read("outcomes", int(partition), int(offset), int(offset) + 1)
    return CODEC.decode(record.value, Outcome, record.headers)


def test_positions_go_with_their_rows_when_these_are_cut_chosen_and_joined():
    bench = Bench()
    bench.append(*(impression(f"i{number}") for number in range(5)), tick(T0_MS + 2_000))
    resolved = Looped(bench).step()
    assert resolved.offset_R.tolist() == [0, 1, 2, 3, 4]
    joined = Resolved.concatenate([resolved[3:], resolved[:3]])
    assert joined.offset_R.tolist() == [3, 4, 0, 1, 2]
    np.testing.assert_array_equal(joined.rows.candidate_RD[2:], resolved.rows.candidate_RD[:3])
    even = joined.where(joined.offset_R % 2 == 0)
    assert (even.offset_R.tolist(), even.partition_R.tolist(), len(even)) == ([4, 0, 2], [0, 0, 0], 3)
    np.testing.assert_array_equal(even.rows.candidate_RD, resolved.rows.candidate_RD[[4, 0, 2]])


def test_what_was_decided_under_another_layout_of_features_closes_and_teaches_nothing():
    bench = Bench()
    bench.append(impression("old"), click("old", T0_MS + 10))
    bench.step()
    bench.features = FeatureSettings(text="off", context_dim=2, candidate_dim=2)  # the settings have changed since
    bench.start()
    wide = tuple(Candidate(item_id=item, features=(1.0, 0.0)) for item in "ab")
    bench.append(click("old", T0_MS + 20), impression("new", T0_MS + 30, candidates=wide), tick(T0_MS + 9_000))
    looped = Looped(bench)
    resolved = looped.step()
    assert [o.impression.impression_id for o in bench.outcomes()] == ["old", "new"]
    assert [len(o.clicks) for o in bench.outcomes()] == [2, 0]
    assert (len(resolved), resolved.offset_R.tolist()) == (1, [1])
    assert bench.counted("features_misfit") == {"": 4}  # twice a live one, twice what the close says
    assert bench.counted("outcomes_missed") == {"unfit": 1}
    assert bench.counted("dead_letters") == {}
