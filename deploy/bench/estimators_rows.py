"""How many rows does a question need? The half-width of 95 % intervals against the rows of a log, measured."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from deploy.bench.estimators import TARGETS, all_estimates
from deploy.bench.estimators_coverage import carries_answer
from deploy.bench.estimators_world import Question, cross_fitted_NK, draw

SIZES = (1_000, 3_000, 10_000, 30_000, 100_000)
CLICK_RATES = (0.01, 0.05)
NAMES = ("snips", "dr")
FIRST_SEED = 40_000
PRECISIONS = (0.2, 0.1, 0.05)


@dataclass(frozen=True)
class Width:
    """What logs of one size tell.

    Attributes:
        question: with the rows.
        logs: how many were drawn.
        decisions, clicks: mean effective sample size and effective clicks.
        carrying: share of logs with at least 100 effective decisions and 30 effective clicks.
        half: mean half-width of the interval by estimator, in shares of the truth.
        deviation: standard deviation of that over the logs.
    """

    question: Question
    logs: int
    decisions: float
    clicks: float
    carrying: float
    half: dict[str, float]
    deviation: dict[str, float]


def measure(logs: int, say: Callable[[str], None]) -> list[Width]:
    """The widths of all sizes, targets and click rates, on so many logs each."""
    if not logs:
        return []
    found = []
    for target in TARGETS:
        for rate in CLICK_RATES:
            found += [width_of(Question(target, rate, rows), logs) for rows in SIZES]
            say(f"{target}, {rate:.0%}: measured")
    return found


def width_of(question: Question, logs: int) -> Width:
    """What logs of one question tell."""
    halves, decisions, clicks, carrying = [], [], [], []
    for seed in range(FIRST_SEED, FIRST_SEED + logs):
        drawn = draw(question, seed)
        estimates = all_estimates(drawn, cross_fitted_NK(drawn.log, seed))
        halves.append([(estimates[name].upper - estimates[name].lower) / 2.0 / drawn.truth for name in NAMES])
        decisions.append(estimates["ips"].effective_sample_size)
        clicks.append(estimates["ips"].effective_clicks or 0.0)
        carrying.append(carries_answer(estimates["ips"]))
    half_SE = np.array(halves)
    return Width(
        question=question,
        logs=logs,
        decisions=float(np.mean(decisions)),
        clicks=float(np.mean(clicks)),
        carrying=float(np.mean(carrying)),
        half=dict(zip(NAMES, half_SE.mean(axis=0).tolist(), strict=True)),
        deviation=dict(zip(NAMES, half_SE.std(axis=0).tolist(), strict=True)),
    )


def rows_needed(widths: Sequence[Width], name: str, precision: float) -> float:
    """Rows at which the half-width is a share of the truth, from the largest log measured: it falls as 1 / sqrt(rows).

    >>> question = Question("near", 0.05, 10_000)
    >>> width = Width(question, 1, 1e4, 500.0, 1.0, {"snips": 0.1}, {"snips": 0.0})
    >>> rows_needed([width], "snips", 0.05)
    40000.0
    """
    largest = max(widths, key=lambda width: width.question.rows)
    return largest.question.rows * (largest.half[name] / precision) ** 2


def table(widths: Sequence[Width]) -> str:
    """What was measured, and the rows that follow from it for some precisions, as Markdown."""
    if not widths:
        return ""
    kinds = dict.fromkeys((width.question.target, width.question.click_rate) for width in widths)
    parts = [
        "Half-width of the 95 % interval in % of the truth (± its deviation over logs)",
        "",
        f"| target, click rate | rows | effective decisions | effective clicks | carry the answer | {_names()} |",
        "|---|---|---|---|---|" + "---|" * len(NAMES),
        *map(_row, widths),
        "",
        "Rows for a half-width of so much of the value, by the last row measured and 1 / sqrt(rows)",
        "",
        f"| target, click rate | estimator | {' | '.join(f'± {precision:.0%}' for precision in PRECISIONS)} |",
        "|---|---|" + "---|" * len(PRECISIONS),
    ]
    for target, rate in kinds:
        of_kind = [each for each in widths if (each.question.target, each.question.click_rate) == (target, rate)]
        for name in NAMES:
            needed = " | ".join(_rounded(rows_needed(of_kind, name, precision)) for precision in PRECISIONS)
            parts.append(f"| {target}, {rate:.0%} | {name} | {needed} |")
    return "\n".join([*parts, ""])


def json_lines(widths: Sequence[Width]) -> list[str]:
    """One line for each size, kind and estimator."""
    return [
        json.dumps(
            {
                "name": f"rows/{each.question.target}/{each.question.click_rate:g}/{each.question.rows}/{name}",
                "ratio": None,
                "ours": each.half[name],
                "theirs": None,
                "unit": "half-width in shares of the truth",
                "spread": each.deviation[name],
            }
        )
        for each in widths
        for name in NAMES
    ]


def _names() -> str:
    return " | ".join(NAMES)


def _row(width: Width) -> str:
    halves = " | ".join(f"{100 * width.half[name]:.0f} ± {100 * width.deviation[name]:.0f}" for name in NAMES)
    question = width.question
    return (
        f"| {question.target}, {question.click_rate:.0%} | {question.rows:,} | {width.decisions:,.0f} "
        f"| {width.clicks:,.0f} | {width.carrying:.0%} | {halves} |"
    )


def _rounded(rows: float) -> str:
    digits = 1 - len(str(round(rows)))
    return f"{round(rows, digits + 1):,.0f}"
