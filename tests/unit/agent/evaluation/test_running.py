"""Running sums give what the estimators give of the same decisions, however these are cut into parts."""

import numpy as np
import pytest

from agent.evaluation import ModelledLog, snips
from agent.evaluation.running import RunningSums

EQUAL = ("value", "std_error", "lower", "upper", "effective_sample_size", "effective_clicks")


def log_of(count, seed, rate=0.2):
    """Rewards, propensities, target probabilities, and what a model expects of what was logged and of the target."""
    random = np.random.default_rng(seed)
    reward_N = (random.random(count) < rate).astype(np.float64)
    return reward_N, *random.uniform(0.1, 1.0, (2, count)), *random.uniform(0.0, 0.5, (2, count))


def assert_same(running, whole):
    for name in EQUAL:
        assert getattr(running, name) == pytest.approx(getattr(whole, name), rel=1e-9), name


@pytest.mark.parametrize("count", [2, 20, 150, 3_000])  # few decisions have another interval than many
def test_sums_of_parts_give_the_estimates_of_the_whole(count):
    log = log_of(count, seed=count)
    log[0][:1] = 1.0
    parts = [
        RunningSums.of(*(column_N[part] for column_N in log)) for part in (slice(0, 1), slice(1, 1), slice(1, None))
    ]
    sums = sum(parts, RunningSums())
    assert_same(sums.snips(), snips(*log[:3]))
    assert_same(sums.dr(), ModelledLog.of(*log).dr())


def test_the_gain_is_that_of_the_same_decisions():
    reward_N, propensity_N, target_N, q_N, e_N = log_of(500, seed=1)
    gain = RunningSums.of(reward_N, propensity_N, target_N, q_N, e_N).gain()
    gain_N = e_N + target_N / propensity_N * (reward_N - q_N) - reward_N
    assert gain.value == pytest.approx(gain_N.mean())
    assert gain.std_error == pytest.approx(gain_N.std(ddof=1) / np.sqrt(500))
    assert (gain.lower, gain.upper) == pytest.approx(
        (gain.value - 1.959964 * gain.std_error, gain.value + 1.959964 * gain.std_error)
    )


def test_by_hand():
    # w = 2, 1/2; SNIPS = 2 / 2.5; DR: x = 0.5 + 2 (1 - 0.5), 0.4 + 0.5 (0 - 0.2) = 1.5, 0.3
    sums = RunningSums.of(*map(np.array, ([1.0, 0.0], [0.25, 0.5], [0.5, 0.25], [0.5, 0.2], [0.5, 0.4])))
    assert sums.snips().value == pytest.approx(0.8)
    assert sums.dr().value == pytest.approx(0.9)
    assert sums.logging().value == 0.5
    assert sums.gain().value == pytest.approx(0.4)


def test_a_policy_under_its_own_log_gains_what_the_model_misses():
    reward_N, propensity_N, _, q_N, _ = log_of(1_000, seed=2)
    sums = RunningSums.of(reward_N, propensity_N, propensity_N, q_N, q_N)
    assert sums.snips().value == pytest.approx(reward_N.mean())
    assert sums.dr().value == pytest.approx(reward_N.mean())
    assert sums.gain().value == pytest.approx(0.0, abs=1e-12)
    assert sums.snips().warning is None


def test_no_sum_falls_so_counters_can_carry_them():
    before = RunningSums.of(*log_of(50, seed=3)).by_name()
    after = (RunningSums.of(*log_of(50, seed=3)) + RunningSums.of(*log_of(50, seed=4))).by_name()
    assert all(after[name] >= amount >= 0.0 for name, amount in before.items())
    assert RunningSums.named(after).by_name() == after


def test_nothing_is_estimated_of_nothing():
    nothing = RunningSums()
    assert nothing.snips() is nothing.dr() is nothing.gain() is nothing.logging() is None
    never = RunningSums.of(*map(np.array, ([1.0], [0.5], [0.0], [0.5], [0.5])))
    assert never.snips() is None
    assert never.dr().value == 0.5


def test_few_decisions_are_told():
    assert "effective sample size" in RunningSums.of(*log_of(20, seed=5)).dr().warning
