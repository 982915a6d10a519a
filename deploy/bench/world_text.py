"""The world of texts: titles of six genres before people who say what they look for, both as sentence vectors."""

import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from itertools import product
from typing import Any, NamedTuple

import numpy as np

from deploy.bench.rounds import Features, Floats, Ints
from deploy.bench.world_items import Catalogue, any_of
from deploy.bench.world_reading import Reading, Vectors
from deploy.bench.world_simulated import Scene, SimulatedWorld, streams
from deploy.bench.world_tastes import Tabled, Visit

NAME = "text"
_TITLES, _CONTEXTS = 5, 25  # of each of 60 topics
_COMPONENTS, _RANK = 24, 8
_CROSS, _COSINE, _MAIN = 0.7, 0.15, 0.15  # shares of the variance of the taste
_ITEM_SD = 0.5  # logits


class Corpus(NamedTuple):
    """The texts of the world."""

    contexts: tuple[str, ...]
    titles: tuple[str, ...]


@cache
def corpus() -> Corpus:
    """1,500 texts of contexts and 300 titles, the same for every seed, in the order of their topics."""
    rng = np.random.default_rng(77)
    contexts: list[str] = []
    titles: list[str] = []
    for genre, things in _topics():
        for found, patterns, count in ((contexts, "contexts", _CONTEXTS), (titles, "titles", _TITLES)):
            made = {
                pattern.replace("{thing}", thing).replace("{with}", side)
                for pattern, thing, side in product(genre[patterns], things, genre["with"])
            }
            found.extend(rng.permutation(sorted(made))[:count].tolist())
    return Corpus(tuple(contexts), tuple(text[0].upper() + text[1:] for text in titles))


def text(seed: int, vectors: Vectors, *, cold: Reading | None = None) -> SimulatedWorld:
    """The logit is a map of rank 8 between the main components of both sides, plus a cosine and effects of the items.

    A seventh of the taste is the plain cosine of the two texts; most of it is a random preference, to be learned.

    Args:
        seed: of preferences and rounds.
        vectors: of the texts.
        cold: encodes the texts while the world is played.
    """
    rng = streams(f"{NAME} parameters", seed, 1)[0]
    context_PE, title_NE = vectors.of(corpus().contexts), vectors.of(corpus().titles)
    effect_N = _ITEM_SD * rng.standard_normal(len(title_NE))

    def visit(generator: np.random.Generator, round_B: Ints) -> Visit:
        place_B = generator.integers(len(context_PE), size=len(round_B))
        shown_BC = context_PE[place_B]
        return Visit(shown_BC, shown_BC, place_B, round_B, round_B)

    catalogue = Catalogue(title_NE, title_NE[:, :0], effect_N, any_of(len(title_NE)))
    taste = Tabled(_worth(rng, context_PE, title_NE))
    return SimulatedWorld(NAME, Scene(visit, catalogue, taste, context_PE.shape[1], reading=cold), seed)


def _topics() -> Iterator[tuple[dict[str, Any], list[str]]]:
    genres = tomllib.loads(files("deploy.bench").joinpath("world_texts.toml").read_text("utf-8"))
    for genre in genres.values():
        for things in genre["topics"].values():
            yield genre, things


def _worth(rng: np.random.Generator, context_PE: Features, title_NE: Features) -> Floats:
    """Worth [P, N] of each title in each context: shares of unit variance each."""
    context_PI, title_NJ = _components(context_PE), _components(title_NE)
    cross_IJ = rng.standard_normal((context_PI.shape[1], _RANK)) @ rng.standard_normal((_RANK, title_NJ.shape[1]))
    parts = (
        (_CROSS, context_PI @ cross_IJ @ title_NJ.T),
        (_COSINE, (context_PE @ title_NE.T).astype(np.float64)),
        (_MAIN, np.tile(title_NJ @ rng.standard_normal(title_NJ.shape[1]), (len(context_PI), 1))),
    )
    return np.asarray(sum(share**0.5 * (part_PN - part_PN.mean()) / part_PN.std() for share, part_PN in parts))


def _components(vector_NE: Features) -> Floats:
    """The first principal components, each in its own size."""
    centred_NE = vector_NE.astype(np.float64) - vector_NE.mean(axis=0)
    _, _, axis_EE = np.linalg.svd(centred_NE, full_matrices=False)
    return np.asarray(centred_NE @ axis_EE[:_COMPONENTS].T)
