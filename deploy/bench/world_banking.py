"""The world of BANKING77: what customers of a bank write, and the names of 77 intents, one of which is right.

References:
    Casanueva et al. (2020), Efficient intent detection with dual sentence encoders (the data: CC BY 4.0).
"""

import csv
import json
from pathlib import Path
from typing import NamedTuple

import numpy as np

from deploy.bench.errors import BenchError
from deploy.bench.rounds import Ints, Rounds, Seen
from deploy.bench.world_items import CANDIDATES
from deploy.bench.world_reading import Reading, Vectors
from deploy.bench.world_simulated import RUN, streams

NAME = "banking77"
_AMONG = 0.95
_RIGHT, _WRONG = 0.9, 0.02


class Utterances(NamedTuple):
    """What customers wrote, and which of the categories is right.

    Attributes:
        texts: M utterances.
        category_M: The place of the right category.
        names: The categories in words.
    """

    texts: tuple[str, ...]
    category_M: Ints
    names: tuple[str, ...]


def utterances(folder: Path) -> Utterances:
    """Reads `train.csv`, `test.csv` (columns text, category) and `categories.json` of a folder.

    Raises:
        BenchError: a file is missing, or names a category that is not in the list.
    """
    try:
        categories: list[str] = json.loads((folder / "categories.json").read_text("utf-8"))
        rows: list[tuple[str, str]] = []
        for name in ("train.csv", "test.csv"):
            with (folder / name).open(encoding="utf-8", newline="") as file:
                rows.extend((row["text"], row["category"]) for row in csv.DictReader(file))
        place = {category: index for index, category in enumerate(categories)}
        category_M = np.array([place[category] for _, category in rows], dtype=np.int64)
    except (OSError, KeyError, json.JSONDecodeError) as error:
        msg = f"The folder of {NAME} must hold train.csv, test.csv (text, category) and categories.json; got {folder}: "
        raise BenchError(msg + repr(error)) from error
    names = tuple(category.replace("_", " ") for category in categories)
    return Utterances(tuple(text for text, _ in rows), category_M, names)


class BankingWorld:
    """A `World` of utterances and names of intents: the right one is clicked with probability 0.9, others with 0.02.

    The right one is among the 20 candidates in 95 of 100 rounds, the others are drawn evenly. Each utterance comes once
    before any comes again, in an order that the seed sets. A real assistant is right or wrong; the two probabilities
    stand for customers who leave without a click or click by mistake.

    Args:
        seed: of the rounds.
        data: what customers wrote.
        vectors: of the texts.
        cold: encodes the texts while the world is played.
    """

    window = 0
    returning = False

    def __init__(self, seed: int, data: Utterances, vectors: Vectors, *, cold: Reading | None = None) -> None:
        self.name = NAME
        self._category_M = data.category_M
        self._text_ME, self._name_NE = vectors.of(data.texts), vectors.of(data.names)
        self.text = self._name_NE.shape[1]
        self._cold = cold
        order, self._items, self._draws = streams(NAME, seed, 3)
        passes = RUN // len(data.texts) + 1
        self._order_R = np.concatenate([order.permutation(len(data.texts)) for _ in range(passes)])

    @property
    def texts_met(self) -> float | None:
        """Share of the texts whose vectors were known before."""
        return 1.0 if self._cold is None else self._cold.met

    def rounds(self, start: int, stop: int) -> Rounds:
        """The rounds from `start` up to `stop`; called in order, without gaps."""
        round_B = np.arange(start, stop)
        place_B = self._order_R[round_B % len(self._order_R)]
        right_B1 = self._category_M[place_B][:, None]
        item_BK = self._candidates(right_B1)
        if self._cold is None:
            sides = self._text_ME[place_B], self._name_NE[item_BK]
        else:
            sides = self._cold.read(place_B, item_BK)
        return Rounds(
            seen=Seen(*sides, item_BK, round_B, start),
            probability_BK=np.where(item_BK == right_B1, _RIGHT, _WRONG),
            draw_BK=self._draws.random(item_BK.shape),
            delay_B=np.zeros(len(round_B), dtype=np.int64),
        )

    def _candidates(self, right_B1: Ints) -> Ints:
        """K categories of each round, in random order."""
        size, categories = len(right_B1), len(self._name_NE)
        number = self._items.random((size, categories + 1 + CANDIDATES))
        key_BN, among_B1, order_BK = np.split(number, [categories, categories + 1], axis=1)
        np.put_along_axis(key_BN, right_B1, np.where(among_B1 < _AMONG, -1.0, 2.0), axis=1)
        item_BK = np.argpartition(key_BN, CANDIDATES, axis=1)[:, :CANDIDATES].astype(np.int64)
        return np.take_along_axis(item_BK, np.argsort(order_BK, axis=1), axis=1)
