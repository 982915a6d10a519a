"""The report of `bench explore`: the learned level against the best fixed one of each world and against each."""

import json
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from deploy.bench.compare import Mean, mean_of
from deploy.bench.exploring import TUNED
from deploy.bench.results import Result
from deploy.bench.rounds import Floats

_GOAL, _GOAL_LOWER = -0.01, -0.03


class AgainstBest(NamedTuple):
    """The learned level in one world, and the fixed one that had the best mean over the same seeds.

    Attributes:
        world: its name.
        seeds: how many there were.
        lifts: mean lift of each player, by name.
        best: the best fixed level.
        difference: of the learned level to it, paired by seed.
    """

    world: str
    seeds: int
    lifts: dict[str, float]
    best: str
    difference: Mean

    @property
    def holds(self) -> bool:
        """Whether the mean is at least -.01 and the lower bound above -.03."""
        mean, half = self.difference
        return mean >= _GOAL and half is not None and mean - half > _GOAL_LOWER


def against_best(results: Sequence[Result]) -> list[AgainstBest]:
    """One comparison for each world, over the seeds that all players have played."""
    return [_world(world, results) for world in dict.fromkeys(each.world for each in results)]


def against_each(results: Sequence[Result]) -> dict[str, Mean]:
    """The learned level less each fixed one: lifts are averaged over worlds for each seed, then paired by seed."""
    worlds = list(dict.fromkeys(each.world for each in results))
    lifts_by_world = [_lifts(world, results) for world in worlds]
    shared = set.intersection(*(set(each[TUNED]) for each in lifts_by_world))
    mean_of_seed = {
        name: {seed: float(np.mean([each[name][seed] for each in lifts_by_world])) for seed in sorted(shared)}
        for name in lifts_by_world[0]
    }
    tuned = mean_of_seed.pop(TUNED)
    return {name: mean_of([tuned[seed] - found[seed] for seed in tuned]) for name, found in mean_of_seed.items()}


def markdown(results: Sequence[Result]) -> str:
    """Both comparisons as tables."""
    return "\n".join((*_worlds(against_best(results)), "", *_levels(against_each(results)))) + "\n"


def json_lines(results: Sequence[Result]) -> list[str]:
    """One line for each world: lift of the learned level and of the best fixed one, and half of the interval."""
    return [
        json.dumps(
            {
                "name": f"explore-{one.world}",
                "ratio": round(one.lifts[TUNED] / one.lifts[one.best], 4),
                "ours": round(one.lifts[TUNED], 4),
                "theirs": round(one.lifts[one.best], 4),
                "unit": "normalised lift",
                "spread": None if one.difference.half is None else round(one.difference.half, 4),
            }
        )
        for one in against_best(results)
    ]


def _lifts(world: str, results: Sequence[Result]) -> dict[str, dict[int, float]]:
    """The lift of each player by seed, of the seeds that all of them have played."""
    found: dict[str, dict[int, float]] = {}
    for each in results:
        if each.world == world:
            found.setdefault(each.player, {})[each.seed] = each.lift
    shared = set.intersection(*(set(lifts) for lifts in found.values()))
    return {name: {seed: lifts[seed] for seed in sorted(shared)} for name, lifts in found.items()}


def _world(world: str, results: Sequence[Result]) -> AgainstBest:
    lifts = _lifts(world, results)
    means = {name: float(np.mean(list(found.values()))) for name, found in lifts.items()}
    best = max((name for name in means if name != TUNED), key=lambda name: means[name])
    differences: Floats = np.array([lifts[TUNED][seed] - lifts[best][seed] for seed in lifts[TUNED]])
    return AgainstBest(world, len(differences), means, best, mean_of(differences.tolist()))


def _worlds(found: Sequence[AgainstBest]) -> Iterator[str]:
    names = list(found[0].lifts)
    yield f"| world | seeds | {' | '.join(names)} | best fixed | difference | at least -.01, bound above -.03 |"
    yield "| --- " * (len(names) + 5) + "|"
    for one in found:
        lifts = " | ".join(f"{one.lifts[name]:.3f}" for name in names)
        told = "yes" if one.holds else "no"
        yield f"| {one.world} | {one.seeds} | {lifts} | {one.best} | {one.difference} | {told} |"


def _levels(found: dict[str, Mean]) -> Iterator[str]:
    yield "| the learned level less | mean over worlds, paired by seed |"
    yield "| --- | --- |"
    for name, difference in found.items():
        yield f"| {name} | {difference} |"
