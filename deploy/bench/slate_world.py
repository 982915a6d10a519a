"""Readers of slates, whose click probabilities are known: seen (by slot) * attractive (by item) * new (to those above).

A slot is seen with its own probability, whatever it shows. Items belong to topics; of one that resembles an item above
it, readers want less. Each round offers several items of a few topics, so that a ranking by click probability fills the
slate with more of the same.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream.events import Candidate, Context, Impression

EXAMINED_L = np.array([1.0, 0.7, 0.52, 0.4, 0.32])
CANDIDATES, SLOTS = 20, len(EXAMINED_L)

_TOPICS, _ITEMS, _WIDTH = 12, 25, 16
_OFFERED = 5  # topics a round
_OWN = 0.35  # of an item's direction that is not its topic's
_LOGIT, _TASTE = -2.6, 1.3
_LOST = 0.8  # of the attractiveness, at full resemblance
_FROM, _TO = 0.3, 0.8  # cosines between which it is lost

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class SlateRounds(NamedTuple):
    """B rounds: what is asked, and what is true of it.

    Attributes:
        impressions: as the agent gets them.
        attractive_BK: probability of a click on each candidate, if it is seen and resembles nothing above it.
        new_BKK: what is left of that where the second candidate stands above the first.
    """

    impressions: list[Impression]
    attractive_BK: Floats
    new_BKK: Floats

    def clicks(self, slate_BL: Ints) -> Floats:
        """The probability of a click on each slot of some slates, [B, L]."""
        rows_B1 = np.arange(len(slate_BL))[:, None]
        found_BL = EXAMINED_L * self.attractive_BK[rows_B1, slate_BL]
        for slot in range(1, slate_BL.shape[1]):
            found_BL[:, slot] *= self.new_BKK[rows_B1, slate_BL[:, [slot]], slate_BL[:, :slot]].min(axis=1)
        return found_BL

    def best(self) -> Ints:
        """The slates that take the best of what is left in each slot, by true probabilities; [B, L]."""
        rows_B = np.arange(len(self.attractive_BK))
        value_BK, slate = self.attractive_BK.copy(), []
        left_BK = np.ones_like(value_BK)
        for _ in range(SLOTS):
            slate.append((value_BK * left_BK).argmax(axis=1))
            value_BK[rows_B, slate[-1]] = -1.0
            left_BK = np.minimum(left_BK, self.new_BKK[rows_B, :, slate[-1]])
        return np.stack(slate, axis=1)


class SlateWorld:
    """Rounds of one world; the same seed gives the same.

    Args:
        seed: of everything that is drawn.
    """

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng([seed, 31])
        topic_TD = _unit(self._random.standard_normal((_TOPICS, _WIDTH)))
        own_TID = _unit(self._random.standard_normal((_TOPICS, _ITEMS, _WIDTH)))
        self._item_TID = _unit(np.sqrt(1.0 - _OWN) * topic_TD[:, None] + np.sqrt(_OWN) * own_TID)
        self._taste_DD = self._random.standard_normal((_WIDTH, _WIDTH))
        self._rounds = 0

    def rounds(self, count: int) -> SlateRounds:
        """The next rounds."""
        random = self._random
        topic_BO = random.random((count, _TOPICS)).argsort(axis=1)[:, :_OFFERED]
        each = CANDIDATES // _OFFERED
        item_BOE = random.random((count, _OFFERED, _ITEMS)).argsort(axis=2)[:, :, :each]
        vector_BKD = self._item_TID[topic_BO[:, :, None], item_BOE].reshape(count, CANDIDATES, _WIDTH)
        name_BK = (topic_BO[:, :, None] * _ITEMS + item_BOE).reshape(count, CANDIDATES)
        context_BD = random.standard_normal((count, _WIDTH))
        leaning_BK = np.einsum("bd,de,bke->bk", context_BD, self._taste_DD, vector_BKD) / np.sqrt(_WIDTH)
        lost_BKK = np.clip((np.einsum("bkd,bjd->bkj", vector_BKD, vector_BKD) - _FROM) / (_TO - _FROM), 0.0, 1.0)
        impressions = [
            _impression(self._rounds + row, context_BD[row], vector_BKD[row], name_BK[row]) for row in range(count)
        ]
        self._rounds += count
        return SlateRounds(impressions, 1.0 / (1.0 + np.exp(-_LOGIT - _TASTE * leaning_BK)), 1.0 - _LOST * lost_BKK)


def _impression(number: int, context_D: Floats, vector_KD: Floats, name_K: Ints) -> Impression:
    vectors = vector_KD.round(4).tolist()
    return Impression(
        impression_id=f"i{number}",
        user_id=f"u{number}",
        ts_ms=number + 1,
        context=Context(features=tuple(context_D.round(4).tolist())),
        candidates=tuple(
            Candidate(item_id=f"a{name}", features=tuple(vector))
            for name, vector in zip(name_K.tolist(), vectors, strict=True)
        ),
        slots=SLOTS,
    )


def _unit(vectors: Floats) -> Floats:
    unit: Floats = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
    return unit
