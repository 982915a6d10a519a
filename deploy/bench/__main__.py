"""`python -m deploy.bench`: our policy and its peers learn the same worlds, and a report compares them.

`python -m deploy.bench costs` measures what decisions and learning cost, `python -m deploy.bench loop` what the event
loop loses or gains against the same policy in process, `python -m deploy.bench delay` what late clicks cost,
`python -m deploy.bench learners` what several workers that add up its sums gain, `python -m deploy.bench apprentice`
how well it starts after somebody else's log, `python -m deploy.bench estimators` how far off-policy estimates are from
the truth, `python -m deploy.bench slates` what slates earn that know of positions and of items that resemble each other,
`python -m deploy.bench explore` what the learned level of exploring gains or loses against fixed ones,
`python -m deploy.bench headlines` what the policy earns in real headline tests.
"""

import os
import sys
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape

from deploy.bench.blas import one_thread_each
from deploy.errors import DeployError

if TYPE_CHECKING:
    from deploy.bench.results import Result

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


_HELP = {"help_option_names": ["-h", "--help"]}


@app.callback(invoke_without_command=True, context_settings=_HELP)
def bench(  # noqa: PLR0913 - one parameter for each option
    context: typer.Context,
    *,
    worlds: Annotated[str | None, typer.Option("--worlds", metavar="A,B", help="Worlds; all where not given.")] = None,
    seeds: Annotated[
        str | None, typer.Option("--seeds", metavar="N,N", help="Seeds; the ten of the report where not given.")
    ] = None,
    players: Annotated[
        str | None, typer.Option("--players", metavar="A,B", help="Players; all where not given.")
    ] = None,
    rounds: Annotated[int | None, typer.Option("--rounds", min=20, help="Rounds of a run; 20,000.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Three worlds, two seeds, 6,000 rounds.")] = False,
    cold: Annotated[
        bool, typer.Option("--cold", help="Also play the worlds of texts once with an encoder that has met none.")
    ] = False,
    data: Annotated[Path, typer.Option("--data", metavar="FOLDER", help="Public data.")] = Path("../shared/data"),
    out: Annotated[Path, typer.Option("--out", metavar="FOLDER", help="Results.")] = Path("runs/bench-learning"),
    jobs: Annotated[
        int | None, typer.Option("--jobs", min=1, help="Processes of one thread each; one for each core.")
    ] = None,
    code: Annotated[
        str, typer.Option("--code", metavar="VERSION", help="Version of the code; results of another are not reused.")
    ] = "",
    fresh: Annotated[bool, typer.Option("--fresh", help="Play all runs anew.")] = False,
) -> None:
    """Play the worlds, store each result, and write report.md, results.jsonl and curves.png.

    What an earlier call has stored is not played again. The options below are for this alone; each command has its own.
    """
    if context.invoked_subcommand is not None:
        return
    from deploy.bench.plan import Choice, plan  # noqa: PLC0415 - help is there at once
    from deploy.bench.players import known_players  # noqa: PLC0415
    from deploy.bench.running import Place, run_all  # noqa: PLC0415

    entries = known_players()
    tasks = plan(Choice(worlds, seeds, players, rounds, quick, cold), entries)
    results = run_all(tasks, Place(data, out, code), jobs=jobs or os.cpu_count() or 1, fresh=fresh, say=_say)
    _write(results, next(name for name, entry in entries.items() if entry.ours), out)


@app.command(context_settings=_HELP)
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
    one_thread_each()
    from deploy.bench.cost_filling import LAYOUTS  # noqa: PLC0415
    from deploy.bench.costs import SIZES, json_lines, measure, table  # noqa: PLC0415

    for layout in layouts or LAYOUTS:
        found = measure(layout, sizes or SIZES, repeats)
        _say(table(found))
        for line in json_lines(found):
            typer.echo(line)


@app.command(context_settings=_HELP)
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
        found = compare(world, seeds or [0], chosen, rounds, _say)
    _say(table(found))
    for line in json_lines(found):
        typer.echo(line)


@app.command(context_settings=_HELP)
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
    found = losses(run_all(runs(worlds, seeds, rounds), place, jobs=jobs, fresh=False, say=_say, run=run))
    text, lines = markdown(found), json_lines(found)
    (out / "report.md").write_text(text, "utf-8")
    (out / "results.jsonl").write_text("".join(f"{line}\n" for line in lines), "utf-8")
    _say(text)
    for line in lines:
        typer.echo(line)


@app.command(context_settings=_HELP)
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
    found = worths(run_all(tasks, Place(data, out), jobs=jobs, fresh=False, say=_say, run=partial(run_way, length)))
    text, lines = markdown(found), json_lines(found)
    out.mkdir(parents=True, exist_ok=True)
    (out / "report.md").write_text(text, "utf-8")
    (out / "results.jsonl").write_text("".join(f"{line}\n" for line in lines), "utf-8")
    _say(text)
    for line in lines:
        typer.echo(line)


@app.command(context_settings=_HELP)
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
    one_thread_each()
    from deploy.bench.exploring import PICTURE_ROUNDS, SEEDS, run_level, runs  # noqa: PLC0415
    from deploy.bench.exploring_picture import draw_levels, watch  # noqa: PLC0415
    from deploy.bench.exploring_report import json_lines, markdown  # noqa: PLC0415
    from deploy.bench.running import Place, run_all  # noqa: PLC0415
    from deploy.bench.world_numeric import drift, returning_users  # noqa: PLC0415

    tasks = runs(worlds, seeds, rounds)
    found = run_all(tasks, Place(data, out), jobs=jobs, fresh=False, say=_say, run=run_level)
    text, lines = markdown(found), json_lines(found)
    (out / "report.md").write_text(text, "utf-8")
    (out / "results.jsonl").write_text("".join(f"{line}\n" for line in lines), "utf-8")
    shown = (returning_users(SEEDS[0]), drift(SEEDS[0]))
    draw_levels([watch(world, SEEDS[0], PICTURE_ROUNDS) for world in shown], out / "exploration.png")
    _say(text)
    for line in lines:
        typer.echo(line)


@app.command(context_settings=_HELP)
def learners() -> None:
    """Measure what learning gains or loses with workers that add up its sums."""
    from deploy.bench.learners import measure, table  # noqa: PLC0415
    from deploy.cluster import cluster  # noqa: PLC0415

    with cluster(quiet=True):
        _say(table(measure()))


@app.command(context_settings=_HELP)
def estimators(
    *,
    seeds: Annotated[int, typer.Option("--seeds", metavar="N", min=2, help="Logs of each question.")] = 40,
    obp: Annotated[
        Path | None, typer.Option("--obp", metavar="PYTHON", help="A Python that has obp, to compare with.")
    ] = None,
    coverage: Annotated[
        int, typer.Option("--coverage", metavar="N", min=0, help="Also count what intervals hold, on N logs each.")
    ] = 0,
    rows: Annotated[
        int, typer.Option("--rows", metavar="N", min=0, help="Also measure, on N logs each, what rows tell.")
    ] = 0,
) -> None:
    """Measure the error of every off-policy estimator on simulated logs whose truth is known."""
    one_thread_each()
    from deploy.bench import estimators as errors  # noqa: PLC0415
    from deploy.bench import estimators_coverage as covering  # noqa: PLC0415
    from deploy.bench import estimators_rows as needing  # noqa: PLC0415

    found = errors.measure(seeds, obp)
    held = covering.measure(coverage, _say)
    widths = needing.measure(rows, _say)
    for text in (errors.table(found), covering.table(held), needing.table(widths)):
        _say(text)
    for line in (*errors.json_lines(found), *covering.json_lines(held), *needing.json_lines(widths)):
        typer.echo(line)


@app.command(context_settings=_HELP)
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
    found = run_all(tasks, Place(Path(), out), jobs=jobs, fresh=False, say=_say, run=run_way)
    text, lines = report(found, out)
    (out / "report.md").write_text(text, "utf-8")
    (out / "results.jsonl").write_text("".join(f"{line}\n" for line in lines), "utf-8")
    _say(text)
    for line in lines:
        typer.echo(line)


@app.command(context_settings=_HELP)
def headlines(
    *,
    data: Annotated[Path, typer.Option("--data", metavar="FOLDER", help="Public data.")] = Path("../shared/data"),
    slates: Annotated[str, typer.Option("--slates", metavar="FORM", help="headlines or tests.")] = "headlines",
    sizes: Annotated[
        list[int] | None, typer.Option("--size", metavar="N", help="Impressions a slate; again for more.")
    ] = None,
    sample: Annotated[int | None, typer.Option("--sample", min=1, help="Slates of a fold, at most; all.")] = None,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="A setting of the agent; again for more.")
    ] = None,
    out: Annotated[Path, typer.Option("--out", metavar="FOLDER", help="Results.")] = Path("runs/bench-headlines"),
) -> None:
    """Play real headline tests: held out ones after what others taught, and a stream of them from nothing.

    Two forms of the policy play, its defaults (or what `--set` makes of them) and tempered Thompson sampling, each with
    and without texts, and Thompson sampling an arm at a time. Slates are arms of a test that differ in the headline
    (`headlines`), or all arms of a test (`tests`).
    """
    one_thread_each()
    from deploy.bench.headline_report import write  # noqa: PLC0415
    from deploy.bench.headline_tests import read_headlines  # noqa: PLC0415
    from deploy.bench.headlines import SIZES, HeadlinePlan, cross_validate, forms, stream  # noqa: PLC0415
    from deploy.bench.world_reading import Vectors  # noqa: PLC0415

    plan = HeadlinePlan(sizes=tuple(sorted(sizes or SIZES)), sample=sample)
    tests = read_headlines(data / "upworthy", Vectors(folder=out / "texts"), slates)
    players = forms(overrides or ())
    found = cross_validate(tests, plan, players, _say), stream(tests, plan, players, _say)
    for text in write(*found, plan, out):
        _say(text)


def _write(results: "list[Result]", ours: str, out: Path) -> None:
    from deploy.bench.curves import draw_curves  # noqa: PLC0415
    from deploy.bench.report import json_lines, markdown  # noqa: PLC0415

    text, lines = markdown(results, ours), json_lines(results, ours)
    out.mkdir(parents=True, exist_ok=True)
    (out / "report.md").write_text(text, "utf-8")
    (out / "results.jsonl").write_text("".join(f"{line}\n" for line in lines), "utf-8")
    draw_curves([each for each in results if not each.cold], out / "curves.png")
    _say(text)
    for line in lines:
        typer.echo(line)
    _say(f"The report is {out / 'report.md'}, the picture {out / 'curves.png'}")


def main() -> None:
    """The command: what is wrong is one red line, not a traceback."""
    try:
        app()
    except DeployError as error:
        Console(stderr=True).print(f"[bold red]{escape(str(error))}[/bold red]", soft_wrap=True, highlight=False)
        sys.exit(2)


def _say(text: str) -> None:
    Console().print(text, markup=False, highlight=False, soft_wrap=True)


if __name__ == "__main__":
    main()
