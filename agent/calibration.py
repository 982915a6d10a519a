"""Are predicted click probabilities what comes? Measured on every closed row before it is learned, newer rows more."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from agent.errors import LearnError
from envs.protocols import Floats

BINS = 10
_EDGES = np.array((0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9))  # finer where clicks are rare, as they are
_SURE = 1e-7  # no prediction counts as surer than that
_ENOUGH = 50.0  # rewards, so that chance moves a ratio by a seventh

Doubles = NDArray[np.float64]


class Calibration:
    """Decayed sums over ten bins of predicted probability; no row is kept.

    Args:
        half_life_rows: rows after which an older one counts half.

    Raises:
        LearnError: the half-life is not positive.

    >>> calibration = Calibration()
    >>> calibration.observe(np.full(1_000, 0.2), np.tile([1.0, 0.0, 0.0, 0.0], 250))
    >>> {name: round(value, 3) for name, value in calibration.measures().items()}
    {'calibration_error': 0.05, 'calibration_ratio': 1.25, 'normalised_entropy': 1.013}
    """

    def __init__(self, half_life_rows: float = 10_000.0) -> None:
        if not half_life_rows > 0:
            raise LearnError(f"calibration half_life_rows must be positive; got {half_life_rows}")
        self._keep = 0.5 ** (1.0 / half_life_rows)
        self._sums_4B = np.zeros((4, BINS))  # rows, predicted probabilities, rewards, log losses

    def observe(self, predicted_R: Doubles | Floats, reward_R: Doubles | Floats) -> None:
        """Takes in R rows, oldest first; cut into calls in any way, they give the same sums.

        Args:
            predicted_R: predicted probabilities, before the rows were learned.
            reward_R: what came, in [0, 1].

        Raises:
            LearnError: the lengths differ, or a value lies outside [0, 1]; nothing was taken in.
        """
        if len(predicted_R) != len(reward_R):
            raise LearnError(f"calibration must have a reward a row; got {len(predicted_R)} and {len(reward_R)}")
        for name, values_R in (("predicted_R", predicted_R), ("reward_R", reward_R)):
            wrong_R = ~((values_R >= 0) & (values_R <= 1))
            if wrong_R.any():
                raise LearnError(f"calibration {name} must lie in [0, 1]; got {values_R[wrong_R][0]}")
        p_R = np.clip(predicted_R.astype(np.float64), _SURE, 1.0 - _SURE)
        r_R = reward_R.astype(np.float64)
        weight_R = self._keep ** np.arange(len(r_R) - 1, -1, -1)
        bin_R = np.searchsorted(_EDGES, p_R, side="right")
        loss_R = _cross_entropy(r_R, p_R)
        values_4R = np.stack([np.ones_like(r_R), p_R, r_R, loss_R])
        new_4B = np.stack([np.bincount(bin_R, weight_R * values_R, minlength=BINS) for values_R in values_4R])
        self._sums_4B = self._keep ** len(r_R) * self._sums_4B + new_4B

    def measures(self) -> dict[str, float]:
        """What is known by now; a measure is left out until 50 rewards came or were predicted.

        Returns:
            `calibration_error`: mean over the rows of |rewards - predictions| of their bin;
            `calibration_ratio`: rewards that came for each that was predicted; above 1 where predictions are too low;
            `normalised_entropy`: log loss over that of always predicting the mean reward; below 1 where predictions
            tell rows apart. Left out also where all rewards are alike, because there is nothing to tell.

        References:
            Naeini, Cooper, Hauskrecht (2015), Obtaining well calibrated probabilities using Bayesian binning; He et al.
            (2014), Practical lessons from predicting clicks on ads at Facebook, equation 1.
        """
        rows, predicted, rewards, loss = self._sums_4B.sum(axis=1).tolist()
        if max(predicted, rewards) < _ENOUGH:
            return {}
        _, predicted_B, reward_B, _ = self._sums_4B
        found = {
            "calibration_error": float(np.abs(reward_B - predicted_B).sum()) / rows,
            "calibration_ratio": rewards / predicted,
        }
        mean = np.float64(rewards / rows)
        if 0.0 < mean < 1.0:
            found["normalised_entropy"] = loss / rows / float(_cross_entropy(mean, mean))
        return found

    def get_state(self) -> dict[str, Any]:
        """The sums, as an array; empty where there are none."""
        return {"calibration_4B": self._sums_4B.copy()} if self._sums_4B.any() else {}

    def set_state(self, state: dict[str, Any]) -> None:
        """Takes back what `get_state` gave; starts anew where that is missing.

        Raises:
            LearnError: the sums are of other bins.
        """
        sums_4B = np.array(state.get("calibration_4B", np.zeros((4, BINS))), np.float64)
        if sums_4B.shape != (4, BINS):
            raise LearnError(f"calibration sums must have the shape (4, {BINS}); got {sums_4B.shape}")
        self._sums_4B = sums_4B


def _cross_entropy(reward_R: Doubles | np.float64, predicted_R: Doubles | np.float64) -> Doubles:
    loss_R: Doubles = -(reward_R * np.log(predicted_R) + (1.0 - reward_R) * np.log1p(-predicted_R))
    return loss_R
