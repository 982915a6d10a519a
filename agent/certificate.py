"""Do choices agree with the probabilities that were logged for them? A test on published slates, slot by slot.

Given the slots above, a candidate that is left has the share of its probability in what is left. Rank those left by
it, the most probable first. Over all decisions, the excess e_k = sum(1[shown = k] - p_k) of rank k has mean 0 and
covariance V = sum(diag(p) - p p^T) if slates were drawn as logged, also where probabilities move from decision to
decision. So e^T V^-1 e is chi-square; only the directions of V with enough variance to be near normal are read.

References:
    Pearson (1900), On the criterion that a given system of deviations from the probable in the case of a correlated
    system of variables is such that it can be reasonably supposed to have arisen from random sampling; the sum over
    decisions of different distributions is near normal by the central limit theorem for martingales.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from agent.draw import padded
from stream.events import Impression, Recommendation

_ENOUGH_VARIANCE = 100.0
_EXACT = 1e-9  # relative; what is left of rounding after any wire format
_BLOCK = 1_024  # decisions that are tallied at once

Doubles = NDArray[np.float64]
Places = NDArray[np.int64]


class Slates(NamedTuple):
    """What was logged of B decisions.

    Attributes:
        probabilities_BK: of each candidate for the first slot; 0 where a decision has fewer than K.
        shown_BL: index of the candidate in each slot; -1 where a decision has fewer slots.
        propensities_BL: of each slot, given the slots above; NaN where unknown.
        slate_B: propensity of the whole slate; NaN where unknown.
        later_BSK: of each candidate for each slot after the first, given those above; NaN where it follows from what
            the slots above leave of the first. None where all do.
    """

    probabilities_BK: Doubles
    shown_BL: Places
    propensities_BL: Doubles
    slate_B: Doubles
    later_BSK: Doubles | None = None


@dataclass(frozen=True, slots=True)
class SlotTest:
    """The test of one slot.

    Attributes:
        decisions: that have this slot.
        chi_square: the statistic.
        freedom: its degrees of freedom; 0 where no direction had enough variance.
        p_value: probability of so large a statistic if slates were drawn as logged.
    """

    decisions: int
    chi_square: float
    freedom: int
    p_value: float


@dataclass(frozen=True, slots=True)
class Certificate:
    """What the test found.

    Attributes:
        decisions: how many were tested.
        slots: the test of each slot, the first slot first.
        p_value: the smallest of the slots', corrected for their number (Bonferroni).
        unexplained: decisions with a slot whose propensity is not what the probabilities and the slots above make it,
            or with an item in it that was not left to show.
        misproducts: decisions whose slate propensity is not the product of their slots'.
    """

    decisions: int
    slots: tuple[SlotTest, ...]
    p_value: float
    unexplained: int
    misproducts: int

    @property
    def slate(self) -> SlotTest:
        """The test of whole slates: what the slots add up to, as each is tested given those above it."""
        square, freedom = sum(slot.chi_square for slot in self.slots), sum(slot.freedom for slot in self.slots)
        return SlotTest(self.decisions, square, freedom, _upper_tail(square, freedom))

    @property
    def holds(self) -> bool:
        """Whether nothing speaks against the propensities, at a level of .001."""
        return self.p_value > 0.001 and self.unexplained == 0 and self.misproducts == 0


def certify(published: Iterable[tuple[Impression, Recommendation]]) -> Certificate:
    """Tests decisions that carry all probabilities; others are left out."""
    full = (pair for pair in published if pair[1].probabilities is not None)
    return certify_slates(blocks_of(full))


def blocks_of(pairs: Iterable[tuple[Impression, Recommendation]]) -> Iterator[Slates]:
    """Decisions that carry all probabilities, as blocks of arrays."""
    rest = iter(pairs)
    while block := list(islice(rest, _BLOCK)):
        shown = [recommendation for _, recommendation in block]
        probabilities = [np.array(each.probabilities, dtype=np.float64) for each in shown]
        slots = [len(each.slate) for each in shown]
        places, propensities = zip(*(_slots_of(*pair) for pair in block), strict=True)
        has_BL = padded(np.ones(sum(slots)), slots) > 0
        yield Slates(
            padded(np.concatenate(probabilities), [len(each) for each in probabilities]),
            np.where(has_BL, padded(np.concatenate(places), slots), -1).astype(np.int64),
            padded(np.concatenate(propensities), slots),
            np.array([each.slate_propensity for each in shown], dtype=np.float64),
            _later(shown, max(map(len, probabilities))),
        )


def certify_slates(blocks: Iterable[Slates]) -> Certificate:
    """Tests blocks of decisions as arrays; blocks may differ in their sizes.

    >>> probabilities_BK, shown_B = np.tile([0.7, 0.3], (2_000, 1)), np.arange(2_000) % 10 < 3
    >>> p_B = np.where(shown_B, 0.3, 0.7)
    >>> certify_slates([Slates(probabilities_BK, shown_B[:, None].astype(int), p_B[:, None], p_B)]).holds
    True
    """
    tallies: list[_Tally] = []
    decisions = unexplained = misproducts = 0
    for block in blocks:
        decisions += len(block.shown_BL)
        unexplained += _take(block, tallies)
        misproducts += int((~_equal(_products(block), block.slate_B, equal_nan=True)).sum())
    slots = tuple(tally.test() for tally in tallies)
    tested = [slot.p_value for slot in slots if slot.freedom]
    p_value = min([1.0, *(len(tested) * each for each in tested)])
    return Certificate(decisions, slots, p_value, unexplained, misproducts)


class _Tally:
    """Excess and its covariance over the ranks of one slot."""

    def __init__(self) -> None:
        self._decisions = 0
        self._excess_K = np.zeros(0)
        self._covariance_KK = np.zeros((0, 0))

    def add(self, share_BK: Doubles, shown_B: Places) -> None:
        """Takes decisions in by the shares of what was left, 0 where nothing was, and the index shown."""
        order_BK = np.argsort(-share_BK, axis=1, kind="stable")
        ranked_BK = np.take_along_axis(share_BK, order_BK, axis=1)
        self._grow(ranked_BK.shape[1])
        K, expected_K = ranked_BK.shape[1], ranked_BK.sum(axis=0)
        self._decisions += len(shown_B)
        self._excess_K[:K] += (order_BK == shown_B[:, None]).sum(axis=0) - expected_K
        self._covariance_KK[:K, :K] += np.diag(expected_K) - ranked_BK.T @ ranked_BK

    def test(self) -> SlotTest:
        variance_D, directions_KD = np.linalg.eigh(self._covariance_KK)
        enough_D = variance_D >= _ENOUGH_VARIANCE
        along_D = directions_KD[:, enough_D].T @ self._excess_K
        chi_square, freedom = float((along_D**2 / variance_D[enough_D]).sum()), int(enough_D.sum())
        return SlotTest(self._decisions, chi_square, freedom, _upper_tail(chi_square, freedom))

    def _grow(self, ranks: int) -> None:
        more = max(ranks - len(self._excess_K), 0)
        self._excess_K = np.pad(self._excess_K, (0, more))
        self._covariance_KK = np.pad(self._covariance_KK, (0, more))


def _take(block: Slates, tallies: list[_Tally]) -> int:
    """Adds every slot of a block to its tally; returns how many decisions are unexplained."""
    left_BK, hidden_BK = block.probabilities_BK.copy(), np.zeros(block.probabilities_BK.shape, dtype=np.bool_)
    explained_B = np.ones(len(left_BK), dtype=bool)
    for slot, shown_B in enumerate(block.shown_BL.T):
        if slot == len(tallies):
            tallies.append(_Tally())
        rows_A = np.flatnonzero((shown_B >= 0) & explained_B)
        if slot and block.later_BSK is not None:
            told_BK = block.later_BSK[:, slot - 1]
            left_BK = np.where(np.isnan(told_BK), left_BK, np.where(hidden_BK, 0.0, told_BK))
        shown_A, left_AK = shown_B[rows_A], left_BK[rows_A]
        share_AK = left_AK / np.maximum(left_AK.sum(axis=1, keepdims=True), np.finfo(float).tiny)
        share_A = share_AK[np.arange(len(rows_A)), shown_A]
        explained_B[rows_A] = (share_A > 0) & _equal(share_A, block.propensities_BL[rows_A, slot])
        tallies[slot].add(share_AK, shown_A)
        hidden_BK[rows_A, shown_A] = True
        left_BK[hidden_BK] = 0.0
    return int((~explained_B).sum())


def _products(block: Slates) -> Doubles:
    """The product of each decision's propensities [B]; NaN where one is unknown, or too small for a number."""
    products_B = np.where(block.shown_BL >= 0, block.propensities_BL, 1.0).prod(axis=1)
    return np.where(products_B > 0, products_B, np.nan)


def _equal(one_B: Doubles, other_B: Doubles, *, equal_nan: bool = False) -> NDArray[np.bool_]:
    return np.isclose(one_B, other_B, rtol=_EXACT, atol=0.0, equal_nan=equal_nan)


def _upper_tail(chi_square: float, freedom: int) -> float:
    if not freedom:
        return 1.0
    half_freedom, half_square = torch.tensor([freedom / 2.0, chi_square / 2.0], dtype=torch.float64)
    return float(torch.special.gammaincc(half_freedom, half_square))


def _later(shown: Sequence[Recommendation], candidates: int) -> Doubles | None:
    """The probabilities of slots after the first, [B, S, K]; NaN where they are not recorded, None where nowhere."""
    told = [each.slot_probabilities or () for each in shown]
    if not any(told):
        return None
    later_BSK = np.full((len(told), max(len(each.slate) for each in shown) - 1, candidates), np.nan)
    for row, share_SK in enumerate(told):
        if share_SK:
            later_BSK[row, : len(share_SK)] = 0.0
            later_BSK[row, : len(share_SK), : len(share_SK[0])] = share_SK
    return later_BSK


def _slots_of(impression: Impression, shown: Recommendation) -> tuple[Doubles, Doubles]:
    """Index and propensity of each slot; an item that is no candidate has the index 0 and no propensity."""
    places = {candidate.item_id: place for place, candidate in enumerate(impression.candidates)}
    known = [slot.propensity if slot.item_id in places else None for slot in shown.slate]
    indices = [float(places.get(slot.item_id, 0)) for slot in shown.slate]
    return np.array(indices), np.array(known, dtype=np.float64)
