"""How much each member's logit counts: a logistic regression on what the members said before they learned a row."""

import torch
from torch import Tensor, nn

from agent.settings import StackSettings

_LOWEST, _HIGHEST = -8.0, 6.0
_LEAST_CURVATURE = 1e-3


class Stack(nn.Module):
    """p(click) = sigmoid(sum of w_m logit_m), w >= 0, with a Gaussian prior and forgetting.

    Args:
        settings: weights to begin with, precision and memory.
        network: whether there is a network among the members: expert, recent expert, network.

    References:
        Wolpert (1992), Stacked generalization; here online, as in `BayesianLogistic`.
    """

    precision: Tensor
    eta: Tensor
    weight: Tensor
    prior: Tensor

    def __init__(self, settings: StackSettings, *, network: bool) -> None:
        super().__init__()
        self._prior_precision, self._memory_rows = settings.precision, settings.memory_rows
        prior = (settings.expert, settings.recent, *((settings.network,) if network else ()))
        self.register_buffer("prior", torch.tensor(prior, dtype=torch.float64))
        for name, shape in (("precision", (len(prior), len(prior))), ("eta", (len(prior),)), ("weight", (len(prior),))):
            self.register_buffer(name, torch.zeros(shape, dtype=torch.float64))
        self.restart()

    def restart(self) -> None:
        """Back to the prior."""
        self.precision.copy_(self._prior_precision * torch.eye(len(self.prior)))
        self.eta.copy_(self._prior_precision * self.prior)
        self.weight.copy_(self.prior)

    def forward(self, logit_NM: Tensor) -> Tensor:
        """The joint logit [N] of what M members say."""
        joint_N: Tensor = logit_NM.clamp(_LOWEST, _HIGHEST) @ self.weight.to(logit_NM.dtype)
        return joint_N

    def learn(self, logit_RM: Tensor, reward_R: Tensor) -> None:
        """Takes in R rows: what the members said of each before they learned it, and the reward."""
        keep = 0.5 ** (len(reward_R) / self._memory_rows)
        fresh = self._prior_precision * torch.eye(len(self.prior), dtype=torch.float64)
        self.precision.mul_(keep).add_((1.0 - keep) * fresh)
        self.eta.mul_(keep).add_((1.0 - keep) * self._prior_precision * self.prior)
        said_RM = logit_RM.double().clamp(_LOWEST, _HIGHEST)
        joint_R = said_RM @ self.weight
        p_R = torch.sigmoid(joint_R)
        curvature_R = (p_R * (1.0 - p_R)).clamp_min(_LEAST_CURVATURE)
        self.precision.add_(said_RM.T @ (said_RM * curvature_R[:, None]))
        self.eta.add_(said_RM.T @ (reward_R.double() - p_R + curvature_R * joint_R))
        self.weight.copy_(_nonnegative(self.precision, self.eta))


def _nonnegative(precision: Tensor, eta: Tensor) -> Tensor:
    """The weights >= 0 of highest posterior density, by coordinate descent from the free optimum."""
    weight: Tensor = torch.linalg.solve(precision, eta).clamp_min(0.0)
    for _ in range(20):
        for member in range(len(weight)):
            others = precision[member] @ weight - precision[member, member] * weight[member]
            weight[member] = ((eta[member] - others) / precision[member, member]).clamp_min(0.0)
    return weight
