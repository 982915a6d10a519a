"""Simulated logs with a value that is known exactly: click rates of every context and candidate are given."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from agent.evaluation import cross_fit
from deploy.evaluating.log import Doubles, LoggedDecisions, Places
from deploy.evaluating.reward_model import FOLDS, RewardModel, Standardised

Nearness = Literal["near", "far"]

CONTEXTS, CANDIDATES, FEATURES = 200, 10, 4
_SPREAD = 0.6  # of the logarithm of click rates: the best of ten is clicked about twice as often as the mean
_FLOOR = 0.02  # share of the log's policy that is uniform
_HIGHEST = 0.95


@dataclass(frozen=True)
class Question:
    """What a log is asked.

    Attributes:
        target: a policy close to that of the log, somewhat sharper, or one with other favourites.
        click_rate: mean click rate of a uniform choice.
        rows: decisions of the log.
    """

    target: Nearness
    click_rate: float
    rows: int


@dataclass(frozen=True)
class Drawn:
    """A log with what is asked of it and the answer.

    Attributes:
        log: as every evaluation reads it.
        target_NK: the target policy's probability of each candidate.
        target_N: that of what was shown.
        truth: the target policy's value.
    """

    log: LoggedDecisions
    target_NK: Doubles
    target_N: Doubles
    truth: float


def draw(question: Question, seed: int) -> Drawn:
    """A world of its own and a log in it; the same for the same seed.

    Contexts and items have factors; the logarithm of a click rate is their product, an effect of the item, and what
    neither tells. The log's policy and a near target rank by a noisy reading of these rates; a far one by another.
    """
    random = np.random.default_rng([seed, 17])
    context_CD = random.normal(size=(CONTEXTS, FEATURES))
    item_KD = random.normal(size=(CANDIDATES, FEATURES)) / np.sqrt(FEATURES)
    true_CK = 0.6 * context_CD @ item_KD.T + 0.6 * random.normal(size=CANDIDATES)
    true_CK = true_CK + 0.5 * random.normal(size=true_CK.shape)
    rate_CK = _rates(true_CK, question.click_rate)
    read_CK, other_CK = (true_CK + random.normal(size=true_CK.shape) for _ in range(2))
    logging_CK = (1.0 - _FLOOR) * softmax(read_CK) + _FLOOR / CANDIDATES
    target_CK = softmax(1.5 * read_CK) if question.target == "near" else softmax(2.5 * other_CK)
    context_N = random.integers(CONTEXTS, size=question.rows)
    action_N = _chosen(logging_CK[context_N], random)
    reward_N = (random.random(question.rows) < rate_CK[context_N, action_N]).astype(np.float64)
    counts_N = np.full(question.rows, CANDIDATES, dtype=np.int64)
    log = LoggedDecisions(
        name="simulated",
        reward_N=reward_N,
        action_N=action_N,
        propensity_N=logging_CK[context_N, action_N],
        counts_N=counts_N,
        logging_M=logging_CK[context_N].reshape(-1),
        item_M=np.tile(np.arange(CANDIDATES, dtype=np.int64), question.rows),
        context_NC=context_CD[context_N],
        candidate_MD=np.tile(item_KD, (question.rows, 1)),
        group_N=np.arange(question.rows, dtype=np.int64),
    )
    truth = float((target_CK * rate_CK).sum(axis=1).mean())
    return Drawn(log, target_CK[context_N], target_CK[context_N, action_N], truth)


def cross_fitted_NK(log: LoggedDecisions, seed: int) -> Doubles:
    """What the reward model of `streambandit evaluate` expects of every candidate, fitted to other decisions."""
    ready = Standardised(log)

    def predict(model: RewardModel, decisions_n: Places) -> Doubles:
        return model.predict(ready, decisions_n, log.candidates_of(decisions_n)).reshape(len(decisions_n), -1)

    return cross_fit(log.group_N, ready.fit, predict, folds=FOLDS, random=np.random.default_rng([seed, 13]))


def softmax(score_NK: Doubles) -> Doubles:
    """Probabilities [N, K] that grow with the scores.

    >>> softmax(np.log(np.array([[1.0, 3.0]])))
    array([[0.25, 0.75]])
    """
    exp_NK = np.exp(score_NK - score_NK.max(axis=1, keepdims=True))
    shares_NK: Doubles = exp_NK / exp_NK.sum(axis=1, keepdims=True)
    return shares_NK


def _rates(true_CK: Doubles, click_rate: float) -> Doubles:
    relative_CK = np.exp(_SPREAD * true_CK)
    rate_CK: Doubles = np.minimum(click_rate * relative_CK / relative_CK.mean(), _HIGHEST)
    return rate_CK


def _chosen(probability_NK: Doubles, random: np.random.Generator) -> Places:
    above_NK = random.random((len(probability_NK), 1)) > np.cumsum(probability_NK, axis=1)[:, :-1]
    chosen_N: Places = above_NK.sum(axis=1)
    return chosen_N
