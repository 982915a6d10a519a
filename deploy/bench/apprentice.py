"""What somebody else's log is worth: how well the agent starts after it learned a mediocre policy's decisions.

Four ways to play the same 22,000 rounds of a world. `alone`: the agent decides and learns from the first round on.
`apprentice`: for 20,000 rounds an incumbent decides and the agent learns what was logged; then the agent decides.
`blind`: the same, but the log does not tell its propensities. `incumbent`: what it earned while it decided. The first
three are measured over the last 2,000 rounds, so that the world has come as far in all of them.

The incumbent is uniform in three of ten decisions. In the others it shows the best by a ridge regression on products of
few components of each side, which learns as it goes; so its log is biased towards what it held best.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from deploy.bench.errors import BenchError
from deploy.bench.harness import Played, play
from deploy.bench.ours import DefaultPolicy
from deploy.bench.peer_linear import LinearPlayer, LinearSettings, upper_bounds
from deploy.bench.peer_ridge import Ridge
from deploy.bench.plan import Choice, plan
from deploy.bench.players import Entry
from deploy.bench.results import Result, Task, result_of
from deploy.bench.rounds import Floats, Ints, Learned, Open, Player, Seen, World
from deploy.bench.running import Place, open_world

ALONE, APPRENTICE, BLIND, INCUMBENT = "alone", "apprentice", "blind", "incumbent"
WORLDS = ("linear", "nonlinear", "text", "cold-start")
SEEDS = tuple(range(4000, 4005))
LOGGED, OWN = 20_000, 2_000
_UPDATE = 250  # rounds; the log ends between two updates
_EPSILON = 0.3
_FEW = 4  # components of a side that the incumbent reads; the peers of the report read 20


class Incumbent:
    """Epsilon-greedy on a ridge regression that reads few components of each side; tells its propensities.

    Args:
        world: what is played.
        seed: of the draws.
    """

    name = INCUMBENT

    def __init__(self, world: World, seed: int) -> None:
        settings = LinearSettings(_FEW, Ridge(shared=1.0, item=50.0), width=0.0)
        self._greedy = LinearPlayer(self.name, world, seed, upper_bounds, settings)
        self._random = np.random.default_rng([seed, 31])

    def decide(self, seen: Seen) -> tuple[Ints, Floats]:
        """The action of each round, and the probability with which it was chosen."""
        best_B, _ = self._greedy.decide(seen)
        rounds, candidates = seen.item_BK.shape
        uniform_B = self._random.random(rounds) < _EPSILON
        action_B = np.where(uniform_B, self._random.integers(candidates, size=rounds), best_B)
        return action_B, _EPSILON / candidates + (1.0 - _EPSILON) * (action_B == best_B)

    def learn(self, closed: Learned, still_open: Open | None) -> None:
        """Takes in what closed."""
        self._greedy.learn(closed, still_open)


class Apprentice:
    """The agent learns what an incumbent decides, and decides itself from some round on.

    Args:
        incumbent: decides first.
        agent: learns from the start.
        logged: rounds that the incumbent decides; a batch must begin there.
        blind: whether the agent is not told the incumbent's propensities.
    """

    name = APPRENTICE

    def __init__(self, incumbent: Player, agent: Player, logged: int, *, blind: bool) -> None:
        self._incumbent, self._agent = incumbent, agent
        self._logged, self._blind = logged, blind
        self._taught = 0

    def decide(self, seen: Seen) -> tuple[Ints, Floats]:
        """What the incumbent or, later, the agent chooses; before, nobody sees what the agent would have done."""
        own = self._agent.decide(seen)
        return own if seen.start >= self._logged else self._incumbent.decide(seen)

    def learn(self, closed: Learned, still_open: Open | None) -> None:
        """Teaches both; the incumbent no longer once it has gone."""
        logged_R = self._taught + np.arange(len(closed.action_R)) < self._logged
        if logged_R.any():
            self._incumbent.learn(closed, still_open)
        self._taught += len(logged_R)
        if self._blind:
            closed = replace(closed, propensity_R=np.where(logged_R, np.nan, closed.propensity_R))
        self._agent.learn(closed, still_open)


@dataclass(frozen=True, slots=True)
class Length:
    """How long a run is.

    Attributes:
        logged: rounds before those that are measured.
        own: rounds that are measured.
    """

    logged: int = LOGGED
    own: int = OWN

    def __post_init__(self) -> None:
        if self.logged % _UPDATE or self.own < 1:
            msg = f"The log must end between two updates, of {_UPDATE} rounds each; got {self.logged} rounds"
            raise BenchError(msg)

    def apprentice(self, world: World, seed: int, *, blind: bool = False) -> Apprentice:
        """An incumbent with the agent beside it."""
        return Apprentice(Incumbent(world, seed), DefaultPolicy(world, seed), self.logged, blind=blind)

    def ways(self) -> dict[str, Entry]:
        """The ways by name."""

        def entry(make: Callable[[World, int], Player], settings: str) -> Entry:
            return Entry(make, settings, ours=False)

        return {
            ALONE: entry(DefaultPolicy, "the defaults, from nothing"),
            APPRENTICE: entry(self.apprentice, "the defaults, after a log with propensities"),
            BLIND: entry(lambda world, seed: self.apprentice(world, seed, blind=True), "after a log without them"),
            INCUMBENT: entry(Incumbent, f"epsilon {_EPSILON:g} on a ridge of {_FEW} components a side"),
        }


def runs(choice: Choice, length: Length) -> list[Task]:
    """Every way in every world.

    Args:
        choice: worlds, seeds and ways; the four worlds, the five seeds and all ways where not given.
        length: of a run.

    Raises:
        BenchError: a world, seed or way does not exist.
    """
    worlds, seeds = choice.worlds or ",".join(WORLDS), choice.seeds or ",".join(map(str, SEEDS))
    return plan(replace(choice, worlds=worlds, seeds=seeds, rounds=length.logged + length.own), length.ways())


def run_way(length: Length, task: Task, place: Place) -> Result:
    """Plays one run; its figures are those of the measured rounds, of the incumbent those of its log."""
    world = open_world(task, place)
    way = length.ways()[task.player]
    player = way.make(world, task.seed)
    if player is None:
        msg = f"A way must play every world; got none of {task.player} in {task.world}"
        raise BenchError(msg)
    log = task.player == INCUMBENT
    played = play(world, player, length.logged if log else task.rounds, _UPDATE)
    measured = played if log else _after(played, length.logged)
    return result_of(task, measured, settings=way.settings, code=place.code, texts_met=world.texts_met)


def _after(played: Played, start: int) -> Played:
    chosen_n, uniform_n, oracle_n = played.chosen_N[start:], played.uniform_N[start:], played.oracle_N[start:]
    return Played(chosen_n, uniform_n, oracle_n, played.seconds, played.world_seconds)
