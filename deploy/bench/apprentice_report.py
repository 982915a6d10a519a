"""What somebody else's log is worth, in a table: lift after a log over lift after as many own decisions, by seed."""

import json
from collections.abc import Sequence
from typing import NamedTuple

from deploy.bench.apprentice import ALONE, APPRENTICE, BLIND, INCUMBENT
from deploy.bench.compare import Mean, mean_of
from deploy.bench.results import Result

GOAL = 0.8  # of the lift after as many decisions of its own
_WAYS = (INCUMBENT, ALONE, APPRENTICE, BLIND)


class Worth(NamedTuple):
    """What a log is worth in one world.

    Attributes:
        world: Its name; `all` for the worlds together, each with the same weight.
        lifts: The mean lift of each way that was played.
        share: Lift after the log over lift after as many own decisions, over the seeds; of `all`, over the worlds.
        blind: The same where the log has no propensities; None where that was not played.
    """

    world: str
    lifts: dict[str, Mean]
    share: Mean
    blind: Mean | None


def worths(results: Sequence[Result]) -> list[Worth]:
    """What a log is worth in each world in which the agent was played alone and after it, and in all together."""
    found = []
    for world in dict.fromkeys(each.world for each in results):
        of = {way: {e.seed: e.lift for e in results if (e.world, e.player) == (world, way)} for way in _WAYS}
        if of[ALONE] and of[APPRENTICE]:
            lifts = {way: mean_of(list(by_seed.values())) for way, by_seed in of.items() if by_seed}
            blind = _share(of[BLIND], of[ALONE]) if of[BLIND] else None
            found.append(Worth(world, lifts, _share(of[APPRENTICE], of[ALONE]), blind))
    if len(found) > 1:
        blinds = [each.blind.mean for each in found if each.blind is not None]
        together = mean_of([each.share.mean for each in found])
        found.append(Worth("all", {}, together, mean_of(blinds) if blinds else None))
    return found


def _share(lift: dict[int, float], alone: dict[int, float]) -> Mean:
    return mean_of([lift[seed] / alone[seed] for seed in alone if seed in lift])


def markdown(found: Sequence[Worth]) -> str:
    """The table; the share's goal is 0.80 in the mean."""
    lines = [
        "| world | incumbent | alone | after the log | share | without propensities |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for each in found:
        lifts = [str(each.lifts.get(way, "")) for way in (INCUMBENT, ALONE, APPRENTICE)]
        lines.append(f"| {' | '.join([each.world, *lifts, str(each.share), str(each.blind or '–')])} |")
    return "\n".join([*lines, ""])


def json_lines(found: Sequence[Worth]) -> list[str]:
    """A line for each world; the ratio is the share, `ours` the lift after the log, `theirs` that alone."""
    return [_line(each) for each in found]


def _line(one: Worth) -> str:
    lift = {way: round(mean.mean, 4) for way, mean in one.lifts.items()}
    half = one.share.half
    return json.dumps(
        {
            "name": f"apprentice-{one.world}",
            "ratio": round(one.share.mean, 4),
            "ours": lift.get(APPRENTICE),
            "theirs": lift.get(ALONE),
            "unit": "normalised lift",
            "spread": None if half is None else round(half, 4),
        }
    )
