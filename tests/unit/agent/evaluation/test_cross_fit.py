"""Cross-fitting: nobody is predicted by a model that has seen it, nor one of its group."""

import numpy as np
import pytest

from agent.evaluation import EvaluationError, cross_fit


def fold_by_fold(group_N, folds):
    """Runs a model that remembers what it was fitted to; returns the seen indices of each decision."""
    seen = {}

    def predict(fitted_n, held_n):
        seen.update({decision: set(fitted_n.tolist()) for decision in held_n.tolist()})
        return np.stack([held_n, -held_n], axis=1)

    found = cross_fit(group_N, lambda rows_n: rows_n, predict, folds=folds, random=np.random.default_rng(3))
    np.testing.assert_array_equal(found, np.stack([np.arange(len(group_N)), -np.arange(len(group_N))], axis=1))
    return seen


def test_every_decision_is_predicted_once_in_its_place_by_all_the_others_folds():
    seen = fold_by_fold(np.arange(10), folds=5)
    assert sorted(seen) == list(range(10))
    assert all(decision not in fitted and len(fitted) == 8 for decision, fitted in seen.items())


def test_a_group_stays_together():
    group_N = np.array([7, 7, 7, 1, 1, 4, 4, 9])
    for decision, fitted in fold_by_fold(group_N, folds=3).items():
        assert not fitted & set(np.flatnonzero(group_N == group_N[decision]).tolist())


def test_the_same_seed_gives_the_same_folds():
    def predict(mean, held_n):
        return np.full(len(held_n), mean)

    draws = [
        cross_fit(np.arange(20), lambda rows_n: rows_n.mean(), predict, random=np.random.default_rng(seed))
        for seed in (0, 0, 1)
    ]
    np.testing.assert_array_equal(draws[0], draws[1])
    assert (draws[0] != draws[2]).any()


@pytest.mark.parametrize(
    ("group_N", "folds", "predict", "message"),
    [
        ([0, 1], 1, None, "folds must lie between 2 and the number of groups, 2; got 1"),
        ([0, 0, 1], 3, None, "folds must lie between 2 and the number of groups, 2; got 3"),
        ([0, 1], 2, lambda *_: [1.0, 2.0], r"predictions must be one a decision, 1; got the shape \(2,\)"),
        ([0, 1], 2, lambda *_: 1.0, r"predictions must be one a decision, 1; got the shape \(\)"),
        ([0, 1], 2, lambda *_: [np.nan], "predictions must be finite; got nan"),
        ([0, 1], 2, lambda _, held_n: np.zeros((1, 1 + held_n[0])), "those of fold 1 must have the shape of"),
    ],
)
def test_bad_folds_and_predictions_are_refused(group_N, folds, predict, message):
    with pytest.raises(EvaluationError, match=message):
        cross_fit(group_N, lambda rows_n: rows_n, predict, folds=folds, random=np.random.default_rng(0))
