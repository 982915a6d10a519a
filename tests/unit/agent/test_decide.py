"""From beliefs to decisions: what was drawn is what was believed, and anyone can draw it again from the record."""

import numpy as np
import pytest

from agent.decide import decide
from agent.draw import draw_slate
from agent.explore import Belief, probabilities, sigmoid
from agent.settings import ExploreSettings
from stream.events import Candidate, Impression
from stream.identity import decision_id, decision_seed

EXPLORE = ExploreSettings(gap_scale=1.0, floor=0.1)


def impression(name, items, slots=1):
    candidates = tuple(Candidate(item_id=str(place)) for place in range(items))
    return Impression(impression_id=name, user_id="u1", ts_ms=1_000, candidates=candidates, slots=slots)


IMPRESSIONS = (impression("i1", 3, slots=2), impression("i2", 1), impression("i3", 5, slots=5))
BELIEF = Belief(np.linspace(-2, 2, 9), np.full(9, 0.1), np.array([3, 1, 5]), rows=10)


def decided(run_seed=7, impressions=IMPRESSIONS, belief=BELIEF):
    return decide(impressions, belief, EXPLORE, run_seed=run_seed, version="2.9")


def test_each_decision_holds_its_own_part_of_the_distribution():
    shares_N = probabilities(EXPLORE, BELIEF)
    for decision, (start, stop) in zip(decided(), [(0, 3), (3, 4), (4, 9)], strict=True):
        assert decision.probabilities == tuple(shares_N[start:stop])
        assert decision.greedy_probability == shares_N[stop - 1]  # logits rise, so the last is the greedy one
        assert decision.scores == tuple(sigmoid(BELIEF.logit_N[start:stop])[list(decision.slate)])


def test_a_slate_has_as_many_candidates_as_there_are_slots():
    one, two, three = decided()
    assert (len(one.slate), two.slate, sorted(three.slate)) == (2, (0,), [0, 1, 2, 3, 4])
    assert (two.propensities, two.probabilities, two.greedy_probability) == ((1.0,), (1.0,), 1.0)


def test_a_slate_can_be_drawn_again_from_the_record():
    for impression_, decision in zip(IMPRESSIONS, decided(), strict=True):
        assert decision.seed == decision_seed(7, decision_id("u1", impression_.impression_id))
        again = draw_slate(np.array(decision.probabilities), impression_.slots, decision.seed)
        assert again == (list(decision.slate), list(decision.propensities))
        assert decision.propensities[0] == pytest.approx(decision.probabilities[decision.slate[0]])


def test_decisions_say_by_what_they_were_taken():
    assert {(decision.strategy, decision.policy_version) for decision in decided()} == {
        ("inverse_gap_weighting", "2.9")
    }


def test_the_same_run_decides_the_same_and_another_one_draws_anew():
    assert decided() == decided()
    many = tuple(impression(f"i{number}", 4) for number in range(50))
    even = Belief(np.zeros(200), np.zeros(200), np.full(50, 4), rows=1)
    one, other = ([d.slate for d in decided(seed, many, even)] for seed in (0, 1))
    agreements = sum(a == b for a, b in zip(one, other, strict=True))
    assert 2 <= agreements <= 25  # of 50 by chance 12.5


def test_a_decision_does_not_depend_on_the_batch_it_is_in():
    alone = decided(impressions=IMPRESSIONS[2:], belief=Belief(BELIEF.logit_N[4:], BELIEF.sd_N[4:], np.array([5]), 10))
    assert alone[0].slate == decided()[2].slate
    np.testing.assert_allclose(alone[0].probabilities, decided()[2].probabilities, rtol=1e-12)


def test_each_decision_tells_what_its_exploring_is_expected_to_cost():
    one, two, three = decided()
    # logits -2, -1.5 and -1: what the best brings less what the distribution does
    mean_K = sigmoid(BELIEF.logit_N[:3])
    assert one.exploring.cost == pytest.approx(mean_K[2] - mean_K @ one.probabilities, rel=1e-4)
    assert (one.exploring.greedy, two.exploring.greedy, three.exploring.greedy) == (2, 0, 4)
    assert (two.exploring.cost, two.exploring.level) == (0.0, 1.0)


def test_levels_are_told_with_five_digits():
    (one,) = decided(
        impressions=IMPRESSIONS[:1],
        belief=Belief(np.zeros(3), np.ones(3), np.array([3]), 10, level_B=np.array([1 / 3])),
    )
    assert one.exploring.level == 0.33333
