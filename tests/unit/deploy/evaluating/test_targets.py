"""Target policies that need no model, and what `--policy` may name."""

import numpy as np
import pytest
from support.logs import logged_decisions, only_a_is_clicked

from deploy.errors import EvaluateError
from deploy.evaluating.from_outcomes import log_of_outcomes
from deploy.evaluating.policies import target_of
from deploy.evaluating.target import logged_scores, logging, uniform
from deploy.settings import Settings

NAN = np.nan
LOG = logged_decisions([1, 0, 1], [1, 0, 0], [0.7, 0.5, NAN], [[0.3, 0.7], [0.5, 0.5], [NAN, NAN]])


def test_uniform_shows_every_candidate_alike():
    target = uniform(LOG)
    assert target.propensity_N.tolist() == [0.5] * 3
    assert target.probability_M.tolist() == [0.5] * 6


def test_logging_is_what_the_log_says():
    target = logging(LOG)
    np.testing.assert_array_equal(target.propensity_N, LOG.propensity_N)
    np.testing.assert_array_equal(target.probability_M, LOG.logging_M)


def test_logged_scores_show_the_favourite_and_of_equals_the_first():
    target = logged_scores(LOG)
    np.testing.assert_array_equal(target.probability_M, [0, 1, 1, 0, NAN, NAN])
    np.testing.assert_array_equal(target.propensity_N, [1, 1, NAN])


@pytest.mark.parametrize("policy", ["best", "uniform:", "snapshot", "snapshot:", "greedy:", "settings", "", ":x"])
def test_a_policy_that_is_none_is_answered_with_those_that_are(policy):
    with pytest.raises(EvaluateError, match=r"--policy must be one of uniform, logging, logged-scores, greedy:PATH, s"):
        target_of(policy, LOG, Settings())


@pytest.mark.parametrize("policy", ["settings:", "snapshot:nowhere"])
def test_a_policy_of_the_agent_needs_events(policy):
    with pytest.raises(EvaluateError, match="policies of the agent read events; by hand has none"):
        target_of(policy, LOG, Settings())


def test_a_saved_policy_must_be_there(tmp_path):
    log = log_of_outcomes("mine", only_a_is_clicked(3))
    with pytest.raises(EvaluateError, match=r"--policy must name a folder of a snapshot or of checkpoints; got .*none"):
        target_of(f"snapshot:{tmp_path / 'none'}", log, Settings())
