"""Off-policy estimates for slates: what a slate of another policy would have earned, from a log of shown slates.

N decisions show L slots each. The weight of a whole slate has the variance of a product, so each estimator here buys
less of it with an assumption on readers, named in its docstring; one that does not hold makes it wrong, and no interval
tells of that. From the least assumed to the most:

`slate_ips` nothing; `rips` and `cascade_dr` that readers go from top to bottom; `pseudo_inverse` (in a file of its own)
that rewards of the slate add up over slots; `independent_ips` that each slot's reward follows from its item alone.

What a decision earns is the sum over its slots. Shorter slates are padded by rewards of 0, and probabilities of 1 under
both policies.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from agent.evaluation.checks import Doubles, numbers, option, same_shape
from agent.evaluation.checks import probabilities as within_0_1
from agent.evaluation.errors import EvaluationError
from agent.evaluation.estimate import Estimate, Parts, bounds_of, effective_number, estimate_of

_LEAST = 1e-100  # a propensity whose weight, squared, is still a number

Bounds = tuple[float, float]


class SlateLog(NamedTuple):
    """Checked rewards [N, L] with the ratio [N, L] of target probability to propensity in each slot."""

    reward_NL: Doubles
    ratio_NL: Doubles

    @property
    def total_N(self) -> Doubles:
        """What each decision earned."""
        total_N: Doubles = self.reward_NL.sum(axis=1)
        return total_N

    @property
    def bounds(self) -> Bounds:
        """Between which a decision's mean reward lies: slots whose rewards all lie in [0, 1] earn at most L."""
        low, high = bounds_of(self.reward_NL)
        return low, high * self.reward_NL.shape[1]


def slate_ips(reward_NL: ArrayLike, logging_NL: ArrayLike, target_NL: ArrayLike) -> Estimate:
    """Inverse propensity scoring of whole slates: mean(w_1 ... w_L sum_l r_l).

    Assumes nothing of readers; the log must have been able to show every slate that the target policy shows. Its
    weights are products over slots, so its error grows fastest with their number.

    Args:
        reward_NL: what each slot earned.
        logging_NL: the log's probability of what it showed in each slot, given the slots above, in (0, 1].
        target_NL: the target policy's, given the same slots above, in [0, 1].

    Raises:
        EvaluationError: arrays of different shapes, none, not finite or outside these ranges.

    References:
        Horvitz, Thompson (1952), A generalization of sampling without replacement from a finite universe, for slates.

    >>> slate_ips([[1, 0], [0, 1]], [[0.5, 0.5], [0.5, 1.0]], [[0.5, 1.0], [0.25, 1.0]]).value    # (2 * 1 + .5 * 1) / 2
    1.25
    """
    log = _log(reward_NL, logging_NL, target_NL)
    weight_N = log.ratio_NL.prod(axis=1)
    return _scored(log, weight_N * log.total_N, weight_N)


def independent_ips(reward_NL: ArrayLike, logging_NL: ArrayLike, target_NL: ArrayLike) -> Estimate:
    """Inverse propensity scoring of each slot by itself: mean(sum_l w_l r_l).

    Assumes the item-position model: a slot's reward depends on its own item and place alone, as under position bias
    without resemblance. The probabilities are then those of showing the item in this slot whatever stands above, which
    equal the ones given the slots above only where slots are drawn independently of each other.

    Args:
        reward_NL: what each slot earned.
        logging_NL: the log's marginal probability of the shown item in each slot, in (0, 1].
        target_NL: the target policy's, in [0, 1].

    Raises:
        EvaluationError: as of `slate_ips`.

    References:
        Li, Abbasi-Yadkori, Kveton, Muthukrishnan, Vinay, Wen (2018), Offline evaluation of ranking policies with click
        models (item-position model).

    >>> independent_ips([[1, 0], [0, 1]], [[0.5, 0.5], [0.5, 0.25]], [[0.5, 1.0], [0.25, 0.5]]).value     # (1 + 2) / 2
    1.5
    """
    log = _log(reward_NL, logging_NL, target_NL)
    return _scored(log, (log.ratio_NL * log.reward_NL).sum(axis=1), _scarcest(log.ratio_NL))


def rips(reward_NL: ArrayLike, logging_NL: ArrayLike, target_NL: ArrayLike, *, normalised: bool = True) -> Estimate:
    """Reward-interaction inverse propensity scoring: mean(sum_l w_1 ... w_l r_l), normalised slot by slot.

    Assumes a cascade: a slot's reward depends on the items down to it, on none below. Position bias and resemblance to
    what stands above are such. Normalised, each slot's weights are divided by their mean: less variance, a small bias.

    Args:
        reward_NL: what each slot earned.
        logging_NL: the log's probability of what it showed in each slot, given the slots above, in (0, 1].
        target_NL: the target policy's, given the same slots above, in [0, 1].
        normalised: whether weights are; without it the estimate has no bias.

    Raises:
        EvaluationError: as of `slate_ips`; where normalised, all weights of a slot are 0.

    References:
        McInerney, Brost, Chandar, Mehrotra, Carterette (2020), Counterfactual evaluation of slate recommendations with
        sequential reward interactions.

    >>> log = [[1, 0], [0, 1]], [[0.5, 0.5], [0.5, 1.0]], [[0.5, 1.0], [0.25, 1.0]]
    >>> rips(*log, normalised=False).value                                                          # (1 + .5) / 2
    0.75
    >>> round(rips(*log).value, 3)                                                                  # 1 / 1.5 + .5 / 2.5
    0.867
    """
    log = _log(reward_NL, logging_NL, target_NL)
    weight_NL = log.ratio_NL.cumprod(axis=1)
    scored_NL = weight_NL * log.reward_NL
    if not normalised:
        return _scored(log, scored_NL.sum(axis=1), weight_NL[:, -1])
    mean_L = weight_NL.mean(axis=0)
    if not mean_L.all():
        slot = int(np.flatnonzero(mean_L == 0.0)[0])
        raise EvaluationError(f"target_NL must be above 0 in slot {slot} for some decision; got 0 for all")
    used_NL = weight_NL / mean_L
    value_L = (used_NL * log.reward_NL).mean(axis=0)
    influence_N = (used_NL * (log.reward_NL - value_L)).sum(axis=1)
    parts = Parts(float(value_L.sum()), influence_N, used_NL[:, -1], positive=True, bounds=log.bounds)
    return estimate_of(parts, log.total_N, weight_NL[:, -1])


def cascade_dr(
    reward_NL: ArrayLike,
    logging_NL: ArrayLike,
    target_NL: ArrayLike,
    q_logged_NL: ArrayLike,
    q_target_NL: ArrayLike,
) -> Estimate:
    """Doubly robust in a cascade: mean(sum_l w_1 ... w_l (r_l - q_l) + w_1 ... w_(l-1) v_l).

    Assumes a cascade, as `rips`, and has no bias under it whatever the model says, as long as v_l is the mean of q_l
    over what the target policy shows in slot l. A good model takes most of the weights' variance away. q_l is best what
    slots l, l + 1, ... earn together; where slots do not depend on those above, what slot l earns does as well. The
    model must not have been fitted to the decisions that it predicts here: see `cross_fit`.

    Args:
        reward_NL: what each slot earned.
        logging_NL: the log's probability of what it showed in each slot, given the slots above, in (0, 1].
        target_NL: the target policy's, given the same slots above, in [0, 1].
        q_logged_NL: what the model expects of the shown item, given the slots above.
        q_target_NL: what it expects of the target policy in this slot, given the logged slots above.

    Raises:
        EvaluationError: as of `slate_ips`.

    References:
        Kiyohara, Saito, Matsuhiro, Narita, Shimizu, Yamamoto (2022), Doubly robust off-policy evaluation for ranking
        policies under the cascade behavior model.

    >>> log = [[1, 0], [0, 1]], [[0.5, 0.5], [0.5, 1.0]], [[0.5, 1.0], [0.25, 1.0]]
    >>> half = np.full((2, 2), 0.5)
    >>> cascade_dr(*log, half, half).value      # (.5 + .5 - 1 + .5) / 2 and (-.25 + .5 + .25 + .25) / 2
    0.625
    """
    log = _log(reward_NL, logging_NL, target_NL)
    logged_NL, expected_NL = numbers("q_logged_NL", q_logged_NL, axes=2), numbers("q_target_NL", q_target_NL, axes=2)
    same_shape({"reward_NL": log.reward_NL, "q_logged_NL": logged_NL, "q_target_NL": expected_NL})
    weight_NL = log.ratio_NL.cumprod(axis=1)
    before_NL = np.concatenate([np.ones_like(weight_NL[:, :1]), weight_NL[:, :-1]], axis=1)
    scored_N = (weight_NL * (log.reward_NL - logged_NL) + before_NL * expected_NL).sum(axis=1)
    return _scored(log, scored_N, weight_NL[:, -1], positive=False)


def _scored(log: SlateLog, scored_N: Doubles, weight_N: Doubles, *, positive: bool = True) -> Estimate:
    """The mean of what each decision scores; weights tell how much it can be relied on."""
    value = float(scored_N.mean())
    parts = Parts(value, scored_N - value, weight_N, positive=positive, bounds=log.bounds)
    return estimate_of(parts, log.total_N, weight_N)


def _scarcest(weight_NL: Doubles) -> Doubles:
    """The weights of the slot with the fewest effective decisions, from which sample size and warnings are told."""
    sizes = [effective_number(weight_N) for weight_N in weight_NL.T]
    scarcest_N: Doubles = weight_NL[:, int(np.argmin(sizes))]
    return scarcest_N


def _log(reward_NL: ArrayLike, logging_NL: ArrayLike, target_NL: ArrayLike) -> SlateLog:
    rewards_NL = numbers("reward_NL", reward_NL, axes=2)
    given_NL, wanted_NL = within_0_1("logging_NL", logging_NL, axes=2), within_0_1("target_NL", target_NL, axes=2)
    same_shape({"reward_NL": rewards_NL, "logging_NL": given_NL, "target_NL": wanted_NL})
    least = float(given_NL.prod(axis=1).min())
    option("logging_NL", f"must be above 0, of whole slates at least {_LEAST:g}", least, holds=least >= _LEAST)
    return SlateLog(rewards_NL, wanted_NL / given_NL)
