"""What the expert believes before it has seen anything, in its three kinds of features."""

from dataclasses import dataclass

import torch
from torch import Tensor

from agent.settings import ExpertSettings


@dataclass(frozen=True, slots=True)
class Sides:
    """Which features are in use: booleans of the context side [I] and the item side [J], the leading 1 included.

    `further_F` are the further components of the item, which are not crossed.
    """

    context_I: Tensor
    item_J: Tensor
    further_F: Tensor | None = None


def prior_precision(settings: ExpertSettings, sides: Sides, similarities: int, further: int) -> Tensor:
    """The precision [d] of each weight; a group's prior variance is shared out among the features in use.

    Args:
        settings: the deviation of each group.
        sides: the features in use.
        similarities: how many columns of the item side are not crossed, further components among them.
        further: how many of those are further components.
    """
    used_IJ = torch.outer(sides.context_I.double(), sides.item_J.double())
    precision_IJ = torch.empty_like(used_IJ)
    groups = [
        (slice(1, None), slice(1, None), settings.sd_cross),
        (slice(0, 1), slice(1, None), settings.sd_item),
        (slice(1, None), slice(0, 1), settings.sd_context),
        (slice(0, 1), slice(0, 1), settings.sd_intercept),
    ]
    for rows, columns, deviation in groups:
        precision_IJ[rows, columns] = used_IJ[rows, columns].sum().clamp_min(1.0) / deviation**2
    cosines = similarities - further
    used = float(sides.further_F.sum()) if sides.further_F is not None else float(further)
    alike = torch.full((cosines,), max(cosines, 1) / settings.sd_similarity**2, dtype=torch.float64)
    more = torch.full((further,), max(used, 1.0) / settings.sd_text_further**2, dtype=torch.float64)
    return torch.cat([precision_IJ.flatten(), alike, more])
