"""The items of a world, and which of them are the candidates of a round."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from deploy.bench.rounds import Features, Floats, Ints

CANDIDATES = 20
Draw = Callable[[np.random.Generator, Ints], Ints]


@dataclass(frozen=True, slots=True)
class Catalogue:
    """N items.

    Attributes:
        shown_ND: The features that players see.
        latent_NI: What decides clicks; the shown features where nothing is hidden.
        effect_N: The logit that an item adds beyond what its features tell.
        draw: The candidates [B, K] of rounds [B], as indices into the items.
    """

    shown_ND: Features
    latent_NI: Features
    effect_N: Floats
    draw: Draw


def any_of(items: int) -> Draw:
    """Draws K different ones of the first `items`, each equally often."""

    def draw(rng: np.random.Generator, round_B: Ints) -> Ints:
        key_BN = rng.random((len(round_B), items), dtype=np.float32)
        return np.argpartition(key_BN, CANDIDATES, axis=1)[:, :CANDIDATES].astype(np.int64)

    return draw


def live_of(items: int, live: int, every: int) -> Draw:
    """Draws K of the `live` newest items; each `every` rounds the oldest leaves and one of `items` comes.

    When all have come, those that left longest ago come back.
    """
    among = any_of(live)

    def draw(rng: np.random.Generator, round_B: Ints) -> Ints:
        return (round_B[:, None] // every + among(rng, round_B)) % items

    return draw


def popular_of(items: int) -> Draw:
    """Draws K different items, few of them often and many rarely.

    Candidate k comes from the k-th ring of the items, and ring k holds (2k + 1) · items / K² of them, so the rarest are
    shown 39 times less often than the most popular; the candidates are in random order.
    """
    ring_K = items * np.arange(CANDIDATES + 1, dtype=np.float64) ** 2 / CANDIDATES**2
    first_K, size_K = np.floor(ring_K[:-1]), np.diff(np.floor(ring_K))

    def draw(rng: np.random.Generator, round_B: Ints) -> Ints:
        number_PBK = rng.random((len(round_B), 2, CANDIDATES))
        item_BK = (first_K + number_PBK[:, 0] * size_K).astype(np.int64)
        return np.take_along_axis(item_BK, np.argsort(number_PBK[:, 1], axis=1), axis=1)

    return draw
