"""What an expert reads of candidates, or of resolved rows: sides of crossed features, similarities, item keys."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor


class Regressors(NamedTuple):
    """What the expert reads of N candidates.

    Attributes:
        context_NI: context side, leading 1.
        item_NJ: item side, leading 1.
        similarity_NS: scaled similarities, then what else is read of the item but not crossed.
        item_N: keys of the items.
    """

    context_NI: Tensor
    item_NJ: Tensor
    similarity_NS: Tensor
    item_N: Tensor

    def features(self) -> Tensor:
        """Phi [N, d], in double precision where the sides are."""
        crossed_Nd = (self.context_NI[:, :, None] * self.item_NJ[:, None, :]).flatten(1)
        return torch.cat([crossed_Nd, self.similarity_NS], dim=1)

    def times(self, weight_d: Tensor) -> Tensor:
        """Phi . weight [N], without phi being written out.

        >>> sides = torch.tensor([[1.0, 2.0]]), torch.tensor([[1.0, 3.0]]), torch.tensor([[4.0]])
        >>> read = Regressors(*sides, item_N=torch.tensor([7]))
        >>> weight_d = torch.tensor([1.0, 10.0, 100.0, 1000.0, 0.5])
        >>> read.times(weight_d).tolist(), (read.features() @ weight_d).tolist()
        ([6233.0], [6233.0])
        """
        I, J = self.context_NI.shape[1], self.item_NJ.shape[1]  # noqa: E741 - the names of the axes
        moved_NJ = self.context_NI @ weight_d[: I * J].view(I, J)
        crossed_N = torch.from_numpy(np.einsum("nj,nj->n", moved_NJ.numpy(), self.item_NJ.numpy()))
        return crossed_N.add_(self.similarity_NS @ weight_d[I * J :])

    def where(self, keep_N: Tensor) -> "Regressors":
        """The candidates for which `keep_N` is true."""
        return Regressors(*(column[keep_N] for column in self))

    def leading(self, components: int, similarities: int) -> "Regressors":
        """The same with at most so many components of a side, and so many of what is not crossed."""
        context_NI, item_NJ = (side[:, : 1 + components] for side in (self.context_NI, self.item_NJ))
        return Regressors(context_NI, item_NJ, self.similarity_NS[:, :similarities], self.item_N)

    def double(self) -> "Regressors":
        """The same in double precision."""
        sides = (self.context_NI.double(), self.item_NJ.double(), self.similarity_NS.double())
        return Regressors(*sides, self.item_N)
