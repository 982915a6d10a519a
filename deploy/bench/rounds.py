"""What passes between a world, the harness and a player.

Axes: B rounds of a batch, R closed or open rounds, K candidates of a round, C columns of the context, D of a candidate.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Features = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Seen:
    """What a player sees of B rounds before it decides.

    Attributes:
        context_BC: The context of each round.
        candidate_BKD: The features of each candidate.
        item_BK: The item behind each candidate, by an id that stays the same over time.
        user_B: The user of each round, by an id that stays the same; a fresh one each round where nobody returns.
        start: Index of the first of these rounds.
    """

    context_BC: Features
    candidate_BKD: Features
    item_BK: Ints
    user_B: Ints
    start: int


@dataclass(frozen=True, slots=True)
class Rounds:
    """B rounds of a world: what is seen, and what only the world knows.

    Attributes:
        seen: What a player sees.
        probability_BK: True click probability of each candidate.
        draw_BK: Uniform numbers; candidate k would be clicked where its draw is below its probability, whoever plays.
        delay_B: Rounds until a click is known; 0 at once.
    """

    seen: Seen
    probability_BK: Floats
    draw_BK: Floats
    delay_B: Ints


@dataclass(frozen=True, slots=True)
class Learned:
    """R rounds that closed since the last update, in the order in which they were played.

    Attributes:
        context_RC: The context of each round.
        candidate_RKD: The features of each candidate.
        item_RK: The item behind each candidate.
        user_R: The user of each round.
        action_R: The candidate that was chosen.
        reward_R: 1 where it was clicked within the window, else 0.
        propensity_R: The probability with which the player chose it.
        delay_R: Rounds until the click; NaN where none counted.
    """

    context_RC: Features
    candidate_RKD: Features
    item_RK: Ints
    user_R: Ints
    action_R: Ints
    reward_R: Features
    propensity_R: Floats
    delay_R: Floats


@dataclass(frozen=True, slots=True)
class Open:
    """R rounds whose window has not passed, as they stand at an update; the columns are those of `Learned`.

    Attributes:
        context_RC: The context of each round.
        candidate_RKD: The features of each candidate.
        item_RK: The item behind each candidate.
        user_R: The user of each round.
        action_R: The candidate that was chosen.
        reward_R: 1 where it was clicked so far, else 0.
        propensity_R: The probability with which the player chose it.
        delay_R: Rounds until the click; NaN where none is known yet.
        age_R: Rounds since each was played.
        window: Rounds until a round closes.
    """

    context_RC: Features
    candidate_RKD: Features
    item_RK: Ints
    user_R: Ints
    action_R: Ints
    reward_R: Features
    propensity_R: Floats
    delay_R: Floats
    age_R: Ints
    window: int


class World(Protocol):
    """A stream of rounds whose click probabilities are known.

    Attributes:
        name: What the report calls it.
        window: Rounds of the attribution window; 0 where a round closes at once.
        text: Leading columns of context and candidates that share one embedding space; 0 where there are none.
        returning: Whether users come back.
    """

    name: str
    window: int
    text: int
    returning: bool

    def rounds(self, start: int, stop: int) -> Rounds:
        """The rounds from `start` up to `stop`; called in order, without gaps."""
        ...


class Player(Protocol):
    """A policy that decides rounds and learns from those that closed.

    Attributes:
        name: What the report calls it.
    """

    name: str

    def decide(self, seen: Seen, /) -> tuple[Ints, Floats]:
        """The action of each round, and the probability with which it was chosen; NaN where the player has none."""
        ...

    def learn(self, closed: Learned, still_open: Open | None, /) -> None:
        """Takes in what closed since the last update, and what is still open (None where the window is 0)."""
        ...
