"""A Bayesian model made for headline tests alone, to hold the general policy against: what can be had by these rules?

Each test has a level, each arm a deviation around what a ridge regression on the headline's vector says within tests;
both are found by Newton's method from all that was shown so far, nothing is forgotten. Thompson sampling at a share of
the posterior's spread chooses, over the same floor as the policy's.
"""

from dataclasses import dataclass

import numpy as np

from deploy.bench.headline_queues import Drawn, Queues
from deploy.bench.headline_tests import Headlines
from deploy.bench.rounds import Floats, Ints

_COMPONENTS = 64
_SCORE_SD, _ARM_SD, _LEVEL_SD = 0.12, 0.23, 0.7  # of logits: what texts tell, what arms differ by beyond it, and tests
_DRAWS, _SWEEPS, _FLOOR = 128, 8, 0.01


def text_scores(tests: Headlines, known_A: Ints) -> Floats:
    """What headlines tell of the logit of all arms, by a ridge regression on some arms, centred within their tests.

    Args:
        tests: the archive.
        known_A: the arms that are learned from.
    """
    texts_AE = tests.text_AE.astype(np.float64)
    texts_AE = texts_AE - texts_AE[known_A].mean(axis=0)
    directions = np.linalg.svd(texts_AE[known_A], full_matrices=False)[2][:_COMPONENTS]
    component_AC = texts_AE @ directions.T
    clicks_A, others_A = tests.clicks_A + 0.5, tests.shown_A - tests.clicks_A + 0.5
    told_A = np.zeros(len(clicks_A))
    noise_A = 1.0 / clicks_A[known_A] + 1.0 / others_A[known_A]
    told_A[known_A] = 1.0 / (noise_A + _ARM_SD**2)
    total_T = np.maximum(np.bincount(tests.test_A, told_A), 1e-12)

    def within(value_A: Floats) -> Floats:
        return value_A - (np.bincount(tests.test_A, told_A * value_A) / total_T)[tests.test_A]

    within_AC = np.stack([within(column_A) for column_A in component_AC.T], axis=1)
    logit_A = within(np.log(clicks_A / others_A))
    weighted_AC = within_AC * told_A[:, None]
    size = float((within_AC[known_A] ** 2).sum(axis=1).mean())
    gram_CC = weighted_AC.T @ within_AC + size / _SCORE_SD**2 * np.eye(len(directions))
    scores_A: Floats = component_AC @ np.linalg.solve(gram_CC, weighted_AC.T @ logit_A)
    return scores_A


@dataclass
class _Belief:
    """Levels of S slates and deviations of A arms, with what was seen of them."""

    shown_A: Floats
    clicks_A: Floats
    prior_A: Floats
    level_S: Floats
    apart_A: Floats


class LevelThompson:
    """Thompson sampling with one level a slate and a prior for each arm.

    Args:
        score_A: prior mean of every arm of the archive; zeros where no text is read.
        rate: the archive's click rate.
        spread: share of the posterior's spread that is drawn.
        random: of the draws.
    """

    def __init__(self, score_A: Floats, rate: float, spread: float, random: np.random.Generator) -> None:
        self._score_A, self._base = score_A, float(np.log(rate / (1.0 - rate)))
        self._spread, self._random = spread, random
        self._belief: _Belief | None = None

    def shares(self, queues: Queues) -> Floats:
        """See `HeadlinePlayer`."""
        seen = self._belief = self._belief or self._begin(queues)
        slate_A, open_A = queues.slate_A, queues.open_A
        weight_A, precision_S = self._newton(seen, queues)
        precision_A = weight_A + _ARM_SD**-2
        own_MA = self._random.standard_normal((_DRAWS, len(slate_A))) / np.sqrt(precision_A)
        level_MS = self._random.standard_normal((_DRAWS, len(seen.level_S))) / np.sqrt(precision_S)
        drawn_MA = own_MA - (weight_A / precision_A) * level_MS[:, slate_A]
        value_MA = np.where(open_A, seen.prior_A + seen.apart_A + self._spread * drawn_MA, -np.inf)
        best_MS = np.maximum.reduceat(value_MA, queues.starts_S, axis=1)
        share_A = ((value_MA == best_MS[:, slate_A]) & open_A).mean(axis=0)
        open_S = np.add.reduceat(open_A.astype(np.float64), queues.starts_S)
        shares_A: Floats = (1.0 - _FLOOR) * share_A + _FLOOR * open_A / np.maximum(open_S, 1.0)[slate_A]
        return shares_A

    def learn(self, queues: Queues, drawn: Drawn) -> None:
        """See `HeadlinePlayer`."""
        seen = self._belief or self._begin(queues)
        seen.shown_A, seen.clicks_A = seen.shown_A + drawn.shown_A, seen.clicks_A + drawn.clicks_A
        self._belief = seen

    def _begin(self, queues: Queues) -> _Belief:
        score_A, count_S = self._score_A[queues.arm_A], np.bincount(queues.slate_A)
        prior_A = score_A - (np.add.reduceat(score_A, queues.starts_S) / count_S)[queues.slate_A]
        shown_A, clicks_A, apart_A = np.zeros((3, len(score_A)))
        return _Belief(shown_A, clicks_A, prior_A, np.zeros(len(count_S)), apart_A)

    def _newton(self, seen: _Belief, queues: Queues) -> tuple[Floats, Floats]:
        """Finds the mode; curvature [A] of the arms' likelihood, and precision [S] of the levels, arms marginalised."""
        slate_A, starts_S = queues.slate_A, queues.starts_S
        for _ in range(_SWEEPS):
            p_A = 1.0 / (1.0 + np.exp(-(self._base + seen.level_S[slate_A] + seen.prior_A + seen.apart_A)))
            weight_A, slope_A = seen.shown_A * p_A * (1.0 - p_A), seen.clicks_A - seen.shown_A * p_A
            precision_A, own_A = weight_A + _ARM_SD**-2, slope_A - seen.apart_A / _ARM_SD**2
            precision_S = np.add.reduceat(weight_A - weight_A**2 / precision_A, starts_S) + _LEVEL_SD**-2
            level_S = np.add.reduceat(slope_A - weight_A * own_A / precision_A, starts_S) - seen.level_S / _LEVEL_SD**2
            step_S = level_S / precision_S
            seen.level_S = seen.level_S + np.clip(step_S, -1.0, 1.0)
            seen.apart_A = seen.apart_A + np.clip((own_A - weight_A * step_S[slate_A]) / precision_A, -1.0, 1.0)
        return weight_A, precision_S
