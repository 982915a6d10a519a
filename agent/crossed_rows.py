"""Rows as an update of an expert reads them: the sides of their features in double precision, a component a row."""

from functools import cached_property
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from agent.regressors import Regressors
from agent.symmetric import pairs, product, unfolded

Doubles = NDArray[np.float64]
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
        crossed = context_width * item_width
        precision_dd = np.empty((len(self.eta_d), len(self.eta_d)))
        precision_dd[:crossed, :crossed] = unfolded(self.crossed_HK, context_width, item_width)
        precision_dd[:crossed, crossed:] = self.mixed_cS
        precision_dd[crossed:, :crossed] = self.mixed_cS.T
        precision_dd[crossed:, crossed:] = self.similar_SS
        return precision_dd


class CrossedRows:
    """The sides of R rows.

    Args:
        context_IR, item_JR, similarity_SR: a, b and s.
    """

    def __init__(self, context_IR: Doubles, item_JR: Doubles, similarity_SR: Doubles) -> None:
        self.context_IR, self.item_JR, self.similarity_SR = context_IR, item_JR, similarity_SR

    def __len__(self) -> int:
        return self.context_IR.shape[1]

    @classmethod
    def of(cls, read: Regressors) -> Self:
        """What an expert reads of rows."""
        sides = (read.context_NI, read.item_NJ, read.similarity_NS)
        return cls(*(np.ascontiguousarray(side.numpy().T, dtype=np.float64) for side in sides))

    def __getitem__(self, ends: slice) -> "CrossedRows":
        return CrossedRows(*(np.ascontiguousarray(side[:, ends]) for side in self.sides))

    @property
    def sides(self) -> tuple[Doubles, Doubles, Doubles]:
        """All three."""
        return self.context_IR, self.item_JR, self.similarity_SR

    @cached_property
    def crossed_cR(self) -> Doubles:
        """A x b."""
        crossed = len(self.context_IR) * len(self.item_JR)
        return (self.context_IR[:, None] * self.item_JR[None]).reshape(crossed, len(self))

    def features_Rd(self, rows: Places) -> Doubles:
        """Phi of some rows."""
        features_dR: Doubles = np.concatenate([self.crossed_cR[:, rows], self.similarity_SR[:, rows]])
        return features_dR.T

    def times(self, weight_d: Doubles) -> Doubles:
        """Phi . weight [R]."""
        crossed = len(self.context_IR) * len(self.item_JR)
        product_R: Doubles = weight_d[:crossed] @ self.crossed_cR + weight_d[crossed:] @ self.similarity_SR
        return product_R

    def sums(self, weight_R: Doubles, pull_R: Doubles) -> Sums:
        """The sums over the rows, in a quarter of R d^2 operations."""
        one_HR, other_KR = self._pairs
        weighted_SR = self.similarity_SR * weight_R
        eta_d = np.concatenate([self.crossed_cR @ pull_R, self.similarity_SR @ pull_R])
        return Sums(
            product(one_HR * weight_R, other_KR.T),
            product(self.crossed_cR, weighted_SR.T),
            product(self.similarity_SR, weighted_SR.T),
            eta_d,
        )

    @cached_property
    def _pairs(self) -> tuple[Doubles, Doubles]:
        return pairs(self.context_IR), pairs(self.item_JR)
