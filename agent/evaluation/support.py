"""Does the target policy show what the log never could? Nothing is known of that, whatever the estimator says."""

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from agent.evaluation.checks import distributions, probabilities, same_shape
from agent.evaluation.estimate import Estimate


def with_support(estimate: Estimate, logging_probs_NK: ArrayLike, target_probs_NK: ArrayLike) -> Estimate:
    """The estimate, with a warning where the target policy has probability on candidates that the log gave none.

    Args:
        estimate: from any estimator.
        logging_probs_NK: probability with which the log showed each candidate; rows sum to 1, padded by 0.
        target_probs_NK: probability with which the target policy would, padded alike.

    Raises:
        EvaluationError: arrays of different shapes, or rows that are no distribution.

    >>> with_support(Estimate(0.1, 0.01, 0.08, 0.12, 500.0), [[1.0, 0.0]], [[0.75, 0.25]]).warning
    'the target policy puts 0.25 of its probability, in 1 of 1 decisions, on what the log could not show'
    """
    logging_NK = distributions("logging_probs_NK", logging_probs_NK)
    target_NK = distributions("target_probs_NK", target_probs_NK)
    same_shape({"logging_probs_NK": logging_NK, "target_probs_NK": target_NK})
    return with_lost(estimate, np.where(logging_NK > 0.0, 0.0, target_NK).sum(axis=1))


def with_lost(estimate: Estimate, lost_N: ArrayLike) -> Estimate:
    """The same, for logs whose candidates are too many for [N, K].

    Args:
        estimate: from any estimator.
        lost_N: the target policy's probability of all candidates that the log could not show; 0 where there are none.

    Raises:
        EvaluationError: it is not in [0, 1].
    """
    share_N = probabilities("lost_N", np.minimum(lost_N, 1.0))  # a sum of probabilities may exceed 1 by rounding
    if not share_N.any():
        return estimate
    warning = (
        f"the target policy puts {share_N.mean():.2g} of its probability, in {int((share_N > 0.0).sum())} of "
        f"{len(share_N)} decisions, on what the log could not show"
    )
    return replace(estimate, warning="; ".join(filter(None, (estimate.warning, warning))))
