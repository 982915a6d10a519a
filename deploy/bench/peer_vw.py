"""Vowpal Wabbit: SquareCB over action-dependent features (Foster, Rakhlin 2020), in the library's own text format.

Context and candidate are crossed by `-q ui`. `-q ::` would cross every two namespaces, each with itself too: on the
tuning seeds of the linear world it cost lift (0.66 for 0.78), as products within a side and item ids times contexts
only add noise there.
"""

from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np

from deploy.bench.peer_features import Views
from deploy.bench.rounds import Features, Floats, Ints, Learned, Open, Seen, World

_DIGITS = "%.5g"


@dataclass(frozen=True, slots=True)
class VwSettings:
    """Settings of one Vowpal Wabbit peer.

    Attributes:
        command: Its command line, without seed; namespaces are u (context), i (candidate), d (item), h (user).
        rank: The most components of a side where both are texts; other columns are scaled alone.
        items: Whether a candidate names its item.
        users: Whether a context names its user where users come back.
    """

    command: str
    rank: int
    items: bool
    users: bool


class VwPlayer:
    """A player that draws from the probabilities that Vowpal Wabbit gives, and hands it each closed round once.

    Args:
        name: What the report calls it.
        world: The world it will play.
        seed: Of its draws and of the library.
        settings: Its settings.
    """

    def __init__(self, name: str, world: World, seed: int, settings: VwSettings) -> None:
        self.name = name
        self._command = f"{settings.command} --quiet --random_seed {seed}"
        self._items, self._users = settings.items, settings.users and world.returning
        self._random = np.random.default_rng([seed, 22])
        self._views = Views(settings.rank if world.text else None, world.text)
        self._open: Any = import_module("vowpalwabbit").Workspace
        self._kept: list[Learned] = []

    def decide(self, seen: Seen) -> tuple[Ints, Floats]:
        """One draw for each round, and its probability."""
        if self._views.see(seen):
            self._vw = self._open(self._command)
            for closed in self._kept:
                self._update(closed)
        examples = self._examples(seen.context_BC, seen.candidate_BKD, seen.item_BK, seen.user_B)
        probability_BK = np.array([self._vw.predict(lines) for lines in examples], np.float64)
        probability_BK /= probability_BK.sum(axis=1, keepdims=True)
        point_B1 = self._random.random((len(examples), 1))
        action_B = np.minimum((probability_BK.cumsum(axis=1) <= point_B1).sum(axis=1), probability_BK.shape[1] - 1)
        return action_B, probability_BK[np.arange(len(action_B)), action_B]

    def learn(self, closed: Learned, still_open: Open | None) -> None:  # noqa: ARG002 - a peer learns what closed
        """Learns the rounds with the probabilities of their draws; they are kept as long as the features may change."""
        if not self._views.settled:
            self._kept.append(closed)
        self._update(closed)

    def _update(self, closed: Learned) -> None:
        if not len(closed.action_R):
            return
        examples = self._examples(closed.context_RC, closed.candidate_RKD, closed.item_RK, closed.user_R)
        labels = zip(closed.action_R.tolist(), closed.reward_R.tolist(), closed.propensity_R.tolist(), strict=True)
        for lines, (action, reward, propensity) in zip(examples, labels, strict=True):
            lines[action + 1] = f"0:{-reward:g}:{propensity:.6g} {lines[action + 1]}"
            self._vw.learn(lines)

    def _examples(self, context_BC: Features, candidate_BKD: Features, item_BK: Ints, user_B: Ints) -> list[list[str]]:
        """A shared line and a line for each candidate, of each round."""
        context_BA = self._views.context(context_BC)
        candidate_BKA = self._views.candidates(context_BC, candidate_BKD)
        shared = "shared |u " + _columns(context_BA.shape[1])
        line = "|i " + _columns(candidate_BKA.shape[2])
        heads = [shared % tuple(row) for row in context_BA.tolist()]
        if self._users:
            heads = [f"{head} |h {user}" for head, user in zip(heads, user_B.tolist(), strict=True)]
        bodies = [[line % tuple(row) for row in rows] for rows in candidate_BKA.tolist()]
        if self._items:
            bodies = [
                [f"{body} |d {item}" for body, item in zip(rows, items, strict=True)]
                for rows, items in zip(bodies, item_BK.tolist(), strict=True)
            ]
        return [[head, *rows] for head, rows in zip(heads, bodies, strict=True)]


def _columns(count: int) -> str:
    return " ".join(f"{index}:{_DIGITS}" for index in range(count))
