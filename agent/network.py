"""A small network beside the expert, for what no product of features tells. Learned by gradient from the kept rows.

logit = phi(a) B b + w . b + c, phi(a) = [a, relu(V a + v)]: context side a, item side b. Several towers see different
bootstrap samples of the rows, and their mean is what counts. Weights and moments are buffers, so that a checkpoint, a
copy and a restore hold all of it.
"""

import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.adamw import adamw

from agent.settings import NetworkSettings


class Towers(nn.Module):
    """T towers as one batch of small networks.

    Args:
        settings: size and steps.
        context_width: I, without the leading 1.
        item_width: J, without the leading 1.

    References:
        AdamW: Loshchilov, Hutter (2019), Decoupled weight decay regularization, algorithm 2. Bootstrap masks: Osband
        et al. (2016), Deep exploration via bootstrapped DQN.
    """

    steps: Tensor

    def __init__(self, settings: NetworkSettings, context_width: int, item_width: int) -> None:
        super().__init__()
        self._settings = settings
        towers, hidden = settings.towers, settings.hidden
        shapes = {
            "inner": (towers, context_width, hidden),
            "inner_offset": (towers, 1, hidden),
            "outer": (towers, context_width + hidden, item_width),
            "item": (towers, 1, item_width),
            "offset": (towers, 1),
        }
        self._names = tuple(shapes)
        for name, shape in shapes.items():
            for kind in ("weight", "first", "second"):
                self.register_buffer(f"{kind}_{name}", torch.zeros(shape))
        self.register_buffer("steps", torch.zeros((), dtype=torch.float32))
        self.restart(0.05)

    def restart(self, base_rate: float) -> None:
        """New weights, the same in every process, at the logit of a base rate."""
        random = torch.Generator().manual_seed(0)
        for buffer in self.buffers():
            buffer.zero_()
        for name, spread in (("inner", 1.0), ("outer", 0.3)):
            weight = self.get_buffer(f"weight_{name}")
            weight.copy_(torch.randn(weight.shape, generator=random) * spread / weight.shape[1] ** 0.5)
        inner = self.get_buffer("weight_inner_offset")
        inner.copy_(torch.randn(inner.shape, generator=random) * 0.3)
        self.get_buffer("weight_offset").fill_(float(np.log(base_rate / (1.0 - base_rate))))

    def forward(self, context_NI: Tensor, item_NJ: Tensor) -> Tensor:
        """The logit [N] of N candidates: the mean of the towers."""
        return self.each(context_NI, item_NJ).mean(dim=0)

    def each(self, context_NI: Tensor, item_NJ: Tensor) -> Tensor:
        """The logit [T, N] of N candidates by each tower."""
        return self._logits(self._weights(), context_NI, item_NJ)

    def contributions(self, context_NI: Tensor, item_NJ: Tensor) -> Tensor:
        """What each tower and component of the item adds to the logit of N candidates [N, T * J]; offsets apart."""
        contribution_TNJ = self._contributions(self._weights(), context_NI, item_NJ)
        return contribution_TNJ.permute(1, 0, 2).flatten(1) / len(contribution_TNJ)

    def step(self, context_RI: Tensor, item_RJ: Tensor, reward_R: Tensor, mask_TR: Tensor) -> bool:
        """One step of AdamW on R rows; each tower learns from those that its mask shows.

        Returns:
            Whether the gradient was too long and was shortened, or was not finite, so that nothing was learned.
        """
        gradients = self.gradients(context_RI, item_RJ, reward_R, mask_TR)
        every = torch.cat([gradient.flatten() for gradient in gradients])
        norm = float(every @ every) ** 0.5
        if not math.isfinite(norm):
            return True
        clipped: bool = norm > self._settings.largest_gradient
        if clipped:
            gradients = [gradient * (self._settings.largest_gradient / norm) for gradient in gradients]
        self._descend(gradients)
        return clipped

    def gradients(self, context_RI: Tensor, item_RJ: Tensor, reward_R: Tensor, mask_TR: Tensor) -> list[Tensor]:
        """The gradient of each tower's mean log loss, by weight; written out, as autograd takes three times as long."""
        inner, inner_offset, outer, item, offset = self._weights()
        width, towers = context_RI.shape[1], len(inner)
        context_TRI, by_context, by_hidden = context_RI.expand(towers, -1, -1), outer[:, :width], outer[:, width:]
        hidden_TRH = torch.baddbmm(inner_offset, context_TRI, inner).relu_()
        crossed_TRJ = torch.baddbmm(context_TRI @ by_context, hidden_TRH, by_hidden).add_(item)
        logit_TR = crossed_TRJ.mul_(item_RJ).sum(dim=2).add_(offset)
        slope_TR = (torch.sigmoid_(logit_TR) - reward_R) * (mask_TR * (towers / max(float(mask_TR.sum()), 1.0)))
        slope_TRJ = slope_TR[:, :, None] * item_RJ
        slope_TRH = torch.ops.aten.threshold_backward(slope_TRJ @ by_hidden.mT, hidden_TRH, 0.0)
        return [
            context_TRI.mT @ slope_TRH,
            slope_TRH.sum(dim=1, keepdim=True),
            torch.cat([context_TRI.mT @ slope_TRJ, hidden_TRH.mT @ slope_TRJ], dim=1),
            slope_TRJ.sum(dim=1, keepdim=True),
            slope_TR.sum(dim=1, keepdim=True),
        ]

    def _descend(self, gradients: list[Tensor]) -> None:
        step = self.steps
        warm = min(1.0, (float(step) + 1.0) / self._settings.warm_up)
        adamw(
            self._weights(),
            gradients,
            [self.get_buffer(f"first_{name}") for name in self._names],
            [self.get_buffer(f"second_{name}") for name in self._names],
            [],
            [step.clone() for _ in self._names],
            amsgrad=False,
            beta1=0.9,
            beta2=0.999,
            lr=self._settings.learning_rate * warm,
            weight_decay=self._settings.weight_decay,
            eps=1e-8,
            maximize=False,
            fused=True,  # all of it in one pass, where each weight would take a dozen
        )
        step.add_(1.0)

    def _weights(self) -> list[Tensor]:
        return [self.get_buffer(f"weight_{name}") for name in self._names]

    def _logits(self, weights: list[Tensor], context_NI: Tensor, item_NJ: Tensor) -> Tensor:
        return self._contributions(weights, context_NI, item_NJ).sum(dim=2) + weights[-1]

    def _contributions(self, weights: list[Tensor], context_NI: Tensor, item_NJ: Tensor) -> Tensor:
        inner, inner_offset, outer, item, _ = weights
        context_TNI = context_NI.expand(len(inner), *context_NI.shape)
        hidden_TNH = torch.relu(torch.baddbmm(inner_offset, context_TNI, inner))
        crossed_TNJ = torch.cat([context_TNI, hidden_TNH], dim=2) @ outer
        return (crossed_TNJ + item) * item_NJ
