"""A log with what a model expects of it, and the estimators that correct the model by weighted residuals.

They need two numbers of a model for each decision, not [N, K]; `agent.evaluation.modelled` has the same for arrays.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from agent.evaluation.checks import Doubles, numbers, option, same_shape
from agent.evaluation.estimate import (
    Estimate,
    Parts,
    bounds_of,
    effective_number,
    estimate_of,
    few,
    standard_error,
)
from agent.evaluation.interval import Spread
from agent.evaluation.weighted import positive_sum, weighted

_CERTAIN = 3.0  # standard errors


@dataclass(frozen=True, slots=True)
class ModelledLog:
    """N decisions with what a model expects, for logs whose candidates are too many for [N, K].

    Attributes:
        reward_N: what was earned.
        weight_N: target probability over propensity of what was logged.
        q_logged_N: reward that the model expects of what was logged.
        q_target_N: reward that it expects of the target policy, sum_k pi_k q_k.
    """

    reward_N: Doubles
    weight_N: Doubles
    q_logged_N: Doubles
    q_target_N: Doubles

    @classmethod
    def of(
        cls,
        reward_N: ArrayLike,
        logging_propensity_N: ArrayLike,
        target_propensity_N: ArrayLike,
        q_logged_N: ArrayLike,
        q_target_N: ArrayLike,
    ) -> "ModelledLog":
        """Checks the arrays and makes weights of the probabilities.

        Raises:
            EvaluationError: arrays of different lengths, none, not finite, or probabilities out of range.

        >>> ModelledLog.of([1, 0], [0.5, 0.5], [0.75, 0.25], q_logged_N=[0.5, 0.5], q_target_N=[0.5, 0.5]).dr().value
        0.75
        """
        rewards_N, weight_N = weighted(reward_N, logging_propensity_N, target_propensity_N)
        logged_N, expected_N = numbers("q_logged_N", q_logged_N), numbers("q_target_N", q_target_N)
        same_shape({"reward_N": rewards_N, "q_logged_N": logged_N, "q_target_N": expected_N})
        return cls(rewards_N, weight_N, logged_N, expected_N)

    def dm(self) -> Estimate:
        """See `dm`; says how far the log shows the model to be off, which its interval leaves out.

        Weighted residuals have the mean 0 if the model is right.
        """
        found = direct(self.q_target_N)
        doubts = self._left_out("the model is", np.zeros_like(self.weight_N), found.std_error)
        unsure = few(effective_number(self.weight_N), effective_number(self.weight_N * np.abs(self.reward_N)))
        if unsure:
            doubts = (*doubts, f"the log cannot tell how wrong the model is: {', '.join(unsure)}")
        return direct(self.q_target_N, doubts)

    def dr(self) -> Estimate:
        """See `dr`."""
        return self._corrected(self.weight_N)

    def sndr(self) -> Estimate:
        """See `sndr`.

        Raises:
            EvaluationError: all weights are 0.
        """
        return self._corrected(self.weight_N * len(self.weight_N) / positive_sum(self.weight_N), normalised=True)

    def switch_dr(self, threshold: float = 10.0) -> Estimate:
        """See `switch_dr`."""
        option("threshold", "must be a number of at least 0", threshold, holds=threshold >= 0.0)
        used_N = np.where(self.weight_N <= threshold, self.weight_N, 0.0)
        return self._corrected(used_N, biased="without large weights the value is")

    def dr_os(self, shrinkage: float = 10.0) -> Estimate:
        """See `dr_os`."""
        option("shrinkage", "must be a number of at least 0", shrinkage, holds=shrinkage >= 0.0)
        used_N = self.weight_N / (1.0 + np.square(self.weight_N) / shrinkage) if shrinkage else 0.0 * self.weight_N
        return self._corrected(used_N, biased="with shrunk weights the value is")

    def _corrected(self, used_N: Doubles, *, normalised: bool = False, biased: str = "") -> Estimate:
        """The model's value plus mean(used residuals), where normalised weights have the mean 1."""
        residual_N = self.reward_N - self.q_logged_N
        correction = float((used_N * residual_N).mean())
        value = float(self.q_target_N.mean()) + correction
        # a ratio's influence: the weight, too, is estimated
        moved_N = used_N * (residual_N - correction) + correction if normalised else used_N * residual_N
        influence_N = self.q_target_N + moved_N - value
        doubts = self._left_out(biased, used_N, standard_error(influence_N)) if biased else ()
        parts = Parts(value, influence_N, used_N, positive=False, doubts=doubts)
        return estimate_of(parts, self.reward_N, self.weight_N)

    def _left_out(self, what: str, used_N: Doubles, std_error: float) -> tuple[str, ...]:
        """A warning of bias: what the residuals say that the estimate leaves out, mean((w - w') (r - q)).

        It is given where that surely is not 0, or is so uncertain that the bias may exceed the estimate's own error.
        """
        left_N = (self.weight_N - used_N) * (self.reward_N - self.q_logged_N)
        off, error = float(left_N.mean()), standard_error(left_N - left_N.mean())
        if abs(off) <= _CERTAIN * error <= _CERTAIN * std_error:
            return ()
        return (f"{what} off by {off:.2g} ± {error:.1g} on the target policy, the interval leaves that out",)


def direct(q_target_N: Doubles, doubts: tuple[str, ...] = ()) -> Estimate:
    """The mean of what a model expects; its spread is that of the decisions."""
    value, N = float(q_target_N.mean()), float(len(q_target_N))
    std_error = standard_error(q_target_N - value)
    spread = Spread(value, std_error, N, step=0.0, positive=False, bounds=bounds_of(q_target_N))
    return Estimate(value, std_error, *spread.interval(), N, "; ".join((*few(N), *doubts)) or None)
