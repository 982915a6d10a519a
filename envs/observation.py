"""Observations of the core: ragged batches, never padded. B decisions, N candidates of all of them together."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from envs.errors import FeatureError
from envs.protocols import Floats
from stream.events import Knew

USER_SCALARS = 3
_IDLE_SCALE_MS = 60_000.0
_NOTHING = Knew()


@dataclass(frozen=True, slots=True)
class Observation:
    """What a policy sees of B impressions.

    Attributes:
        context_BC: context vectors: text embedding, then numeric features.
        user_BU: user vectors: interest, then scalars (see `user_vectors`).
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


def user_vectors(knew: Sequence[Knew | None], interest_dim: int) -> Floats:
    """The vectors [B, U] of what was known of users: interest [E], log counts of clicks and decisions, recency.

    Raises:
        FeatureError: an interest is of another length.

    >>> user_vectors([Knew(clicks=1, decisions=6, idle_ms=60_000), None], interest_dim=1).round(2).tolist()
    [[0.0, 0.6899999976158142, 1.9500000476837158, 0.5], [0.0, 0.0, 0.0, 0.0]]
    """
    known = [each or _NOTHING for each in knew]
    vector_BU = np.zeros((len(known), interest_dim + USER_SCALARS), dtype=np.float32)
    interests = {row: each.interest for row, each in enumerate(known) if each.interest is not None}
    if interests and interest_dim:
        sizes = {len(interest) for interest in interests.values()}
        if sizes != {2 * interest_dim}:
            raise FeatureError(
                f"interest of a user must have {interest_dim} values of 2 bytes; got {sorted(sizes)} bytes"
            )
        interest_ME = np.frombuffer(b"".join(interests.values()), dtype="<f2").reshape(-1, interest_dim)
        vector_BU[list(interests), :interest_dim] = interest_ME
    told_BS = np.array(
        [(each.clicks, each.decisions, np.inf if each.idle_ms is None else each.idle_ms) for each in known], np.float64
    ).reshape(-1, USER_SCALARS)
    vector_BU[:, interest_dim:-1] = np.log1p(told_BS[:, :-1])
    vector_BU[:, -1] = 1.0 / (1.0 + np.maximum(told_BS[:, -1], 0.0) / _IDLE_SCALE_MS)
    return vector_BU
