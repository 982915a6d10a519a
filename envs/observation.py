"""Observations of the core: ragged batches, never padded. B decisions, N candidates of all of them together."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from envs.protocols import Floats
from stream.events import Knew

USER_SCALARS = 3
_IDLE_SCALE_MS = 60_000.0


@dataclass(frozen=True, slots=True)
class Observation:
    """What a policy sees of B impressions.

    Attributes:
        context_BC: context vectors: text embedding, then numeric features.
        user_BU: user vectors: interest, then scalars (see `user_vector`).
        candidates_ND: candidate vectors of all impressions, one after the other.
        counts_B: how many of the N candidates belong to each impression.
        item_N: key of each candidate's item, see `envs.keys`.
        user_B: key of each impression's user.
        group_B: key of what each impression's context shares with others; 0 where it shares nothing.
        knew: what was read of each user, for the decision's record.
    """

    context_BC: Floats
    user_BU: Floats
    candidates_ND: Floats
    counts_B: NDArray[np.int64]
    item_N: NDArray[np.int64]
    user_B: NDArray[np.int64]
    group_B: NDArray[np.int64]
    knew: tuple[Knew, ...]

    @property
    def starts_B(self) -> NDArray[np.int64]:
        """The index of each impression's first candidate."""
        return np.cumsum(self.counts_B) - self.counts_B


def user_vector(knew: Knew | None, interest_dim: int) -> Floats:
    """The vector [U] of what was known of a user: interest [E], log counts of clicks and decisions, recency.

    >>> [round(float(x), 2) for x in user_vector(Knew(clicks=1, decisions=6, idle_ms=60_000), interest_dim=1)]
    [0.0, 0.69, 1.95, 0.5]
    """
    vector = np.zeros(interest_dim + USER_SCALARS, dtype=np.float32)
    if knew is None:
        return vector
    if knew.interest is not None and interest_dim:
        vector[:interest_dim] = np.frombuffer(knew.interest, dtype="<f2")
    recency = 0.0 if knew.idle_ms is None else 1.0 / (1.0 + max(knew.idle_ms, 0) / _IDLE_SCALE_MS)
    vector[interest_dim:] = (np.log1p(knew.clicks), np.log1p(knew.decisions), recency)
    return vector
