"""`python -m deploy.bench estimators | headlines`: what logs tell of policies, and real headline tests."""

from pathlib import Path
from typing import Annotated

import typer

from deploy.bench.printing import publish, say


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
    from deploy.bench import estimators as errors  # noqa: PLC0415
    from deploy.bench import estimators_coverage as covering  # noqa: PLC0415
    from deploy.bench import estimators_rows as needing  # noqa: PLC0415

    found = errors.measure(seeds, obp)
    held = covering.measure(coverage, say)
    widths = needing.measure(rows, say)
    for text in (errors.table(found), covering.table(held), needing.table(widths)):
        say(text)
    for line in (*errors.json_lines(found), *covering.json_lines(held), *needing.json_lines(widths)):
        typer.echo(line)


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
    and without texts, a Bayesian model made for headlines alone, and Thompson sampling an arm at a time. Slates are
    arms of a test that differ in the headline (`headlines`), or all arms of a test (`tests`).
    """
    from agent.encoder.local import exact_encoder  # noqa: PLC0415
    from deploy.bench.headline_report import json_lines, markdown  # noqa: PLC0415
    from deploy.bench.headline_tests import read_headlines  # noqa: PLC0415
    from deploy.bench.headlines import SIZES, HeadlinePlan, cross_validate, forms, stream  # noqa: PLC0415
    from deploy.bench.world_reading import Vectors  # noqa: PLC0415

    plan = HeadlinePlan(sizes=tuple(sorted(sizes or SIZES)), sample=sample)
    players = forms(overrides or ())
    vectors = Vectors(exact_encoder(players[0].settings.encoder), out / "texts")
    tests = read_headlines(data / "upworthy", vectors, slates)
    found = cross_validate(tests, plan, players, say), stream(tests, plan, players, say)
    publish(markdown(*found, plan), json_lines(*found), out)
