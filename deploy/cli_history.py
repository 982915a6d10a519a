"""The commands `learn` and `import`, which begin from somebody else's log."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from deploy.cli_options import ConfigFile, Overrides, Seed, with_seed


class Form(StrEnum):
    """The logs of other systems that can be imported."""

    DSJSON = "dsjson"
    OPEN_BANDIT = "open-bandit"


def learn(
    *,
    log: Annotated[
        str,
        typer.Option(
            "--log",
            metavar="kafka|PATH",
            help="The topic of outcomes, or a file of outcomes or of impressions that carry `logged`, with clicks.",
        ),
    ],
    out: Annotated[Path, typer.Option("--out", metavar="FOLDER", help="Where what was learned is saved.")],
    config: ConfigFile = None,
    overrides: Overrides = None,
    seed: Seed = None,
) -> None:
    """Learn a history of decisions, whoever took them, into a folder that `run --start` begins from."""
    from deploy.clocks import timer_s  # noqa: PLC0415 - torch loads when something is learned
    from deploy.importing.learn import Say, learn_history  # noqa: PLC0415
    from deploy.settings_load import load_settings  # noqa: PLC0415

    settings = load_settings(config, with_seed(overrides, seed))
    studied = learn_history(log, out, settings, Say(_say, timer_s))
    loss = "" if studied.loss is None else f", log loss {studied.loss:.4f} over the last tenth"
    _say(f"{studied.outcomes:,} outcomes with {studied.rows:,} rows learned into {out}{loss}")
    if studied.without_propensity:
        _say(f"{studied.without_propensity:,} of them without a propensity: they teach, and carry no estimate")
    for reason, count in studied.left_out.items():
        _say(f"left out: {count:,} {reason}")


def import_log(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="A dsjson file, or a folder of Open Bandit.")],
    *,
    form: Annotated[Form, typer.Option("--from", help="What it is.")],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The recorded log, written anew.")],
    config: ConfigFile = None,
    overrides: Overrides = None,
) -> None:
    """Turn a log of another system into a recorded log of impressions that carry `logged`, and clicks."""
    from deploy.importing.importing import import_file  # noqa: PLC0415 - pydantic loads when something is imported
    from deploy.settings_load import load_settings  # noqa: PLC0415

    imported = import_file(form.value, path, out, load_settings(config, overrides or ()).core)
    _say(f"{imported.impressions:,} impressions and {imported.clicks:,} clicks written to {out}")
    for reason, count in imported.left_out.items():
        _say(f"left out: {count:,} {reason}")
    for note in imported.notes:
        _say(note)


def _say(text: str) -> None:
    Console().print(text, markup=False, highlight=False, soft_wrap=True)
