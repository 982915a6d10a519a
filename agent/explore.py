"""Exploration: from what a policy believes to a distribution over the candidates, exact for every decision.

All strategies work on ragged batches: N candidates of B decisions, cut by `counts_B`.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agent.settings import ExploreSettings

Doubles = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Belief:
    """What a policy believes of N candidates of B decisions.

    Attributes:
        logit_N: posterior mean of each candidate's logit.
        sd_N: posterior standard deviation of the logit; 0 where the policy has none.
        counts_B: candidates of each decision.
        rows: rows learned so far, n.
    """

    logit_N: Doubles
    sd_N: Doubles
    counts_B: NDArray[np.int64]
    rows: int

    @property
    def starts_B(self) -> NDArray[np.int64]:
        """The index of each decision's first candidate."""
        return np.cumsum(self.counts_B) - self.counts_B

    @property
    def greedy_B(self) -> NDArray[np.int64]:
        """The index (into N) of each decision's candidate with the highest mean; the first of equals."""
        return _first_best(self.logit_N, self.counts_B)


def probabilities(settings: ExploreSettings, belief: Belief) -> Doubles:
    """The probability [N] of each candidate for the first slot: positive, summing to 1 within a decision.

    >>> belief = Belief(np.array([0.0, 2.0]), np.zeros(2), np.array([2]), rows=100)
    >>> probabilities(ExploreSettings(strategy="epsilon_greedy", epsilon=0.2, floor=0.1), belief).round(3)
    array([0.14, 0.86])
    """
    shares_N = _STRATEGIES[settings.strategy](settings, belief)
    counts_N = np.repeat(belief.counts_B, belief.counts_B)
    mixed_N = (1.0 - settings.floor) * shares_N + settings.floor / counts_N
    total_B = np.add.reduceat(mixed_N, belief.starts_B)
    probabilities_N: Doubles = mixed_N / _spread(total_B, belief)
    return probabilities_N


def inverse_gap_weighting(settings: ExploreSettings, belief: Belief) -> Doubles:
    """q_k = 1 / (K + gamma (m_max - m_k)) for all but the best, which takes the rest; m = sigmoid(logit + sd).

    References:
        Foster, Rakhlin (2020), Beyond UCB: optimal and efficient contextual bandits with regression oracles
        (SquareCB), algorithm 1; gamma = gap_scale * sqrt(n).
    """
    optimistic_N = sigmoid(belief.logit_N + belief.sd_N)
    best_B = _first_best(optimistic_N, belief.counts_B)
    gap_N = _spread(optimistic_N[best_B], belief) - optimistic_N
    gamma = settings.gap_scale * np.sqrt(max(belief.rows, 1))
    shares_N: Doubles = 1.0 / (np.repeat(belief.counts_B, belief.counts_B) + gamma * gap_N)
    shares_N[best_B] = 0.0
    shares_N[best_B] = 1.0 - np.add.reduceat(shares_N, belief.starts_B)
    return shares_N


def boltzmann(settings: ExploreSettings, belief: Belief) -> Doubles:
    """pi_k proportional to exp(C * logit_k)."""
    energy_N = settings.inverse_temperature * belief.logit_N
    weight_N = np.exp(energy_N - _spread(np.maximum.reduceat(energy_N, belief.starts_B), belief))
    return weight_N / _spread(np.add.reduceat(weight_N, belief.starts_B), belief)


def epsilon_greedy(settings: ExploreSettings, belief: Belief) -> Doubles:
    """The best candidate, and with probability epsilon any of them, evenly.

    References:
        Sutton, Barto (2018), Reinforcement learning, section 2.4.
    """
    shares_N = settings.epsilon / np.repeat(belief.counts_B, belief.counts_B).astype(np.float64)
    shares_N[belief.greedy_B] += 1.0 - settings.epsilon
    return shares_N


_STRATEGIES = {
    "inverse_gap_weighting": inverse_gap_weighting,
    "boltzmann": boltzmann,
    "epsilon_greedy": epsilon_greedy,
}


def _first_best(values_N: Doubles, counts_B: NDArray[np.int64]) -> NDArray[np.int64]:
    starts_B = np.cumsum(counts_B) - counts_B
    best_N = np.repeat(np.maximum.reduceat(values_N, starts_B), counts_B)
    hits = np.flatnonzero(values_N == best_N)
    return hits[np.searchsorted(hits, starts_B)]


def _spread(values_B: Doubles, belief: Belief) -> Doubles:
    return np.repeat(values_B, belief.counts_B)


def sigmoid(logits: Doubles) -> Doubles:
    """Probabilities of logits."""
    return 1.0 / (1.0 + np.exp(-np.clip(logits, -500, 500)))
