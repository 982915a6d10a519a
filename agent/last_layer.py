"""How sure the network's last layer is: a Gaussian around the weights that gradient steps have found.

The network's logit is a sum of contributions g_H, one for each tower and component of the item. Each is taken times a
weight v_h whose posterior mean is 1, what the gradient found; how far v may lie from it is learned in closed form.
"""

import torch
from torch import Tensor, nn


class LastLayer(nn.Module):
    """v ~ N(1, P^-1), P = I / sd^2 + sum of w^2 p (1 - p) g g' over the rows, with forgetting as the network moves on.

    Args:
        width: H.
        sd: prior standard deviation of each v.
        memory_rows: rows after which evidence counts half.

    References:
        Neural-linear Thompson sampling: Riquelme, Tucker, Snoek (2018), Deep Bayesian bandits showdown. Laplace
        approximation of the last layer alone: Kristiadi, Hein, Hennig (2020), Being Bayesian, even just a bit.
    """

    precision: Tensor

    def __init__(self, width: int, sd: float, memory_rows: float) -> None:
        super().__init__()
        self._prior, self._memory_rows = 1.0 / sd**2, memory_rows
        self.register_buffer("precision", torch.zeros(width, width, dtype=torch.float64))
        self.restart()

    def restart(self) -> None:
        """Back to the prior."""
        self.precision.copy_(self._prior * torch.eye(len(self.precision)))

    def learn(self, contribution_RH: Tensor, p_R: Tensor, weight: float) -> None:
        """Takes in R rows.

        Args:
            contribution_RH: g of each row.
            p_R: the probability of its reward, before it was learned.
            weight: w, how much the network counts in the joint logit.
        """
        keep = 0.5 ** (len(p_R) / self._memory_rows)
        self.precision.mul_(keep).diagonal().add_((1.0 - keep) * self._prior)
        wide_RH, p_R = contribution_RH.double(), p_R.double()
        self.precision.add_(wide_RH.T @ (wide_RH * (weight**2 * p_R * (1.0 - p_R))[:, None]))

    def sample(self, contribution_NH: Tensor, count: int, seed: int) -> Tensor:
        """Joint draws [M, N] of the network's logits less their mean; the same for the same seed."""
        random = torch.Generator().manual_seed(seed)
        factor = torch.linalg.cholesky(self.precision)
        drawn_HM = torch.randn(len(factor), count, generator=random, dtype=torch.float64)
        apart_HM = torch.linalg.solve_triangular(factor.T, drawn_HM, upper=True)
        apart_MN: Tensor = (contribution_NH @ apart_HM.to(contribution_NH.dtype)).T
        return apart_MN
