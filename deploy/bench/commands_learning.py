"""`python -m deploy.bench delay | apprentice | explore | slates`: the policy in simulated worlds, one question each."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from deploy.bench.printing import publish, say


def delay(
    *,
    seeds: Annotated[
        str | None, typer.Option("--seeds", metavar="N,N", help="Seeds; the ten of the report where not given.")
    ] = None,
    rounds: Annotated[int, typer.Option("--rounds", min=20, help="Rounds of a run.")] = 20_000,
    windows: Annotated[
        str | None, typer.Option("--windows", metavar="N,N", help="Attribution windows in rounds; 1,200 and 5,000.")
    ] = None,
    mean: Annotated[float, typer.Option("--mean", min=0.0, help="Mean delay of a click, in rounds.")] = 500.0,
    jobs: Annotated[int, typer.Option("--jobs", min=1, help="Processes of one thread each.")] = 1,
    out: Annotated[Path, typer.Option("--out", metavar="FOLDER", help="Results.")] = Path("runs/bench-learning/delay"),
) -> None:
    """Play a world with late clicks in three ways, and compare what the lateness costs each.

    The ways are: clicks known at once, rounds that teach when their window has passed, and open rounds that count too.
    What an earlier call has stored in the folder is not played again, whatever has changed since.
    """
    from deploy.bench.delay import run_way, runs, waits  # noqa: PLC0415
    from deploy.bench.delay_report import json_lines, losses, markdown  # noqa: PLC0415
    from deploy.bench.running import Place, run_all  # noqa: PLC0415

    worlds, place = waits(windows, mean), Place(Path(), out)
    run = partial(run_way, worlds)
    found = losses(run_all(runs(worlds, seeds, rounds), place, jobs=jobs, fresh=False, say=say, run=run))
    text, lines = markdown(found), json_lines(found)
    publish(text, lines, out)


def apprentice(  # noqa: PLR0913 - one parameter for each option
    *,
    worlds: Annotated[str | None, typer.Option("--worlds", metavar="A,B", help="Four where not given.")] = None,
    seeds: Annotated[str | None, typer.Option("--seeds", metavar="N,N", help="4000 to 4004 where not given.")] = None,
    ways: Annotated[
        str | None, typer.Option("--ways", metavar="A,B", help="alone, apprentice, blind, incumbent; all of them.")
    ] = None,
    logged: Annotated[int, typer.Option("--logged", min=250, help="Rounds of the log.")] = 20_000,
    own: Annotated[int, typer.Option("--own", min=20, help="Rounds after it, which are measured.")] = 2_000,
    data: Annotated[Path, typer.Option("--data", metavar="FOLDER", help="Public data.")] = Path("../shared/data"),
    jobs: Annotated[int, typer.Option("--jobs", min=1, help="Processes of one thread each.")] = 1,
    out: Annotated[Path, typer.Option("--out", metavar="FOLDER", help="Results.")] = Path(
        "runs/bench-learning/apprentice"
    ),
) -> None:
    """Let the agent learn an incumbent's log, and compare its start with what it reaches alone.

    What an earlier call has stored in the folder is not played again, whatever has changed since.
    """
    from deploy.bench.apprentice import Length, run_way, runs  # noqa: PLC0415
    from deploy.bench.apprentice_report import json_lines, markdown, worths  # noqa: PLC0415
    from deploy.bench.plan import Choice  # noqa: PLC0415
    from deploy.bench.running import Place, run_all  # noqa: PLC0415

    length = Length(logged, own)
    tasks = runs(Choice(worlds, seeds, ways), length)
    found = worths(run_all(tasks, Place(data, out), jobs=jobs, fresh=False, say=say, run=partial(run_way, length)))
    text, lines = markdown(found), json_lines(found)
    publish(text, lines, out)


def explore(
    *,
    worlds: Annotated[str | None, typer.Option("--worlds", metavar="A,B", help="Worlds; all where not given.")] = None,
    seeds: Annotated[
        str | None, typer.Option("--seeds", metavar="N,N", help="Seeds; the six of the report where not given.")
    ] = None,
    rounds: Annotated[int, typer.Option("--rounds", min=512, help="Rounds of a run.")] = 10_000,
    data: Annotated[Path, typer.Option("--data", metavar="FOLDER", help="Public data.")] = Path("../shared/data"),
    jobs: Annotated[int, typer.Option("--jobs", min=1, help="Processes of one thread each.")] = 1,
    out: Annotated[Path, typer.Option("--out", metavar="FOLDER", help="Results.")] = Path("runs/bench-explore"),
) -> None:
    """Play all worlds with the learned level of exploring and with fixed ones; write report.md and exploration.png.

    What an earlier call has stored in the folder is not played again, whatever has changed since.
    """
    from deploy.bench.exploring import PICTURE_ROUNDS, SEEDS, run_level, runs  # noqa: PLC0415
    from deploy.bench.exploring_picture import draw_levels, watch  # noqa: PLC0415
    from deploy.bench.exploring_report import json_lines, markdown  # noqa: PLC0415
    from deploy.bench.running import Place, run_all  # noqa: PLC0415
    from deploy.bench.world_numeric import drift, returning_users  # noqa: PLC0415

    tasks = runs(worlds, seeds, rounds)
    found = run_all(tasks, Place(data, out), jobs=jobs, fresh=False, say=say, run=run_level)
    text, lines = markdown(found), json_lines(found)
    publish(text, lines, out)
    shown = (returning_users(SEEDS[0]), drift(SEEDS[0]))
    draw_levels([watch(world, SEEDS[0], PICTURE_ROUNDS) for world in shown], out / "exploration.png")


def slates(
    *,
    seeds: Annotated[
        str | None, typer.Option("--seeds", metavar="N,N", help="Seeds; the five of the report where not given.")
    ] = None,
    ways: Annotated[
        str | None, typer.Option("--ways", metavar="A,B", help="Ways to fill slates; all where not given.")
    ] = None,
    rounds: Annotated[int, typer.Option("--rounds", min=2_560, help="Slates of a run.")] = 10_000,
    jobs: Annotated[int, typer.Option("--jobs", min=1, help="Processes of one thread each.")] = 1,
    out: Annotated[Path, typer.Option("--out", metavar="FOLDER", help="Results.")] = Path("runs/bench-slates"),
) -> None:
    """Fill slates in a world where lower slots are seen less and items take from each other, in several ways.

    What an earlier call has stored in the folder is not played again, whatever has changed since.
    """
    from deploy.bench.running import Place, run_all  # noqa: PLC0415
    from deploy.bench.slate_play import plan_slates, run_way  # noqa: PLC0415
    from deploy.bench.slate_report import report  # noqa: PLC0415

    tasks = plan_slates(seeds, rounds, ways)
    found = run_all(tasks, Place(Path(), out), jobs=jobs, fresh=False, say=say, run=run_way)
    text, lines = report(found, out)
    publish(text, lines, out)
