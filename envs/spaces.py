"""The Gymnasium form of observations: padded to a fixed number of candidates, with a mask."""

from collections.abc import Sequence

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from envs.errors import ActionError
from envs.features import Layout
from envs.observation import Observation
from stream.rules import LARGEST

Padded = dict[str, NDArray[np.float32] | NDArray[np.int8]]


def observation_space(layout: Layout, max_candidates: int) -> spaces.Dict:
    """Dict(context [C + U], candidates [K, D], action_mask [K]); what is known of the user follows the context."""
    context = layout.context_total + layout.user_total
    return spaces.Dict(
        {
            "context": spaces.Box(-LARGEST, LARGEST, (context,), np.float32),
            "candidates": spaces.Box(-LARGEST, LARGEST, (max_candidates, layout.candidate_total), np.float32),
            "action_mask": spaces.Box(0, 1, (max_candidates,), np.int8),
        }
    )


def action_space(max_candidates: int, slots: int) -> spaces.Discrete[np.int64] | spaces.MultiDiscrete:
    """An index into the candidates, or an ordered slate of L indices."""
    if slots == 1:
        return spaces.Discrete(max_candidates)
    return spaces.MultiDiscrete([max_candidates] * slots)


def pad(observation: Observation, max_candidates: int) -> Padded:
    """The observation of one impression, padded with zeros.

    Raises:
        ActionError: it has more candidates than fit.
    """
    count = int(observation.counts_B[0])
    if count > max_candidates:
        raise ActionError(f"candidates of a Gymnasium observation must be at most {max_candidates}; got {count}")
    candidates_KD = np.zeros((max_candidates, observation.candidates_ND.shape[1]), np.float32)
    candidates_KD[:count] = observation.candidates_ND
    mask_K = np.zeros(max_candidates, np.int8)
    mask_K[:count] = 1
    context = np.concatenate([observation.context_BC[0], observation.user_BU[0]])
    return {"context": context, "candidates": candidates_KD, "action_mask": mask_K}


def empty(layout: Layout, max_candidates: int) -> Padded:
    """The observation after the last impression: all zeros, no candidate."""
    return {
        "context": np.zeros(layout.context_total + layout.user_total, np.float32),
        "candidates": np.zeros((max_candidates, layout.candidate_total), np.float32),
        "action_mask": np.zeros(max_candidates, np.int8),
    }


def slate_of(action: int | Sequence[int] | NDArray[np.int64], slots: int, count: int) -> tuple[list[int], int]:
    """A valid slate from an action; an index that is padded or repeated is replaced by the first one left.

    Returns:
        The slate's indices, and how many were replaced.

    Raises:
        ActionError: the action has not as many indices as there are slots.
    """
    wanted = np.atleast_1d(np.asarray(action, dtype=np.int64)).tolist()
    if len(wanted) < slots:
        raise ActionError(f"action must have one index per slot ({slots}); got {wanted}")
    slate: list[int] = []
    replaced = 0
    for index in wanted[:slots]:
        if 0 <= index < count and index not in slate:
            slate.append(index)
        else:
            slate.append(next(i for i in range(count) if i not in slate))
            replaced += 1
    return slate, replaced
