"""What came of rows, and what a row adds to a logistic posterior once it is linearised."""

from typing import NamedTuple

import torch
from torch import Tensor

from agent.row_sums import LEAST_CURVATURE


class Targets(NamedTuple):
    """What came of R rows: rewards, how much each row counts, and the part of each logit that is known already."""

    reward_R: Tensor
    weight_R: Tensor
    offset_R: Tensor

    @classmethod
    def whole(cls, reward_R: Tensor, offset_R: Tensor | None = None) -> "Targets":
        """Rows that count fully."""
        reward_R = reward_R.double()
        offset_R = torch.zeros_like(reward_R) if offset_R is None else offset_R.double()
        return cls(reward_R, torch.ones_like(reward_R), offset_R)


def linearised(logit_R: Tensor, targets: Targets) -> tuple[Tensor, Tensor]:
    """How much each row adds to precision and to natural mean, a unit of its features."""
    p_R = torch.sigmoid(logit_R)
    curvature_R = (p_R * (1.0 - p_R)).clamp_min(LEAST_CURVATURE)
    pull_R = targets.reward_R - p_R + curvature_R * (logit_R - targets.offset_R)
    return targets.weight_R * curvature_R, targets.weight_R * pull_R
