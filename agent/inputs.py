"""What a policy reads, as tensors: of an observation to decide on, or of resolved rows to learn from."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from agent.by_decision import ByDecision
from envs.observation import Observation
from envs.rows import Rows


class Inputs(NamedTuple):
    """What the policy reads, as tensors: B decisions, N candidates, `segment_N` tells whose candidate each is.

    `item_N` are the keys of the candidates' items, `user_B` and `group_B` those of each decision's user and group of
    contexts.
    """

    context_BC: Tensor
    user_BU: Tensor
    candidates_ND: Tensor
    segment_N: Tensor
    item_N: Tensor
    user_B: Tensor
    group_B: Tensor
    by_decision: ByDecision


def inputs_of_rows(rows: Rows) -> Inputs:
    """Rows as decisions with one candidate each."""
    writeable = {
        name: c if c.flags.writeable else c.copy() for name, c in rows.columns().items()
    }  # torch warns of others
    return inputs_of_columns({name: torch.from_numpy(column) for name, column in writeable.items()})


def inputs_of_columns(columns: Mapping[str, Tensor]) -> Inputs:
    """The columns of rows, as tensors, as decisions with one candidate each."""
    segment_R = torch.arange(len(columns["reward_R"]))
    return Inputs(
        columns["context_RC"],
        columns["user_RU"],
        columns["candidate_RD"],
        segment_R,
        columns["item_R"],
        columns["user_R"],
        columns["group_R"],
        ByDecision.one_each(len(segment_R)),
    )


def inputs_of_observation(observation: Observation) -> Inputs:
    """An observation as tensors."""
    segment_N = np.repeat(np.arange(len(observation.counts_B)), observation.counts_B)
    return Inputs(
        torch.from_numpy(observation.context_BC),
        torch.from_numpy(observation.user_BU),
        torch.from_numpy(observation.candidates_ND),
        torch.from_numpy(segment_N),
        torch.from_numpy(observation.item_N),
        torch.from_numpy(observation.user_B),
        torch.from_numpy(observation.group_B),
        ByDecision(observation.counts_B),
    )
