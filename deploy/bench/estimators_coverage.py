"""Do 95 % intervals hold the truth in 95 of 100 logs? On thousands of simulated ones, each of a world of its own."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from agent.evaluation import Estimate
from agent.evaluation.interval import ENOUGH_CLICKS, ENOUGH_DECISIONS
from deploy.bench.estimators import NAMES, all_estimates
from deploy.bench.estimators_world import Question, cross_fitted_NK, draw

QUESTIONS = (
    Question("near", 0.01, 3_000),
    Question("near", 0.05, 3_000),
    Question("near", 0.2, 1_000),
    Question("far", 0.01, 3_000),
    Question("far", 0.05, 3_000),
    Question("far", 0.2, 1_000),
)
CONSISTENT = ("ips", "snips", "dr", "sndr")
FIRST_SEED = 30_000  # of the report; none of its seeds was seen while this was built
_EVERY = 500


@dataclass(frozen=True)
class Coverage:
    """How often an estimator's interval held the truth, of the logs that can carry the answer or of the others.

    Attributes:
        question: what was asked.
        name: of the estimator.
        carries: whether these are the logs of at least 100 effective decisions and 30 effective clicks.
        logs: how many.
        covered: share whose interval held the truth.
        below, above: shares in which the whole interval lay below and above the truth.
        bias: mean error in shares of the truth.
        bias_error: standard error of that.
        warned: share whose estimate warned.
    """

    question: Question
    name: str
    carries: bool
    logs: int
    covered: float
    below: float
    above: float
    bias: float
    bias_error: float
    warned: float


def measure(logs: int, say: Callable[[str], None]) -> list[Coverage]:
    """The coverage of all questions, on so many logs each."""
    seeds = range(FIRST_SEED, FIRST_SEED + logs)
    return [each for question in QUESTIONS for each in study(question, seeds, say)] if logs else []


def study(question: Question, seeds: range, say: Callable[[str], None]) -> list[Coverage]:
    """The coverage of all estimators over logs of these seeds."""
    found: list[tuple[float, dict[str, Estimate]]] = []
    for seed in seeds:
        drawn = draw(question, seed)
        found.append((drawn.truth, all_estimates(drawn, cross_fitted_NK(drawn.log, seed))))
        if len(found) % _EVERY == 0:
            say(f"{question.target}, {question.click_rate:.0%}, {question.rows:,} rows: {len(found):,} logs")
    return [
        coverage
        for carries in (True, False)
        for name in NAMES
        if (coverage := _coverage(question, name, found, carries=carries)) is not None
    ]


def table(found: Sequence[Coverage]) -> str:
    """The shares as Markdown, one table a question and kind of log."""
    parts = []
    for question, carries in dict.fromkeys((each.question, each.carries) for each in found):
        rows = [each for each in found if (each.question, each.carries) == (question, carries)]
        kind = "enough decisions and clicks" if carries else "too few decisions or clicks, which is warned of"
        asked = f"{question.target} target, click rate {question.click_rate:.0%}, {question.rows:,} rows"
        parts += [
            f"**{asked}**: {rows[0].logs:,} logs with {kind}",
            "",
            "| estimator | covered | below the truth | above it | bias, % of the truth | warned |",
            "|---|---|---|---|---|---|",
            *(_row(each) for each in rows),
            "",
        ]
    return "\n".join(parts)


def json_lines(found: Sequence[Coverage]) -> list[str]:
    """One line for each share, beside the 95 % that it should be."""
    return [
        json.dumps(
            {
                "name": f"coverage/{e.question.target}/{e.question.click_rate:g}/{e.question.rows}/{e.name}"
                + ("" if e.carries else "/few"),
                "ratio": e.covered / 0.95,
                "ours": e.covered,
                "theirs": 0.95,
                "unit": f"share of {e.logs} logs",
                "spread": float(np.sqrt(e.covered * (1.0 - e.covered) / e.logs)),
                "bias": e.bias,
            }
        )
        for e in found
    ]


def carries_answer(estimate: Estimate) -> bool:
    """Whether a log has at least 100 effective decisions and 30 effective clicks."""
    clicks = estimate.effective_clicks
    return estimate.effective_sample_size >= ENOUGH_DECISIONS and clicks is not None and clicks >= ENOUGH_CLICKS


def _coverage(
    question: Question, name: str, found: Sequence[tuple[float, dict[str, Estimate]]], *, carries: bool
) -> Coverage | None:
    chosen = [(truth, each[name]) for truth, each in found if carries_answer(each["ips"]) == carries]
    if len(chosen) < 2:
        return None
    truth_S = np.array([truth for truth, _ in chosen])
    value_S, lower_S, upper_S = np.array([(each.value, each.lower, each.upper) for _, each in chosen]).T
    error_S = value_S / truth_S - 1.0
    below, above = float((upper_S < truth_S).mean()), float((lower_S > truth_S).mean())
    return Coverage(
        question=question,
        name=name,
        carries=carries,
        logs=len(chosen),
        covered=1.0 - below - above,
        below=below,
        above=above,
        bias=float(error_S.mean()),
        bias_error=float(error_S.std(ddof=1) / np.sqrt(len(error_S))),
        warned=float(np.mean([each.warning is not None for _, each in chosen])),
    )


def _row(each: Coverage) -> str:
    name = f"**{each.name}**" if each.name in CONSISTENT else each.name
    shares = " | ".join(f"{100 * share:.1f}" for share in (each.covered, each.below, each.above))
    return f"| {name} | {shares} | {100 * each.bias:+.1f} ± {100 * each.bias_error:.1f} | {100 * each.warned:.0f} |"
