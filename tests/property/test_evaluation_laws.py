"""Laws of off-policy evaluation: a log under its own policy gives its mean; estimators meet where they must."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.evaluation import ModelledLog, clipped_ips, ips, snips

LAW = settings(deadline=None)  # a busy machine breaks no law


@st.composite
def logs(draw):
    """Rewards, propensities and target probabilities [N]."""
    N = draw(st.integers(1, 40))

    def rows(low, high):
        return np.array(draw(st.lists(st.floats(low, high), min_size=N, max_size=N)))

    return rows(0.0, 1.0), rows(1e-6, 1.0), rows(1e-3, 1.0)


@LAW
@given(logs(), st.floats(1.0, 100.0))
def test_a_log_under_its_own_policy_gives_exactly_its_mean(log, clip):
    reward_N, propensity_N, _ = log
    for estimate in (
        ips(reward_N, propensity_N, propensity_N),
        snips(reward_N, propensity_N, propensity_N),
        clipped_ips(reward_N, propensity_N, propensity_N, clip),
    ):
        assert estimate.value == reward_N.mean()
        assert estimate.effective_sample_size == pytest.approx(len(reward_N))


@LAW
@given(logs(), st.floats(0.0, 1.0))
def test_a_constant_model_changes_nothing_under_the_logs_own_policy(log, constant):
    reward_N, propensity_N, _ = log
    q_N = np.full(len(reward_N), constant)
    rows = ModelledLog.of(reward_N, propensity_N, propensity_N, q_N, q_N)
    for estimate in (rows.dr(), rows.sndr(), rows.switch_dr(1.0), rows.dr_os(math.inf)):
        assert estimate.value == pytest.approx(reward_N.mean(), abs=1e-12)
    mean_N = np.full(len(reward_N), reward_N.mean())
    rows = ModelledLog.of(reward_N, propensity_N, propensity_N, mean_N, mean_N)
    assert rows.dr_os().value == pytest.approx(reward_N.mean(), abs=1e-12)


@LAW
@given(logs())
def test_without_a_model_the_corrected_ones_are_the_weighted_ones(log):
    rows = ModelledLog.of(*log, np.zeros(len(log[0])), np.zeros(len(log[0])))
    for one, other in ((rows.dr(), ips(*log)), (rows.sndr(), snips(*log))):
        assert one.value == pytest.approx(other.value, rel=1e-9, abs=1e-12)
        # a spread of nothing is rounding of terms of the size of the value
        assert one.std_error == pytest.approx(other.std_error, rel=1e-6, abs=1e-9 * (1.0 + abs(other.value)))


@LAW
@given(logs(), st.floats(1.0, 100.0))
def test_clipping_only_takes_away_and_normalised_values_are_rewards(log, clip):
    reward_N = log[0]
    assert clipped_ips(*log, clip).value <= ips(*log).value + 1e-12
    assert reward_N.min() - 1e-9 <= snips(*log).value <= reward_N.max() + 1e-9


@LAW
@given(logs(), st.floats(-10.0, 10.0))
def test_normalised_values_move_with_the_rewards(log, shift):
    reward_N, *probabilities = log
    assert snips(reward_N + shift, *probabilities).value == pytest.approx(snips(*log).value + shift, abs=1e-9)


@LAW
@given(logs())
def test_intervals_are_ordered_lie_in_bounds_and_hold_what_lies_in_bounds(log):
    for estimate in (ips(*log), snips(*log), clipped_ips(*log)):
        assert 0.0 <= estimate.lower <= estimate.upper <= 1.0
        assert estimate.lower <= min(estimate.value, 1.0) + 1e-12
        assert min(estimate.value, 1.0) <= estimate.upper + 1e-12
        assert estimate.effective_sample_size <= len(log[0]) + 1e-9
