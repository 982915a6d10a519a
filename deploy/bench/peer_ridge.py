"""Ridge regression of rewards on shared features, with an intercept for every item, in batches.

The model is the hybrid one of Li et al. (2010), algorithm 2, whose part of an arm is an intercept: reward = f'θ + β_k.
The intercepts' block of the joint matrix is diagonal, so θ is solved on its Schur complement alone, and an item costs
no more than a row of sums.
"""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_solve, cholesky, solve_triangular

from deploy.bench.rounds import Floats, Ints


@dataclass(frozen=True, slots=True)
class Ridge:
    """Penalties of the model, in rows: how many rows' worth of evidence for 0 each coefficient starts with."""

    shared: float
    item: float


class HybridRidge:
    """Ridge regression of rewards on J shared features and an intercept of each item, updated a batch at a time.

    Args:
        width: J, the number of shared features.
        ridge: The penalties.
    """

    def __init__(self, width: int, ridge: Ridge) -> None:
        self._ridge = ridge
        self._row_of: dict[int, int] = {}
        self._cross_NJ = np.zeros((64, width))  # Σ f over an item's rows
        self._weight_N = np.full(64, ridge.item)
        self._reward_N = np.zeros(64)
        self._schur_JJ = ridge.shared * np.eye(width)
        self._target_J = np.zeros(width)
        self._solve()

    def update(self, feature_RJ: Floats, item_R: Ints, reward_R: Floats) -> None:
        """Takes in R rows."""
        row_R = self._rows(item_R)
        touched_N = np.unique(row_R)
        self._fold(touched_N, 1.0)
        np.add.at(self._cross_NJ, row_R, feature_RJ)
        self._weight_N += np.bincount(row_R, minlength=len(self._weight_N))
        self._reward_N += np.bincount(row_R, reward_R, len(self._reward_N))
        self._fold(touched_N, -1.0)
        self._schur_JJ += feature_RJ.T @ feature_RJ
        self._target_J += feature_RJ.T @ reward_R
        self._solve()

    def parts(self, feature_BKJ: Floats, item_BK: Ints) -> tuple[Floats, Floats, Floats]:
        """What a score is made of, given θ: score = g'θ + intercept, and the precision that the intercept adds.

        Returns:
            g_BKJ = f − cross/weight, intercept_BK at θ = 0, and weight_BK.
        """
        row_BK = self._rows(item_BK)
        weight_BK = self._weight_N[row_BK]
        return (
            feature_BKJ - self._cross_NJ[row_BK] / weight_BK[..., None],
            self._reward_N[row_BK] / weight_BK,
            weight_BK,
        )

    def spread(self, part_RJ: Floats) -> Floats:
        """g'M⁻¹g of R rows: the variance of g'θ, for noise of variance 1."""
        half_JR = solve_triangular(self._lower_JJ, part_RJ.T, lower=True, check_finite=False)
        return np.asarray(np.einsum("jr,jr->r", half_JR, half_JR))

    def draws(self, count: int, random: np.random.Generator) -> Floats:
        """`count` × J draws of θ − its mean, for noise of variance 1."""
        normal_JB = random.standard_normal((len(self.mean_J), count))
        draw_JB = solve_triangular(self._lower_JJ, normal_JB, lower=True, trans="T", check_finite=False)
        return np.asarray(draw_JB.T)

    def _fold(self, row_N: Ints, sign: float) -> None:
        """Adds (1) or takes off (−1) what the intercepts of some items explain."""
        cross_NJ, weight_N = self._cross_NJ[row_N], self._weight_N[row_N]
        share_NJ = cross_NJ / weight_N[:, None]
        self._schur_JJ += sign * (cross_NJ.T @ share_NJ)
        self._target_J += sign * (share_NJ.T @ self._reward_N[row_N])

    def _solve(self) -> None:
        self._lower_JJ = cholesky(self._schur_JJ, lower=True, check_finite=False)
        self.mean_J: Floats = cho_solve((self._lower_JJ, True), self._target_J, check_finite=False)

    def _rows(self, item: Ints) -> Ints:
        row_of = self._row_of
        rows = np.fromiter((row_of.setdefault(i, len(row_of)) for i in item.ravel().tolist()), np.int64, item.size)
        while len(row_of) > len(self._weight_N):
            self._cross_NJ = np.concatenate([self._cross_NJ, np.zeros_like(self._cross_NJ)])
            self._weight_N = np.concatenate([self._weight_N, np.full_like(self._weight_N, self._ridge.item)])
            self._reward_N = np.concatenate([self._reward_N, np.zeros_like(self._reward_N)])
        return rows.reshape(item.shape)
