"""Laws of drawing a slate: different candidates, exact propensities, a function of the seed, frequencies as logged."""

import math
from collections import Counter
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from agent.draw import draw_slate, draw_slates, padded, split, uniform

LAW = settings(deadline=None)  # a busy machine breaks no law

SEEDS = 20_000
LEAST_P = 1e-4  # of a chi-square test; the seeds are fixed, so it passes or fails for good

shares = st.lists(st.floats(1e-12, 1.0), min_size=1, max_size=12).map(lambda weights: np.array(weights) / sum(weights))
seeds = st.integers(0, 2**53 - 1)


@LAW
@given(shares, seeds, st.data())
def test_a_slate_holds_different_candidates_each_with_its_propensity_given_those_above(shares_K, seed, data):
    slots = data.draw(st.integers(1, len(shares_K)))
    indices, propensities = draw_slate(shares_K, slots, seed)
    assert len(indices) == len(propensities) == len(set(indices)) == slots
    above: list[int] = []
    for index, propensity in zip(indices, propensities, strict=True):
        left = math.fsum(np.delete(shares_K, above))
        assert propensity == pytest.approx(shares_K[index] / left, rel=1e-9)
        assert 0 < propensity <= 1
        above.append(index)


@LAW
@given(shares, seeds, st.data())
def test_the_slate_is_a_function_of_probabilities_and_seed_and_leaves_its_input_alone(shares_K, seed, data):
    slots = data.draw(st.integers(1, len(shares_K)))
    before_K = shares_K.copy()
    assert draw_slate(shares_K, slots, seed) == draw_slate(before_K.copy(), slots, seed)
    assert (shares_K == before_K).all()


@LAW
@given(shares, seeds, st.data())
def test_a_shorter_slate_is_the_start_of_a_longer_one(shares_K, seed, data):
    short, long = sorted(data.draw(st.lists(st.integers(1, len(shares_K)), min_size=2, max_size=2)))
    assert draw_slate(shares_K, short, seed)[0] == draw_slate(shares_K, long, seed)[0][:short]


@LAW
@given(st.lists(st.tuples(shares, seeds), max_size=6), st.data())
def test_a_slate_does_not_depend_on_the_batch_it_is_drawn_in(decisions, data):
    shares_B = [shares_K for shares_K, _ in decisions]
    slots_B = [data.draw(st.integers(1, len(shares_K))) for shares_K in shares_B]
    together_N, counts_B = np.concatenate([*shares_B, np.zeros(0)]), [len(shares_K) for shares_K in shares_B]
    drawn = draw_slates(together_N, counts_B, slots_B, [seed for _, seed in decisions])
    assert drawn == [draw_slate(one, L, seed) for (one, seed), L in zip(decisions, slots_B, strict=True)]


@LAW
@given(st.integers(1, 6), seeds)
def test_a_full_slate_has_the_last_slot_for_certain(count, seed):
    _, propensities = draw_slate(np.full(count, 1 / count), count, seed)
    assert propensities[-1] == 1.0
    assert math.prod(propensities) == pytest.approx(1 / math.factorial(count))


@LAW
@given(seeds, st.integers(0, 999))
def test_uniform_numbers_are_in_0_1(seed, slot):
    assert 0.0 <= uniform(seed, slot) < 1.0


def test_uniform_numbers_are_those_of_splitmix64():
    known = (0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4)  # the first two outputs for the seed 0, as published
    assert [uniform(0, slot) for slot in (0, 1)] == [(word >> 11) * 2.0**-53 for word in known]


@pytest.mark.parametrize(
    "shares_K", [[0.5, 0.5], [0.7, 0.2, 0.06, 0.04], [0.001] * 10 + [0.99], [0.01] * 100], ids=lambda s: f"K={len(s)}"
)
@pytest.mark.parametrize("first_seed", [0, 10**15])
def test_candidates_come_as_often_as_their_probability_says(shares_K, first_seed):
    drawn = Counter(draw_slate(np.array(shares_K), 1, first_seed + seed)[0][0] for seed in range(SEEDS))
    found = [drawn[index] for index in range(len(shares_K))]
    assert chisquare(found, np.array(shares_K) * SEEDS).pvalue > LEAST_P


def test_slates_come_as_often_as_the_product_of_their_propensities_says():
    shares_K = np.array([0.5, 0.3, 0.2])
    drawn, propensity = Counter(), {}
    for seed in range(SEEDS):
        indices, propensities = draw_slate(shares_K, 2, seed)
        drawn[tuple(indices)] += 1
        propensity[tuple(indices)] = math.prod(propensities)
    assert propensity[0, 1] == pytest.approx(0.5 * 0.3 / (0.3 + 0.2))
    slates = list(permutations(range(3), 2))
    assert math.fsum(propensity[slate] for slate in slates) == pytest.approx(1.0)
    expected = [propensity[slate] * SEEDS for slate in slates]
    assert chisquare([drawn[slate] for slate in slates], expected).pvalue > LEAST_P


def test_a_propensity_weight_has_mean_1_whatever_is_shown():
    shares_K = np.array([0.6, 0.3, 0.1])
    weights = [1 / (3 * draw_slate(shares_K, 1, seed)[1][0]) for seed in range(SEEDS)]
    standard_error = np.std(weights) / SEEDS**0.5
    assert abs(np.mean(weights) - 1.0) < 4 * standard_error


@LAW
@given(st.lists(st.integers(1, 5), min_size=1, max_size=6))
def test_ragged_values_are_cut_by_their_counts(counts):
    parts = split(np.arange(sum(counts), dtype=float), counts)
    assert [len(part) for part in parts] == counts
    assert np.concatenate(parts).tolist() == list(range(sum(counts)))
    rows_BK = padded(np.arange(sum(counts), dtype=float), counts)
    assert rows_BK.shape == (len(counts), max(counts))
    for row_K, part in zip(rows_BK, parts, strict=True):
        assert row_K.tolist() == part.tolist() + [0.0] * (max(counts) - len(part))
