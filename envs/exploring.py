"""What an outcome tells of exploring: its level, its expected cost, and what it cost by the doubly robust estimate."""

import math
from collections.abc import Iterable
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from stream.events import Outcome
from stream.meter import Meter

UNTOLD = (float("nan"), float("nan"), float("nan"))
_Number = TypeVar("_Number", float, NDArray[np.float64])


def exploring_of(outcome: Outcome) -> tuple[float, float, float]:
    """Level, expected cost and lost reward of a closed decision's first slot; NaN where the record does not tell."""
    told, first = outcome.recommendation.exploring, outcome.recommendation.slate[0]
    candidates = outcome.impression.candidates
    if told is None or first.propensity is None or first.score is None or told.greedy >= len(candidates):
        return UNTOLD
    weight = 1.0 / first.propensity if candidates[told.greedy].item_id == first.item_id else 0.0
    return told.level, told.cost, lost_reward(told.cost, weight, outcome.rewards[0] - first.score)


def lost_reward(cost: _Number, weight: _Number, surprise: _Number) -> _Number:
    """What the candidate with the highest mean would have brought beyond what was shown, doubly robust.

    Its mean over what can be shown is the true difference, however wrong the policy is, as propensities are exact.

    Args:
        cost: the same, as the policy expected it.
        weight: 1 / propensity where that candidate was shown, else 0.
        surprise: reward of what was shown, less what the policy expected of it.

    References:
        Dudík, Langford, Li (2011), Doubly robust policy evaluation and learning.

    >>> shown_best, shown_other = lost_reward(0.01, 1 / 0.8, 1 - 0.3), lost_reward(0.01, 0.0, 0 - 0.1)
    >>> round(shown_best, 3), round(shown_other, 3)
    (0.185, 0.11)
    """
    return cost + (weight - 1.0) * surprise


def count_lost(outcomes: Iterable[Outcome], meter: Meter) -> None:
    """Counts what exploring cost closed decisions.

    Args:
        outcomes: those that do not tell are left out.
        meter: counts `exploring_cost`, as the policy expected it, and by the doubly robust estimate `lost_reward`,
            apart for decisions that lost and that won, with `lost_reward_variance`, its squared deviations from what
            was expected.
    """
    for _, cost, lost in map(exploring_of, outcomes):
        if not math.isnan(lost):
            meter.count("exploring_cost", cost)
            meter.count("lost_reward", abs(lost), label="lost" if lost > 0.0 else "won")
            meter.count("lost_reward_variance", (lost - cost) ** 2)
