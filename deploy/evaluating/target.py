"""Target policies that need no model: the uniform choice, the log's own policy, and its favourite."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from deploy.evaluating.log import Doubles, LoggedDecisions, uniform_of


@dataclass(frozen=True)
class Target:
    """What a policy would have done in each decision of a log.

    Attributes:
        name: as it was asked for.
        propensity_N: probability with which it would have shown what was shown; NaN where it cannot be told.
        probability_M: probability of each candidate; NaN in decisions where it cannot be told.
        expected_M: reward that the policy expected of each candidate before it learned the decision; None where it
            does not learn.
        loss_N: log loss of that; NaN before it first was fitted.
        notes: what a reader of the estimates must know.
    """

    name: str
    propensity_N: Doubles
    probability_M: Doubles
    expected_M: Doubles | None = None
    loss_N: Doubles | None = None
    notes: tuple[str, ...] = ()


def uniform(log: LoggedDecisions) -> Target:
    """Every candidate alike."""
    return Target("uniform", 1.0 / log.counts_N, uniform_of(log.counts_N))


def logging(log: LoggedDecisions) -> Target:
    """The log's own policy: its value is the mean reward."""
    return Target("logging", log.propensity_N, log.logging_M)


def logged_scores(log: LoggedDecisions) -> Target:
    """What the log's policy held best, always: the candidate of the highest recorded probability, the first of equals.

    >>> log = LoggedDecisions("", np.ones(1), np.array([1]), np.array([0.7]), np.array([2]), np.array([0.3, 0.7]),
    ...     np.arange(2), np.zeros((1, 0)), np.zeros((2, 0)), np.zeros(1, np.int64))
    >>> logged_scores(log).probability_M
    array([0., 1.])
    """
    most_N = np.maximum.reduceat(log.logging_M, log.starts_N)
    hits_M = np.flatnonzero(log.logging_M == np.repeat(most_N, log.counts_N))
    told_N = np.isfinite(most_N)
    probability_M = np.where(np.repeat(told_N, log.counts_N), 0.0, np.nan)
    probability_M[hits_M[np.searchsorted(hits_M, log.starts_N[told_N])]] = 1.0
    return Target("logged-scores", probability_M[log.shown_N], probability_M)


SIMPLE: dict[str, Callable[[LoggedDecisions], Target]] = {
    "uniform": uniform,
    "logging": logging,
    "logged-scores": logged_scores,
}
"""The policies that a name alone makes."""
