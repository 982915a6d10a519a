"""Examination by position: what stands further down is seen less often, and what was not seen tells nothing.

The position-based model: p(click in slot l) = e_l * p(click if seen), e_0 = 1. An unclicked row of slot l is a negative
only as far as it was seen, P(seen | no click) = e_l (1 - p) / (1 - e_l p); a click was seen for certain. That is the
expectation step of a regression-EM, whose maximisation is whatever learns from the rows.

References:
    Craswell, Zoeter, Taylor, Ramsey (2008), An experimental comparison of click position-bias models; Wang, Golbandi,
    Bendersky, Metzler, Najork (2018), Position bias estimation for unbiased learning to rank in personal search.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from agent.settings import SlateSettings

_PRIOR_CLICKS = 0.5  # rows count by their attractiveness, so some two clicks
_PRIOR_FALL = 0.5  # before there are clicks, slot l counts as seen (1 + l)^-0.5 as often as the first
_LEAST, _MOST = 0.01, 1.0
CARRIED = 0.1  # of the evidence, where the same rows are learned again
_SURE = 1e-6


class Seen(NamedTuple):
    """R rows as far as they were seen.

    Attributes:
        reward_R: the mean reward of what was seen; the reward itself where that is 0 or 1.
        weight_R: how many seen rows each counts for.
        predicted_R: the probability of each reward, seen or not: e_l p.
    """

    reward_R: Tensor
    weight_R: Tensor
    predicted_R: Tensor


class Examination(nn.Module):
    """How often each slot is seen, in comparison to the first, from decayed sums over closed rows.

    e_l is the rewards that came in slot l for each that was predicted there if seen, over the same ratio of the first
    slot: what predictions are wrong by everywhere goes out, the optimism of whoever picks the highest included. Rows
    count by how attractive they are: items of that kind stand in the first slot as well, and what is predicted of them
    rests on that; what only lower slots show can be told from a slot that is seen less by little else.

    Attributes:
        examined_L: e_l; slots beyond the last share its value.
        came_L: rewards that came in each slot, by how attractive their rows are.
        predicted_L: those that would have come if all rows had been seen, alike.

    Args:
        settings: how many slots are told apart, and the memory.

    >>> examination = Examination(SlateSettings(max_slots=2))
    >>> slot_R, half_R = torch.arange(10_000) % 2, torch.full((10_000,), 0.5)
    >>> examination.observe(slot_R, half_R, torch.where(slot_R > 0, 0.125, 0.5), torch.ones(10_000))
    >>> [round(e, 2) for e in examination.examined_L.tolist()]
    [1.0, 0.25]
    >>> rewards = torch.tensor([0.0, 1.0])
    >>> seen = examination.seen(torch.ones(2, dtype=torch.int64), torch.tensor([0.5, 0.5]), rewards, torch.ones(2))
    >>> [round(weight, 2) for weight in seen.weight_R.tolist()]                      # .25 * .5 / (1 - .25 * .5)
    [0.14, 1.0]
    """

    came_L: Tensor
    predicted_L: Tensor
    examined_L: Tensor

    def __init__(self, settings: SlateSettings) -> None:
        super().__init__()
        self._settings = settings
        for name in ("came_L", "predicted_L"):
            self.register_buffer(name, torch.zeros(settings.max_slots, dtype=torch.float64))
        self.register_buffer("examined_L", torch.ones(settings.max_slots, dtype=torch.float64))
        if settings.examination:
            self.examined_L.copy_(self._prior_L())

    def seen(self, slot_R: Tensor, attractive_R: Tensor, reward_R: Tensor, weight_R: Tensor) -> Seen:
        """Rows as far as they were seen; those of the first slot stay as they are.

        Args:
            slot_R: the slot of each.
            attractive_R: probability of each reward if it is seen.
            reward_R: rewards in [0, 1].
            weight_R: how many rows each counts for.
        """
        reward_R, weight_R, later_R = reward_R.double(), weight_R.double(), slot_R > 0
        e_R = self.examined_L[self._place(slot_R)]
        p_R = attractive_R.double().clamp(_SURE, 1.0 - _SURE)
        share_R = reward_R + (1.0 - reward_R) * e_R * (1.0 - p_R) / (1.0 - e_R * p_R)
        return Seen(
            torch.where(later_R, reward_R / share_R, reward_R),
            torch.where(later_R, weight_R * share_R, weight_R),
            torch.where(later_R, (e_R * attractive_R.double()).to(attractive_R.dtype), attractive_R),
        )

    def observe(self, slot_R: Tensor, attractive_R: Tensor, reward_R: Tensor, weight_R: Tensor) -> None:
        """Takes in R closed rows, as `seen`, with what was predicted of them before they were learned."""
        place_R, weight_R = self._place(slot_R), weight_R.double()
        keep_L = 0.5 ** (_sums(place_R, weight_R, len(self.came_L)) / self._settings.memory_rows)
        told_R = weight_R * attractive_R.double()
        self.came_L.mul_(keep_L).add_(_sums(place_R, told_R * reward_R.double(), len(keep_L)))
        self.predicted_L.mul_(keep_L).add_(_sums(place_R, told_R * attractive_R.double(), len(keep_L)))
        self._solve()

    def carry(self, other: "Examination") -> None:
        """Begins with what another one learned, of which a tenth counts as evidence."""
        self.load_state_dict(other.state_dict())
        self.came_L.mul_(CARRIED)
        self.predicted_L.mul_(CARRIED)

    def _solve(self) -> None:
        ratio_L = (self.came_L + _PRIOR_CLICKS * self._prior_L()) / (self.predicted_L + _PRIOR_CLICKS)
        self.examined_L.copy_((ratio_L / ratio_L[0]).clamp(_LEAST, _MOST))
        self.examined_L[0] = 1.0

    def _prior_L(self) -> Tensor:
        return (1.0 + torch.arange(self._settings.max_slots, dtype=torch.float64)) ** -_PRIOR_FALL

    def _place(self, slot_R: Tensor) -> Tensor:
        return slot_R.clamp_max(len(self.examined_L) - 1)


def _sums(place_R: Tensor, value_R: Tensor, length: int) -> Tensor:
    return torch.zeros(length, dtype=torch.float64).index_add_(0, place_R, value_R)
