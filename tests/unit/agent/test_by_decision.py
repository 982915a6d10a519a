"""Candidates by decision: what is alike is taken together, and nothing is left out."""

import numpy as np
import pytest

from agent.by_decision import ByDecision


@pytest.mark.parametrize("counts", [[3, 3], [1], [2, 5, 2, 1], []])
def test_each_candidate_is_multiplied_with_what_its_own_decision_shares(counts):
    random, counts_B = np.random.default_rng(0), np.array(counts, dtype=np.int64)
    one_BX, other_NX = random.normal(size=(len(counts), 4)), random.normal(size=(sum(counts), 4))
    expected = [one_BX[b] @ x_X for b, x_X in zip(np.repeat(np.arange(len(counts)), counts_B), other_NX, strict=True)]
    np.testing.assert_allclose(ByDecision(counts_B).dots(one_BX, other_NX), expected)


def test_decisions_with_as_many_candidates_are_one_array_that_is_no_copy():
    (some,) = ByDecision(np.array([2, 2]))
    each_NX = np.arange(8.0).reshape(4, 2)
    assert some.split(each_NX).tolist() == [[[0, 1], [2, 3]], [[4, 5], [6, 7]]]
    assert np.shares_memory(some.split(each_NX), each_NX)


def test_decisions_of_other_sizes_are_apart():
    found = {
        some.candidates: (some.of_B.tolist(), some.of_N.tolist(), some.first_N.tolist())
        for some in ByDecision(np.array([2, 1, 2]))
    }
    assert found == {1: ([1], [2], [2]), 2: ([0, 2], [0, 1, 3, 4], [0, 3])}
