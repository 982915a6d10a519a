"""A world of visitors, items and a taste, calibrated to two click rates."""

import zlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from deploy.bench.rounds import Floats, Ints, Rounds, Seen
from deploy.bench.world_features import HeavyTails
from deploy.bench.world_items import Catalogue
from deploy.bench.world_logits import Scaling, calibrate
from deploy.bench.world_reading import Reading
from deploy.bench.world_tastes import Taste, Visit

RUN = 20_000
_SAMPLES, _SAMPLE = 40, 32
_STREAMS = 5


@dataclass(frozen=True, slots=True)
class Rates:
    """The click rates to which a world is calibrated, over its first 20,000 rounds.

    Attributes:
        uniform: Of a uniform choice.
        oracle: Of the best choice.
    """

    uniform: float = 0.05
    oracle: float = 0.25


@dataclass(frozen=True, slots=True)
class Waiting:
    """When clicks become known.

    Attributes:
        window: Rounds of the attribution window; 0 where all is known at once.
        mean: Mean of the exponential delay of a click, in rounds.
    """

    window: int = 0
    mean: float = 0.0


@dataclass(frozen=True, slots=True)
class Scene:
    """What a simulated world is made of.

    Attributes:
        visit: The visitors of rounds [B].
        catalogue: The items and their candidates.
        taste: What visitors like.
        text: Leading columns of both sides that share one embedding space.
        returning: Whether users come back.
        reading: Encodes the texts of each round while it is played; None where the vectors are there before.
    """

    visit: Callable[[np.random.Generator, Ints], Visit]
    catalogue: Catalogue
    taste: Taste
    text: int = 0
    returning: bool = False
    reading: Reading | None = None

    def raw(self, visit: Visit, item_BK: Ints) -> Floats:
        """The worth of the candidates of these rounds."""
        return self.taste.raw(visit, item_BK, self.catalogue.latent_NI[item_BK])


class SimulatedWorld:
    """A `World` that is the same for the same name, scene and seed, however its rounds are cut into batches.

    Args:
        name: what the report calls it; a part of the seed.
        scene: visitors, items and taste.
        seed: of the rounds.
        rates: what it is calibrated to.
        waiting: when clicks become known.
    """

    def __init__(
        self, name: str, scene: Scene, seed: int, rates: Rates | None = None, waiting: Waiting | None = None
    ) -> None:
        self.name = name
        self.text = scene.text
        self.returning = scene.returning
        self._scene = scene
        self._waiting = waiting or Waiting()
        self.window = self._waiting.window
        self._visits, self._items, self._draws, self._delays, sample = streams(name, seed, _STREAMS)
        self._scaling = _calibrated(scene, sample, rates or Rates())

    @property
    def texts_met(self) -> float | None:
        """Share of the texts whose vectors were known before; None where there are no texts."""
        if not self.text:
            return None
        return 1.0 if self._scene.reading is None else self._scene.reading.met

    def rounds(self, start: int, stop: int) -> Rounds:
        """The rounds from `start` up to `stop`; called in order, without gaps."""
        visit = self._scene.visit(self._visits, np.arange(start, stop))
        catalogue = self._scene.catalogue
        item_BK = catalogue.draw(self._items, visit.round_B)
        if self._scene.reading is None:
            sides = visit.shown_BC, catalogue.shown_ND[item_BK]
        else:
            sides = self._scene.reading.read(visit.place_B, item_BK)
        delay_B = np.ceil(self._delays.exponential(self._waiting.mean, len(item_BK))).astype(np.int64)
        return Rounds(
            seen=Seen(*sides, item_BK, visit.user_B, start),
            probability_BK=self._scaling.probability(self._scene.raw(visit, item_BK), catalogue.effect_N[item_BK]),
            draw_BK=self._draws.random(item_BK.shape),
            delay_B=delay_B,
        )


def streams(name: str, seed: int, count: int) -> list[np.random.Generator]:
    """Independent generators of a world, given its name and seed."""
    root = np.random.SeedSequence([zlib.crc32(name.encode()), seed])
    return [np.random.default_rng(each) for each in root.spawn(count)]


def fresh_visits(mix: Floats, tails: HeavyTails | None = None) -> Callable[[np.random.Generator, Ints], Visit]:
    """Visitors that never return, with contexts drawn afresh.

    Args:
        mix: turns independent normals into contexts.
        tails: turns contexts into what players see; all as it is where not given.
    """

    def visit(rng: np.random.Generator, round_B: Ints) -> Visit:
        normal_B4C = rng.standard_normal((len(round_B), 1 if tails is None else 4, len(mix)))
        latent_BC = (normal_B4C[:, 0] @ mix).astype(np.float32)
        shown_BC = latent_BC if tails is None else tails.raw(latent_BC, normal_B4C[:, 1:])
        return Visit(shown_BC, latent_BC, round_B, round_B, round_B)

    return visit


def _calibrated(scene: Scene, rng: np.random.Generator, rates: Rates) -> Scaling:
    """Scales by rounds spread evenly over a run, so that what changes in time counts in its share."""
    raw, fixed = [], []
    for start in np.linspace(0, RUN - _SAMPLE, _SAMPLES).astype(np.int64):
        visit = scene.visit(rng, np.arange(start, start + _SAMPLE))
        item_BK = scene.catalogue.draw(rng, visit.round_B)
        raw.append(scene.raw(visit, item_BK))
        fixed.append(scene.catalogue.effect_N[item_BK])
    return calibrate(np.concatenate(raw), np.concatenate(fixed), rates.uniform, rates.oracle)
