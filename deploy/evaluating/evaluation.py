"""Every estimator's answer to what a target policy would have earned on a log."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from agent.evaluation import Estimate, EvaluationError, ModelledLog, clipped_ips, ips, snips, with_lost
from deploy.errors import EvaluateError
from deploy.evaluating.log import Doubles, Flags, LoggedDecisions
from deploy.evaluating.reward_model import cross_fitted
from deploy.evaluating.target import Target

_PARTS = 10
_LEAST_OF_PART = 100
_WEIGHTED: dict[str, Callable[[Doubles, Doubles, Doubles], Estimate]] = {
    "ips": ips,
    "snips": snips,
    "clipped_ips": clipped_ips,
}
_MODELLED: dict[str, Callable[[ModelledLog], Estimate]] = {
    "dm": ModelledLog.dm,
    "dr": ModelledLog.dr,
    "sndr": ModelledLog.sndr,
    "switch_dr": ModelledLog.switch_dr,
    "dr_os": ModelledLog.dr_os,
}
ESTIMATORS = (*_WEIGHTED, *_MODELLED)


@dataclass(frozen=True)
class Part:
    """A stretch of the log under a policy that learns: `start <= decision < stop`, by SNIPS and mean log loss.

    `loss` is None before the policy was first fitted.
    """

    start: int
    stop: int
    estimate: Estimate
    logged: float
    loss: float | None


@dataclass(frozen=True)
class Evaluation:
    """What came out.

    Attributes:
        log: what was read.
        policy: the target policy, as it was asked for.
        decisions: how many were judged.
        left_out: how many were not, by reason.
        logging: mean reward of all decisions of the log.
        estimates: of the target policy, by estimator.
        parts: the value as the policy learns; empty where it does not.
        loss: mean log loss of a policy that learns; None otherwise.
        notes: what a reader must know.
    """

    log: str
    policy: str
    decisions: int
    left_out: dict[str, int]
    logging: Estimate
    estimates: dict[str, Estimate]
    parts: tuple[Part, ...]
    loss: float | None
    notes: tuple[str, ...]


def evaluate(log: LoggedDecisions, target: Target, estimators: Sequence[str], seed: int) -> Evaluation:
    """Estimates the value of a target policy.

    Args:
        log: the decisions.
        target: what the policy would have done in each.
        estimators: of `ESTIMATORS`.
        seed: deals the decisions out to the folds of the reward model.

    Raises:
        EvaluateError: no decision can be judged, or an estimator is not known.
        EvaluationError: the target policy never does what was logged, where an estimator divides by that.
    """
    unknown = [name for name in estimators if name not in ESTIMATORS]
    if unknown:
        raise EvaluateError(f"--estimator must be one of {', '.join(ESTIMATORS)}; got {unknown[0]!r}")
    logged_N, told_N = np.isfinite(log.propensity_N), np.isfinite(target.propensity_N)
    keep_N = logged_N & told_N
    left_out = {
        "propensity not logged": int((~logged_N).sum()),
        "policy cannot be told": int((logged_N & ~told_N).sum()),
    }
    if not keep_N.any():
        reasons = ", ".join(f"{name}: {count:,}" for name, count in left_out.items() if count)
        raise EvaluateError(f"log must have decisions that can be judged; all {len(log):,} are left out ({reasons})")
    estimates, notes = _estimates(log, target, keep_N, estimators, seed)
    parts = _parts(log, target, keep_N) if target.loss_N is not None else ()
    return Evaluation(
        log=log.name,
        policy=target.name,
        decisions=int(keep_N.sum()),
        left_out={name: count for name, count in left_out.items() if count},
        logging=ips(log.reward_N, np.ones(len(log)), np.ones(len(log))),
        estimates=estimates,
        parts=parts,
        loss=_mean(target.loss_N),
        notes=(*log.notes, *target.notes, *notes),
    )


def modelled_log(log: LoggedDecisions, target: Target, keep_N: Flags, seed: int) -> ModelledLog:
    """The judged decisions with what a model expects: the learning policy's own, or one cross-fitted to the log."""
    if target.expected_M is None:
        told_M = np.nan_to_num(target.probability_M)  # where it cannot be told, the decision is not judged either
        logged_N, expected_N = cross_fitted(log, told_M, np.random.default_rng([seed, 13]))
    else:
        logged_N = target.expected_M[log.shown_N]
        expected_N = np.add.reduceat(target.probability_M * target.expected_M, log.starts_N)
    columns = (log.reward_N, log.propensity_N, target.propensity_N, logged_N, expected_N)
    return ModelledLog.of(*(column_N[keep_N] for column_N in columns))


def _estimates(
    log: LoggedDecisions, target: Target, keep_N: Flags, estimators: Sequence[str], seed: int
) -> tuple[dict[str, Estimate], list[str]]:
    columns = (log.reward_N[keep_N], log.propensity_N[keep_N], target.propensity_N[keep_N])
    found = {name: _WEIGHTED[name](*columns) for name in estimators if name in _WEIGHTED}
    modelled, notes = [name for name in estimators if name in _MODELLED], []
    if modelled:
        reason = _unmodelled(log, target, keep_N)
        if reason is None:
            model = modelled_log(log, target, keep_N, seed)
            found |= {name: _MODELLED[name](model) for name in modelled}
        else:
            notes.append(f"{', '.join(modelled)} left out: {reason}")
    return _with_support(found, log, target, keep_N), notes


def _unmodelled(log: LoggedDecisions, target: Target, keep_N: Flags) -> str | None:
    """Why no model can be asked; None where one can."""
    if not np.isfinite(target.probability_M[np.repeat(keep_N, log.counts_N)]).all():
        return "they need the target policy's probability of every candidate, which the log does not hold"
    if target.expected_M is None and len(np.unique(log.group_N)) < 2:
        return "a model must be fitted to other users than it predicts; the log has one"
    return None


def _with_support(
    estimates: dict[str, Estimate], log: LoggedDecisions, target: Target, keep_N: Flags
) -> dict[str, Estimate]:
    """The same, with a warning where it is known that the log never could show what the target policy does."""
    lost_M = np.where(log.logging_M > 0.0, 0.0, target.probability_M)
    lost_N = np.add.reduceat(np.where(np.isnan(log.logging_M), np.nan, lost_M), log.starts_N)[keep_N]
    if not np.isfinite(lost_N).all():  # it is not known of every decision what the log could have shown
        return estimates
    return {name: with_lost(estimate, lost_N) for name, estimate in estimates.items()}


def _parts(log: LoggedDecisions, target: Target, keep_N: Flags) -> tuple[Part, ...]:
    found = []
    count = max(1, min(_PARTS, len(log) // _LEAST_OF_PART))
    for rows_n in np.array_split(np.arange(len(log)), count):
        judged_n = rows_n[keep_N[rows_n]]
        try:
            estimate = snips(log.reward_N[judged_n], log.propensity_N[judged_n], target.propensity_N[judged_n])
        except EvaluationError:  # nothing in it can be judged
            continue
        loss = _mean(None if target.loss_N is None else target.loss_N[rows_n])
        start, stop, logged = int(rows_n[0]), int(rows_n[-1]) + 1, float(log.reward_N[rows_n].mean())
        found.append(Part(start, stop, estimate, logged, loss))
    return tuple(found)


def _mean(loss_n: Doubles | None) -> float | None:
    if loss_n is None or not np.isfinite(loss_n).any():
        return None
    return float(np.nanmean(loss_n))
