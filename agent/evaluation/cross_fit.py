"""Cross-fitting: every decision is predicted by a model that was fitted without it."""

from collections.abc import Callable
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike

from agent.evaluation.checks import Doubles, Places, numbers, same_shape
from agent.evaluation.errors import EvaluationError

Model = TypeVar("Model")


def cross_fit(
    group_N: ArrayLike,
    fit: Callable[[Places], Model],
    predict: Callable[[Model, Places], ArrayLike],
    *,
    folds: int = 5,
    random: np.random.Generator,
) -> Doubles:
    """Predictions [N, ...] of all decisions, each by a model of the other folds.

    A model that has seen the reward it corrects explains away its own residual, and the interval is too narrow.
    Decisions that depend on each other, such as those of one user, belong in one group.

    Args:
        group_N: number of the group of each decision; a group stays in one fold. `np.arange(N)` for none.
        fit: makes a model from the decisions at these indices, in rising order.
        predict: predictions [n, ...] of the decisions at n indices, such as q_hat [n, K].
        folds: how many models are fitted.
        random: deals the groups out.

    Raises:
        EvaluationError: fewer than two folds, fewer groups than folds, or predictions that are not finite, of another
            number than asked for, or of other shapes in other folds.

    References:
        Chernozhukov, Chetverikov, Demirer, Duflo, Hansen, Newey, Robins (2018), Double/debiased machine learning for
        treatment and structural parameters; Narita, Yasui, Yata (2021), Debiased off-policy evaluation for
        recommendation systems.

    >>> reward_N, random = np.array([1.0, 0.0, 0.0, 0.0]), np.random.default_rng(0)
    >>> def predict(mean, rows_n): return np.full(len(rows_n), mean)
    >>> cross_fit(np.arange(4), lambda rows_n: reward_N[rows_n].mean(), predict, folds=4, random=random)
    array([0.        , 0.33333333, 0.33333333, 0.33333333])
    """
    _, group_of_N = np.unique(numbers("group_N", group_N), return_inverse=True)
    groups = int(group_of_N.max()) + 1
    if not 2 <= folds <= groups:
        raise EvaluationError(f"folds must lie between 2 and the number of groups, {groups}; got {folds}")
    fold_N = random.permutation(np.arange(groups) % folds)[group_of_N]
    held = [np.flatnonzero(fold_N == fold) for fold in range(folds)]
    predicted = []
    for fold, held_n in enumerate(held):
        model = fit(np.flatnonzero(fold_N != fold))
        predicted.append(_checked(predict(model, held_n), len(held_n)))
        same_shape(
            {"predictions of the first fold, a decision": predicted[0][0], f"those of fold {fold}": predicted[-1][0]}
        )
    found = np.empty((len(fold_N), *predicted[0].shape[1:]))
    found[np.concatenate(held)] = np.concatenate(predicted)
    return found


def _checked(predicted: ArrayLike, decisions: int) -> Doubles:
    array = np.asarray(predicted, dtype=np.float64)
    if array.ndim == 0 or len(array) != decisions:
        raise EvaluationError(f"predictions must be one a decision, {decisions}; got the shape {array.shape}")
    if not np.isfinite(array).all():
        raise EvaluationError(f"predictions must be finite; got {array[~np.isfinite(array)][0]}")
    return array
