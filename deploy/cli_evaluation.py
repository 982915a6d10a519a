"""The commands `evaluate` and `tune`, which judge policies and settings by a log."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from deploy.cli_options import ConfigFile, Overrides, Seed, with_seed

LogOption = Annotated[
    str,
    typer.Option(
        "--log",
        metavar="kafka|PATH",
        help="The topic of outcomes, a file of outcomes or of a recorded log, an Open Bandit folder, or Upworthy.",
    ),
]
Limit = Annotated[
    int,
    typer.Option("--limit", metavar="N", min=1, help="Decisions read, the newest; of Upworthy, impressions drawn."),
]
_LIMIT = 100_000


class Search(StrEnum):
    """How settings are searched for."""

    GRID = "grid"
    RANDOM = "random"
    BAYES = "bayes"


def evaluate(  # noqa: PLR0913 - one parameter for each option
    *,
    log: LogOption,
    policy: Annotated[
        str,
        typer.Option(
            "--policy",
            metavar="POLICY",
            help="uniform, logging, logged-scores, snapshot:PATH, greedy:PATH (a snapshot or checkpoints of a run), or "
            "settings:FILE.toml (a new policy that learns the log).",
        ),
    ],
    estimator: Annotated[
        list[str] | None, typer.Option("--estimator", metavar="NAME", help="Only this one; can be repeated.")
    ] = None,
    limit: Limit = _LIMIT,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON and no tables.")] = False,
    config: ConfigFile = None,
    overrides: Overrides = None,
    seed: Seed = None,
) -> None:
    """Estimate from a log what another policy would have earned."""
    from deploy.evaluating.evaluation import ESTIMATORS, evaluate  # noqa: PLC0415 - only this command needs numpy
    from deploy.evaluating.policies import target_of  # noqa: PLC0415
    from deploy.evaluating.showing import evaluation_json, show_evaluation  # noqa: PLC0415
    from deploy.evaluating.sources import read_log  # noqa: PLC0415
    from deploy.settings_load import load_settings  # noqa: PLC0415

    named = with_seed(overrides, seed)
    settings = load_settings(config, named)
    logged = read_log(log, settings, limit)
    target = target_of(policy, logged, settings, named)
    found = evaluate(logged, target, estimator or ESTIMATORS, settings.seed)
    if as_json:
        typer.echo(evaluation_json(found))
    else:
        show_evaluation(found, Console())


def tune(  # noqa: PLR0913 - one parameter for each option
    *,
    log: LogOption,
    space: Annotated[
        list[str],
        typer.Option(
            "--space",
            metavar="KEY=VALUES",
            help="What to try of a setting: a,b,c, or from low..high, or log:low..high; can be repeated.",
        ),
    ],
    search: Annotated[Search, typer.Option("--search", help="Every combination, random ones, or Optuna's.")] = (
        Search.RANDOM
    ),
    trials: Annotated[int, typer.Option("--trials", metavar="N", min=1, help="How many; a grid has its own.")] = 16,
    estimator: Annotated[
        str, typer.Option("--estimator", metavar="NAME", help="Whose lower end of the interval is maximised.")
    ] = "snips",
    parallel: Annotated[int, typer.Option("--parallel", metavar="N", min=1, help="Trials at once.")] = 1,
    limit: Limit = _LIMIT,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Write the best settings there.")] = None,
    config: ConfigFile = None,
    overrides: Overrides = None,
    seed: Seed = None,
) -> None:
    """Search for settings whose policy, learning the log from nothing, is estimated to earn the most."""
    from deploy.evaluating.tuning import TuneOptions, tune_settings  # noqa: PLC0415 - loads Ray

    options = TuneOptions(
        log=log,
        space=tuple(space),
        search=search.value,
        trials=trials,
        estimator=estimator,
        parallel=parallel,
        limit=limit,
        out=out,
        config=config,
        overrides=tuple(with_seed(overrides, seed)),
    )
    tune_settings(options, Console(width=None if sys.stdout.isatty() else 160))
