"""Forms and sums over pairs of components, against those over crossed features written out."""

import numpy as np
import pytest

from agent.symmetric import folded, pairs, unfolded


def sides(width, height, count):
    random = np.random.default_rng(width + 10 * height)
    a_IN, b_JN = random.normal(size=(width, count)), random.normal(size=(height, count))
    return a_IN, b_JN, (a_IN[:, None] * b_JN[None]).reshape(width * height, count)


@pytest.mark.parametrize(("width", "height"), [(1, 1), (1, 4), (3, 1), (3, 4), (4, 3)])
def test_a_form_over_pairs_is_that_of_crossed_features(width, height):
    a_IN, b_JN, crossed_cN = sides(width, height, count=7)
    form_cc = np.cov(np.random.default_rng(5).normal(size=(width * height, 50))).reshape(width * height, -1)
    found_N = ((folded(form_cc, width, height).T @ pairs(a_IN)) * pairs(b_JN)).sum(axis=0)
    np.testing.assert_allclose(found_N, ((form_cc @ crossed_cN) * crossed_cN).sum(axis=0), rtol=1e-12)


@pytest.mark.parametrize(("width", "height"), [(1, 1), (1, 4), (3, 1), (3, 4), (4, 3)])
def test_a_sum_over_pairs_is_the_matrix_of_crossed_features(width, height):
    a_IN, b_JN, crossed_cN = sides(width, height, count=7)
    weight_N = np.arange(1.0, 8.0)
    found_cc = unfolded((pairs(a_IN) * weight_N) @ pairs(b_JN).T, width, height)
    np.testing.assert_allclose(found_cc, (crossed_cN * weight_N) @ crossed_cN.T, rtol=1e-12)
    assert (found_cc == found_cc.T).all()


def test_single_precision_stays_single():
    a_IN, b_JN, _ = (each.astype(np.float32) for each in sides(3, 4, count=2))
    assert pairs(a_IN).dtype == folded(np.eye(12, dtype=np.float32), 3, 4).dtype == np.float32
    assert unfolded(pairs(a_IN) @ pairs(b_JN).T, 3, 4).dtype == np.float32
