"""Rows as an update of an expert reads them: the sides of their features, a component a row."""

from functools import cached_property, lru_cache
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from agent.regressors import Regressors
from agent.symmetric import pairs, product, unfolded

Doubles = NDArray[np.float64]
Sides = NDArray[Any]  # in double precision, or in single
Places = NDArray[np.int64]


class Sums(NamedTuple):
    """A sum over rows of weight * phi phi' and of pull * phi, phi = [a x b, s]; the first in as few numbers as it has.

    Attributes:
        crossed_HK: sums of the products of pairs of a and pairs of b, see `agent.symmetric`.
        mixed_cS: sums of (a x b) s'.
        similar_SS: sums of s s'.
        eta_d: the other sum.
    """

    crossed_HK: Doubles
    mixed_cS: Doubles
    similar_SS: Doubles
    eta_d: Doubles

    def plus(self, other: "Sums") -> "Sums":
        """Both together."""
        return Sums(*(one + more for one, more in zip(self, other, strict=True)))

    def less(self, other: "Sums") -> "Sums":
        """The difference."""
        return Sums(*(one - more for one, more in zip(self, other, strict=True)))

    def precision_dd(self, context_width: int, item_width: int) -> Doubles:
        """The first sum, as a matrix."""
        numbers = np.concatenate([each.ravel() for each in self[:3]])
        precision_dd: Doubles = numbers.take(_places(context_width, item_width, len(self.similar_SS)))
        return precision_dd


class CrossedRows:
    """The sides of R rows.

    Args:
        context_IR, item_JR, similarity_SR: a, b and s.
    """

    def __init__(self, context_IR: Sides, item_JR: Sides, similarity_SR: Sides) -> None:
        self.context_IR, self.item_JR, self.similarity_SR = context_IR, item_JR, similarity_SR

    def __len__(self) -> int:
        rows: int = self.context_IR.shape[1]
        return rows

    @classmethod
    def of(cls, read: Regressors) -> Self:
        """What an expert reads of rows."""
        sides = (read.context_NI, read.item_NJ, read.similarity_NS)
        return cls(*(np.ascontiguousarray(side.T, dtype=np.float64) for side in sides))

    def __getitem__(self, ends: slice) -> "CrossedRows":
        return CrossedRows(*(np.ascontiguousarray(side[:, ends]) for side in self.sides))

    @property
    def sides(self) -> tuple[Sides, Sides, Sides]:
        """All three."""
        return self.context_IR, self.item_JR, self.similarity_SR

    def features_Rd(self, rows: Places) -> Doubles:
        """Phi of some rows."""
        context_IR, item_JR, similarity_SR = (side[:, rows] for side in self.sides)
        features_dR: Doubles = np.concatenate([_crossed(context_IR, item_JR), similarity_SR])
        return features_dR.T

    def times(self, weight_d: Doubles) -> Doubles:
        """Phi . weight [R]."""
        I, J = len(self.context_IR), len(self.item_JR)  # noqa: E741 - the names of the axes
        moved_JR = weight_d[: I * J].reshape(I, J).T @ self.context_IR
        product_R: Doubles = np.einsum("jr,jr->r", moved_JR, self.item_JR) + weight_d[I * J :] @ self.similarity_SR
        return product_R

    def sums(self, weight_R: Doubles, pull_R: Doubles) -> Sums:
        """The sums over the rows, in a quarter of R d^2 operations."""
        one_HR, other_KR = self._pairs
        weight_R, pull_R = weight_R.astype(one_HR.dtype, copy=False), pull_R.astype(one_HR.dtype, copy=False)
        weighted_SR = self.similarity_SR * weight_R
        eta_c = ((self.context_IR * pull_R) @ self.item_JR.T).ravel()
        return Sums(
            product(one_HR * weight_R, other_KR.T),
            self._mixed(weighted_SR),
            product(self.similarity_SR, weighted_SR.T),
            np.concatenate([eta_c, self.similarity_SR @ pull_R]),
        )

    def _mixed(self, weighted_SR: Doubles) -> Doubles:
        """Sums of (a x b) s'; the smaller of two outer products is written out."""
        I, J, S = len(self.context_IR), len(self.item_JR), len(weighted_SR)  # noqa: E741 - the names of the axes
        if S >= J:
            return product(_crossed(self.context_IR, self.item_JR), weighted_SR.T)
        mixed_ISJ = product(_crossed(self.context_IR, weighted_SR), self.item_JR.T).reshape(I, S, J)
        return mixed_ISJ.transpose(0, 2, 1).reshape(I * J, S)

    @cached_property
    def single(self) -> "CrossedRows":
        """The same in single precision, for sums that show where to look for better ones."""
        context_IR, item_JR, similarity_SR = (side.astype(np.float32) for side in self.sides)
        return CrossedRows(context_IR, item_JR, similarity_SR)

    @cached_property
    def _pairs(self) -> tuple[Doubles, Doubles]:
        return pairs(self.context_IR), pairs(self.item_JR)


def _crossed(one_XR: Sides, other_YR: Sides) -> Sides:
    """All products of components of one side and components of the other, [X Y, R]."""
    return (one_XR[:, None] * other_YR[None]).reshape(len(one_XR) * len(other_YR), one_XR.shape[1])


@lru_cache
def _places(context_width: int, item_width: int, similarities: int) -> Places:
    """Where each entry of the matrix lies in the numbers of `Sums`, one part after the other."""
    crossed = context_width * item_width
    pairs_a, pairs_b = (width * (width + 1) // 2 for width in (context_width, item_width))
    place_dd = np.zeros((crossed + similarities, crossed + similarities), np.int64)
    number_HK = np.arange(pairs_a * pairs_b).reshape(pairs_a, pairs_b)
    place_dd[:crossed, :crossed] = unfolded(number_HK, context_width, item_width)
    mixed_cS = pairs_a * pairs_b + np.arange(crossed * similarities).reshape(crossed, similarities)
    place_dd[:crossed, crossed:], place_dd[crossed:, :crossed] = mixed_cS, mixed_cS.T
    similar_SS = np.arange(similarities**2).reshape(similarities, similarities)
    place_dd[crossed:, crossed:] = pairs_a * pairs_b + crossed * similarities + similar_SS
    return place_dd
