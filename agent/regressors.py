"""What an expert reads of candidates, or of resolved rows: sides of crossed features, similarities, item keys."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Sides = NDArray[Any]  # in single precision, or in double


class Regressors(NamedTuple):
    """What the expert reads of N candidates.

    Attributes:
        context_NI: context side, leading 1.
        item_NJ: item side, leading 1.
        similarity_NS: scaled similarities, then what else is read of the item but not crossed.
        item_N: keys of the items.
    """

    context_NI: Sides
    item_NJ: Sides
    similarity_NS: Sides
    item_N: NDArray[np.int64]

    def features(self) -> Sides:
        """Phi [N, d]."""
        N, I, J = *self.context_NI.shape, self.item_NJ.shape[1]  # noqa: E741 - the names of the axes
        crossed_NIJ = self.context_NI[:, :, None] * self.item_NJ[:, None, :]
        return np.concatenate([crossed_NIJ.reshape(N, I * J), self.similarity_NS], axis=1)

    def where(self, keep_N: NDArray[np.bool_] | NDArray[np.int64]) -> "Regressors":
        """The candidates for which `keep_N` is true, or at such places."""
        return Regressors(*(column[keep_N] for column in self))

    def leading(self, components: int, similarities: int) -> "Regressors":
        """The same with at most so many components of a side, and so many of what is not crossed."""
        context_NI, item_NJ = (side[:, : 1 + components] for side in (self.context_NI, self.item_NJ))
        return Regressors(context_NI, item_NJ, self.similarity_NS[:, :similarities], self.item_N)
