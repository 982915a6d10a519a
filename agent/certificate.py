"""Do choices agree with the probabilities that were logged for them? A test on published recommendations.

For each rank of candidate (the most probable first), z = sum(1[shown = k] - p_k) / sqrt(sum(p_k (1 - p_k))) is standard
normal if the choices were drawn from the logged probabilities, also where these change from decision to decision.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from stream.events import Impression, Recommendation

_ENOUGH_VARIANCE = 25.0


@dataclass(frozen=True, slots=True)
class Certificate:
    """What the test found.

    Attributes:
        decisions: how many were tested.
        z: statistic of each rank with enough variance to be near normal.
        p_value: of the largest |z|, corrected for the number of ranks (Bonferroni).
        unexplained: decisions whose slot propensity is not the logged probability of what was shown.
    """

    decisions: int
    z: tuple[float, ...]
    p_value: float
    unexplained: int

    @property
    def holds(self) -> bool:
        """Whether nothing speaks against the propensities, at a level of .001."""
        return self.p_value > 0.001 and self.unexplained == 0


def certify(published: Iterable[tuple[Impression, Recommendation]]) -> Certificate:
    """Tests the first slots of decisions that carry all probabilities; others are left out."""
    excess: dict[int, float] = {}
    variance: dict[int, float] = {}
    decisions = unexplained = 0
    for impression, shown in published:
        if shown.probabilities is None:
            continue
        probabilities_K = np.array(shown.probabilities)
        ids = [candidate.item_id for candidate in impression.candidates]
        action = ids.index(shown.slate[0].item_id)
        decisions += 1
        unexplained += shown.slate[0].propensity != shown.probabilities[action]
        for rank, index in enumerate(np.argsort(-probabilities_K, kind="stable").tolist()):
            p = float(probabilities_K[index])
            excess[rank] = excess.get(rank, 0.0) + (index == action) - p
            variance[rank] = variance.get(rank, 0.0) + p * (1.0 - p)
    z = tuple(excess[rank] / math.sqrt(variance[rank]) for rank in excess if variance[rank] >= _ENOUGH_VARIANCE)
    largest = max(map(abs, z), default=0.0)
    p_value = min(1.0, len(z) * math.erfc(largest / math.sqrt(2.0)))
    return Certificate(decisions, z, p_value, unexplained)
