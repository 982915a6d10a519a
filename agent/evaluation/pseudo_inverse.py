"""The pseudo-inverse estimator for slates: only which item stands in which slot counts, not the slate as a whole.

Assumes that a slate's mean reward is a sum over its slots of something that depends on slot and item alone (and on the
context): position bias of any form is such, resemblance to what stands above is not. In return a decision's weight is
about a sum over slots instead of a product. The reward may be known of the whole slate only.

References:
    Swaminathan, Krishnamurthy, Agarwal, Dudík, Langford, Jose, Zitouni (2017), Off-policy evaluation for slate
    recommendation: the estimator r q' G+ 1_s, and its closed form for slots that are independent of each other.
"""

from collections.abc import Sequence
from itertools import permutations
from math import perm
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from agent.evaluation.checks import Doubles, Places, numbers, option, probabilities, same_shape
from agent.evaluation.errors import EvaluationError
from agent.evaluation.estimate import Estimate, Parts, estimate_of

_MOST_SLATES = 20_000  # that are enumerated for one decision
_SUM_TOLERANCE = 1e-6
_RANK = 1e-9  # of the largest eigenvalue; what lies below is 0


class Slates(NamedTuple):
    """All slates that a policy can show in one decision, and how probable each is.

    Attributes:
        slate_SL: indices of their candidates, slot by slot.
        share_S: their probabilities, summing to 1.
    """

    slate_SL: Places
    share_S: Doubles


def without_replacement(probabilities_K: ArrayLike, slots: int) -> Slates:
    """All slates of L slots drawn one after the other, each from what is left in proportion.

    Args:
        probabilities_K: of each candidate for the first slot; those of 0 are never shown.
        slots: L.

    Raises:
        EvaluationError: no distribution, fewer candidates than slots, or more than 20,000 slates.

    >>> slates = without_replacement([0.5, 0.25, 0.25], slots=2)
    >>> slates.slate_SL.tolist(), slates.share_S.tolist()
    ([[0, 1], [0, 2], [1, 0], [1, 2], [2, 0], [2, 1]], [0.25, 0.25, 0.16..., 0.08..., 0.16..., 0.08...])
    """
    share_K = probabilities("probabilities_K", probabilities_K)
    total = float(share_K.sum())
    option("probabilities_K", "must sum to 1", total, holds=abs(total - 1.0) <= _SUM_TOLERANCE)
    shown_K = np.flatnonzero(share_K > 0.0)
    option("slots", f"must be 1 to the number of candidates ({len(shown_K)})", slots, holds=1 <= slots <= len(shown_K))
    count = perm(len(shown_K), slots)
    option("slates", f"must be at most {_MOST_SLATES:,} to be enumerated", count, holds=count <= _MOST_SLATES)
    slate_SL = np.array(list(permutations(shown_K.tolist(), slots)), dtype=np.int64)
    each_SL = share_K[slate_SL]
    left_SL = total - np.cumsum(each_SL, axis=1) + each_SL
    return Slates(slate_SL, (each_SL / np.maximum(left_SL, each_SL)).prod(axis=1))


def pseudo_inverse_weight(shown_L: ArrayLike, logging: Slates, target: Slates) -> float:
    """The weight q' G+ 1_s of a shown slate s: q, G the mean of 1_s under the target, of 1_s 1_s' under the log.

    1_s has a 1 for each pair of slot and item in s. Of mean 1 under the log, if it can show each pair that the target
    policy shows; it may be negative.

    Args:
        shown_L: indices of the shown candidates.
        logging: all slates that the log could have shown.
        target: all slates that the target policy could show.

    Raises:
        EvaluationError: slates of another number of slots.

    >>> even = without_replacement([0.5, 0.5], slots=2)
    >>> round(pseudo_inverse_weight([0, 1], even, without_replacement([0.75, 0.25], slots=2)), 6)
    1.5
    """
    shown = np.asarray(shown_L, dtype=np.int64)
    lengths = {shown.shape[0], logging.slate_SL.shape[1], target.slate_SL.shape[1]}
    if len(lengths) > 1:
        raise EvaluationError(f"slates of one decision must have one number of slots; got {sorted(lengths)}")
    candidates = 1 + max(int(part.max()) for part in (shown, logging.slate_SL, target.slate_SL))
    logged_SP = _indicators(logging.slate_SL, candidates)
    second_PP = logged_SP.T @ (logged_SP * logging.share_S[:, None])
    wanted_P = target.share_S @ _indicators(target.slate_SL, candidates)
    inverse_PP = np.linalg.pinv(second_PP, rcond=_RANK, hermitian=True)
    return float(wanted_P @ inverse_PP @ _indicators(shown[None], candidates)[0])


def pseudo_inverse(
    reward_N: ArrayLike, slate_NL: ArrayLike, logging: Sequence[Slates], target: Sequence[Slates]
) -> Estimate:
    """The pseudo-inverse estimate mean(r q' G+ 1_s), exact for any way to draw slates that can be enumerated.

    Assumes that rewards add up over slots, see above. A log under its own policy gives its mean exactly.

    Args:
        reward_N: what each slate earned.
        slate_NL: indices of the shown candidates.
        logging: of each decision, all slates that the log could have shown; see `without_replacement`.
        target: the same of the target policy.

    Raises:
        EvaluationError: arrays of different lengths, none, or not finite.

    >>> even, lean = without_replacement([0.5, 0.5], slots=2), without_replacement([0.75, 0.25], slots=2)
    >>> round(pseudo_inverse([1, 0], [[0, 1], [1, 0]], [even] * 2, [lean] * 2).value, 6)
    0.75
    """
    rewards_N, slates_NL = numbers("reward_N", reward_N), numbers("slate_NL", slate_NL, axes=2).astype(np.int64)
    for name, of_N in (("slate_NL", slates_NL), ("logging", logging), ("target", target)):
        if len(of_N) != len(rewards_N):
            raise EvaluationError(f"{name} must have one entry a decision, {len(rewards_N)}; got {len(of_N)}")
    weights = [pseudo_inverse_weight(*each) for each in zip(slates_NL, logging, target, strict=True)]
    return _estimate(rewards_N, np.array(weights))


def independent_pseudo_inverse(reward_N: ArrayLike, logging_NL: ArrayLike, target_NL: ArrayLike) -> Estimate:
    """The pseudo-inverse estimate where the log draws its slots independently: mean(r (sum_l w_l - L + 1)).

    Assumes that rewards add up over slots, and that the log drew each slot without looking at the others, so that an
    item may stand in two of them; logs drawn without replacement want `pseudo_inverse`.

    Args:
        reward_N: what each slate earned.
        logging_NL: the log's probability of the shown item in each slot, in (0, 1].
        target_NL: the target policy's marginal probability of it there, in [0, 1].

    Raises:
        EvaluationError: arrays of different shapes, none, not finite or outside these ranges.

    >>> independent_pseudo_inverse([1, 0], [[0.5, 0.5], [0.5, 0.5]], [[0.75, 0.5], [0.25, 0.5]]).value  # 1.5 + 1 - 1
    0.75
    """
    rewards_N = numbers("reward_N", reward_N)
    given_NL = probabilities("logging_NL", logging_NL, axes=2)
    wanted_NL = probabilities("target_NL", target_NL, axes=2)
    same_shape({"logging_NL": given_NL, "target_NL": wanted_NL})
    same_shape({"reward_N": rewards_N, "logging_NL slates": given_NL[:, 0]})
    least = float(given_NL.min())
    option("logging_NL", "must be above 0", least, holds=least > 0.0)
    return _estimate(rewards_N, (wanted_NL / given_NL).sum(axis=1) - given_NL.shape[1] + 1.0)


def _estimate(reward_N: Doubles, weight_N: Doubles) -> Estimate:
    scored_N = weight_N * reward_N
    value = float(scored_N.mean())
    bounds = (0.0 if reward_N.min() >= 0.0 else float("-inf"), float("inf"))
    return estimate_of(Parts(value, scored_N - value, weight_N, positive=False, bounds=bounds), reward_N, weight_N)


def _indicators(slate_SL: Places, candidates: int) -> Doubles:
    """A 1 for each pair of slot and item, [S, L * K]."""
    S, L = slate_SL.shape
    found_SLK = np.zeros((S, L, candidates))
    found_SLK[np.arange(S)[:, None], np.arange(L), slate_SL] = 1.0
    return found_SLK.reshape(S, L * candidates)
