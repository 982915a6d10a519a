"""What late clicks cost, in tables: each way's loss against clicks known at once, paired by seed."""

import json
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from deploy.bench.compare import Mean, mean_of
from deploy.bench.delay import CORRECTED, IMMEDIATE, WAITING
from deploy.bench.results import Result

GOAL = 0.5  # of what waiting loses, `corrected` should lose at most this share


class Losses(NamedTuple):
    """What late clicks cost in one world.

    Attributes:
        world: Its name.
        lift_by_seed: The lift of each way, by seed.
        lifts: The mean of each way.
        waiting: Lift lost by waiting, against the same seed with clicks known at once.
        corrected: The same where open rounds count.
        share: Mean loss of `corrected` in that of waiting; None where waiting loses nothing.
        beyond: Loss of `corrected` beyond half of that of waiting; the goal is at most 0.
    """

    world: str
    lift_by_seed: dict[int, dict[str, float]]
    lifts: dict[str, Mean]
    waiting: Mean
    corrected: Mean
    share: float | None
    beyond: Mean


def losses(results: Sequence[Result]) -> list[Losses]:
    """The losses in each world, in the order of the results; every seed has a result of each way."""
    return [
        _losses(world, [each for each in results if each.world == world])
        for world in dict.fromkeys(each.world for each in results)
    ]


def _losses(world: str, results: Sequence[Result]) -> Losses:
    lift_by_seed: dict[int, dict[str, float]] = {}
    for each in results:
        lift_by_seed.setdefault(each.seed, {})[each.player] = each.lift
    lifts = list(lift_by_seed.values())
    waiting = [lift[IMMEDIATE] - lift[WAITING] for lift in lifts]
    corrected = [lift[IMMEDIATE] - lift[CORRECTED] for lift in lifts]
    return Losses(
        world=world,
        lift_by_seed=lift_by_seed,
        lifts={way: mean_of([lift[way] for lift in lifts]) for way in (IMMEDIATE, WAITING, CORRECTED)},
        waiting=mean_of(waiting),
        corrected=mean_of(corrected),
        share=sum(corrected) / sum(waiting) if sum(waiting) > 0 else None,
        beyond=mean_of([ours - GOAL * theirs for ours, theirs in zip(corrected, waiting, strict=True)]),
    )


def markdown(found: Sequence[Losses]) -> str:
    """The report: one section for each world, named by its window and the mean delay of a click, in rounds."""
    return "\n".join(line for each in found for line in _section(each))


def _section(one: Losses) -> Iterator[str]:
    yield f"## {one.world}"
    yield ""
    yield f"| seed | {IMMEDIATE} | {WAITING} | {CORRECTED} |"
    yield "| --- | --- | --- | --- |"
    for seed, lift in one.lift_by_seed.items():
        yield f"| {seed} | {lift[IMMEDIATE]:.3f} | {lift[WAITING]:.3f} | {lift[CORRECTED]:.3f} |"
    yield f"| all | {one.lifts[IMMEDIATE]} | {one.lifts[WAITING]} | {one.lifts[CORRECTED]} |"
    yield f"| loss | | {one.waiting} | {one.corrected} |"
    yield ""
    yield f"Share of waiting's loss that {CORRECTED} loses: {'–' if one.share is None else f'{one.share:.2f}'}."
    yield f"Its loss beyond {GOAL:g} of waiting's (goal: at most 0): {one.beyond}."
    yield ""


def json_lines(found: Sequence[Losses]) -> list[str]:
    """A line for each world; `ours` is the loss of `corrected`, `theirs` that of waiting."""
    return [_line(each) for each in found]


def _line(one: Losses) -> str:
    half = one.beyond.half
    return json.dumps(
        {
            "name": f"delay-{one.world}",
            "ratio": None if one.share is None else round(one.share, 4),
            "ours": round(one.corrected.mean, 4),
            "theirs": round(one.waiting.mean, 4),
            "unit": "lost normalised lift",
            "spread": None if half is None else round(half, 4),
        }
    )
