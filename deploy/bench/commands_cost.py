"""`python -m deploy.bench costs | loop | learners`: what deciding, learning and the event loop cost."""

from contextlib import nullcontext
from typing import Annotated

import typer

from deploy.bench.printing import say


def costs(
    *,
    sizes: Annotated[
        list[int] | None, typer.Option("--size", metavar="N", help="Items and users; again for more, ascending.")
    ] = None,
    layouts: Annotated[
        list[str] | None, typer.Option("--layout", metavar="NAME", help="numeric or text; both where not given.")
    ] = None,
    repeats: Annotated[int, typer.Option("--repeats", min=1, help="Of every measurement, at most 15.")] = 7,
) -> None:
    """Measure what a decision and a learned row cost with 100 and up to a million items and users."""
    from deploy.bench.cost_filling import LAYOUTS  # noqa: PLC0415
    from deploy.bench.costs import SIZES, json_lines, measure, table  # noqa: PLC0415

    for layout in layouts or LAYOUTS:
        found = measure(layout, sizes or SIZES, repeats)
        say(table(found))
        for line in json_lines(found):
            typer.echo(line)


def loop(
    *,
    world: Annotated[str, typer.Option("--world", metavar="NAME", help="A world without texts.")] = "linear",
    seeds: Annotated[
        list[int] | None, typer.Option("--seed", metavar="N", help="0 where not given; again for more.")
    ] = None,
    loops: Annotated[
        list[str] | None, typer.Option("--loop", metavar="NAME", help="live or deterministic; both where not given.")
    ] = None,
    rounds: Annotated[int, typer.Option("--rounds", min=20, help="Rounds of a run.")] = 6_000,
) -> None:
    """Play a world through the event loop and in process, and compare the lifts."""
    from deploy.bench.loop import LOOPS, compare, json_lines, table  # noqa: PLC0415
    from deploy.cluster import cluster  # noqa: PLC0415

    chosen = loops or list(LOOPS)
    with cluster(quiet=True) if "live" in chosen else nullcontext():
        found = compare(world, seeds or [0], chosen, rounds, say)
    say(table(found))
    for line in json_lines(found):
        typer.echo(line)


def learners() -> None:
    """Measure what learning gains or loses with workers that add up its sums."""
    from deploy.bench.learners import measure, table  # noqa: PLC0415
    from deploy.cluster import cluster  # noqa: PLC0415

    with cluster(quiet=True):
        say(table(measure()))
