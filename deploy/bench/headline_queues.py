"""Slates that are played side by side: each arm is a queue of its recorded outcomes, drawn without replacement.

An arm whose queue is empty leaves its slate, for the player as for the uniform choice and the oracle it is held
against; a slate ends when fewer than two arms are left.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from deploy.bench.headline_tests import Headlines
from deploy.bench.rounds import Floats, Ints


class Drawn(NamedTuple):
    """What came of impressions of S slates.

    Attributes:
        shown_A: impressions of each arm of the slates.
        clicks_A: their clicks.
        expected_S3: expected clicks of each slate at the same moments: of the arms shown, given what is left in their
            queues, of a uniform choice among the arms that were left, and of the best of these by their record.
    """

    shown_A: Ints
    clicks_A: Ints
    expected_S3: Floats


class Queues:
    """The arms of S slates, one slate after the other.

    Attributes:
        arm_A: which arm of the archive each is.
        slate_A: which slate each is of.
        starts_S: the first arm of each slate.
        emptied_S: whether an arm of the slate has run empty.

    Args:
        tests: the archive.
        slates: the slates, by number.
    """

    def __init__(self, tests: Headlines, slates: Sequence[int]) -> None:
        counts_S = np.array([len(tests.slates[slate]) for slate in slates])
        self.arm_A = np.concatenate([tests.slates[slate] for slate in slates])
        self.slate_A = np.repeat(np.arange(len(slates)), counts_S)
        self.starts_S = np.cumsum(counts_S) - counts_S
        self.emptied_S = np.zeros(len(slates), dtype=bool)
        self._rate_A = tests.rate_A[self.arm_A]
        self._left_A = tests.shown_A[self.arm_A].copy()
        self._clicks_A = tests.clicks_A[self.arm_A].copy()

    @property
    def open_A(self) -> NDArray[np.bool_]:
        """Whether each arm can be shown: it has outcomes left, and so has another arm of its slate."""
        full_A = self._left_A > 0
        open_A: NDArray[np.bool_] = full_A & (np.add.reduceat(full_A.astype(np.int64), self.starts_S) > 1)[self.slate_A]
        return open_A

    def draw(self, shares_A: Floats, count: int, random: np.random.Generator) -> Drawn:
        """Shows `count` impressions of each slate that is open, by shares that are 0 for arms that are not."""
        shown_A, clicks_A = np.zeros((2, len(self.arm_A)), np.int64)
        expected_S3 = np.zeros((len(self.starts_S), 3))
        left_S = np.full(len(self.starts_S), count)
        while True:
            open_A = self.open_A
            share_A = np.where(open_A, shares_A, 0.0)
            total_S = np.add.reduceat(share_A, self.starts_S)
            left_S = np.where(total_S > 0, left_S, 0)
            if not left_S.any():
                return Drawn(shown_A, clicks_A, expected_S3)
            drawn_A = self._split(share_A / np.maximum(total_S, 1e-300)[self.slate_A], left_S, random)
            taken_A = np.minimum(drawn_A, self._left_A)
            clicked_A = random.hypergeometric(self._clicks_A, self._left_A - self._clicks_A, taken_A)
            taken_S = np.add.reduceat(taken_A, self.starts_S)
            rate_A = np.where(open_A, self._rate_A, 0.0)
            open_S = np.add.reduceat(open_A.astype(np.int64), self.starts_S)
            uniform_S = np.add.reduceat(rate_A, self.starts_S) / np.maximum(open_S, 1)
            best_S = np.maximum.reduceat(rate_A, self.starts_S)
            left_rate_A = self._clicks_A / np.maximum(self._left_A, 1)
            shown_rate_S = np.add.reduceat(left_rate_A * taken_A, self.starts_S)
            expected_S3 += np.stack([shown_rate_S, uniform_S * taken_S, best_S * taken_S], axis=1)
            shown_A += taken_A
            clicks_A += clicked_A
            self._left_A -= taken_A
            self._clicks_A -= clicked_A
            self.emptied_S |= np.minimum.reduceat(self._left_A, self.starts_S) == 0
            left_S = left_S - taken_S

    def _split(self, share_A: Floats, count_S: Ints, random: np.random.Generator) -> Ints:
        """How many of each slate's impressions go to each of its arms: a multinomial draw."""
        ends = [*self.starts_S.tolist()[1:], len(share_A)]
        parts = [
            random.multinomial(count, share_A[start:end]) if count else np.zeros(end - start, np.int64)
            for start, end, count in zip(self.starts_S.tolist(), ends, count_S.tolist(), strict=True)
        ]
        return np.concatenate(parts)
