"""What slates add to the policy: how often each slot is seen, and how items resemble those above them.

Both are 0 work and change nothing while each decision has one slot.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from agent.belief import Resemblance
from agent.examination import CARRIED, Examination, Seen
from agent.redundancy import Redundancy
from agent.settings import SlateSettings
from agent.targets import Targets
from envs.protocols import Floats
from envs.rows import Rows


class SlateEffects(nn.Module):
    """Examination by position and redundancy, as the policy reads and learns them.

    Attributes:
        rows: rows of later slots taken in, those that are learned again included.

    Args:
        settings: which of them are learned, and how.
    """

    rows: Tensor

    def __init__(self, settings: SlateSettings) -> None:
        super().__init__()
        self._settings = settings
        self.register_buffer("rows", torch.zeros((), dtype=torch.int64))
        self.examination = Examination(settings)
        self.redundancy = Redundancy(settings)

    def effect(self, rows: Rows) -> Tensor:
        """What resembling those above adds to the logit of each row [R], in double precision."""
        return self.redundancy.effect(rows.alike_R)

    def seen(self, rows: Rows, logit_R: Tensor, weight_R: NDArray[np.floating]) -> Seen:
        """The rows as far as they were seen.

        Args:
            rows: what was shown, and its rewards.
            logit_R: what is believed of their logits.
            weight_R: how much each row counts.
        """
        return self.examination.seen(*_told(rows, torch.sigmoid(logit_R), weight_R))

    def learn(self, rows: Rows, logit_R: Tensor, seen: Seen) -> None:
        """Takes in closed rows, with the logits that were believed before they were learned, their effect included."""
        later_R = rows.slot_R > 0
        if not later_R.any():
            return
        self.rows.add_(int(later_R.sum()))
        effect_R = self.effect(rows)
        if self._settings.examination:
            self.examination.observe(*_told(rows, torch.sigmoid(logit_R), rows.weight_R))
        if self._settings.redundancy:
            offset_R, later = logit_R.double() - effect_R, torch.from_numpy(later_R)
            targets = Targets(seen.reward_R[later], seen.weight_R[later], offset_R[later])
            self.redundancy.learn(rows.alike_R[later_R], targets)

    def resemblance(self, vector_NE: Floats) -> Resemblance | None:
        """How candidates of these vectors change each other; None while no slates were learned, or where not asked."""
        if self._settings.later_slots == "proportional" or not int(self.rows):
            return None
        return Resemblance(vector_NE, self.redundancy.mean.numpy().copy())

    def carry(self, other: "SlateEffects") -> None:
        """Begins with what another one learned, before the same rows are learned again; part of it counts."""
        self.rows.copy_(other.rows)
        self.examination.carry(other.examination)
        self.redundancy.carry(other.redundancy, CARRIED)


def _told(rows: Rows, attractive_R: Tensor, weight_R: NDArray[np.floating]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Slots, attractiveness, rewards and weights of rows, as `Examination` wants them."""
    return torch.tensor(rows.slot_R), attractive_R, torch.tensor(rows.reward_R), torch.tensor(weight_R)
