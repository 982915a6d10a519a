"""The worlds of numeric features: 32 columns a side, 20 candidates, about 5 of 100 uniform choices clicked.

The shares and sizes below were set so that ordinary learners (LinUCB on crossed features, Vowpal Wabbit) end where they
ended on worlds of the same kinds in earlier experiments, between a third and four fifths of the way from a uniform
choice to the best one: hard enough that better learning shows, easy enough that it pays within 20,000 rounds.
"""

from dataclasses import replace

import numpy as np

from deploy.bench.rounds import Features, Floats, Ints
from deploy.bench.world_features import HeavyTails, mixing
from deploy.bench.world_items import Catalogue, Draw, any_of, live_of, popular_of
from deploy.bench.world_simulated import RUN, Rates, Scene, SimulatedWorld, Waiting, fresh_visits, streams
from deploy.bench.world_tastes import Bent, Leaning, Visit, crossing, direction, recurring, steady, turning

COLUMNS = 32
RANK = 6
ITEMS = 300
_CROSS, _ITEM, _CONTEXT = 0.6, 0.3, 0.1  # shares of the variance of a linear taste
_ITEM_SD = 0.5  # logits
_UNITS, _GAIN, _STRAIGHT = 24, 2.0, 0.1
_TURN = 15_000
_BREAK = 10_000
_REGIMES, _SEASON, _BLEND = 4, (900, 1_600), 400
_LIVE, _ALL_ITEMS, _EVERY = 40, 240, 100
_USERS, _PERSON_RANK, _PERSON = 300, 4, 0.5
_MANY = 20_000


class _Ground:
    """What the numeric worlds share: correlated features of both sides, and random parameters from one generator."""

    def __init__(self, name: str, seed: int) -> None:
        self.rng = streams(f"{name} parameters", seed, 1)[0]
        self.context_mix, self.item_mix = mixing(self.rng, COLUMNS), mixing(self.rng, COLUMNS)

    def items(self, count: int) -> Features:
        """The features of N items."""
        return (self.rng.standard_normal((count, COLUMNS)) @ self.item_mix).astype(np.float32)

    def catalogue(self, count: int, draw: Draw, effect_sd: float = _ITEM_SD) -> Catalogue:
        """N items with effects beyond their features."""
        feature_ND = self.items(count)
        return Catalogue(feature_ND, feature_ND, effect_sd * self.rng.standard_normal(count), draw)

    def cross(self) -> Floats:
        """A preference matrix in its share of the taste."""
        return crossing(self.rng, self.context_mix, self.item_mix, RANK, _CROSS)

    def directions(self, mix: Floats, count: int) -> Floats:
        """Random unit directions [D, count] of one side's features."""
        return np.stack([direction(self.rng, mix) for _ in range(count)], axis=1)

    def leaning(self) -> Leaning:
        """A linear taste that stays."""
        return Leaning(
            cross=steady(self.cross()),
            item_main_D=_ITEM**0.5 * direction(self.rng, self.item_mix),
            context_main_C=_CONTEXT**0.5 * direction(self.rng, self.context_mix),
        )

    def scene(self, catalogue: Catalogue, taste: Leaning | Bent) -> Scene:
        """Fresh visitors before these items."""
        return Scene(fresh_visits(self.context_mix), catalogue, taste)


def linear(seed: int, name: str = "linear", waiting: Waiting | None = None) -> SimulatedWorld:
    """The logit is linear in context, item and their products (of rank 6), plus an effect of each of 300 items."""
    ground = _Ground(name, seed)
    catalogue = ground.catalogue(ITEMS, any_of(ITEMS))
    return SimulatedWorld(name, ground.scene(catalogue, ground.leaning()), seed, waiting=waiting)


def delayed(seed: int) -> SimulatedWorld:
    """As `linear`, but clicks come late: 500 rounds in the mean, with a window of 1,200."""
    return linear(seed, "delayed", Waiting(window=1_200, mean=500.0))


def nonlinear(seed: int) -> SimulatedWorld:
    """The logit is mostly made of bends and thresholds of both sides, which products of features fit only in part."""
    ground = _Ground("nonlinear", seed)
    catalogue = ground.catalogue(ITEMS, any_of(ITEMS))
    return SimulatedWorld("nonlinear", ground.scene(catalogue, _bent(ground, catalogue)), seed)


def drift(seed: int) -> SimulatedWorld:
    """The preference matrix turns by a quarter in 15,000 rounds, and at round 10,000 it is replaced by another one."""
    ground = _Ground("drift", seed)
    catalogue = ground.catalogue(ITEMS, any_of(ITEMS))
    taste = replace(ground.leaning(), cross=turning([ground.cross() for _ in range(4)], _TURN, _BREAK))
    return SimulatedWorld("drift", ground.scene(catalogue, taste), seed)


def seasons(seed: int) -> SimulatedWorld:
    """Four preference matrices that come back in turn, for 900 to 1,600 rounds; half of the changes are breaks."""
    ground = _Ground("seasons", seed)
    catalogue = ground.catalogue(ITEMS, any_of(ITEMS))
    count = RUN // _SEASON[0] + 1
    start_S = np.concatenate([[0], np.cumsum(ground.rng.integers(*_SEASON, count - 1))])
    blend_S = np.where(ground.rng.permutation(count) % 2 == 0, 1, _BLEND)
    cross = recurring([ground.cross() for _ in range(_REGIMES)], start_S, np.arange(count) % _REGIMES, blend_S)
    return SimulatedWorld("seasons", ground.scene(catalogue, replace(ground.leaning(), cross=cross)), seed)


def cold_start(seed: int) -> SimulatedWorld:
    """40 live items, of which the oldest leaves for a new one each 100 rounds: 240 items in all."""
    ground = _Ground("cold-start", seed)
    catalogue = ground.catalogue(_ALL_ITEMS, live_of(_ALL_ITEMS, _LIVE, _EVERY))
    return SimulatedWorld("cold-start", ground.scene(catalogue, ground.leaning()), seed)


def returning_users(seed: int) -> SimulatedWorld:
    """300 users who come back; a third of their taste is their own (in 4 directions), and no feature tells it."""
    ground = _Ground("returning-users", seed)
    catalogue = ground.catalogue(ITEMS, any_of(ITEMS))
    shared = ground.leaning()
    axis_D4 = ground.directions(ground.item_mix, _PERSON_RANK)
    person_UD = ground.rng.standard_normal((_USERS, _PERSON_RANK)) @ axis_D4.T * (_PERSON / _PERSON_RANK) ** 0.5
    fresh = fresh_visits(ground.context_mix)
    order_N = ground.rng.integers(_USERS, size=RUN)

    def visit(rng: np.random.Generator, round_B: Ints) -> Visit:
        return replace(fresh(rng, round_B), user_B=order_N[round_B % RUN])

    scene = Scene(visit, catalogue, replace(shared, person_UD=person_UD), returning=True)
    return SimulatedWorld("returning-users", scene, seed)


def heavy_tailed(seed: int) -> SimulatedWorld:
    """As `linear`, seen through raw columns: wide tails, scales from 0.001 to 10,000; 1 of 100 is clicked."""
    ground = _Ground("heavy-tailed", seed)
    latent = ground.catalogue(ITEMS, any_of(ITEMS))
    context_tails, item_tails = HeavyTails(ground.rng, COLUMNS), HeavyTails(ground.rng, COLUMNS)
    raw_ND = item_tails.raw(latent.latent_NI, ground.rng.standard_normal((ITEMS, 3, COLUMNS)))
    visit = fresh_visits(ground.context_mix, context_tails)
    scene = Scene(visit, replace(latent, shown_ND=raw_ND), ground.leaning())
    return SimulatedWorld("heavy-tailed", scene, seed, Rates(uniform=0.01, oracle=0.10))


def many_items(seed: int) -> SimulatedWorld:
    """20,000 items, a few of them shown often, with effects of their own as large as in `linear`."""
    ground = _Ground("many-items", seed)
    catalogue = ground.catalogue(_MANY, popular_of(_MANY))
    return SimulatedWorld("many-items", ground.scene(catalogue, ground.leaning()), seed)


def _bent(ground: _Ground, catalogue: Catalogue) -> Bent:
    """Random units whose weights are scaled to unit variance over fresh contexts and the items."""
    rng = ground.rng
    taste = Bent(
        straight=ground.leaning(),
        share=0.0,
        context_CH=_GAIN * ground.directions(ground.context_mix, _UNITS),
        other_CH=ground.directions(ground.context_mix, _UNITS // 2),
        item_DH=_GAIN * ground.directions(ground.item_mix, _UNITS),
        offset_H=rng.standard_normal(_UNITS),
        weight_H=rng.standard_normal(_UNITS),
    )
    visit = fresh_visits(ground.context_mix)(rng, np.arange(1_000))
    item_BK = catalogue.draw(rng, visit.round_B)
    deviation = taste.raw(visit, item_BK, catalogue.latent_NI[item_BK]).std()
    return replace(taste, share=_STRAIGHT, weight_H=taste.weight_H / deviation)
