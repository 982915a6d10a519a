"""Estimators that weight logged rewards: w = target probability / propensity of what was logged.

A weighted reward has the expectation of the target policy's reward if the log could have shown whatever that policy
shows. Decisions are taken to be independent of each other.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from agent.evaluation.checks import Doubles, numbers, option, probabilities, propensities, same_shape
from agent.evaluation.errors import EvaluationError
from agent.evaluation.estimate import Estimate, Parts, estimate_of

_CLIPPED = 0.01  # of the mean weight; less is not worth a warning
_LARGEST = 1e100  # a weight whose square is still a number


class Weighted(NamedTuple):
    """Rewards [N] with their importance weights [N]."""

    reward_N: Doubles
    weight_N: Doubles


def ips(reward_N: ArrayLike, logging_propensity_N: ArrayLike, target_propensity_N: ArrayLike) -> Estimate:
    """Inverse propensity scoring, mean(w r): without bias, and as uncertain as the weights are large.

    Args:
        reward_N: what was earned.
        logging_propensity_N: probability with which the log showed what it did, in (0, 1].
        target_propensity_N: probability with which the target policy would have, in [0, 1].

    Raises:
        EvaluationError: arrays of different lengths, none, not finite or outside these ranges.

    References:
        Horvitz, Thompson (1952), A generalization of sampling without replacement from a finite universe;
        mean(r pi(a|x) / p), the inverse propensity score of Dudík, Erhan, Langford, Li (2014), Doubly robust policy
        evaluation and optimization.

    >>> estimate = ips([1, 0, 1, 0], [0.5, 0.5, 0.25, 0.25], [0.5, 0.5, 0.5, 0.5])
    >>> estimate.value, estimate.warning.split("; ")[0]
    (0.75, 'effective sample size 3.6 is below 100')
    """
    reward_N, weight_N = weighted(reward_N, logging_propensity_N, target_propensity_N)
    return _mean(reward_N, weight_N, weight_N)


def snips(reward_N: ArrayLike, logging_propensity_N: ArrayLike, target_propensity_N: ArrayLike) -> Estimate:
    """Self-normalised inverse propensity scoring, sum(w r) / sum(w): within the range of rewards, of small bias.

    The standard error is that of a ratio (delta method): each decision moves the value by w (r - value) / sum(w).

    Args:
        reward_N: what was earned.
        logging_propensity_N: probability with which the log showed what it did, in (0, 1].
        target_propensity_N: probability with which the target policy would have, in [0, 1].

    Raises:
        EvaluationError: as of `ips`, or all target probabilities are 0.

    References:
        Swaminathan, Joachims (2015), The self-normalized estimator for counterfactual learning.

    >>> snips([1, 0, 1, 0], [0.5, 0.5, 0.25, 0.25], [0.5, 0.5, 0.5, 0.5]).value
    0.5
    """
    reward_N, weight_N = weighted(reward_N, logging_propensity_N, target_propensity_N)
    total = positive_sum(weight_N)
    value = float((weight_N * reward_N).sum() / total)
    influence_N = weight_N * (reward_N - value) / weight_N.mean()
    return estimate_of(Parts(value, influence_N, weight_N / weight_N.mean(), positive=True), reward_N, weight_N)


def clipped_ips(
    reward_N: ArrayLike, logging_propensity_N: ArrayLike, target_propensity_N: ArrayLike, clip: float = 10.0
) -> Estimate:
    """Inverse propensity scoring with clipped weights, mean(min(w, clip) r): less variance, too low by what is clipped.

    The interval is that of the clipped value. With rewards in [0, M] the value itself lies between that and M times
    (1 - mean clipped weight) more; a warning says how much was clipped.

    Args:
        reward_N: what was earned.
        logging_propensity_N: probability with which the log showed what it did, in (0, 1].
        target_propensity_N: probability with which the target policy would have, in [0, 1].
        clip: the largest weight; at least 1, so that the log's own policy is left alone.

    Raises:
        EvaluationError: as of `ips`, or a clip below 1.

    References:
        Bottou, Peters, Quiñonero-Candela, Charles, Chickering, Portugaly, Ray, Simard, Snelson (2013), Counterfactual
        reasoning and learning systems, section 4.4; Ionides (2008), Truncated importance sampling.

    >>> clipped_ips([1, 0, 1, 0], [0.5, 0.5, 0.125, 0.125], [0.5, 0.5, 0.5, 0.5], clip=2.0).value
    0.75
    """
    option("clip", "must be a number of at least 1", clip, holds=clip >= 1.0)
    reward_N, weight_N = weighted(reward_N, logging_propensity_N, target_propensity_N)
    used_N = np.minimum(weight_N, clip)
    cut = float((weight_N - used_N).mean())
    doubt = f"weights were clipped at {clip:g}: {cut:.2g} of the mean weight is left out, the value may be too low"
    return _mean(reward_N, weight_N, used_N, (doubt,) if cut > _CLIPPED else ())


def weighted(reward_N: ArrayLike, logging_propensity_N: ArrayLike, target_propensity_N: ArrayLike) -> Weighted:
    """The checked rewards and importance weights of a log.

    Raises:
        EvaluationError: see `ips`.
    """
    rewards_N = numbers("reward_N", reward_N)
    logging_N = propensities("logging_propensity_N", logging_propensity_N)
    target_N = probabilities("target_propensity_N", target_propensity_N)
    same_shape({"reward_N": rewards_N, "logging_propensity_N": logging_N, "target_propensity_N": target_N})
    least = float(logging_N.min())
    option("logging_propensity_N", f"must be at least {1 / _LARGEST:g}", least, holds=least >= 1 / _LARGEST)
    return Weighted(rewards_N, target_N / logging_N)


def positive_sum(weight_N: Doubles) -> float:
    """The sum of weights that something is divided by.

    Raises:
        EvaluationError: it is 0.
    """
    total = float(weight_N.sum())
    if total <= 0.0:
        raise EvaluationError(f"target_propensity_N must be above 0 for some decision; got 0 for all {len(weight_N)}")
    return total


def _mean(reward_N: Doubles, weight_N: Doubles, used_N: Doubles, doubts: tuple[str, ...] = ()) -> Estimate:
    scored_N = used_N * reward_N
    value = float(scored_N.mean())
    return estimate_of(Parts(value, scored_N - value, used_N, positive=True, doubts=doubts), reward_N, weight_N)
