"""A log as arrays: what off-policy estimators read of it, whatever it came from."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from stream.events import Outcome

Doubles = NDArray[np.float64]
Places = NDArray[np.int64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class LoggedDecisions:
    """N decisions with M candidates of all of them together, one decision's after the other's.

    Attributes:
        name: what was read, for a person.
        reward_N: what the shown candidate earned.
        action_N: its index among the candidates of its decision.
        propensity_N: probability with which it was shown; NaN where the log does not say.
        counts_N: candidates of each decision.
        logging_M: probability with which each candidate was shown; NaN in decisions where the log does not say.
        item_M: number of each candidate's item, from 0.
        context_NC: numbers that are known of the moment.
        candidate_MD: numbers that are known of each candidate.
        group_N: number of what decisions depend on each other through, such as their user.
        outcomes: makes the decisions as events, in the order of the arrays; None where the log has none.
        notes: what a reader of the estimates must know.
    """

    name: str
    reward_N: Doubles
    action_N: Places
    propensity_N: Doubles
    counts_N: Places
    logging_M: Doubles
    item_M: Places
    context_NC: Doubles
    candidate_MD: Doubles
    group_N: Places
    outcomes: Callable[[], list[Outcome]] | None = None
    notes: tuple[str, ...] = field(default=())

    def __len__(self) -> int:
        return len(self.reward_N)

    @property
    def starts_N(self) -> Places:
        """The index of each decision's first candidate."""
        starts_N: Places = np.cumsum(self.counts_N) - self.counts_N
        return starts_N

    @property
    def shown_N(self) -> Places:
        """The index (into M) of what was shown."""
        shown_N: Places = self.starts_N + self.action_N
        return shown_N

    def candidates_of(self, decisions_n: Places) -> Places:
        """The indices (into M) of the candidates of n decisions, one decision's after the other's."""
        counts_n = self.counts_N[decisions_n]
        ahead_n = self.starts_N[decisions_n] - (np.cumsum(counts_n) - counts_n)
        indices_m: Places = np.repeat(ahead_n, counts_n) + np.arange(counts_n.sum())
        return indices_m


def uniform_of(counts_N: Places) -> Doubles:
    """The uniform choice's probability [M] of each candidate."""
    return np.repeat(1.0 / counts_N, counts_N)
