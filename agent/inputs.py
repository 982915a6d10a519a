"""What a policy reads, as arrays: of an observation to decide on, or of resolved rows to learn from."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from agent.by_decision import ByDecision
from envs.observation import Observation
from envs.protocols import Floats
from envs.rows import Rows

Keys = NDArray[np.int64]


class Inputs(NamedTuple):
    """What the policy reads: B decisions, N candidates, `segment_N` tells whose candidate each is.

    `item_N` are the keys of the candidates' items, `user_B` and `group_B` those of each decision's user and group of
    contexts.
    """

    context_BC: Floats
    user_BU: Floats
    candidates_ND: Floats
    segment_N: NDArray[np.int64]
    item_N: Keys
    user_B: Keys
    group_B: Keys
    by_decision: ByDecision


def inputs_of_rows(rows: Rows) -> Inputs:
    """Rows as decisions with one candidate each."""
    item_R, user_R, group_R = (  # torch warns of what cannot be written
        keys_R if keys_R.flags.writeable else keys_R.copy() for keys_R in (rows.item_R, rows.user_R, rows.group_R)
    )
    return Inputs(
        rows.context_RC,
        rows.user_RU,
        rows.candidate_RD,
        np.arange(len(rows)),
        item_R,
        user_R,
        group_R,
        ByDecision.one_each(len(rows)),
    )


def inputs_of_observation(observation: Observation) -> Inputs:
    """An observation as the policy reads it."""
    counts_B = observation.counts_B
    return Inputs(
        observation.context_BC,
        observation.user_BU,
        observation.candidates_ND,
        np.arange(len(counts_B)).repeat(counts_B),
        observation.item_N,
        observation.user_B,
        observation.group_B,
        ByDecision(counts_B),
    )
