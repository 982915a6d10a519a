"""What came of the trials of a search: a table, the best first, and the best settings as TOML."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from agent.evaluation import Estimate
from deploy.errors import EvaluateError
from deploy.evaluating.space import toml_of

SECTION = "agent."
"""What the settings that are searched for begin with."""


@dataclass(frozen=True)
class Trial:
    """Settings with what the log says of them; `error` where they could not be judged."""

    settings: dict[str, str]
    estimate: Estimate | None
    loss: float | None
    error: str | None


def rank(trials: Sequence[Trial], estimator: str, out: Path | None, console: Console) -> list[Trial]:
    """Prints the trials, the best first, and the best settings as TOML, and writes these.

    Args:
        trials: in any order.
        estimator: whose estimates they hold.
        out: where the best settings are written; nowhere where None.
        console: where to print.

    Returns:
        The trials in that order.

    Raises:
        EvaluateError: no trial could be judged, or the file cannot be written.
    """
    ranked = sorted(trials, key=lambda each: -each.estimate.lower if each.estimate is not None else float("inf"))
    console.print(_table(ranked, estimator))
    for error in dict.fromkeys(each.error for each in ranked if each.error):
        console.print(f"[yellow]failed[/yellow]: {escape(error)}", highlight=False)
    best = ranked[0]
    if best.estimate is None:
        raise EvaluateError("--space must hold settings that can be judged; all trials failed")
    console.print("The best of several estimates is likely too high: judge it again on later decisions.\n")
    toml = toml_of(best.settings)
    console.print(toml, markup=False, highlight=False, end="")
    if out is not None:
        _write(out, toml)
    return ranked


def _table(trials: Sequence[Trial], estimator: str) -> Table:
    keys = tuple(trials[0].settings)
    table = Table(title=f"{len(trials)} trials by the lower end of {estimator}")
    for name in (
        *(key.removeprefix(SECTION) for key in keys),
        "value",
        "95 % interval",
        "eff. n",
        "log loss",
        "warns",
    ):
        table.add_column(name, justify="right")
    for trial in trials:
        estimate = trial.estimate
        cells = ["failed", "", "", "", ""]
        if estimate is not None:
            cells = [
                f"{estimate.value:.4f}",
                f"{estimate.lower:.4f} to {estimate.upper:.4f}",
                f"{estimate.effective_sample_size:,.0f}",
                "–" if trial.loss is None else f"{trial.loss:.4f}",
                "[yellow]yes[/yellow]" if estimate.warning else "no",
            ]
        table.add_row(*(escape(_short(trial.settings.get(key, ""))) for key in keys), *cells)
    return table


def _short(value: str) -> str:
    try:
        return value if value.lstrip("-").isdigit() else f"{float(value):.4g}"
    except ValueError:
        return value


def _write(path: Path, toml: str) -> None:
    try:
        path.write_text(toml)
    except OSError as error:
        raise EvaluateError(f"--out must be a file that can be written; got {path} ({error.strerror})") from error
