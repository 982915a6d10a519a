"""Comparing ours to the peers: paired by world and seed, with intervals over seeds."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

from deploy.bench.results import Result


class Mean(NamedTuple):
    """A mean over seeds, and half of its 95 % interval; the half is None below two seeds."""

    mean: float
    half: float | None

    def __str__(self) -> str:
        """Both, as they stand in a table."""
        return f"{self.mean:.3f}" if self.half is None else f"{self.mean:.3f} ± {self.half:.3f}"


class Comparison(NamedTuple):
    """Ours and the best peer of each seed in one world.

    Attributes:
        world: Its name.
        seeds: How many there were.
        ours: Lift of ours.
        theirs: Lift of the best peer of each seed.
        difference: Ours less the best peer of the same seed.
        best: The peers that were best, with the number of seeds.
        last_quarter: Ours less the same peer in the last quarter of the rounds.
    """

    world: str
    seeds: int
    ours: Mean
    theirs: Mean
    difference: Mean
    best: dict[str, int]
    last_quarter: Mean


def mean_of(values: Sequence[float]) -> Mean:
    """The mean with the 95 % interval of Student's t.

    >>> str(mean_of([0.1, 0.2, 0.3]))
    '0.200 ± 0.248'
    """
    value_N = np.asarray(values, dtype=np.float64)
    if len(value_N) < 2:
        return Mean(float(value_N.mean()), None)
    return Mean(float(value_N.mean()), float(stats.t.ppf(0.975, len(value_N) - 1) * stats.sem(value_N)))


def compared(results: Sequence[Result], ours: str) -> list[Comparison]:
    """One comparison for each world in which `ours` and a peer played the same seeds, in the order of the results.

    The best peer is picked for each seed after the fact, so a peer that is lucky once counts as the best there: the
    difference is a lower bound of what it would be to any single one of them.
    """
    found = (_compared(world, results, ours) for world in dict.fromkeys(each.world for each in results))
    return [each for each in found if each is not None]


def _compared(world: str, results: Sequence[Result], ours: str) -> Comparison | None:
    mine = {each.seed: each for each in results if each.world == world and each.player == ours}
    pairs: list[tuple[Result, Result]] = []
    for seed, one in mine.items():
        peers = [each for each in results if (each.world, each.seed) == (world, seed) and each.player != ours]
        if peers:
            pairs.append((one, max(peers, key=lambda each: each.lift)))
    if not pairs:
        return None
    return Comparison(
        world=world,
        seeds=len(pairs),
        ours=mean_of([one.lift for one, _ in pairs]),
        theirs=mean_of([best.lift for _, best in pairs]),
        difference=mean_of([one.lift - best.lift for one, best in pairs]),
        best=dict(Counter(best.player for _, best in pairs).most_common()),
        last_quarter=mean_of([one.quarters[-1] - best.quarters[-1] for one, best in pairs]),
    )
