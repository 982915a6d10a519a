"""What a policy believes of candidates, and what exploration needs to work on ragged batches of them."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from agent.errors import ExploreError

Doubles = NDArray[np.float64]
Floats = NDArray[np.float32]
Places = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Resemblance:
    """How candidates of a slate change each other.

    Attributes:
        vector_NE: of N candidates, in the space of interests.
        weight_F: of the ramps of an item's largest cosine to those above it, see `agent.redundancy`.
    """

    vector_NE: Floats
    weight_F: Doubles


@dataclass(frozen=True)
class Belief:
    """What a policy believes of N candidates of B decisions.

    Attributes:
        logit_N: posterior mean of each candidate's logit.
        sd_N: posterior standard deviation of the logit; 0 where the policy has none.
        counts_B: candidates of each decision.
        rows: rows learned so far, n.
        samples_MN: M joint draws of the logits from the posterior.
        item_rows_N: how often each candidate's item was resolved, older rows counting less; 0 for a new item.
        item_reward_N: the mean reward of the item over those rows, in [0, 1]; any number where there are none.
        resemblance: how candidates change each other; None where later slots follow from the first.
        level_B: share of each decision that explores what could be; None where the settings say how much.
    """

    logit_N: Doubles
    sd_N: Doubles
    counts_B: Places
    rows: int
    samples_MN: Doubles | None = None
    item_rows_N: Doubles | None = None
    item_reward_N: Doubles | None = None
    resemblance: Resemblance | None = None
    level_B: Doubles | None = None

    @cached_property
    def starts_B(self) -> Places:
        """The index of each decision's first candidate."""
        starts_B: Places = self.counts_B.cumsum() - self.counts_B
        return starts_B

    @cached_property
    def counts_N(self) -> Places:
        """How many candidates its decision has, at each candidate."""
        return self.counts_B.repeat(self.counts_B)

    @cached_property
    def mean_N(self) -> Doubles:
        """The probability of a reward at the mean logit of each candidate."""
        return sigmoid(self.logit_N)

    @cached_property
    def greedy_B(self) -> Places:
        """The index (into N) of each decision's candidate with the highest mean; the first of equals."""
        return first_best(self.logit_N, self.counts_B)

    def spread(self, values_B: Doubles) -> Doubles:
        """A value of each decision, [N], at every candidate of it."""
        return values_B.repeat(self.counts_B)

    def total(self, values_N: Doubles) -> Doubles:
        """The sum over each decision's candidates, [B]."""
        total_B: Doubles = np.add.reduceat(values_N, self.starts_B)
        return total_B

    def most(self, values_N: Doubles) -> Doubles:
        """The largest value among each decision's candidates, [B]."""
        most_B: Doubles = np.maximum.reduceat(values_N, self.starts_B)
        return most_B

    def held(self, field: str, strategy: str) -> Doubles:
        """A field, [N] or [M, N], that a strategy cannot do without.

        Raises:
            ExploreError: it is None, or not as long as there are candidates.
        """
        values: Doubles | None = getattr(self, field)
        if values is None:
            raise ExploreError(f"belief for strategy {strategy} must hold {field}; got None")
        if values.shape[-1] != len(self.logit_N) or not values.size:
            raise ExploreError(
                f"belief for strategy {strategy} must hold {field} of its {len(self.logit_N)} candidates; "
                f"got shape {values.shape}"
            )
        return values


def first_best(values_N: Doubles, counts_B: Places) -> Places:
    """The index (into N) of each decision's highest value, the first of equals."""
    starts_B = counts_B.cumsum() - counts_B
    (hits,) = (values_N == np.maximum.reduceat(values_N, starts_B).repeat(counts_B)).nonzero()
    best_B: Places = hits[hits.searchsorted(starts_B)]
    return best_B


def wins(values_MN: Doubles, counts_B: Places) -> Doubles:
    """The share [N] of the M rows in which each candidate is its decision's best; of equals the first.

    >>> wins(np.array([[0.1, 0.4, 0.0], [0.5, 0.2, 0.0]]), np.array([2, 1]))
    array([0.5, 0.5, 1. ])
    """
    M, N = values_MN.shape
    winners = first_best(values_MN.ravel(), np.tile(counts_B, M)) % N
    share_N: Doubles = np.bincount(winners, minlength=N) / M
    return share_N


def sigmoid(logits: Doubles) -> Doubles:
    """Probabilities of logits."""
    shares: Doubles = 1.0 / (1.0 + np.exp(np.minimum(np.maximum(-logits, -500.0), 500.0)))
    return shares
