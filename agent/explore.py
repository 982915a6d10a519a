"""Exploration: from what a policy believes to a distribution over the candidates, exact for every decision.

All strategies work on ragged batches: N candidates of B decisions, cut by `counts_B`.
"""

from collections.abc import Callable, Mapping

from agent import strategies
from agent.belief import Belief, Doubles, sigmoid
from agent.errors import ExploreError
from agent.settings import ExploreSettings

__all__ = ["NEEDS", "Belief", "ExploreError", "probabilities", "sigmoid"]

NEEDS: Mapping[str, frozenset[str]] = {
    "boltzmann": frozenset({"item_rows_N", "item_reward_N"}),
    "thompson": frozenset({"samples_MN"}),
    "neural_thompson": frozenset({"samples_MN"}),
}
"""The fields of a belief that a strategy needs besides the ones that always stand there; most need none."""

_STRATEGIES: Mapping[str, Callable[[ExploreSettings, Belief], Doubles]] = {
    "inverse_gap_weighting": strategies.inverse_gap_weighting,
    "greedy": strategies.greedy,
    "epsilon_greedy": strategies.epsilon_greedy,
    "boltzmann": strategies.boltzmann,
    "linucb": strategies.linucb,
    "thompson": strategies.thompson,
    "neural_thompson": strategies.thompson,
}


def probabilities(settings: ExploreSettings, belief: Belief) -> Doubles:
    """The probability [N] of each candidate for the first slot: positive, summing to 1 within a decision.

    The strategy's shares make up all but `floor` of it, which is spread evenly.

    Raises:
        ExploreError: the belief lacks what the strategy needs (see `NEEDS`).

    >>> import numpy as np
    >>> belief = Belief(np.array([0.0, 2.0]), np.zeros(2), np.array([2]), rows=100)
    >>> probabilities(ExploreSettings(strategy="greedy", floor=0.1), belief).round(3)
    array([0.05, 0.95])
    """
    shares_N = _STRATEGIES[settings.strategy](settings, belief)
    mixed_N = (1.0 - settings.floor) * shares_N + settings.floor / belief.counts_N
    probabilities_N: Doubles = mixed_N / belief.spread(belief.total(mixed_N))
    return probabilities_N
