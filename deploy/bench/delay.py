"""What late clicks cost: the same rounds, with clicks known at once and with clicks that come late: `bench delay`.

Three ways to learn the world `linear`, of the same seed, clicks and draws. `immediate`: every round closes at once with
the outcome that it will have at the end of its window. `waiting`: a round teaches when its window has passed.
`corrected`: open rounds count as well, as they do by default.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from agent.settings import AgentSettings, DelaySettings
from deploy.bench.errors import BenchError
from deploy.bench.harness import play
from deploy.bench.ours import DefaultPolicy
from deploy.bench.plan import Choice, plan
from deploy.bench.players import Entry
from deploy.bench.results import Result, Task, result_of
from deploy.bench.rounds import Rounds, World
from deploy.bench.running import Place
from deploy.bench.world_numeric import linear
from deploy.bench.world_simulated import Waiting

IMMEDIATE, WAITING, CORRECTED = "immediate", "waiting", "corrected"
WINDOWS = (1_200, 5_000)  # rounds


class AtOnce:
    """A world whose rounds close at once with the outcome that they would have at the end of their window.

    Args:
        world: the same rounds with clicks that come late.
    """

    def __init__(self, world: World) -> None:
        self.name, self.text, self.returning = world.name, world.text, world.returning
        self.window = 0
        self._world = world

    def rounds(self, start: int, stop: int) -> Rounds:
        """The rounds from `start` up to `stop`; a click that would come after the window is none."""
        found = self._world.rounds(start, stop)
        never_B1 = (found.delay_B > self._world.window)[:, None]
        return replace(found, draw_BK=np.where(never_B1, 1.0, found.draw_BK), delay_B=np.zeros_like(found.delay_B))


def _closed_only(world: World, seed: int) -> DefaultPolicy:
    return DefaultPolicy(world, seed, AgentSettings(delay=DelaySettings(open_decisions=False)))


WAYS: dict[str, Entry] = {
    IMMEDIATE: Entry(DefaultPolicy, "the defaults, clicks known at once", ours=False),
    WAITING: Entry(_closed_only, "delay.open_decisions = false", ours=False),
    CORRECTED: Entry(DefaultPolicy, "the defaults", ours=True),
}


def waits(windows: str | None, mean: float) -> dict[str, Waiting]:
    """How clicks come late in each world, by its name.

    Args:
        windows: attribution windows in rounds, separated by commas; 1,200 and 5,000 where not given.
        mean: of a click's delay, in rounds.

    Raises:
        BenchError: a window is not a number above 0.
    """
    parts = [part.strip() for part in windows.split(",")] if windows else [str(window) for window in WINDOWS]
    for part in parts:
        if not part.isdecimal() or not int(part):
            msg = f"Windows must be numbers of rounds above 0, separated by commas; got {part!r}"
            raise BenchError(msg)
    return {f"linear-{int(part)}-{mean:g}": Waiting(int(part), mean) for part in parts}


def runs(worlds: Mapping[str, Waiting], seeds: str | None, rounds: int) -> list[Task]:
    """Every way in every world.

    Args:
        worlds: as `waits` gives them.
        seeds: separated by commas; those of the report where not given.
        rounds: of a run.

    Raises:
        BenchError: a seed is no number.
    """
    planned = plan(Choice(worlds="linear", seeds=seeds, rounds=rounds), WAYS)
    return [task._replace(world=name) for name in worlds for task in planned]


def run_way(worlds: Mapping[str, Waiting], task: Task, place: Place) -> Result:
    """Plays one run: the player of the task is a way to learn.

    Args:
        worlds: how clicks come late in each world.
        task: the run.
        place: tells the version of the code.
    """
    late = linear(task.seed, waiting=worlds[task.world])
    world: World = AtOnce(late) if task.player == IMMEDIATE else late
    way = WAYS[task.player]
    player = way.make(world, task.seed)
    if player is None:
        msg = f"A way must play every world; got none of {task.player} in {task.world}"
        raise BenchError(msg)
    played = play(world, player, task.rounds)
    return result_of(task, played, settings=way.settings, code=place.code, texts_met=None)
