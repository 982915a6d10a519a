"""One player in one world: it decides with what it knew, learns what closed, and is measured by true probabilities."""

import time
from dataclasses import dataclass, fields
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy.bench.errors import BenchError
from deploy.bench.rounds import Floats, Ints, Learned, Open, Player, Rounds, World

ROUNDS = 20_000
UPDATE = 256


@dataclass(frozen=True, slots=True)
class Played:
    """A run of N rounds.

    Attributes:
        chosen_N: True click probability of what the player chose.
        uniform_N: The same of a uniform choice.
        oracle_N: The same of the best choice.
        seconds: Time that the player took to decide and to learn.
        world_seconds: Time that the world took to draw its rounds, and to encode texts where it does that.
    """

    chosen_N: Floats
    uniform_N: Floats
    oracle_N: Floats
    seconds: float
    world_seconds: float

    def lift(self, start: int = 0, stop: int | None = None) -> float:
        """The normalised lift of some of the rounds: 0 is a uniform choice, 1 the best one."""
        return normalised_lift(
            *(rates_N[start:stop].mean() for rates_N in (self.chosen_N, self.uniform_N, self.oracle_N))
        )

    def lifts(self, parts: int) -> list[float]:
        """The normalised lift of each of so many equal parts."""
        ends = np.linspace(0, len(self.chosen_N), parts + 1).astype(int).tolist()
        return [self.lift(start, stop) for start, stop in pairwise(ends)]


def normalised_lift(chosen: float, uniform: float, oracle: float) -> float:
    """How far a click rate lies on the way from that of a uniform choice to that of the best one.

    >>> round(normalised_lift(0.15, uniform=0.05, oracle=0.25), 3)
    0.5
    """
    return float((chosen - uniform) / (oracle - uniform))


def play(world: World, player: Player, rounds: int = ROUNDS, update: int = UPDATE) -> Played:
    """Plays a world from its first round: `update` decisions by a frozen player, then what became known is learned.

    Args:
        world: a fresh one.
        player: a fresh one.
        rounds: how many are played.
        update: rounds between updates.

    Raises:
        BenchError: the player chose what is no candidate, or a propensity outside (0, 1].
    """
    desk = _Desk(world.window)
    rates: list[Floats] = []
    seconds = world_seconds = 0.0
    for start in range(0, rounds, update):
        began = time.perf_counter()
        batch = world.rounds(start, min(start + update, rounds))
        world_seconds += time.perf_counter() - began
        began = time.perf_counter()
        action_B, propensity_B = player.decide(batch.seen)
        seconds += time.perf_counter() - began
        _check(player.name, batch, action_B, propensity_B)
        chosen_B = np.take_along_axis(batch.probability_BK, action_B[:, None], axis=1)[:, 0]
        rates.append(np.stack([chosen_B, batch.probability_BK.mean(axis=1), batch.probability_BK.max(axis=1)]))
        desk.take(batch, action_B, propensity_B)
        closed, still_open = desk.hand_over(start + len(action_B))
        began = time.perf_counter()
        player.learn(closed, still_open)
        seconds += time.perf_counter() - began
    chosen_N, uniform_N, oracle_N = np.concatenate(rates, axis=1)
    return Played(chosen_N, uniform_N, oracle_N, seconds, world_seconds)


def _check(name: str, batch: Rounds, action_B: Ints, propensity_B: Floats) -> None:
    size, candidates = batch.seen.item_BK.shape
    if action_B.shape != (size,) or action_B.dtype != np.int64 or not ((action_B >= 0) & (action_B < candidates)).all():
        msg = f"Actions of {name} must be {size} int64 in 0..{candidates - 1}; got {action_B.dtype} {action_B}"
        raise BenchError(msg)
    known_B = propensity_B[~np.isnan(propensity_B)]
    if propensity_B.shape != (size,) or not ((known_B > 0.0) & (known_B <= 1.0)).all():
        msg = f"Propensities of {name} must be {size} in (0, 1], or NaN where unknown; got {propensity_B}"
        raise BenchError(msg)


class _Desk:
    """Keeps open rounds until their window has passed, with the clicks that the world has drawn for them."""

    def __init__(self, window: int) -> None:
        self._window = window
        self._kept: dict[str, NDArray[Any]] = {}

    def take(self, batch: Rounds, action_B: Ints, propensity_B: Floats) -> None:
        """Takes in decided rounds, and whether what was chosen will be clicked."""
        seen = batch.seen
        at = (np.arange(len(action_B)), action_B)
        clicked_B = batch.draw_BK[at] < batch.probability_BK[at]
        new: dict[str, NDArray[Any]] = {
            "context_RC": seen.context_BC,
            "candidate_RKD": seen.candidate_BKD,
            "item_RK": seen.item_BK,
            "user_R": seen.user_B,
            "action_R": action_B,
            "propensity_R": propensity_B.astype(np.float64),
            "delay_R": np.where(clicked_B, batch.delay_B, np.inf),
            "round_R": np.arange(seen.start, seen.start + len(action_B)),
        }
        self._kept = {name: np.concatenate([self._kept[name], new[name]]) for name in new} if self._kept else new

    def hand_over(self, now: int) -> tuple[Learned, Open | None]:
        """What closed, which leaves, and what stays open; None where rounds close at once.

        A click is known once its delay has passed, and counts when the delay is within the window. So a round whose age
        has reached the window is settled.
        """
        age_R = now - self._kept["round_R"]
        known_R = self._kept["delay_R"] <= np.minimum(age_R, self._window or np.inf)
        columns = {name: self._kept[name] for name in (each.name for each in fields(Learned)) if name in self._kept}
        columns["reward_R"] = known_R.astype(np.float32)
        columns["delay_R"] = np.where(known_R, self._kept["delay_R"], np.nan)
        closed_R = age_R >= self._window
        closed = Learned(**{name: column[closed_R] for name, column in columns.items()})
        self._kept = {name: column[~closed_R] for name, column in self._kept.items()} if not closed_R.all() else {}
        if not self._window:
            return closed, None
        rest = {name: column[~closed_R] for name, column in columns.items()}
        return closed, Open(**rest, age_R=age_R[~closed_R], window=self._window)
