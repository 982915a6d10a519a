"""Policies of the agent on a log: one that learns it, judged before it learns; a saved one, exploring or not.

The log is an even choice between a, which is always clicked, and b, which never is.
"""

import math

import msgspec
import numpy as np
import pytest
from support.logs import only_a_is_clicked, shown

from agent import BanditAgent
from agent.checkpoint import Checkpoint
from agent.learned import Learned
from agent.sealed import SealedFolders
from agent.settings import AgentSettings
from deploy.errors import EvaluateError
from deploy.evaluating.evaluation import ESTIMATORS, evaluate
from deploy.evaluating.from_outcomes import log_of_outcomes
from deploy.evaluating.policies import target_of
from deploy.settings import Settings
from envs.errors import FeatureError
from stream.events import Knew

LOG = log_of_outcomes("mine", only_a_is_clicked(600))
FITTED = 300  # rows, the first multiple of 100 at which the policy is fitted (at 256)
FLOOR = 0.01  # share of the uniform choice: half of it is b's


def learning(log=LOG, **agent):
    return target_of("settings:", log, Settings(agent=agent))


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory):
    """An agent that has learned 600 decisions."""
    agent, path = BanditAgent(seed=0), tmp_path_factory.mktemp("saved") / "agent"
    outcomes = only_a_is_clicked(600, seed=1)
    agent.decide([outcomes[0].impression])
    agent.learn(outcomes)
    agent.save(path)
    return agent, path


def test_each_decision_is_judged_before_it_is_learned():
    target = learning(update_rows=100)
    a_N2 = target.probability_M.reshape(600, 2)
    np.testing.assert_allclose(a_N2.sum(axis=1), 1.0)
    assert (a_N2[:FITTED] == 0.5).all()  # nothing is known yet
    assert (a_N2[FITTED:, 0] > 0.9).all()
    assert np.isnan(target.loss_N[:FITTED]).all()
    assert (target.expected_M[: 2 * FITTED] == 0.0).all()
    assert (target.loss_N[FITTED:] < 0.1).all()


def test_the_future_does_not_reach_back():
    changed = [*only_a_is_clicked(600)[:400], *(shown(number, "b", 1.0) for number in range(400, 600))]
    other = learning(log_of_outcomes("other", changed), update_rows=100)
    target = learning(update_rows=100)
    same = 2 * 500  # candidates of the decisions that were judged before the first changed one was learned
    np.testing.assert_array_equal(target.probability_M[:same], other.probability_M[:same])
    assert (target.probability_M[same:] != other.probability_M[same:]).any()


def test_the_loss_is_that_of_what_was_expected():
    target = learning(update_rows=300)
    q, reward = target.expected_M[LOG.shown_N][400], LOG.reward_N[400]
    assert target.loss_N[400] == pytest.approx(-math.log(q if reward else 1.0 - q))


def test_the_same_log_and_seed_give_the_same_numbers_bit_for_bit():
    first, second = (evaluate(LOG, learning(update_rows=64), ESTIMATORS, seed=0) for _ in range(2))
    assert first.estimates == second.estimates
    assert first.parts == second.parts
    assert first.loss == second.loss


def test_what_was_learned_is_worth_more_and_the_estimate_says_so():
    found = evaluate(LOG, learning(update_rows=100), ["snips", "dr"], seed=0)
    # half the clicks until it is fitted, nearly all after
    assert found.logging.value == pytest.approx(0.5, abs=0.05)
    for estimate in found.estimates.values():
        assert estimate.value == pytest.approx((0.5 + 1.0 - FLOOR / 2) / 2, abs=0.06)
    assert found.parts[0].estimate.value < 0.7
    assert found.parts[-1].estimate.value > 0.9


def test_settings_of_a_file_are_those_of_the_policy_that_learns(tmp_path):
    path = tmp_path / "wide.toml"
    path.write_text("[agent]\nupdate_rows = 100\n[agent.explore]\nfloor = 1.0\n")
    assert (target_of(f"settings:{path}", LOG, Settings()).probability_M == 0.5).all()
    narrow = target_of(f"settings:{path}", LOG, Settings(), ["agent.explore.floor=0.01"])
    assert narrow.probability_M.max() > 0.9


def test_a_saved_policy_explores_as_it_did_or_shows_its_best(snapshot):
    agent, path = snapshot
    exploring = target_of(f"snapshot:{path}", LOG, Settings())
    (decided,) = agent.decide([LOG.outcomes()[0].impression])
    np.testing.assert_allclose(exploring.probability_M[:2], decided.probabilities, atol=1e-5)
    greedy = target_of(f"greedy:{path}", LOG, Settings())
    assert greedy.probability_M.reshape(600, 2).tolist() == [[1.0, 0.0]] * 600
    assert evaluate(LOG, greedy, ["snips"], seed=0).estimates["snips"].value == 1.0
    assert "not learned from these decisions" in greedy.notes[0]


def test_what_is_set_of_exploring_takes_the_place_of_what_was_saved(snapshot):
    settings = Settings(agent={"explore": {"floor": 1.0}})
    assert (target_of(f"snapshot:{snapshot[1]}", LOG, settings).probability_M == 0.5).all()


def test_a_checkpoint_is_a_policy_too_the_newest_or_the_one_that_is_named(snapshot, tmp_path):
    learner = snapshot[0]._learning
    folders = SealedFolders(tmp_path, "checkpoint", keep=2)
    for number in (1, 2):
        folders.save(number, Checkpoint.of(learner, {0: 1}, Learned()).files())
    one = target_of(f"snapshot:{snapshot[1]}", LOG, Settings())
    for path in (tmp_path, tmp_path / "checkpoint-000000000001"):
        found = target_of(f"snapshot:{path}", LOG, Settings())
        np.testing.assert_array_equal(found.probability_M, one.probability_M)


def test_a_folder_above_or_without_a_policy_says_where_one_is(snapshot, tmp_path):
    with pytest.raises(EvaluateError, match=r"must hold a snapshot or checkpoints; got .* with neither$"):
        target_of(f"snapshot:{tmp_path}", LOG, Settings())
    files = Checkpoint.of(snapshot[0]._learning, {0: 1}, Learned()).files()
    SealedFolders(tmp_path / "group.1", "checkpoint", keep=2).save(1, files)
    with pytest.raises(EvaluateError, match=r"with neither; checkpoints are in .*group\.1$"):
        target_of(f"snapshot:{tmp_path}", LOG, Settings())


def test_a_policy_must_have_seen_something_and_fit_the_log(snapshot, tmp_path):
    BanditAgent(AgentSettings()).save(tmp_path / "new")
    with pytest.raises(EvaluateError, match="must have decided something; it knows no features yet"):
        target_of(f"snapshot:{tmp_path / 'new'}", LOG, Settings())
    outcome = shown(1)
    candidates = tuple(msgspec.structs.replace(each, features=(1.0, 2.0)) for each in outcome.impression.candidates)
    other = msgspec.structs.replace(
        outcome, impression=msgspec.structs.replace(outcome.impression, candidates=candidates)
    )
    with pytest.raises(FeatureError):
        target_of(f"snapshot:{snapshot[1]}", log_of_outcomes("other", [other]), Settings())


def test_interests_of_another_length_are_refused(snapshot):
    log = log_of_outcomes("other", [shown(1, knew=Knew(clicks=1, interest=b"\0\0" * 7))])
    with pytest.raises(EvaluateError, match="interests in the log must fit the policy's, of the length"):
        target_of(f"snapshot:{snapshot[1]}", log, Settings())
