"""How much each member's logit counts: a logistic regression on what the members said before they learned a row.

The last member, the network, counts only while it has proved its worth: while weights with it save enough log loss over
weights without it, on rows that neither had learned. Both are judged with a level of their own, so that what is saved
tells candidates apart: a common error of all predictions is not the network's to mend.
"""

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from agent.settings import StackSettings

_LOWEST, _HIGHEST = -8.0, 6.0
_LEAST_CURVATURE = 1e-3
_SWEEPS = 20


class Stack(nn.Module):
    """p(click) = sigmoid(sum of w_m logit_m), w >= 0, with a Gaussian prior and forgetting.

    Attributes:
        weight: how much each of the M members counts; 0 for a network that has to prove itself.
        saved: log loss that the network has saved, in nats; it counts half after the memory.

    Args:
        settings: weights to begin with, precision and memory.
        network: whether there is a network among the members: expert, recent expert, network.
        proof: what `saved` must exceed for the network to count; 0 lets it count from the start.

    References:
        Wolpert (1992), Stacked generalization; here online, as in `BayesianLogistic`.
    """

    precision: Tensor
    eta: Tensor
    prior: Tensor
    weight: Tensor
    judged_with: Tensor
    judged_without: Tensor
    saved: Tensor

    def __init__(self, settings: StackSettings, *, network: bool, proof: float = 0.0) -> None:
        super().__init__()
        self._settings, self._proof = settings, proof
        weights = (settings.expert, settings.recent, *((settings.network,) if network else ()))
        self._members, self._level = len(weights), len(weights)
        self._experts = [0, 1]
        prior = (*weights, 0.0)
        self.register_buffer("prior", torch.tensor(prior, dtype=torch.float64))
        self.register_buffer("precision", torch.zeros(len(prior), len(prior), dtype=torch.float64))
        self.register_buffer("saved", torch.zeros((), dtype=torch.float64))
        self.register_buffer("weight", torch.zeros(self._members, dtype=torch.float64))
        for name in ("eta", "judged_with", "judged_without"):
            self.register_buffer(name, torch.zeros(len(prior), dtype=torch.float64))
        self.restart()

    def restart(self) -> None:
        """Back to the prior."""
        self.precision.copy_(self._settings.precision * torch.eye(len(self.prior)))
        self.eta.copy_(self._settings.precision * self.prior)
        self.saved.zero_()
        self._solve()

    def forward(self, logit_NM: Tensor) -> Tensor:
        """The joint logit [N] of what M members say."""
        return torch.from_numpy(self.joint(logit_NM.numpy().T))

    def joint(self, logit_MN: NDArray[Any]) -> NDArray[Any]:
        """As `forward`, of arrays, a row for each member."""
        clipped_MN = np.minimum(np.maximum(logit_MN, _LOWEST), _HIGHEST)
        joint_N: NDArray[Any] = self.weight.numpy().astype(logit_MN.dtype) @ clipped_MN
        return joint_N

    def learn(
        self, logit_RM: Tensor, reward_R: Tensor, weight_R: Tensor | None = None, offset_R: Tensor | None = None
    ) -> None:
        """Takes in R rows: what the members said of each before they learned it, the reward, and how much it counts.

        Args:
            logit_RM: what the members said.
            reward_R: rewards.
            weight_R: how much each row counts; 1 where not given.
            offset_R: the part of each logit that is known besides; 0 where not given.
        """
        keep = 0.5 ** (len(reward_R) / self._settings.memory_rows)
        fresh = self._settings.precision
        self.precision.mul_(keep).diagonal().add_((1.0 - keep) * fresh)
        self.eta.mul_(keep).add_((1.0 - keep) * fresh * self.prior)
        said_RM = nn.functional.pad(logit_RM.double().clamp(_LOWEST, _HIGHEST), (0, 1), value=1.0)
        known_R = torch.zeros_like(said_RM[:, 0]) if offset_R is None else offset_R.double()
        joint_R, reward_R = said_RM[:, :-1] @ self.weight, reward_R.double()
        weight_R = torch.ones_like(reward_R) if weight_R is None else weight_R.double()
        judged = (self.judged_without, self.judged_with)
        losses = [(weight_R * _loss_R(said_RM @ weight + known_R, reward_R)).sum() for weight in judged]
        self.saved.mul_(keep).add_(losses[0] - losses[1])
        p_R = torch.sigmoid(joint_R + known_R)
        curvature_R = weight_R * (p_R * (1.0 - p_R)).clamp_min(_LEAST_CURVATURE)
        self.precision.add_(said_RM.T @ (said_RM * curvature_R[:, None]))
        self.eta.add_(said_RM.T @ (weight_R * (reward_R - p_R) + curvature_R * joint_R))
        self._solve()

    def _solve(self) -> None:
        members = list(range(self._members))
        self.judged_with.copy_(self._best([*members, self._level]))
        self.judged_without.copy_(self._best([*self._experts, self._level]))
        proved = self._proof == 0.0 or float(self.saved) > self._proof
        self.weight.copy_(self._best(members if proved else self._experts)[:-1])

    def _best(self, used: list[int]) -> Tensor:
        """The weights of highest posterior density where those not used are 0."""
        weight = torch.zeros_like(self.eta)
        weight[used] = _nonnegative(self.precision[used][:, used], self.eta[used], free=used[-1] == self._level)
        return weight


def _loss_R(logit_R: Tensor, reward_R: Tensor) -> Tensor:
    """The log loss of each row."""
    return nn.functional.binary_cross_entropy_with_logits(logit_R, reward_R, reduction="none")


def _nonnegative(precision: Tensor, eta: Tensor, *, free: bool) -> Tensor:
    """The weights >= 0 of highest posterior density, by coordinate descent from the free optimum.

    Args:
        precision: of the weights.
        eta: their natural mean.
        free: whether the last of them may be negative.
    """
    rows, wanted = precision.tolist(), eta.tolist()  # a handful of numbers: plain ones are ten times as fast
    least = [0.0] * (len(wanted) - free) + [-math.inf] * free
    start = torch.linalg.solve(precision, eta).tolist()
    weight = [max(each, bound) for each, bound in zip(start, least, strict=True)]
    if weight == start:  # the free optimum is allowed
        return torch.tensor(weight, dtype=torch.float64)
    for _ in range(_SWEEPS):
        for member, row in enumerate(rows):
            others = sum(each * factor for each, factor in zip(weight, row, strict=True)) - weight[member] * row[member]
            weight[member] = max((wanted[member] - others) / row[member], least[member])
    return torch.tensor(weight, dtype=torch.float64)
