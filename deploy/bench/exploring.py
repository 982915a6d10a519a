"""How much to explore: the level that is learned against fixed ones, in all worlds of the benchmark: `bench explore`.

Every player is the default policy and differs only in how it explores. The network is left out of all of them: it
counts in none of these worlds before 20,000 rounds, so decisions are the same without it, in half the time.
"""

from functools import partial

from agent.settings import AgentSettings, ExploreSettings, NetworkSettings
from deploy.bench.ours import DefaultPolicy
from deploy.bench.plan import Choice, plan
from deploy.bench.players import Entry
from deploy.bench.results import Result, Task
from deploy.bench.rounds import World
from deploy.bench.running import Place, run_entry

TUNED = "tuned"
SEEDS = tuple(range(3000, 3006))  # of the report; named before any of them was played
PICTURE_ROUNDS = 14_000  # beyond the break of `drift`


def without_network(explore: ExploreSettings) -> AgentSettings:
    """The default settings but for how to explore, and the network."""
    return AgentSettings(explore=explore, network=NetworkSettings(steps=0))


def _made(explore: ExploreSettings, world: World, seed: int) -> DefaultPolicy:
    return DefaultPolicy(world, seed, without_network(explore))


def _entry(explore: ExploreSettings) -> Entry:
    told = ", ".join(f"{name} = {value}" for name, value in explore.model_dump(exclude_defaults=True).items())
    return Entry(partial(_made, explore), told or "the defaults", ours=not told)


def _fixed(gap_scale: float, sd_scale: float = 1.0) -> Entry:
    return _entry(ExploreSettings(tuned=False, gap_scale=gap_scale, sd_scale=sd_scale))


PLAYERS: dict[str, Entry] = {
    TUNED: _entry(ExploreSettings()),
    "gap-100": _fixed(100.0),
    "gap-1000": _fixed(1_000.0),
    "gap-10000": _fixed(10_000.0),
    "half-sd": _fixed(1_000.0, sd_scale=0.5),
}


def runs(worlds: str | None, seeds: str | None, rounds: int) -> list[Task]:
    """The runs of every player, seed by seed, so that what was stopped has whole seeds.

    Args:
        worlds: names, separated by commas; all where not given.
        seeds: numbers, separated by commas; those of the report where not given.
        rounds: of a run.

    Raises:
        BenchError: a world does not exist, or a seed is no number.
    """
    chosen = Choice(worlds, seeds or ",".join(map(str, SEEDS)), None, rounds)
    return sorted(plan(chosen, PLAYERS), key=lambda task: task.seed)


def run_level(task: Task, place: Place) -> Result | None:
    """Plays one run of one of the levels."""
    return run_entry(PLAYERS[task.player], task, place)
