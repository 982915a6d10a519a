"""Later slots explored anew: what resembles those above moves, propensities stay exact, the record tells the draw."""

import msgspec
import numpy as np
import pytest

from agent.belief import Resemblance
from agent.decide import decide
from agent.draw import draw_slate
from agent.explore import Belief, probabilities, sigmoid
from agent.settings import ExploreSettings
from envs.decision import recommendation
from stream.codec import JsonCodec
from stream.errors import EventError
from stream.events import Candidate, Impression, Recommendation

EXPLORE = ExploreSettings(gap_scale=1.0, floor=0.1)
WEIGHT_F = np.array([-4.0, 0.0, 0.0])
VECTOR_NE = np.array([[1, 0], [1, 0], [0, 1], [0, 1], [1, 1], [1, 0]], np.float32)
LOGIT_N = np.array([1.0, 0.9, 0.5, -1.0, 0.0, 2.0])
COUNTS_B = np.array([5, 1])


def impression(name, items, slots):
    candidates = tuple(Candidate(item_id=str(place)) for place in range(items))
    return Impression(impression_id=name, user_id="u1", ts_ms=1_000, candidates=candidates, slots=slots)


IMPRESSIONS = (impression("i1", 5, slots=4), impression("i2", 1, slots=1))


def belief(weight_F=WEIGHT_F, **fields):
    resemblance = None if weight_F is None else Resemblance(VECTOR_NE, weight_F)
    return Belief(LOGIT_N, np.full(6, 0.1), COUNTS_B, rows=10, resemblance=resemblance, **fields)


def decided(run_seed=7, explore=EXPLORE, **fields):
    return decide(IMPRESSIONS, belief(**fields), explore, run_seed=run_seed, version="2.9")


def moved(above):
    """The logits of the first decision's candidates below some others, by hand: -4 times the rise from 1/4 to 1."""
    unit_KE = VECTOR_NE[:5] / np.linalg.norm(VECTOR_NE[:5], axis=1, keepdims=True)
    alike_K = (unit_KE @ unit_KE[above].T).max(axis=1)
    return LOGIT_N[:5] - 4.0 * np.maximum(alike_K - 0.25, 0.0) / 0.75


@pytest.mark.parametrize("run_seed", range(5))
def test_each_later_slot_is_explored_among_what_is_left_with_what_resembles_those_above_moved(run_seed):
    decision, _ = decided(run_seed)
    for slot in range(1, 4):
        above = list(decision.slate[:slot])
        left = np.setdiff1d(np.arange(5), above)
        alone = Belief(moved(above)[left], np.full(len(left), 0.1), np.array([len(left)]), rows=10)
        expected_K = np.zeros(5)
        expected_K[left] = probabilities(EXPLORE, alone)
        assert decision.slot_probabilities[slot - 1] == pytest.approx(expected_K, rel=1e-6)
        shown = decision.slate[slot]
        assert decision.propensities[slot] == decision.slot_probabilities[slot - 1][shown]
        assert decision.scores[slot] == pytest.approx(sigmoid(moved(above))[shown], rel=1e-6)


def test_more_of_the_same_is_shown_less():
    # what is most probable next to item 0 is item 1 of its kind if that costs nothing, else item 2 of the other
    greedy = ExploreSettings(strategy="greedy", floor=0.001)
    for weight_F, second in ((WEIGHT_F, 2), (np.zeros(3), 1)):
        slates = [decided(seed, greedy, weight_F=weight_F)[0].slate for seed in range(20)]
        assert sum(slate[:2] == (0, second) for slate in slates) >= 19


def test_a_decision_of_one_slot_has_no_later_ones_and_the_first_slot_is_as_ever():
    one, other = decided()
    plain, _ = decided(weight_F=None)
    assert other.slot_probabilities is None
    assert (one.probabilities, one.slate[0]) == (plain.probabilities, plain.slate[0])
    assert plain.slot_probabilities is None


def test_samples_move_with_the_logits():
    thompson = ExploreSettings(strategy="thompson", floor=0.01)
    samples_MN = LOGIT_N + np.zeros((3, 6))  # certain: the best of each slot takes all but the floor
    decision, _ = decided(explore=thompson, samples_MN=samples_MN)
    for slot in range(1, 4):
        left = np.setdiff1d(np.arange(5), decision.slate[:slot])
        best = left[moved(list(decision.slate[:slot]))[left].argmax()]
        assert decision.slot_probabilities[slot - 1][best] == pytest.approx(0.99 + 0.01 / len(left))


def event(decision, **fields):
    asked = {"knew": None, "encoder_version": "", "max_probabilities": 100} | fields
    return recommendation(IMPRESSIONS[0], decision, **asked)


def test_a_slate_can_be_drawn_again_from_its_record_after_the_wire():
    codec, decision = JsonCodec(), decided()[0]
    shown = codec.decode(codec.encode(event(decision)), Recommendation)
    again = draw_slate(shown.probabilities, 4, shown.seed, shown.slot_probabilities)
    assert again == (list(decision.slate), list(decision.propensities))
    assert shown.slate_propensity == pytest.approx(np.prod(again.propensities))


def test_probabilities_of_all_slots_are_left_out_together():
    shown = event(decided()[0], max_probabilities=4)
    assert (shown.probabilities, shown.slot_probabilities) == (None, None)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"probabilities": None}, "must stand beside probabilities, one row for each slot after the first; got 3 rows"),
        ({"slot_probabilities": ((0.5, 0.5, 0.0, 0.0, 0.0),)}, "must stand beside .* got 1 rows"),
        ({"slot_probabilities": ((0.5, 0.5),) * 3}, "must hold 5 values; got 2"),
        ({"slot_probabilities": ((0.5, 0.4, 0.0, 0.0, 0.0),) * 3}, "must sum to 1; got 0.9"),
        ({"slot_probabilities": ((1.5, -0.5, 0.0, 0.0, 0.0),) * 3}, r"must be in \[0, 1\]; got 1.5"),
    ],
)
def test_probabilities_of_later_slots_keep_their_rules(fields, message):
    with pytest.raises(EventError, match=f"recommendation.slot_probabilities {message}"):
        msgspec.structs.replace(event(decided()[0]), **fields).__post_init__()
