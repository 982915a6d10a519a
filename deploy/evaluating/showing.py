"""An evaluation for a person, as tables, and for a program, as JSON."""

import json
import math
from dataclasses import asdict
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from agent.evaluation import Estimate
from agent.evaluation.interval import ENOUGH_CLICKS, ENOUGH_DECISIONS
from deploy.evaluating.evaluation import Evaluation

_LOGGED = "logged mean"


def evaluation_json(evaluation: Evaluation) -> str:
    """All of it as one JSON object; what is infinite or not known is null."""
    return json.dumps(_plain(asdict(evaluation)), indent=1)


def show_evaluation(evaluation: Evaluation, console: Console) -> None:
    """Prints the estimates, the policy as it learns, and under them every warning and note.

    `eff. n` and `clicks` are the effective sample size and the effective clicks of an estimate.
    """
    console.print(f"[bold]{escape(evaluation.policy)}[/bold] on {escape(evaluation.log)}", highlight=False)
    left = "".join(f"; left out, {name}: {count:,}" for name, count in evaluation.left_out.items())
    console.print(f"{evaluation.decisions:,} decisions judged{left}", highlight=False)
    console.print(_table(evaluation))
    if evaluation.parts:
        console.print(_parts(evaluation))
        if evaluation.loss is not None:
            console.print(f"log loss before each decision was learned: {evaluation.loss:.4f}", highlight=False)
    for line in _verdict(evaluation):
        console.print(f"[bold yellow]{line}[/bold yellow]", highlight=False)
    for warning, names in _warnings(evaluation).items():
        console.print(f"[yellow]warning[/yellow] ({', '.join(names)}): {escape(warning)}", highlight=False)
    for note in evaluation.notes:
        console.print(f"note: {escape(note)}", highlight=False)


def _verdict(evaluation: Evaluation) -> list[str]:
    """Whether the log is too small for the question, and by how much; both counts grow with the decisions."""
    for estimate in evaluation.estimates.values():
        if estimate.effective_clicks is not None:
            least = min(estimate.effective_sample_size / ENOUGH_DECISIONS, estimate.effective_clicks / ENOUGH_CLICKS)
            if least >= 1.0:
                return []
            times = (
                f"about {1.0 / least:,.1f} times as many decisions might"
                if least
                else "no click counts under this policy"
            )
            return [f"This log cannot carry the answer; {times}."]
    return []


def _table(evaluation: Evaluation) -> Table:
    table = _columns("estimator", "value", "error", "95 % interval", "eff. n", "clicks", "warns")
    rows = {_LOGGED: evaluation.logging, **evaluation.estimates}
    for name, estimate in rows.items():
        table.add_row(name, *_cells(estimate), end_section=name == _LOGGED)
    return table


def _cells(estimate: Estimate) -> list[str]:
    clicks = estimate.effective_clicks
    return [
        f"{estimate.value:.4f}",
        f"{estimate.std_error:.4f}",
        f"{estimate.lower:.4f} to {estimate.upper:.4f}",
        f"{estimate.effective_sample_size:,.0f}",
        "–" if clicks is None else f"{clicks:,.0f}",
        "[yellow]yes[/yellow]" if estimate.warning else "no",
    ]


def _parts(evaluation: Evaluation) -> Table:
    table = _columns("as it learns", "value (snips)", "95 % interval", "log's mean", "log loss")
    for part in evaluation.parts:
        estimate = part.estimate
        table.add_row(
            f"{part.start:,} to {part.stop:,}",
            f"{estimate.value:.4f}",
            f"{estimate.lower:.4f} to {estimate.upper:.4f}",
            f"{part.logged:.4f}",
            "–" if part.loss is None else f"{part.loss:.4f}",
        )
    return table


def _columns(first: str, *others: str) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column(first, no_wrap=True)
    for name in others:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _warnings(evaluation: Evaluation) -> dict[str, list[str]]:
    """Each warning once, with the estimators that give it."""
    found: dict[str, list[str]] = {}
    for name, estimate in {_LOGGED: evaluation.logging, **evaluation.estimates}.items():
        for warning in _split(estimate):
            found.setdefault(warning, []).append(name)
    return found


def _split(estimate: Estimate) -> list[str]:
    return estimate.warning.split("; ") if estimate.warning else []


def _plain(value: Any) -> Any:  # noqa: ANN401 - any part of the JSON
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
