"""Redundancy: how much less (or more) an item is wanted that resembles one above it in the same slate.

Its logit moves by w . b(alike), alike the largest cosine to those above and b three ramps, from 1/4, 1/2 and 3/4 on;
so the first slot, and whatever resembles little, is left as it is: an effect of nearly all rows of later slots could
not be told from slots that are seen less. The weights have a Gaussian posterior around 0.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from agent.settings import SlateSettings
from agent.targets import Targets

_FROM = np.array((0.25, 0.5, 0.75))  # cosines from which the ramps rise
FUNCTIONS = len(_FROM)
_LEAST_CURVATURE = 1e-3

Doubles = NDArray[np.float64]


def ramps(alike_N: NDArray[np.floating]) -> Doubles:
    """What the effect is a weighted sum of, [N, F]: each 0 up to a cosine of its own, then rising to 1.

    >>> ramps(np.array([-1.0, 0.25, 0.75, 1.0])).round(2).tolist()
    [[0.0, 0.0, 0.0], [0.0, 0.0, 0.0], [0.67, 0.5, 0.0], [1.0, 1.0, 1.0]]
    """
    rising_NF: Doubles = np.maximum(alike_N.astype(np.float64)[:, None] - _FROM, 0.0) / (1.0 - _FROM)
    return rising_NF


class Redundancy(nn.Module):
    """A Bayesian logistic regression on the ramps, with everything else that is known of a row's logit as its offset.

    Attributes:
        mean: of the weights, F; 0 until evidence comes.

    Args:
        settings: prior standard deviation and memory.
    """

    precision: Tensor
    eta: Tensor
    mean: Tensor

    def __init__(self, settings: SlateSettings) -> None:
        super().__init__()
        self._settings = settings
        self.register_buffer("precision", torch.eye(FUNCTIONS, dtype=torch.float64) / settings.sd_redundancy**2)
        for name in ("eta", "mean"):
            self.register_buffer(name, torch.zeros(FUNCTIONS, dtype=torch.float64))

    def effect(self, alike_R: NDArray[np.floating]) -> Tensor:
        """What the resemblance adds to each logit [R], in double precision."""
        return torch.from_numpy(ramps(alike_R)) @ self.mean

    def learn(self, alike_R: NDArray[np.floating], targets: Targets) -> None:
        """Takes in R closed rows of later slots: rewards, weights, and the logits without this effect."""
        b_RF, prior = torch.from_numpy(ramps(alike_R)), 1.0 / self._settings.sd_redundancy**2
        keep = 0.5 ** (len(b_RF) / self._settings.memory_rows)
        self.precision.mul_(keep).diagonal().add_((1.0 - keep) * prior)
        self.eta.mul_(keep)
        logit_R = targets.offset_R + b_RF @ self.mean
        p_R = torch.sigmoid(logit_R)
        curvature_R = targets.weight_R * (p_R * (1.0 - p_R)).clamp_min(_LEAST_CURVATURE)
        pull_R = targets.weight_R * (targets.reward_R - p_R) + curvature_R * (logit_R - targets.offset_R)
        self.precision.add_(b_RF.T @ (b_RF * curvature_R[:, None]))
        self.eta.add_(b_RF.T @ pull_R)
        self.mean.copy_(torch.linalg.solve(self.precision, self.eta))

    def carry(self, other: "Redundancy", share: float) -> None:
        """Begins with what another one learned, of which a share counts as evidence."""
        self.load_state_dict(other.state_dict())
        self.precision.mul_(share).diagonal().add_((1.0 - share) / self._settings.sd_redundancy**2)
        self.eta.copy_(self.precision @ self.mean)
