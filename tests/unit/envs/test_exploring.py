"""What an outcome tells of exploring, worked by hand."""

import math

import numpy as np
import pytest

from envs.exploring import count_lost, exploring_of, lost_reward
from stream.errors import EventError
from stream.events import Candidate, Exploring, Impression, Outcome, Recommendation, Slot
from stream.meter import Tally

CANDIDATES = (Candidate(item_id="a"), Candidate(item_id="b"))


def outcome(item_id, reward, *, propensity=0.8, score=0.3, exploring=Exploring(level=0.5, cost=0.04, greedy=0)):  # noqa: B008
    impression = Impression(impression_id="i", user_id="u", ts_ms=1, candidates=CANDIDATES)
    shown = Recommendation(
        decision_id="d",
        impression_id="i",
        user_id="u",
        ts_ms=1,
        slate=(Slot(item_id=item_id, propensity=propensity, score=score),),
        strategy="inverse_gap_weighting",
        policy_version="0.1",
        exploring=exploring,
    )
    return Outcome(impression=impression, recommendation=shown, rewards=(reward,), closed_ms=2)


def test_the_best_by_the_mean_was_shown_and_rewarded():
    # 0.04 + (1 / 0.8 - 1) * (1 - 0.3) = 0.04 + 0.25 * 0.7
    assert exploring_of(outcome("a", 1.0)) == pytest.approx((0.5, 0.04, 0.215))


def test_another_was_shown_and_not_rewarded():
    # 0.04 + (0 - 1) * (0 - 0.1)
    assert exploring_of(outcome("b", 0.0, propensity=0.2, score=0.1)) == pytest.approx((0.5, 0.04, 0.14))


@pytest.mark.parametrize("unknown", [{"propensity": None}, {"score": None}, {"exploring": None}])
def test_what_is_not_told_is_no_number(unknown):
    assert all(math.isnan(number) for number in exploring_of(outcome("a", 1.0, **unknown)))


def test_a_greedy_index_beyond_the_candidates_tells_nothing():
    beyond = Exploring(level=0.5, cost=0.0, greedy=2)
    assert math.isnan(exploring_of(outcome("a", 1.0, exploring=beyond))[2])


def test_the_estimate_is_right_in_the_mean_however_wrong_the_policy_is():
    # true rates .2 and .1, believed .05 and .4; shown with .7 and .3; "b" is the best by the mean: it brings .1
    propensity_K, true_K, believed_K = np.array([0.7, 0.3]), np.array([0.2, 0.1]), np.array([0.05, 0.4])
    cost = believed_K[1] - propensity_K @ believed_K
    weight_K = np.array([0.0, 1.0 / 0.3])
    mean = sum(
        propensity_K[k] * chance * lost_reward(cost, weight_K[k], reward - believed_K[k])
        for k in range(2)
        for reward, chance in ((1.0, true_K[k]), (0.0, 1.0 - true_K[k]))
    )
    assert mean == pytest.approx(0.1 - propensity_K @ true_K)


def test_sums_are_counted_apart_by_sign():
    tally = Tally()
    # lost .215 and, of "a" without reward, .04 - .25 * .3 = -.035; expected .04 each
    count_lost([outcome("a", 1.0), outcome("a", 0.0), outcome("a", 1.0, exploring=None)], tally)
    assert tally.counters["exploring_cost", ""] == pytest.approx(0.08)
    assert tally.counters["lost_reward", "lost"] == pytest.approx(0.215)
    assert tally.counters["lost_reward", "won"] == pytest.approx(0.035)
    assert tally.counters["lost_reward_variance", ""] == pytest.approx(0.175**2 + 0.075**2)


def test_exploring_must_be_finite_and_name_a_candidate():
    with pytest.raises(EventError, match="greedy must be an index"):
        Exploring(level=0.5, cost=0.0, greedy=-1)
    with pytest.raises(EventError, match="must be finite"):
        Exploring(level=0.5, cost=math.inf, greedy=0)
