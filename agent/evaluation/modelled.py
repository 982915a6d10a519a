"""Estimators that also read a model of rewards, q: the direct method and its corrections by weighted residuals.

Each corrects what the model says of the target policy by what the log says of the model,
mean(sum_k pi_k q_k + w' (r - q_a)); they differ in w'. Where w' = w they are right if either the propensities or the
model are. The model must not have been fitted to the decisions that it predicts here: see `cross_fit`.
"""

import numpy as np
from numpy.typing import ArrayLike

from agent.evaluation.checks import distributions, numbers, places, same_shape
from agent.evaluation.estimate import Estimate
from agent.evaluation.modelled_log import ModelledLog, direct


def dm(target_probs_NK: ArrayLike, q_hat_NK: ArrayLike) -> Estimate:
    """The direct method, mean(sum_k pi_k q_k): what the model expects; as wrong as the model.

    Standard error and interval tell how much decisions differ, not how wrong the model is, which rewards would tell:
    `ModelledLog.dm` warns of that.

    Args:
        target_probs_NK: the target policy's probability of each candidate; rows sum to 1, padded by 0.
        q_hat_NK: reward that the model expects of each candidate.

    Raises:
        EvaluationError: arrays of different shapes, none, not finite, or rows that are no distribution.

    References:
        Dudík, Erhan, Langford, Li (2014), Doubly robust policy evaluation and optimization, the direct method.

    >>> dm([[0.5, 0.5], [1.0, 0.0]], [[0.25, 0.75], [0.75, 0.0]]).value
    0.625
    """
    target_NK, q_NK = distributions("target_probs_NK", target_probs_NK), numbers("q_hat_NK", q_hat_NK, axes=2)
    same_shape({"target_probs_NK": target_NK, "q_hat_NK": q_NK})
    return direct((target_NK * q_NK).sum(axis=1))


def dr(
    reward_N: ArrayLike,
    action_N: ArrayLike,
    logging_propensity_N: ArrayLike,
    target_probs_NK: ArrayLike,
    q_hat_NK: ArrayLike,
) -> Estimate:
    """Doubly robust, mean(sum_k pi_k q_k + w (r - q_a)): right where the propensities or the model are.

    Args:
        reward_N: what was earned.
        action_N: index of what was logged, among the candidates.
        logging_propensity_N: probability with which the log showed it, in (0, 1].
        target_probs_NK: the target policy's probability of each candidate; rows sum to 1, padded by 0.
        q_hat_NK: reward that the model expects of each candidate.

    Raises:
        EvaluationError: arrays of different shapes, none, not finite, out of range, or rows that are no distribution.

    References:
        Dudík, Erhan, Langford, Li (2014), Doubly robust policy evaluation and optimization.

    >>> dr([1, 0], [0, 1], [0.5, 0.5], [[0.75, 0.25], [0.75, 0.25]], [[0.5, 0.5], [0.5, 0.5]]).value
    0.75
    """
    return _log(reward_N, action_N, logging_propensity_N, target_probs_NK, q_hat_NK).dr()


def sndr(
    reward_N: ArrayLike,
    action_N: ArrayLike,
    logging_propensity_N: ArrayLike,
    target_probs_NK: ArrayLike,
    q_hat_NK: ArrayLike,
) -> Estimate:
    """Self-normalised doubly robust, mean(sum_k pi_k q_k) + sum(w (r - q_a)) / sum(w): arguments as of `dr`.

    The standard error is by the delta method: each decision moves the value by its own share of the model's value and
    of the ratio, (sum_k pi_k q_k - mean) + w (r - q_a - ratio) / mean(w), over N.

    Raises:
        EvaluationError: as of `dr`, or the target policy gives every logged action the probability 0.

    References:
        Thomas, Brunskill (2016), Data-efficient off-policy policy evaluation for reinforcement learning (weighted
        doubly robust), with the weights of Swaminathan, Joachims (2015), The self-normalized estimator.
    """
    return _log(reward_N, action_N, logging_propensity_N, target_probs_NK, q_hat_NK).sndr()


def switch_dr(
    reward_N: ArrayLike,
    action_N: ArrayLike,
    logging_propensity_N: ArrayLike,
    target_probs_NK: ArrayLike,
    q_hat_NK: ArrayLike,
    threshold: float = 10.0,
) -> Estimate:
    """Doubly robust where weights are small, the model alone where they are large: w' = w if w <= threshold else 0.

    The other arguments are as of `dr`; `threshold` is the largest weight that corrects the model: 0 gives `dm`,
    infinity `dr`.

    Raises:
        EvaluationError: as of `dr`, or a threshold below 0.

    References:
        Wang, Agarwal, Dudík (2017), Optimal and adaptive off-policy evaluation in contextual bandits.
    """
    return _log(reward_N, action_N, logging_propensity_N, target_probs_NK, q_hat_NK).switch_dr(threshold)


def dr_os(
    reward_N: ArrayLike,
    action_N: ArrayLike,
    logging_propensity_N: ArrayLike,
    target_probs_NK: ArrayLike,
    q_hat_NK: ArrayLike,
    shrinkage: float = 10.0,
) -> Estimate:
    """Doubly robust with optimistic shrinkage, w' = shrinkage w / (w^2 + shrinkage): no weight jumps to 0.

    The other arguments are as of `dr`; weights above the square root of `shrinkage` are shrunk most: 0 gives `dm`,
    infinity `dr`.

    Raises:
        EvaluationError: as of `dr`, or a shrinkage below 0.

    References:
        Su, Dimakopoulou, Krishnamurthy, Dudík (2020), Doubly robust off-policy evaluation with shrinkage.
    """
    return _log(reward_N, action_N, logging_propensity_N, target_probs_NK, q_hat_NK).dr_os(shrinkage)


def _log(
    reward_N: ArrayLike,
    action_N: ArrayLike,
    logging_propensity_N: ArrayLike,
    target_probs_NK: ArrayLike,
    q_hat_NK: ArrayLike,
) -> ModelledLog:
    target_NK, q_NK = distributions("target_probs_NK", target_probs_NK), numbers("q_hat_NK", q_hat_NK, axes=2)
    same_shape({"target_probs_NK": target_NK, "q_hat_NK": q_NK})
    at_N = places("action_N", action_N, target_NK.shape[1])
    q_target_N = (target_NK * q_NK).sum(axis=1)
    same_shape({"target_probs_NK rows": q_target_N, "action_N": at_N})
    rows_N = np.arange(len(at_N))
    return ModelledLog.of(reward_N, logging_propensity_N, target_NK[rows_N, at_N], q_NK[rows_N, at_N], q_target_N)
