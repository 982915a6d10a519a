"""Beside an incumbent: agreement and estimated value of the policy in its decisions, told by metrics alone."""

import math

import numpy as np
import pytest
from support.core_bench import Bench, candidates, click, impression, tick
from support.encoders import HashingEncoder

from agent.apprentice import MOST, judge, standing
from agent.deciding import DecidingLoop
from agent.errors import EncoderError
from agent.explore import Belief
from agent.settings import ExploreSettings
from envs.features import FeatureSettings, Featurizer
from envs.session import Session
from stream.events import Context, Logged, Outcome, Recommendation, Slot
from stream.meter import Tally

END_MS = 1_700_000_002_000  # the windows of all events of the bench have passed


class ByFeature:
    """Its logit of a candidate is the candidate's number; the favourite is shown in 85 of 100 decisions."""

    version, explore = "0.0", ExploreSettings(strategy="greedy", floor=0.2)

    def __init__(self):
        self.asked = []

    def believe(self, observation):
        self.asked.append(observation)
        logit_N = observation.candidates_ND[:, -1].astype(np.float64)
        return Belief(logit_N, np.zeros(len(logit_N)), observation.counts_B, rows=0)


def logged(name, item, propensity=None, **more):
    propensities = None if propensity is None else (propensity,)
    return impression(name, logged=Logged(item_ids=(item,), propensities=propensities, policy="old"), **more)


def looped(bench, steps=2):
    """A loop that took so many steps."""
    believer = ByFeature()
    loop = DecidingLoop(Session(bench.core, close=lambda: None, timer=lambda: 0.0), believer, run_seed=0)
    for _ in range(steps):
        loop.step()
    return believer


def outcome(name, item, reward=0.0, propensity=0.5, **more):
    shown = Recommendation(
        decision_id=name,
        impression_id=name,
        user_id="u1",
        ts_ms=1,
        slate=(Slot(item_id=item, propensity=propensity),),
        strategy="logged",
        policy_version="old",
    )
    return Outcome(impression=impression(name, **more), recommendation=shown, rewards=(reward,), closed_ms=2)


def test_agreement_and_values_by_hand():
    bench = Bench()
    bench.append(logged("i1", "d", 0.5), logged("i2", "a", 0.25), click("i1", item="d"), tick(END_MS))
    looped(bench)
    found = standing(bench.meter)
    assert (found.decisions, found.weighted) == (2, 2)
    assert found.agreement == pytest.approx((0.85 + 0.05) / 2)
    assert (found.same, found.earned) == (0.5, 0.5)
    assert found.incumbent.value == 0.5
    assert found.snips.value == pytest.approx(1.7 / (1.7 + 0.2))  # weights .85 / .5 and .05 / .25
    q = [1 / (1 + math.exp(-logit)) for logit in range(4)]
    expected = 0.05 * sum(q[:3]) + 0.85 * q[3]
    assert found.dr.value == pytest.approx(((expected + 1.7 * (1 - q[3])) + (expected + 0.2 * (0 - q[0]))) / 2)
    assert found.gain.value == pytest.approx(found.dr.value - 0.5)


def test_the_policys_own_decisions_are_not_judged():
    bench = Bench()
    bench.append(impression("i1"), logged("i2", "a", 0.25), tick(END_MS))
    believer = looped(bench)
    assert standing(bench.meter).decisions == 1
    assert [len(asked.counts_B) for asked in believer.asked] == [1, 1]  # one to decide, one to judge
    assert [shown.impression_id for shown in bench.published()] == ["i1"]


def test_without_propensities_there_is_agreement_alone():
    bench = Bench()
    bench.append(logged("i1", "d"), logged("i2", "b", 0.25), tick(END_MS))
    looped(bench)
    found = standing(bench.meter)
    assert (found.decisions, found.weighted, found.same) == (2, 1, 0.5)
    assert set(found.estimates()) == {"incumbent", "snips", "dr", "gain"}
    bench = Bench()
    bench.append(logged("i1", "d"), tick(END_MS))
    looped(bench)
    assert standing(bench.meter).estimates() == {}


def test_nothing_is_judged_before_it_closes_nor_where_nothing_was_logged():
    bench = Bench()
    bench.append(logged("i1", "d", 0.5))
    assert not looped(bench).asked
    assert standing(bench.meter) is None


def test_the_user_is_read_as_learning_reads_it_so_a_click_does_not_tell_on_itself():
    bench = Bench()
    bench.append(logged("i1", "d", 0.5), click("i1", item="d"), tick(END_MS))
    believer = looped(bench)
    assert bench.users_of().read("u1", END_MS, np.zeros(0, np.float32)).clicks == 1
    assert not believer.asked[0].user_BU.any()


def test_an_outcome_after_a_crash_is_judged_once_and_is_what_it_would_have_been():
    kept = Bench()
    crashed = Bench()
    for bench in (kept, crashed):
        bench.append(logged("i1", "d", 0.5), click("i1", item="d"))
        looped(bench, steps=1)
        if bench is crashed:
            bench.start()
        bench.append(tick(END_MS))
        looped(bench)
    assert crashed.outcomes() == kept.outcomes() != []
    assert standing(crashed.meter) == standing(kept.meter)


def test_what_does_not_fit_the_features_is_passed():
    meter = Tally()
    featurizer = Featurizer(FeatureSettings(text="off", context_dim=2, candidate_dim=1), None)
    misfit = outcome("i2", "a", context=Context(features=(1.0, 2.0, 3.0)))
    judge([outcome("i1", "d"), misfit], ByFeature(), featurizer, meter)
    assert (standing(meter).decisions, meter.total("apprentice_passed")) == (1, 1)
    judge([misfit], ByFeature(), featurizer, meter)
    assert (standing(meter).decisions, meter.total("apprentice_passed")) == (1, 2)


def test_of_many_at_once_evenly_spread_ones_are_judged():
    meter = Tally()
    featurizer = Featurizer(FeatureSettings(text="off", context_dim=2, candidate_dim=1), None)
    judge([outcome(f"i{number}", "d") for number in range(2 * MOST + 1)], ByFeature(), featurizer, meter)
    assert standing(meter).decisions == 171  # every third
    assert meter.total("apprentice_passed") == 2 * MOST + 1 - 171


def test_an_encoder_that_does_not_answer_stops_nothing():
    class Away(HashingEncoder):
        def encode(self, texts):
            raise EncoderError("encoder must answer; got nothing")

    meter = Tally()
    featurizer = Featurizer(FeatureSettings(text="on", context_dim=2, candidate_dim=1), Away())
    judge([outcome("i1", "d")], ByFeature(), featurizer, meter)
    assert (standing(meter), meter.total("apprentice_passed")) == (None, 1)


def test_of_several_slots_the_first_is_judged():
    bench = Bench()
    both = Logged(item_ids=("d", "a"), propensities=(0.5, 0.25))
    bench.append(impression("i1", slots=2, logged=both), tick(END_MS))
    looped(bench)
    assert standing(bench.meter).agreement == pytest.approx(0.85)


def test_candidates_are_told_apart_by_their_own_features():
    bench = Bench()
    bench.append(logged("i1", "y", 0.5, candidates=candidates("x", "y")), logged("i2", "d", 0.5), tick(END_MS))
    looped(bench)
    # of two candidates the favourite has .9, of four .85
    assert standing(bench.meter).agreement == pytest.approx((0.9 + 0.85) / 2)
