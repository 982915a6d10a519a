"""What an estimator returns: a value, how sure it is, and in words where the log cannot carry the answer."""

from dataclasses import dataclass

import numpy as np

from agent.evaluation.checks import Doubles
from agent.evaluation.interval import ENOUGH_CLICKS, ENOUGH_DECISIONS, Spread

_HEAVY = 0.05  # of the sum of all weights
_FAR = 3.0  # standard errors
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Estimate:
    """The value of a policy, in rewards a decision.

    Attributes:
        value: the estimate; it is not cut to what rewards can be.
        std_error: its standard error, for decisions that are independent of each other; infinite with one decision.
        lower: lower end of the 95 % interval (see `Spread.interval`).
        upper: its upper end.
        effective_sample_size: (sum w)^2 / sum w^2, of the weights w before any clipping: how many decisions of the
            target policy itself would tell as much; 0 where all weights are 0, their number where there are none.
        warning: where the log cannot carry the answer, in words, parted by "; "; None where nothing speaks against it.
        effective_clicks: (sum w r)^2 / sum (w r)^2, of rewards r: how many clicks carry the answer; None without
            weights.

    References:
        Kish (1965), Survey sampling, for the effective sample size.
    """

    value: float
    std_error: float
    lower: float
    upper: float
    effective_sample_size: float
    warning: str | None = None
    effective_clicks: float | None = None


def standard_error(influence_N: Doubles) -> float:
    """The standard error of an estimate from what each decision moves it by, times N; infinite with one decision."""
    N = len(influence_N)
    return float(np.sqrt(np.square(influence_N).sum() / (N * (N - 1)))) if N > 1 else float("inf")


def effective_number(weight_N: Doubles) -> float:
    """(sum w)^2 / sum w^2; 0 where all weights are 0.

    >>> effective_number(np.array([2.0, 1.0, 0.0]))
    1.8
    """
    largest = float(np.abs(weight_N).max())
    if not largest:
        return 0.0
    scaled_N = weight_N / largest
    return float(scaled_N.sum() ** 2 / np.square(scaled_N).sum())


def bounds_of(reward_N: Doubles) -> tuple[float, float]:
    """Between which a mean reward lies: rewards that all lie in [0, 1] are taken to do so always."""
    if reward_N.min() < 0.0:
        return float("-inf"), float("inf")
    return 0.0, 1.0 if reward_N.max() <= 1.0 else float("inf")


@dataclass(frozen=True, slots=True)
class Parts:
    """What an estimator made of N decisions, from which an `Estimate` is drawn.

    Attributes:
        value: the estimate.
        influence_N: what each decision moves it by, times N; of mean 0.
        used_N: the weights that rewards were multiplied by.
        positive: whether the estimate adds up terms of which none is negative where no reward is.
        doubts: warnings of the estimator's own.
        bounds: between which the value lies; as `bounds_of` reads them off the rewards where None.
    """

    value: float
    influence_N: Doubles
    used_N: Doubles
    positive: bool
    doubts: tuple[str, ...] = ()
    bounds: tuple[float, float] | None = None


def estimate_of(parts: Parts, reward_N: Doubles, weight_N: Doubles) -> Estimate:
    """The estimate with its interval and warnings.

    Args:
        parts: what the estimator made of the log.
        reward_N: logged rewards.
        weight_N: importance weights before any clipping.
    """
    decisions, clicks = effective_number(weight_N), effective_number(weight_N * np.abs(reward_N))
    bounds = parts.bounds or bounds_of(reward_N)
    std_error = standard_error(parts.influence_N)
    spread = Spread(
        value=parts.value,
        std_error=std_error,
        decisions=decisions,
        step=_step(parts.used_N, reward_N),
        positive=parts.positive and bounds[0] == 0.0,
        bounds=bounds,
    )
    warnings = (*few(decisions, clicks), *_uneven(weight_N), *parts.doubts)
    return Estimate(parts.value, std_error, *spread.interval(), decisions, "; ".join(warnings) or None, clicks)


def few(decisions: float, clicks: float | None = None) -> list[str]:
    """Warnings of too few effective decisions or clicks."""
    found = []
    if decisions < ENOUGH_DECISIONS:
        found.append(f"effective sample size {decisions:.3g} is below {ENOUGH_DECISIONS:g}")
    if clicks is not None and clicks < ENOUGH_CLICKS:
        found.append(f"effective clicks {clicks:.3g} are below {ENOUGH_CLICKS:g}")
    return found


def _uneven(weight_N: Doubles) -> list[str]:
    """Warnings of one weight that counts too much, and of a mean weight that is not 1."""
    total, mean, error = float(weight_N.sum()), float(weight_N.mean()), standard_error(weight_N - weight_N.mean())
    if not total:
        return ["the target policy gives every logged action the probability 0"]
    found = []
    share = float(weight_N.max()) / total
    if share > _HEAVY:
        found.append(f"one weight is {share:.0%} of the sum of all weights, more than {_HEAVY:.0%}")
    if abs(mean - 1.0) > _FAR * error + _ROUNDING:
        below = "; the target policy may show what the log could not" if mean < 1.0 else ""
        found.append(f"mean weight {mean:.3g} is more than {_FAR:g} standard errors ({error:.2g}) away from 1{below}")
    return found


def _step(used_N: Doubles, reward_N: Doubles) -> float:
    """What one more reward of the largest size adds at a decision of the target policy's mean weight."""
    total = float(used_N.sum())
    if reward_N.min() < 0.0 or not total:
        return 0.0
    largest = float(reward_N.max()) or 1.0
    return largest * float(np.square(used_N).sum()) / total / len(used_N)
