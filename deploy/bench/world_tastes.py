"""What readers like: functions of the context and of each candidate, in units that the calibration sets.

Axes: B rounds, K candidates, C and D latent columns of context and item.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from deploy.bench.rounds import Features, Floats, Ints


@dataclass(frozen=True, slots=True)
class Visit:
    """Who comes in B rounds.

    Attributes:
        shown_BC: The context features that players see.
        latent_BC: What decides clicks; the shown features where nothing is hidden.
        place_B: Row of the context in its pool; the round where contexts are drawn afresh.
        user_B: The user.
        round_B: The round.
    """

    shown_BC: Features
    latent_BC: Features
    place_B: Ints
    user_B: Ints
    round_B: Ints


class Taste(Protocol):
    """Says what candidates are worth to visitors."""

    def raw(self, visit: Visit, item_BK: Ints, latent_BKD: Features) -> Floats:
        """The worth of each candidate, before intercept, scale and item effects."""
        ...


def crossing(
    rng: np.random.Generator, context_mix: Floats, item_mix: Floats, rank: int, variance: float = 1.0
) -> Floats:
    """A random matrix W [C, D] of a given rank whose x'Wz has a given variance.

    Args:
        rng: draws the factors.
        context_mix: turns independent normals into contexts x.
        item_mix: the same for items z.
        rank: of W.
        variance: of x'Wz.
    """
    left_CR = rng.standard_normal((len(context_mix), rank))
    right_RD = rng.standard_normal((rank, len(item_mix)))
    cross_CD = left_CR @ right_RD
    length = float(np.linalg.norm(context_mix @ cross_CD @ item_mix.T))
    return np.asarray(cross_CD * variance**0.5 / length, dtype=np.float64)


def direction(rng: np.random.Generator, mix: Floats) -> Floats:
    """A random vector m [D] whose z'm has unit variance."""
    vector_D = rng.standard_normal(len(mix))
    return np.asarray(vector_D / np.linalg.norm(mix @ vector_D), dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Leaning:
    """A taste that is linear in the item at each moment: worth = (x'W_t + m + p_user)'z + x'c.

    Attributes:
        cross: x'W_t [B, D] of a visit.
        item_main_D: m, what is liked by everyone.
        context_main_C: c, how readily a visitor clicks at all.
        person_UD: p, what a user likes beyond the context; None where nobody returns.
    """

    cross: Callable[[Visit], Floats]
    item_main_D: Floats
    context_main_C: Floats
    person_UD: Floats | None = None

    def raw(self, visit: Visit, item_BK: Ints, latent_BKD: Features) -> Floats:  # noqa: ARG002 - the protocol's
        """The worth of each candidate."""
        weight_BD = self.cross(visit) + self.item_main_D
        if self.person_UD is not None:
            weight_BD = weight_BD + self.person_UD[visit.user_B]
        worth_BK = (latent_BKD @ weight_BD.astype(np.float32)[:, :, None])[:, :, 0]
        return worth_BK + (visit.latent_BC @ self.context_main_C)[:, None]


def steady(cross_CD: Floats) -> Callable[[Visit], Floats]:
    """A preference that stays."""
    return lambda visit: visit.latent_BC @ cross_CD


def turning(cross_PCD: list[Floats], quarter: int, broken_at: int) -> Callable[[Visit], Floats]:
    """A preference that turns from the first matrix into the second, breaks, and turns from the third to the fourth.

    Args:
        cross_PCD: four matrices.
        quarter: rounds of a quarter turn: W_t = cos(θ)·W + sin(θ)·W', θ = ½π·t / quarter.
        broken_at: the round of the break, where the angle starts anew.
    """

    def cross(visit: Visit) -> Floats:
        late_B = visit.round_B >= broken_at
        angle_B = 0.5 * np.pi * (visit.round_B - broken_at * late_B) / quarter
        phase_PB = np.stack([np.cos(angle_B) * ~late_B, np.sin(angle_B) * ~late_B,
                             np.cos(angle_B) * late_B, np.sin(angle_B) * late_B])  # fmt: skip
        return _blend(visit, cross_PCD, phase_PB)

    return cross


def recurring(cross_PCD: list[Floats], starts_S: Ints, regime_S: Ints, blend_S: Ints) -> Callable[[Visit], Floats]:
    """A preference that switches between P regimes, each of which comes back.

    Args:
        cross_PCD: the matrix of each regime.
        starts_S: first round of each season; the last one stays.
        regime_S: the regime of each season.
        blend_S: rounds over which a season takes over from the one before; 1 is a break.
    """

    def cross(visit: Visit) -> Floats:
        season_B = np.searchsorted(starts_S, visit.round_B, side="right") - 1
        new_B = np.minimum((visit.round_B - starts_S[season_B] + 1) / blend_S[season_B], 1.0)
        before_B = regime_S[np.maximum(season_B - 1, 0)]
        name_P = np.arange(len(cross_PCD))[:, None]
        phase_PB = new_B * (regime_S[season_B] == name_P) + (1.0 - new_B) * (before_B == name_P)
        return _blend(visit, cross_PCD, phase_PB)

    return cross


def _blend(visit: Visit, cross_PCD: list[Floats], phase_PB: Floats) -> Floats:
    """Σ_p phase_p · x'W_p, of the matrices that count in these rounds."""
    found_BD = np.zeros((len(visit.round_B), cross_PCD[0].shape[1]))
    for cross_CD, phase_B in zip(cross_PCD, phase_PB, strict=True):
        if phase_B.any():
            found_BD += phase_B[:, None] * (visit.latent_BC @ cross_CD)
    return found_BD


@dataclass(frozen=True, slots=True)
class Bent:
    """A taste of units that bend both sides, plus a share that is linear in their products.

    Worth = √ρ·(x'W + m)'z + √(1-ρ)·Σ_h v_h·f_h. Half of the units are a network's, f_h = tanh(x'a_h + z'b_h + c_h), and
    half are products of thresholds, f_h = sign(x'a_h + c_h)·sign(x'd_h)·sign(z'b_h).

    Attributes:
        straight: the linear share, of unit variance.
        share: ρ.
        context_CH: a.
        other_CH: d, for the second half of the units.
        item_DH: b.
        offset_H: c.
        weight_H: v.
    """

    straight: Leaning
    share: float
    context_CH: Floats
    other_CH: Floats
    item_DH: Floats
    offset_H: Floats
    weight_H: Floats

    def raw(self, visit: Visit, item_BK: Ints, latent_BKD: Features) -> Floats:
        """The worth of each candidate."""
        half = len(self.weight_H) // 2
        item_BKH = latent_BKD @ self.item_DH.astype(np.float32)
        context_BH = (visit.latent_BC @ self.context_CH + self.offset_H).astype(np.float32)
        agree_BH = np.sign(context_BH[:, half:]) * np.sign(visit.latent_BC @ self.other_CH.astype(np.float32))
        smooth_BKH = np.tanh(item_BKH[..., :half] + context_BH[:, None, :half])
        unit_BKH = np.concatenate([smooth_BKH, agree_BH[:, None] * np.sign(item_BKH[..., half:])], axis=2)
        bent_BK = (unit_BKH @ self.weight_H.astype(np.float32)).astype(np.float64)
        straight_BK = self.straight.raw(visit, item_BK, latent_BKD)
        return np.asarray(self.share**0.5 * straight_BK + (1.0 - self.share) ** 0.5 * bent_BK)


@dataclass(frozen=True, slots=True)
class Tabled:
    """A taste given for each context of a pool and each item.

    Attributes:
        table_PN: Worth of each of N items in each of P contexts.
    """

    table_PN: Floats

    def raw(self, visit: Visit, item_BK: Ints, latent_BKD: Features) -> Floats:  # noqa: ARG002 - the protocol's
        """The worth of each candidate."""
        return np.asarray(self.table_PN[visit.place_B[:, None], item_BK])
