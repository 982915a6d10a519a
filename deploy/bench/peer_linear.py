"""LinUCB and linear Thompson sampling on crossed features, one model for all items."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from deploy.bench.peer_features import Views
from deploy.bench.peer_ridge import HybridRidge, Ridge
from deploy.bench.rounds import Floats, Ints, Learned, Open, Seen, World

Scores = Callable[[HybridRidge, Floats, Ints, float, np.random.Generator], Floats]


def upper_bounds(
    model: HybridRidge,
    feature_BKJ: Floats,
    item_BK: Ints,
    width: float,
    random: np.random.Generator,  # noqa: ARG001
) -> Floats:
    """Mean + `width` standard deviations (noise of variance 1), B × K; Li et al. (2010), algorithm 2, line 14."""
    part_BKJ, intercept_BK, weight_BK = model.parts(feature_BKJ, item_BK)
    spread_BK = model.spread(part_BKJ.reshape(-1, part_BKJ.shape[-1])).reshape(item_BK.shape)
    return np.asarray(part_BKJ @ model.mean_J + intercept_BK + width * np.sqrt(spread_BK + 1.0 / weight_BK))


def posterior_draws(
    model: HybridRidge, feature_BKJ: Floats, item_BK: Ints, width: float, random: np.random.Generator
) -> Floats:
    """Scores under one draw of all coefficients for each round, B × K; Agrawal, Goyal (2013), algorithm 1.

    `width` is their v, the standard deviation of the noise.
    """
    part_BKJ, intercept_BK, weight_BK = model.parts(feature_BKJ, item_BK)
    theta_BJ = model.mean_J + width * model.draws(len(item_BK), random)
    own_BK = width * random.standard_normal(item_BK.shape) / np.sqrt(weight_BK)
    return np.asarray(np.einsum("bkj,bj->bk", part_BKJ, theta_BJ) + intercept_BK + own_BK)


@dataclass(frozen=True, slots=True)
class LinearSettings:
    """Settings of a linear peer.

    Attributes:
        rank: The most components of a side.
        ridge: The penalties.
        width: α of LinUCB, v of Thompson sampling: noise of a reward, in rewards.
    """

    rank: int
    ridge: Ridge
    width: float


class LinearPlayer:
    """A player that takes the best of scores under the ridge model.

    Args:
        name: What the report calls it.
        world: The world it will play.
        seed: Of its draws.
        scores: `upper_bounds` or `posterior_draws`.
        settings: Its settings.
    """

    def __init__(self, name: str, world: World, seed: int, scores: Scores, settings: LinearSettings) -> None:
        self.name = name
        self._scores, self._settings = scores, settings
        self._random = np.random.default_rng([seed, 21])
        self._views = Views(settings.rank, world.text)
        self._kept: list[Learned] = []

    def decide(self, seen: Seen) -> tuple[Ints, Floats]:
        """The candidate of the highest score in each round; its propensity is NaN."""
        changed = self._views.see(seen)
        feature_BKJ = self._views.crossed(seen.context_BC, seen.candidate_BKD)
        if changed:
            self._model = HybridRidge(feature_BKJ.shape[-1], self._settings.ridge)
            for closed in self._kept:
                self._update(closed)
        score_BK = self._scores(self._model, feature_BKJ, seen.item_BK, self._settings.width, self._random)
        return np.argmax(score_BK, axis=1), np.full(len(score_BK), np.nan)

    def learn(self, closed: Learned, still_open: Open | None) -> None:  # noqa: ARG002 - a peer learns what closed
        """Updates the model; rows are kept as long as the features may change."""
        if not self._views.settled:
            self._kept.append(closed)
        self._update(closed)

    def _update(self, closed: Learned) -> None:
        if not len(closed.action_R):
            return
        row_R = np.arange(len(closed.action_R))
        chosen_R1D = closed.candidate_RKD[row_R, closed.action_R][:, None]
        feature_RJ = self._views.crossed(closed.context_RC, chosen_R1D)[:, 0]
        self._model.update(feature_RJ, closed.item_RK[row_R, closed.action_R], closed.reward_R.astype(np.float64))
