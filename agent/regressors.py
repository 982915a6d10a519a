"""What an expert reads of candidates, or of resolved rows: sides of crossed features, similarities, item keys."""

from typing import NamedTuple

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

    def where(self, keep_N: Tensor) -> "Regressors":
        """The candidates for which `keep_N` is true."""
        return Regressors(*(column[keep_N] for column in self))

    def leading(self, components: int, similarities: int) -> "Regressors":
        """The same with at most so many components of a side, and so many of what is not crossed."""
        widths = (self.context_NI.shape[1], self.item_NJ.shape[1])
        if max(widths) <= 1 + components and self.similarity_NS.shape[1] == similarities:
            return self
        context_NI, item_NJ = (side[:, : 1 + components] for side in (self.context_NI, self.item_NJ))
        return Regressors(context_NI, item_NJ, self.similarity_NS[:, :similarities], self.item_N)
