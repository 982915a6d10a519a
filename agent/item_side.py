"""What is read of an item: components that are crossed with the context's, and further ones that are not."""

from dataclasses import replace

from torch import Tensor

from agent.projection import Projection, Rank
from envs.features import Layout
from envs.protocols import Floats


class ItemSide(Projection):
    """The projection of candidate vectors [text | numeric features | manner of the text].

    What is crossed are the leading components of text and numeric features. The further components, which are not, are
    those behind them, or, where the manner of texts is read, the leading components of the manner.

    Args:
        layout: lengths of the feature blocks.
        rank: bounds of what is crossed.
        further: how many further components there are, at most.

    >>> from torch import zeros
    >>> side = ItemSide(Layout(text=8, context=0, candidate=0, manner=6), Rank(1, 4, 0.9), further=5)
    >>> side.width, side.further, side(zeros(2, 8 + 6)).shape
    (4, 5, torch.Size([2, 4]))
    """

    def __init__(self, layout: Layout, rank: Rank, further: int) -> None:
        own = 0 if layout.manner else further
        super().__init__((layout.text, layout.candidate), replace(rank, further=own))
        self._own = layout.text + layout.candidate
        reads_manner = bool(layout.manner and further)
        self.manner = Projection((layout.manner,), replace(rank, most=further)) if reads_manner else None
        if self.manner is not None:
            self.further = self.manner.width

    @property
    def further_active(self) -> Tensor:
        """Which further components are in use [F]."""
        return self.active[self.width :] if self.manner is None else self.manner.active

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
        if self.manner is None:
            return super().both(values[:, : self._own])
        return self.leading(values), self.manner.leading(values[:, self._own :])

    def fit(self, values: Floats) -> None:
        """See `Projection.fit`."""
        super().fit(values[:, : self._own])
        if self.manner is not None:
            self.manner.fit(values[:, self._own :])
