"""Estimators for slates against the truth, on 200 logs of 100 decisions each whose readers are known.

Under position bias alone every estimator is without bias: |z| <= 4 for the mean of the logs. Where items also take from
those below that resemble them, those that assume no such thing are off, |z| > 6, and the others still are not.
"""

from itertools import product

import numpy as np
import pytest

from agent.evaluation import cascade_dr, independent_ips, pseudo_inverse, rips, slate_ips, without_replacement

LOGS, DECISIONS, CONTEXTS, K, L = 200, 100, 3, 5, 3
EXAMINED_L = np.array([1.0, 0.6, 0.4])
TOPIC_K = np.array([0, 0, 0, 1, 1])
UNBIASED, BIASED = 4.0, 6.0


class Readers:
    """Contexts with known click rates; both policies draw without replacement, the target more of one topic.

    Args:
        lost: share of an item's click rate that is lost below one of its topic.
    """

    def __init__(self, lost: float) -> None:
        random = np.random.default_rng(3)
        self.lost, self.rate_CK = lost, random.uniform(0.1, 0.9, size=(CONTEXTS, K))
        score_CK = random.normal(size=(CONTEXTS, K))
        self.logging_CK, self.target_CK = softmax(score_CK / 2), softmax(score_CK + 4 * (TOPIC_K == 0))
        self.logging = [without_replacement(share_K, L) for share_K in self.logging_CK]
        self.target = [without_replacement(share_K, L) for share_K in self.target_CK]
        self.slate_SL = self.logging[0].slate_SL
        self.click_CSL = np.stack([self.clicks(context, self.slate_SL) for context in range(CONTEXTS)])
        earned_CS = self.click_CSL.sum(axis=2)
        self.truth = float(np.mean([earned_CS[c] @ self.target[c].share_S for c in range(CONTEXTS)]))

    def clicks(self, context, slate_SL):
        """Probabilities of a click on each slot, [S, L]."""
        topic_SL = TOPIC_K[slate_SL]
        above_SL = np.array([[t in topics[:slot] for slot, t in enumerate(topics)] for topics in topic_SL.tolist()])
        return EXAMINED_L * self.rate_CK[context, slate_SL] * np.where(above_SL, 1.0 - self.lost, 1.0)

    def log(self, random):
        """Contexts [N], slates [N] by their place among all, and clicks [N, L]."""
        context_N = random.integers(CONTEXTS, size=DECISIONS)
        place_N = np.array([random.choice(len(self.slate_SL), p=self.logging[c].share_S) for c in context_N])
        return context_N, place_N, (random.random((DECISIONS, L)) < self.click_CSL[context_N, place_N]).astype(float)

    def given(self, share_CK):
        """The probability of each slot given those above, of every context and slate, [C, S, L]."""
        each_CSL = share_CK[:, self.slate_SL]
        return each_CSL / (1.0 - np.cumsum(each_CSL, axis=2) + each_CSL)

    def marginal(self, slates):
        """The probability of each slot's item there, whatever stands above, [C, S, L]."""
        found_CSL = np.empty((CONTEXTS, len(self.slate_SL), L))
        for c, place, slot in product(range(CONTEXTS), range(len(self.slate_SL)), range(L)):
            found_CSL[c, place, slot] = slates[c].share_S[self.slate_SL[:, slot] == self.slate_SL[place, slot]].sum()
        return found_CSL

    def model(self, context, place):
        """What a wrong model expects: of the shown item, and of the target policy given the slots above, [L] each."""
        guess_K = 0.5 * self.rate_CK[context] + 0.2
        shown_L, expected_L = EXAMINED_L * guess_K[self.slate_SL[place]], np.empty(L)
        for slot in range(L):
            left_K = self.target_CK[context].copy()
            left_K[self.slate_SL[place, :slot]] = 0.0
            expected_L[slot] = EXAMINED_L[slot] * (left_K @ guess_K) / left_K.sum()
        return np.stack([shown_L, expected_L])


def softmax(score_CK):
    exp_CK = np.exp(score_CK)
    return exp_CK / exp_CK.sum(axis=1, keepdims=True)


def z_values(lost):
    """By how many standard errors the mean of each estimator over the logs misses the truth."""
    readers, random = Readers(lost), np.random.default_rng(4)
    given, wanted = readers.given(readers.logging_CK), readers.given(readers.target_CK)
    apart, wanted_apart = readers.marginal(readers.logging), readers.marginal(readers.target)
    model = {at: readers.model(*at) for at in product(range(CONTEXTS), range(len(readers.slate_SL)))}
    found = {name: [] for name in ("slate_ips", "rips", "cascade_dr", "independent_ips", "pseudo_inverse")}
    for _ in range(LOGS):
        context_N, place_N, reward_NL = readers.log(random)
        at = context_N, place_N
        logged = reward_NL, given[at], wanted[at]
        q_N2L = np.array([model[pair] for pair in zip(*(each.tolist() for each in at), strict=True)])
        found["slate_ips"].append(slate_ips(*logged).value)
        found["rips"].append(rips(*logged, normalised=False).value)
        found["cascade_dr"].append(cascade_dr(*logged, q_N2L[:, 0], q_N2L[:, 1]).value)
        found["independent_ips"].append(independent_ips(reward_NL, apart[at], wanted_apart[at]).value)
        slates = ([policy[c] for c in context_N] for policy in (readers.logging, readers.target))
        found["pseudo_inverse"].append(pseudo_inverse(reward_NL.sum(axis=1), readers.slate_SL[place_N], *slates).value)
    return {name: (np.mean(values) - readers.truth) / (np.std(values) / LOGS**0.5) for name, values in found.items()}, {
        name: np.std(values) for name, values in found.items()
    }


def test_under_position_bias_all_are_without_bias():
    z, sd = z_values(lost=0.0)
    assert max(map(abs, z.values())) <= UNBIASED, z
    assert sd["independent_ips"] < sd["pseudo_inverse"] < sd["slate_ips"]
    assert sd["cascade_dr"] < sd["rips"] < sd["slate_ips"]


def test_where_items_take_from_those_below_the_cascade_estimators_are_without_bias():
    z, _ = z_values(lost=0.9)
    assert max(abs(z[name]) for name in ("slate_ips", "rips", "cascade_dr")) <= UNBIASED, z
    assert min(abs(z[name]) for name in ("independent_ips", "pseudo_inverse")) > BIASED, z


@pytest.mark.parametrize("lost", [0.0, 0.9])
def test_a_log_under_its_own_policy_gives_its_mean(lost):
    readers = Readers(lost)
    context_N, place_N, reward_NL = readers.log(np.random.default_rng(5))
    given_NL = readers.given(readers.logging_CK)[context_N, place_N]
    mean = pytest.approx(reward_NL.sum(axis=1).mean(), rel=1e-9)
    slates = [readers.logging[c] for c in context_N]
    assert slate_ips(reward_NL, given_NL, given_NL).value == mean
    assert rips(reward_NL, given_NL, given_NL).value == mean
    assert independent_ips(reward_NL, given_NL, given_NL).value == mean
    assert cascade_dr(reward_NL, given_NL, given_NL, *np.full((2, DECISIONS, L), 0.25)).value == mean
    assert pseudo_inverse(reward_NL.sum(axis=1), readers.slate_SL[place_N], slates, slates).value == mean
