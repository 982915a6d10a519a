"""The slots after the first, explored anew: among what is left, with what resembles those above moved by that."""

from dataclasses import fields, replace
from typing import Any

import numpy as np

from agent.belief import Belief, Doubles, Places, Resemblance
from agent.explore import probabilities
from agent.redundancy import ramps
from agent.settings import ExploreSettings
from envs.alike import directions


class LaterSlots:
    """Gives `draw_slates` the probabilities of each later slot, and keeps them for the record.

    Args:
        explore: how beliefs become probabilities.
        belief: of the N candidates of B decisions.
        resemblance: how those candidates change each other.

    Attributes:
        logit_N: the logit of each candidate in the slot that it was shown in, or else in the last slot drawn.
    """

    def __init__(self, explore: ExploreSettings, belief: Belief, resemblance: Resemblance) -> None:
        self._explore, self._belief, self._weight_F = explore, belief, resemblance.weight_F
        self._unit_NE = directions(resemblance.vector_NE)
        self._alike_N = np.full(len(belief.logit_N), -1.0)
        self._left_N = np.ones(len(belief.logit_N), dtype=np.bool_)
        self._drawn: list[list[tuple[float, ...]]] = [[] for _ in belief.counts_B]
        self.logit_N = belief.logit_N.copy()

    def __call__(self, rows_A: Places, above_AL: Places) -> Doubles:
        """Probabilities [A, K] of the next slot of some decisions that show L candidates already."""
        counts_A, starts_A = self._belief.counts_B[rows_A], self._belief.starts_B[rows_A]
        owner_M = np.repeat(np.arange(len(rows_A)), counts_A)
        place_M = np.arange(len(owner_M)) - np.repeat(np.cumsum(counts_A) - counts_A, counts_A)
        at_M = starts_A[owner_M] + place_M
        last_A = starts_A + above_AL[:, -1]
        self._left_N[last_A] = False
        cosine_M = (self._unit_NE[at_M] * self._unit_NE[last_A][owner_M]).sum(axis=1)
        self._alike_N[at_M] = np.maximum(self._alike_N[at_M], cosine_M)
        left_M = self._left_N[at_M]
        share_AK = np.zeros((len(rows_A), int(self._belief.counts_B.max())))
        share_AK[owner_M[left_M], place_M[left_M]] = self._shares(at_M[left_M], rows_A, counts_A - above_AL.shape[1])
        for row, share_K, count in zip(rows_A.tolist(), share_AK, counts_A.tolist(), strict=True):
            self._drawn[row].append(tuple(share_K[:count].tolist()))
        return share_AK

    def of(self, decision: int) -> tuple[tuple[float, ...], ...] | None:
        """The probabilities of a decision's slots after the first; None where it has one slot."""
        return tuple(self._drawn[decision]) or None

    def _shares(self, at_M: Places, rows_A: Places, counts_A: Places) -> Doubles:
        """The probabilities [M] of the candidates that are left."""
        effect_M = ramps(self._alike_N[at_M]) @ self._weight_F
        self.logit_N[at_M] = self._belief.logit_N[at_M] + effect_M
        left = _part(self._belief, at_M, rows_A)
        samples_MN = None if left.samples_MN is None else left.samples_MN + effect_M
        return probabilities(
            self._explore, replace(left, logit_N=left.logit_N + effect_M, samples_MN=samples_MN, counts_B=counts_A)
        )


def _part(belief: Belief, at_M: Places, rows_A: Places) -> Belief:
    """The belief of some candidates of some decisions: whatever is told of candidates, or of decisions, by its name."""
    told: dict[str, Any] = {field.name: getattr(belief, field.name) for field in fields(belief)}
    for name, value in told.items():
        if isinstance(value, np.ndarray):
            told[name] = value[..., at_M] if name.endswith("N") else value[rows_A]
    return replace(belief, **told)
