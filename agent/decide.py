"""From beliefs to decisions: explore, draw."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from agent.draw import draw_slates
from agent.explore import Belief, probabilities, sigmoid
from agent.later_slots import LaterSlots
from agent.settings import ExploreSettings
from envs.decision import Decision
from stream.events import Exploring, Impression
from stream.identity import decision_id, decision_seeds

_TENS = np.array([float(10**power) for power in range(23)])  # the powers that a double holds exactly
_LEAST = 1e-18


def decide(
    impressions: Sequence[Impression],
    belief: Belief,
    explore: ExploreSettings,
    *,
    run_seed: int,
    version: str,
) -> list[Decision]:
    """One decision for each impression; the same impressions, belief and run seed give the same decisions.

    Slots after the first are drawn from what the first one left, in proportion; where the belief tells how candidates
    change each other, they are explored anew instead.

    Args:
        impressions: B impressions.
        belief: what the policy believes of their candidates.
        explore: how beliefs become probabilities.
        run_seed: of the run; a decision's own seed follows from it and the decision's id.
        version: `epoch.n` of the policy's weights.

    Raises:
        ExploreError: the belief lacks what the strategy needs.
    """
    shares_N = probabilities(explore, belief)
    slots_B = [impression.slots for impression in impressions]
    seeds_B = decision_seeds(run_seed, [decision_id(each.user_id, each.impression_id) for each in impressions])
    change = belief.resemblance if max(slots_B) > 1 else None
    later = None if change is None else LaterSlots(explore, belief, change)
    drawn_B = draw_slates(shares_N, belief.counts_B, slots_B, seeds_B, later)
    score_N = belief.mean_N if later is None else sigmoid(later.logit_N)
    share_N, ends_B = shares_N.tolist(), belief.counts_B.cumsum().tolist()
    greedy_B = belief.greedy_B.tolist()
    exploring_B = exploring(belief, shares_N)
    return [
        Decision(
            slate=tuple(drawn.indices),
            propensities=tuple(drawn.propensities),
            scores=tuple([score_N.item(start + index) for index in drawn.indices]),
            probabilities=tuple(share_N[start:end]),
            greedy_probability=share_N[greedy],
            strategy=explore.strategy,
            policy_version=version,
            seed=seed,
            slot_probabilities=None if later is None else later.of(row),
            exploring=told,
        )
        for row, (drawn, start, end, greedy, seed, told) in enumerate(
            zip(drawn_B, [0, *ends_B[:-1]], ends_B, greedy_B, seeds_B, exploring_B, strict=True)
        )
    ]


def exploring(belief: Belief, shares_N: NDArray[np.float64]) -> list[Exploring]:
    """How far each decision explores, and what that is expected to cost; numbers have five digits, as they travel."""
    mean_N, greedy_B = belief.mean_N, belief.greedy_B
    cost_B = np.maximum(mean_N[greedy_B] - belief.total(shares_N * mean_N), 0.0)
    level_B = np.ones(len(cost_B)) if belief.level_B is None else belief.level_B
    places_B = (greedy_B - belief.starts_B).tolist()
    return [
        Exploring(level=level, cost=cost, greedy=greedy)
        for level, cost, greedy in zip(_short(level_B), _short(cost_B), places_B, strict=True)
    ]


def _short(values_B: NDArray[np.float64]) -> list[float]:
    """Numbers from 0 up with five digits, as many as a conversion to text and back leaves.

    >>> _short(np.array([1 / 3, 2e-7 / 3, 0.0, 1.0]))
    [0.33333, 6.6667e-08, 0.0, 1.0]
    """
    digits_B = np.floor(np.log10(np.maximum(values_B, _LEAST))).astype(np.int64)
    unit_B = _TENS[np.maximum(4 - digits_B, 0)]
    short: list[float] = (np.rint(values_B * unit_B) / unit_B).tolist()
    return short
