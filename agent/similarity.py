"""How much an item is like what its context's text asks for, and like what its user cares for."""

import numpy as np
import torch
from torch import Tensor, nn

from agent.inputs import Inputs
from agent.projection import Projection
from envs.features import Layout
from envs.protocols import Floats

_USUAL_COSINE = (0.1, 0.15)  # centre and spread of cosines between sentence embeddings, until rows tell
_LARGEST = 4.0  # scaled similarity, at most
_SHORTEST = 1e-12  # length of a vector


class Similarity(nn.Module):
    """The scaled cosines of candidates to their context's text and to their user's interest.

    Args:
        layout: lengths of the feature blocks.

    Attributes:
        width: S, how many there are.
    """

    center: Tensor
    scale: Tensor

    def __init__(self, layout: Layout) -> None:
        super().__init__()
        self._layout = layout
        self.width = 2 * ((1 if layout.text else 0) + (1 if layout.interest else 0))
        self.register_buffer("center", torch.full((self.width,), _USUAL_COSINE[0]))
        self.register_buffer("scale", torch.full((self.width,), _USUAL_COSINE[1]))

    def scaled(self, cosines_NS: Floats) -> Floats:
        """Cosines as the experts read them: centred, scaled, and bounded."""
        scaled_NS: Floats = cosines_NS - self.center.numpy()
        scaled_NS /= self.scale.numpy()
        return np.minimum(np.maximum(scaled_NS, -_LARGEST, out=scaled_NS), _LARGEST, out=scaled_NS)

    def fit(self, cosines_RS: Floats) -> None:
        """Fits centre and scale to rows; the scale is never below that of usual texts."""
        found_RS = torch.from_numpy(cosines_RS)
        self.center.copy_(found_RS.median(dim=0).values)
        self.scale.copy_(found_RS.std(dim=0).clamp_min(_USUAL_COSINE[1]))

    def cosines(self, inputs: Inputs, item_side: Projection, item_NR: Floats) -> Floats:
        """Cosines [N, S]; 0 where one of the two is missing.

        Each once as they are and once through the item's components, where what all items share is gone.

        Args:
            inputs: of N candidates.
            item_side: makes components of an item.
            item_NR: the components of the candidates.
        """
        layout = self._layout
        item_NE = inputs.candidates_ND[:, : layout.interest]
        cosines_SN = np.empty((self.width, len(item_NE)), np.float32)
        if not self.width:
            return cosines_SN.T
        sides = [(each_NX, _lengths(each_NX)) for each_NX in (item_NE, item_NR)]
        columns = iter(cosines_SN)
        for asked_BE in self._asked(inputs):
            as_item_BD = asked_BE
            if layout.interest < layout.candidate_total:
                as_item_BD = np.zeros((len(asked_BE), layout.candidate_total), np.float32)
                as_item_BD[:, : layout.interest] = asked_BE
            asked_BR = item_side.leading(as_item_BD) * asked_BE.any(axis=1, keepdims=True)
            for asked_BX, (item_NX, length_N) in zip((asked_BE, asked_BR), sides, strict=True):
                unit_BX = asked_BX / _lengths(asked_BX)[:, None]
                np.divide(inputs.by_decision.dots(unit_BX, item_NX), length_N, out=next(columns))
        return cosines_SN.T

    def _asked(self, inputs: Inputs) -> list[Floats]:
        """What items are compared with, in the space of interests: the context's text, and the user's interest."""
        text, interest = self._layout.text, self._layout.interest
        asked = [inputs.context_BC[:, :text]] if text else []
        return [*asked, inputs.user_BU[:, :interest]] if interest else asked


def _lengths(vector_NX: Floats) -> Floats:
    length_N: Floats = np.maximum(np.sqrt(np.einsum("nx,nx->n", vector_NX, vector_NX)), _SHORTEST)
    return length_N
