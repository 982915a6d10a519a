"""The benchmarks of speed in process as a whole, with little of everything: both sides work, and a figure comes out."""

import pytest

from agent.learning import Learning
from agent.policy import Policy
from agent.settings import AgentSettings
from agent.threads import one_thread
from deploy.bench.cost_filling import LAYOUTS, Traffic, taught
from deploy.bench.errors import BenchError
from deploy.bench.speed import deciding, learner_path, scaling
from deploy.bench.speed.decisions import Decisions
from deploy.bench.speed.figure import Goal


def test_the_learner_path_learns_the_same_rows_on_both_sides_and_tells_their_rates():
    said = []
    found = learner_path.beside_bare_loop(256, repeats=1, say=said.append)
    assert (found.name, found.unit, found.goal, found.spread) == ("learner-path-256", "rows/s", None, None)
    assert found.ratio == pytest.approx(found.ours / found.theirs)
    assert said == ["1 repeats of 4 batches of 256 rows"]


def test_who_has_learned_less_is_not_compared():
    learner = taught(Traffic(LAYOUTS["numeric"], seed=0), 10, AgentSettings())
    with pytest.raises(BenchError, match=r"must have learned the same; got 0.17, 0.0"):
        learner_path._require_alike(learner, Learning(Policy(AgentSettings(), LAYOUTS["numeric"])))


@one_thread()
def test_ours_and_every_peer_decide_and_learn_in_either_turn():
    pytest.importorskip("vowpalwabbit", reason="the extra `peers` is not installed")
    sides = deciding._Sides()
    sides.warm()
    found = [sides.rates(turn=turn) for turn in (False, True)]
    names = ["ours", "vw", "vw-flat", "vw-flat-parsed", "vw-parsed"]
    assert sorted(found[0]) == sorted(found[1]) == [(work, name) for work in ("deciding", "learning") for name in names]
    assert min(rate for rates in found for rate in rates.values()) > 0
    (shown, *_) = sides._decide(Decisions(seed=1).impressions(256))
    assert shown.policy_version == "0.3"  # one update while it warmed up, and one in each turn


@one_thread()
def test_a_cost_is_that_of_one_candidate_and_of_one_open_decision():
    traffic = Traffic(LAYOUTS["numeric"], seed=0)
    found = scaling._candidates(traffic, taught(traffic, 100, AgentSettings()), repeats=1)
    assert (found.name, found.unit, found.goal) == ("scaling-candidates", "µs a candidate", Goal(1.1, at_most=True))
    assert found.ratio == pytest.approx(found.ours / found.theirs)
    assert scaling._opened(50)() > 0
