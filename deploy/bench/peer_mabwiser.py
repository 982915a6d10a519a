"""MABWiser (Strong, Kleynhans, Kadıoğlu 2019): its own LinUCB, a model for each item on the context alone."""

from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np

from deploy.bench.peer_features import Views
from deploy.bench.rounds import Features, Floats, Ints, Learned, Open, Seen, World


@dataclass(frozen=True, slots=True)
class MabSettings:
    """Settings of the MABWiser peer.

    Attributes:
        rank: The most components of the context.
        policy: Name of the library's learning policy, "LinUCB" or "LinTS".
        alpha: Its exploration.
        ridge: Its penalty, `l2_lambda`.
    """

    rank: int
    policy: str
    alpha: float
    ridge: float


class MabWiserPlayer:
    """A player whose arms are the items; of the library's expectations it takes the best live candidate.

    The library knows no features of arms and no candidates of a round, so it scores every item that was ever seen.

    Args:
        name: What the report calls it.
        world: The world it will play.
        seed: Of the library and of choices before anything closed.
        settings: Its settings.
    """

    def __init__(self, name: str, world: World, seed: int, settings: MabSettings) -> None:  # noqa: ARG002
        self.name = name
        self._seed, self._settings = seed, settings
        self._random = np.random.default_rng([seed, 24])
        self._views = Views(settings.rank, text=0)
        self._library: Any = import_module("mabwiser.mab")
        self._kept: list[Learned] = []
        self._column_of: dict[int, int] = {}
        self._fitted = False

    def decide(self, seen: Seen) -> tuple[Ints, Floats]:
        """The live candidate of the highest expectation, NaN as propensity; a uniform one before anything closed."""
        if self._views.see(seen):
            self._start(seen)
            for closed in self._kept:
                self._update(closed)
        self._add(seen.item_BK.ravel().tolist())
        count, slate = seen.item_BK.shape
        if not self._fitted:
            return np.asarray(self._random.integers(slate, size=count)), np.full(count, 1.0 / slate)
        score_BK = self._scores(seen.context_BC, seen.item_BK)
        return np.argmax(score_BK, axis=1), np.full(count, np.nan)

    def learn(self, closed: Learned, still_open: Open | None) -> None:  # noqa: ARG002 - a peer learns what closed
        """Hands the rounds to the library; they are kept as long as the features may change."""
        if not self._views.settled:
            self._kept.append(closed)
        self._update(closed)

    def _start(self, seen: Seen) -> None:
        self._column_of = {item: column for column, item in enumerate(np.unique(seen.item_BK).tolist())}
        learning = getattr(self._library.LearningPolicy, self._settings.policy)
        policy = learning(alpha=self._settings.alpha, l2_lambda=self._settings.ridge)
        self._mab = self._library.MAB(list(self._column_of), policy, seed=self._seed)
        self._fitted = False

    def _add(self, items: list[int]) -> None:
        for item in items:
            if item not in self._column_of:
                self._column_of[item] = len(self._column_of)
                self._mab.add_arm(item)

    def _scores(self, context_BC: Features, item_BK: Ints) -> Floats:
        context_BA = self._contexts(context_BC)
        expected = self._mab.predict_expectations(context_BA)
        rows = [expected] if isinstance(expected, dict) else expected
        score_BN = np.array([list(row.values()) for row in rows])
        column_BK = np.array([self._column_of[item] for item in item_BK.ravel().tolist()]).reshape(item_BK.shape)
        return np.take_along_axis(score_BN, column_BK, axis=1)

    def _update(self, closed: Learned) -> None:
        if not len(closed.action_R):
            return
        item_R = closed.item_RK[np.arange(len(closed.action_R)), closed.action_R]
        self._add(item_R.tolist())
        self._mab.partial_fit(item_R, closed.reward_R.astype(np.float64), self._contexts(closed.context_RC))
        self._fitted = True

    def _contexts(self, context_BC: Features) -> Floats:
        context_BA = self._views.context(context_BC)
        return np.concatenate([np.ones((len(context_BA), 1)), context_BA], axis=1)
