"""Laws of exploration: whatever the beliefs, a distribution for every decision, and the floor under all of it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.draw import split
from agent.explore import Belief, probabilities, sigmoid
from agent.settings import ExploreSettings

LAW = settings(deadline=None)  # a busy machine breaks no law

STRATEGIES = ("inverse_gap_weighting", "boltzmann", "epsilon_greedy")


@st.composite
def beliefs(draw):
    """Ragged beliefs: up to six decisions of up to eight candidates."""
    counts = draw(st.lists(st.integers(1, 8), min_size=1, max_size=6))
    total = sum(counts)
    logit = draw(st.lists(st.floats(-30, 30), min_size=total, max_size=total))
    sd = draw(st.lists(st.floats(0, 10), min_size=total, max_size=total))
    return Belief(np.array(logit), np.array(sd), np.array(counts), rows=draw(st.integers(0, 10**7)))


@st.composite
def explorers(draw, strategies=STRATEGIES):
    return ExploreSettings(
        strategy=draw(st.sampled_from(strategies)),
        floor=draw(st.floats(1e-6, 1.0)),
        gap_scale=draw(st.floats(1e-3, 1e6)),
        inverse_temperature=draw(st.floats(0, 100)),
        epsilon=draw(st.floats(1e-6, 1.0)),
    )


@LAW
@given(explorers(), beliefs())
def test_every_decision_has_a_distribution_above_the_floor(settings, belief):
    shares_N = probabilities(settings, belief)
    assert shares_N.shape == belief.logit_N.shape
    for shares_K in split(shares_N, belief.counts_B):
        assert (shares_K > 0).all()
        assert (shares_K <= 1).all()
        assert abs(shares_K.sum() - 1.0) < 1e-9
        assert (shares_K >= settings.floor / len(shares_K) * (1 - 1e-9)).all()


@LAW
@given(explorers(), beliefs())
def test_a_decision_does_not_depend_on_the_batch_it_is_in(settings, belief):
    together = split(probabilities(settings, belief), belief.counts_B)
    logits, sds = split(belief.logit_N, belief.counts_B), split(belief.sd_N, belief.counts_B)
    for shares_K, logit_K, sd_K in zip(together, logits, sds, strict=True):
        alone = Belief(logit_K, sd_K, np.array([len(logit_K)]), belief.rows)
        np.testing.assert_allclose(probabilities(settings, alone), shares_K, rtol=0, atol=1e-12)


@LAW
@given(explorers(("inverse_gap_weighting",)), beliefs())
def test_inverse_gap_weighting_gives_most_to_the_one_it_may_hope_most_of_and_more_to_a_smaller_gap(settings, belief):
    hopes = split(sigmoid(belief.logit_N + belief.sd_N), belief.counts_B)
    for shares_K, hope_K in zip(split(probabilities(settings, belief), belief.counts_B), hopes, strict=True):
        assert shares_K[np.argmax(hope_K)] >= shares_K.max() - 1e-12
        rest_K = np.delete(np.arange(len(hope_K)), np.argmax(hope_K))
        by_hope_K = shares_K[rest_K][np.argsort(hope_K[rest_K])]
        assert (np.diff(by_hope_K) >= -1e-12).all()


@LAW
@given(explorers(("boltzmann",)), beliefs())
def test_boltzmann_ranks_as_the_logits_do(settings, belief):
    logits = split(belief.logit_N, belief.counts_B)
    for shares_K, logit_K in zip(split(probabilities(settings, belief), belief.counts_B), logits, strict=True):
        assert (np.diff(shares_K[np.argsort(logit_K)]) >= -1e-12).all()


@LAW
@given(explorers(("epsilon_greedy",)), beliefs())
def test_epsilon_greedy_gives_the_greedy_one_the_rest_and_all_others_the_same(settings, belief):
    greedy_B = belief.greedy_B - belief.starts_B
    for shares_K, greedy in zip(split(probabilities(settings, belief), belief.counts_B), greedy_B, strict=True):
        even = ((1 - settings.floor) * settings.epsilon + settings.floor) / len(shares_K)
        np.testing.assert_allclose(np.delete(shares_K, greedy), even, rtol=1e-9)
        assert shares_K[greedy] == pytest.approx(even + (1 - settings.floor) * (1 - settings.epsilon))


@LAW
@given(explorers(("inverse_gap_weighting", "boltzmann")), st.integers(1, 50), st.floats(-20, 20), st.floats(0, 5))
def test_where_all_candidates_are_alike_the_choice_is_uniform(settings, count, logit, sd):
    belief = Belief(np.full(count, logit), np.full(count, sd), np.array([count]), rows=1_000)
    np.testing.assert_allclose(probabilities(settings, belief), 1 / count, rtol=1e-9)


def test_inverse_gap_weighting_by_hand():
    # means 0.5 and 0.2, n = 100 rows: gamma = 3 sqrt(100) = 30, so the second gets 1 / (2 + 30 * 0.3) = 1/11
    belief = Belief(np.array([0.0, np.log(0.2 / 0.8)]), np.zeros(2), np.array([2]), rows=100)
    settings = ExploreSettings(gap_scale=3.0, floor=0.1)
    np.testing.assert_allclose(probabilities(settings, belief), [0.9 * 10 / 11 + 0.05, 0.9 / 11 + 0.05])


def test_boltzmann_by_hand():
    # C = 2 and logits 0 and ln 3: weights 1 and 9
    belief = Belief(np.array([0.0, np.log(3.0)]), np.ones(2), np.array([2]), rows=0)
    settings = ExploreSettings(strategy="boltzmann", inverse_temperature=2.0, floor=0.2)
    np.testing.assert_allclose(probabilities(settings, belief), [0.8 * 0.1 + 0.1, 0.8 * 0.9 + 0.1])


def test_more_rows_mean_less_exploration():
    belief = [Belief(np.array([0.0, -1.0]), np.zeros(2), np.array([2]), rows=rows) for rows in (1, 100, 10_000)]
    other = [probabilities(ExploreSettings(), each)[1] for each in belief]
    assert other[0] > other[1] > other[2] > 0.01 / 2


def test_the_greedy_candidate_is_the_first_of_the_best_means():
    belief = Belief(np.array([1.0, 3.0, 3.0, -2.0, -2.0]), np.zeros(5), np.array([3, 2]), rows=1)
    assert belief.greedy_B.tolist() == [1, 3]
    assert belief.starts_B.tolist() == [0, 3]
