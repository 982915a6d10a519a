"""The reward model of the doubly robust estimators: a ridge regression on what is known, and an effect of each item.

It only has to take variance away, never to be right. So it is small, in closed form and the same for rewards of any
scale: clicks are few, and a model that fits them closely would fit their noise. It reads the numeric features of
context and candidate and their products; what an item earns beyond that is shrunk as far as items do not differ.
"""

from dataclasses import dataclass

import numpy as np

from agent.evaluation import cross_fit
from deploy.evaluating.log import Doubles, LoggedDecisions, Places

FOLDS = 5
_PENALTY = 100.0  # of a standardised feature: as though so many decisions more had told nothing of it
_MOST_PRODUCTS = 400
_TINY = 1e-12


@dataclass(frozen=True, slots=True)
class RewardModel:
    """A fitted model of C context and D candidate features.

    Attributes:
        intercept: expected reward where nothing else is known.
        context_C: weights of the context's features.
        candidate_D: weights of the candidate's.
        product_CD: weights of their products; zeros where they are too many.
        effect_I: what each item earns beyond that.
        lowest, highest: rewards that were seen; predictions stay between them.
    """

    intercept: float
    context_C: Doubles
    candidate_D: Doubles
    product_CD: Doubles
    effect_I: Doubles
    lowest: float
    highest: float

    def predict(self, log: "Standardised", decisions_n: Places, candidates_m: Places) -> Doubles:
        """The expected reward [m] of the candidates of n decisions."""
        context_nC = log.context_NC[decisions_n]
        counts_n = log.log.counts_N[decisions_n]
        base_m = np.repeat(self.intercept + context_nC @ self.context_C, counts_n)
        weight_mD = np.repeat(self.candidate_D + context_nC @ self.product_CD, counts_n, axis=0)
        own_m = (log.candidate_MD[candidates_m] * weight_mD).sum(axis=1)
        expected_m = base_m + own_m + self.effect_I[log.log.item_M[candidates_m]]
        clipped_m: Doubles = np.clip(expected_m, self.lowest, self.highest)
        return clipped_m


class Standardised:
    """A log with features of mean 0 and spread 1, without those that never differ."""

    def __init__(self, log: LoggedDecisions) -> None:
        self.log = log
        self.context_NC = _standardised(log.context_NC)
        self.candidate_MD = _standardised(log.candidate_MD)
        self.items = int(log.item_M.max()) + 1

    def fit(self, decisions_n: Places) -> RewardModel:
        """The model of some decisions."""
        log, shown_n = self.log, self.log.shown_N[decisions_n]
        reward_n = log.reward_N[decisions_n]
        context_nC, candidate_nD = self.context_NC[decisions_n], self.candidate_MD[shown_n]
        (n, C), D = context_nC.shape, candidate_nD.shape[1]
        products = C * D if C * D <= _MOST_PRODUCTS else 0
        product_nP = (context_nC[:, :, None] * candidate_nD[:, None, :]).reshape(n, C * D)[:, :products]
        design_nF = np.concatenate([context_nC, candidate_nD, product_nP], axis=1)
        center_F, mean = design_nF.mean(axis=0), float(reward_n.mean())
        centered_nF = design_nF - center_F
        gram_FF = centered_nF.T @ centered_nF + _PENALTY * np.eye(design_nF.shape[1])
        weight_F = np.linalg.solve(gram_FF, centered_nF.T @ (reward_n - mean))
        residual_n = reward_n - mean - centered_nF @ weight_F
        product_CD = weight_F[C + D :].reshape(C, D) if products else np.zeros((C, D))
        return RewardModel(
            intercept=mean - float(center_F @ weight_F),
            context_C=weight_F[:C],
            candidate_D=weight_F[C : C + D],
            product_CD=product_CD,
            effect_I=item_effects(residual_n, log.item_M[shown_n], self.items),
            lowest=float(reward_n.min()),
            highest=float(reward_n.max()),
        )


def item_effects(residual_n: Doubles, item_n: Places, items: int) -> Doubles:
    """Mean residual [I] of each item, shrunk by n_i / (n_i + noise / between); 0 where items differ by noise alone.

    Both variances are those of a one-way analysis of variance with random effects.

    References:
        Searle, Casella, McCulloch (1992), Variance components, section 3.6 (analysis of variance estimators).

    >>> item_effects(np.array([1.0, 0.0, 0.0, -1.0] * 50), np.array([0, 0, 1, 1] * 50), 3).round(2)
    array([ 0.5, -0.5,  0. ])
    """
    count_I = np.bincount(item_n, minlength=items).astype(np.float64)
    mean_I = np.bincount(item_n, residual_n, minlength=items) / np.maximum(count_I, 1.0)
    n, seen = len(residual_n), int((count_I > 0.0).sum())
    if seen < 2 or n <= seen:
        return np.zeros(items)
    noise = float(np.square(residual_n - mean_I[item_n]).sum()) / (n - seen)
    among = float((count_I * np.square(mean_I - residual_n.mean())).sum()) / (seen - 1)
    usual = (n - float(np.square(count_I).sum()) / n) / (seen - 1)
    between = (among - noise) / usual
    if between <= _TINY:
        return np.zeros(items)
    shrunk_I: Doubles = mean_I * count_I / (count_I + noise / between)
    return shrunk_I


def cross_fitted(log: LoggedDecisions, probability_M: Doubles, random: np.random.Generator) -> tuple[Doubles, Doubles]:
    """What models of other decisions expect: of what was logged [N], and of the target policy [N].

    Args:
        log: the decisions; those of one group are never fitted and predicted by one model.
        probability_M: with which the target policy shows each candidate.
        random: deals the groups out to folds.

    Raises:
        EvaluationError: there is one group only.
    """
    ready = Standardised(log)

    def predict(model: RewardModel, decisions_n: Places) -> Doubles:
        candidates_m, counts_n = log.candidates_of(decisions_n), log.counts_N[decisions_n]
        expected_m = model.predict(ready, decisions_n, candidates_m)
        starts_n = np.cumsum(counts_n) - counts_n
        target_n = np.add.reduceat(probability_M[candidates_m] * expected_m, starts_n)
        return np.stack([expected_m[starts_n + log.action_N[decisions_n]], target_n], axis=1)

    groups = len(np.unique(log.group_N))
    both_N2 = cross_fit(log.group_N, ready.fit, predict, folds=max(2, min(FOLDS, groups)), random=random)
    return both_N2[:, 0], both_N2[:, 1]


def _standardised(values: Doubles) -> Doubles:
    """Columns of mean 0 and spread 1; those of one value become 0."""
    spread = values.std(axis=0) if len(values) else np.ones(values.shape[1])
    scaled: Doubles = (values - values.mean(axis=0)) / np.where(spread > _TINY, spread, np.inf)
    return scaled
