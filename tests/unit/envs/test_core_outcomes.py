"""The core over a real memory log: when a decision closes, and what its outcome holds."""

import numpy as np
from support.core_bench import CODEC, T0_MS, Bench, click, impression, tick

from envs.reward import RewardSettings


def test_a_decision_becomes_an_outcome_that_trains_and_replays_without_another_event():
    bench = Bench()
    bench.append(impression(slots=2))
    bench.step()
    bench.append(click(item="b", ts_ms=T0_MS + 200), click(item="b", ts_ms=T0_MS + 100), tick(T0_MS + 1_000))
    (closed,) = bench.step()
    (outcome,) = bench.outcomes()
    assert outcome == closed.outcome
    assert outcome.impression == impression(slots=2)
    assert outcome.recommendation == bench.published()[0]
    assert outcome.clicks == (click(item="b", ts_ms=T0_MS + 100), click(item="b", ts_ms=T0_MS + 200))
    assert (outcome.rewards, outcome.closed_ms) == ((0.0, 1.0), T0_MS + 1_000)
    (record,) = bench.records("outcomes")
    assert (record.key, record.headers) == (b"u1", CODEC.headers)
    assert closed.position == ("outcomes", 0, 0)


def test_a_decision_stays_open_until_the_watermark_has_passed_its_window():
    bench = Bench()
    bench.append(impression(), tick(T0_MS + 999))
    assert bench.step() == []
    assert bench.core.open_decisions == 1
    bench.append(tick(T0_MS + 1_000))
    assert len(bench.step()) == 1
    assert bench.core.open_decisions == 0


def test_unread_records_hold_the_watermark():
    bench = Bench()
    bench.append(impression())
    bench.step()
    bench.append(impression("i2", T0_MS + 2_000), click())
    assert bench.step(max_records=1) == []  # the click waits unread
    (closed,) = bench.step(max_records=1)
    assert closed.outcome.rewards == (1.0,)


def test_at_the_end_everything_open_closes():
    bench = Bench()
    bench.append(impression(), impression("i2", user="u2"), click())
    bench.step()
    closed = bench.core.publish([], final=True)
    assert [each.outcome.rewards for each in closed] == [(1.0,), (0.0,)]
    assert [each.position.offset for each in closed] == [0, 1]


def test_rewards_follow_the_settings():
    bench = Bench(reward=RewardSettings(kinds={"like": 1.0}, aggregation="sum", reward_max=4.0))
    bench.append(impression(), click(), click(kind="like"), click(kind="like", value=2.0))
    bench.step()
    (closed,) = bench.core.publish([], final=True)
    assert closed.outcome.rewards == (0.75,)


def test_a_joined_click_moves_the_users_interests_at_once_and_a_close_without_one_counts():
    bench = Bench()
    bench.append(impression(), impression("i2"), click(item="a"))
    bench.step()
    known = bench.users_of().read("u1", T0_MS + 100, np.zeros(1, np.float32))
    assert (known.clicks, known.decisions) == (1, 0)
    bench.core.publish([], final=True)
    known = bench.users_of().read("u1", T0_MS + 100, np.zeros(1, np.float32))
    assert (known.clicks, known.decisions) == (1, 1)


def test_what_ends_at_once_closes_over_several_commits_and_a_restart_between_them(monkeypatch):
    monkeypatch.setattr("envs.core._CLOSE_BYTES", 2_000)
    bench = Bench()
    bench.append(*(impression(f"i{number}", T0_MS + number) for number in range(40)))
    bench.step()
    bench.append(tick(T0_MS + 100_000))
    sizes = []
    while len(bench.outcomes()) < 40:
        sizes.append(len(bench.step()))
        assert 0 < sizes[-1] < 10
        if len(sizes) == 3:
            bench.start()
            bench.append(tick(T0_MS + 100_000))  # how late it is must be seen again
    assert [o.impression.impression_id for o in bench.outcomes()] == [f"i{number}" for number in range(40)]
