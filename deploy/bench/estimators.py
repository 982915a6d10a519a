"""`python -m deploy.bench estimators`: how far estimates are from the truth, on simulated logs, beside obp's.

Open Bandit Pipeline (obp) is the reference implementation of these estimators. It wants a Python and packages of its
own years, so it stays in an environment apart (see `estimators_obp`), reads the very rows and answers with numbers.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from agent.evaluation import Estimate, ModelledLog, clipped_ips, dr, dr_os, ips, sndr, snips, switch_dr
from deploy.bench.estimators_obp_apart import Found, Rows, ask_obp
from deploy.bench.estimators_world import Drawn, Nearness, Question, cross_fitted_NK, draw
from deploy.evaluating.log import Doubles

NAMES = ("ips", "snips", "clipped_ips", "dm", "dr", "sndr", "switch_dr", "dr_os")
TARGETS: tuple[Nearness, ...] = ("near", "far")
SIZES = (1_000, 10_000)
CLICK_RATE = 0.05
FIRST_SEED = 20_000  # of the report; none of its seeds was seen while this was built


@dataclass(frozen=True)
class Error:
    """How far an estimator was from the truth over several logs, in shares of the truth.

    Attributes:
        question: what was asked.
        name: of the estimator.
        seeds: how many logs.
        rmse: root of the mean squared error.
        bias: mean error.
        bias_error: standard error of that mean.
        obp_rmse: that of obp's estimates; None where it was not asked.
        apart: largest difference to obp's estimate of a log; None likewise.
        covered: share of logs whose 95 % interval holds the truth.
        obp_covered: the same of obp's bootstrap; None likewise.
    """

    question: Question
    name: str
    seeds: int
    rmse: float
    bias: float
    bias_error: float
    obp_rmse: float | None
    apart: float | None
    covered: float
    obp_covered: float | None


def measure(seeds: int, obp: Path | None) -> list[Error]:
    """The errors on near and far targets, on small and larger logs.

    Args:
        seeds: logs of each.
        obp: a Python that has obp; None for no comparison.

    Raises:
        BenchError: obp cannot be asked.
    """
    found = []
    for question in (Question(target, CLICK_RATE, rows) for target in TARGETS for rows in SIZES):
        drawn = [draw(question, seed) for seed in range(FIRST_SEED, FIRST_SEED + seeds)]
        models = [cross_fitted_NK(each.log, FIRST_SEED + number) for number, each in enumerate(drawn)]
        ours = [
            {name: Found(it.value, it.lower, it.upper) for name, it in all_estimates(each, q_hat_NK).items()}
            for each, q_hat_NK in zip(drawn, models, strict=True)
        ]
        theirs = None if obp is None else ask_obp(obp, list(map(rows_of, drawn, models)))
        found += errors_of(question, [each.truth for each in drawn], ours, theirs)
    return found


def all_estimates(drawn: Drawn, q_hat_NK: Doubles) -> dict[str, Estimate]:
    """What each estimator says of a log."""
    log = drawn.log
    shown = (log.reward_N, log.propensity_N, drawn.target_N)
    q_N2 = q_hat_NK[np.arange(len(log)), log.action_N], (drawn.target_NK * q_hat_NK).sum(axis=1)
    whole = (log.reward_N, log.action_N, log.propensity_N, drawn.target_NK, q_hat_NK)
    return {
        "ips": ips(*shown),
        "snips": snips(*shown),
        "clipped_ips": clipped_ips(*shown),
        "dm": ModelledLog.of(*shown, *q_N2).dm(),  # of a log, which tells how wrong the model is
        "dr": dr(*whole),
        "sndr": sndr(*whole),
        "switch_dr": switch_dr(*whole),
        "dr_os": dr_os(*whole),
    }


def rows_of(drawn: Drawn, q_hat_NK: Doubles) -> Rows:
    """The same log for another program."""
    log = drawn.log
    return Rows(log.reward_N, log.action_N, log.propensity_N, drawn.target_NK, q_hat_NK)


def errors_of(
    question: Question,
    truths: Sequence[float],
    ours: Sequence[dict[str, Found]],
    obp: Sequence[dict[str, Found]] | None,
) -> list[Error]:
    """The errors of one question's logs.

    Args:
        question: what was asked of them.
        truths: the target policy's value in each log's world.
        ours: our estimates by estimator, one dictionary a log.
        obp: obp's alike; None where it was not asked.
    """
    truth_S = np.array(truths)
    found = []
    for name in NAMES:
        ours_S3 = np.array([each[name] for each in ours])
        error_S = ours_S3[:, 0] / truth_S - 1.0
        theirs_S3 = None if obp is None else np.array([each[name] for each in obp])
        found.append(
            Error(
                question=question,
                name=name,
                seeds=len(truths),
                rmse=_root_mean_square(error_S),
                bias=float(error_S.mean()),
                bias_error=float(error_S.std(ddof=1) / np.sqrt(len(error_S))) if len(error_S) > 1 else float("inf"),
                obp_rmse=None if theirs_S3 is None else _root_mean_square(theirs_S3[:, 0] / truth_S - 1.0),
                apart=None if theirs_S3 is None else float(np.abs(ours_S3[:, 0] - theirs_S3[:, 0]).max()),
                covered=_covered(ours_S3, truth_S),
                obp_covered=None if theirs_S3 is None else _covered(theirs_S3, truth_S),
            )
        )
    return found


def table(errors: Sequence[Error]) -> str:
    """The errors as Markdown, one table a question."""
    parts = []
    for question in dict.fromkeys(error.question for error in errors):
        rows = [error for error in errors if error.question == question]
        about = f"click rate {question.click_rate:.0%}, {rows[0].seeds} seeds, in % of the truth"
        parts += [
            f"**{question.target} target, {question.rows:,} rows**, {about}",
            "",
            "| estimator | RMSE | bias | obp's RMSE | largest difference to obp | covered | by obp's interval |",
            "|---|---|---|---|---|---|---|",
            *(_row(error) for error in rows),
            "",
        ]
    return "\n".join(parts)


def json_lines(errors: Sequence[Error]) -> list[str]:
    """One line for each estimator and question: our RMSE and obp's."""
    return [
        json.dumps(
            {
                "name": f"estimators/{e.question.target}/{e.question.rows}/{e.name}",
                "ratio": None if not e.obp_rmse else e.rmse / e.obp_rmse,
                "ours": e.rmse,
                "theirs": e.obp_rmse,
                "unit": "RMSE in shares of the truth",
                "spread": e.bias_error,
                "bias": e.bias,
                "largest_difference": e.apart,
                "covered": e.covered,
                "theirs_covered": e.obp_covered,
            }
        )
        for e in errors
    ]


def _row(error: Error) -> str:
    theirs = "–" if error.obp_rmse is None else f"{100 * error.obp_rmse:.1f}"
    apart = "–" if error.apart is None else f"{error.apart:.0e}"
    bias = f"{100 * error.bias:+.1f} ± {100 * error.bias_error:.1f}"
    held = "–" if error.obp_covered is None else f"{100 * error.obp_covered:.0f}"
    covered = f"{100 * error.covered:.0f} | {held}"
    return f"| {error.name} | {100 * error.rmse:.1f} | {bias} | {theirs} | {apart} | {covered} |"


def _covered(found_S3: Doubles, truth_S: Doubles) -> float:
    return float(((found_S3[:, 1] <= truth_S) & (truth_S <= found_S3[:, 2])).mean())


def _root_mean_square(error_S: Doubles) -> float:
    return float(np.sqrt(np.square(error_S).mean()))
