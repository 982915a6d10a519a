"""What is read of an item: components that are crossed with the context's, and further ones that are not."""

import numpy as np
import torch
from torch import Tensor

from agent.projection import Projection, Rank
from envs.features import Layout
from envs.protocols import Floats


class ItemSide(Projection):
    """The projection of candidate vectors [text | numeric features | manner of the text].

    What is crossed are the leading components of text and numeric features. The further components, which are not, are
    those behind them and, where the manner of texts is read, the leading components of the manner.

    Args:
        layout: lengths of the feature blocks.
        rank: bounds of the components of text and numeric features.
        manner: components of the manner, at most; 0 leaves it out.

    >>> from torch import zeros
    >>> side = ItemSide(Layout(text=8, context=0, candidate=0, manner=6), Rank(1, 4, 0.9, further=3), manner=5)
    >>> side.width, side.further, side(zeros(2, 8 + 6)).shape
    (4, 8, torch.Size([2, 4]))
    """

    def __init__(self, layout: Layout, rank: Rank, manner: int) -> None:
        super().__init__((layout.text, layout.candidate), rank)
        self._own = layout.text + layout.candidate
        self.manner: Projection | None = None  # then there are no buffers of it, and older snapshots fit
        if layout.manner and manner:
            self.manner = Projection((layout.manner,), Rank(rank.least, manner, rank.explained))
            self.further += self.manner.width

    @property
    def further_active(self) -> Tensor:
        """Which further components are in use [F]."""
        own_F = self.active[self.width :]
        return own_F if self.manner is None else torch.cat([own_F, self.manner.active])

    def moved(self) -> None:
        """Says that the buffers changed."""
        super().moved()
        for part in self.children():
            if isinstance(part, Projection):
                part.moved()

    def leading(self, values: Floats) -> Floats:
        """See `Projection.leading`."""
        return super().leading(values[:, : self._own])

    def both(self, values: Floats) -> tuple[Floats, Floats]:
        """See `Projection.both`."""
        leading_NR, further_NF = super().both(values[:, : self._own])
        if self.manner is not None:
            further_NF = np.concatenate([further_NF, self.manner.leading(values[:, self._own :])], axis=1)
        return leading_NR, further_NF

    def fit(self, values: Floats) -> None:
        """See `Projection.fit`."""
        super().fit(values[:, : self._own])
        if self.manner is not None:
            self.manner.fit(values[:, self._own :])
