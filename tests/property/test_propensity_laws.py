"""Choices agree with their propensities, for every strategy and for slates of one to four slots; errors are caught.

Each of the 28 tests of agreement draws 100,000 slates. Together they hold at a level of .001 (Bonferroni); the seeds
are fixed, so they pass or fail for good.
"""

from itertools import product
from typing import get_args

import numpy as np
import pytest

from agent.certificate import Slates, certify_slates
from agent.draw import draw_slates, padded
from agent.explore import Belief, probabilities
from agent.settings import ExploreSettings

EXPLORERS = {
    "inverse_gap_weighting": ExploreSettings(gap_scale=1.0, evaluable=0.05),
    "greedy": ExploreSettings(strategy="greedy", floor=0.3),
    "epsilon_greedy": ExploreSettings(strategy="epsilon_greedy", epsilon=0.6, epsilon_min=0.3),
    "boltzmann": ExploreSettings(strategy="boltzmann", value_rows=50.0),
    "linucb": ExploreSettings(strategy="linucb", floor=0.1),
    "thompson": ExploreSettings(strategy="thompson", floor=0.1),
    "neural_thompson": ExploreSettings(strategy="neural_thompson", floor=0.2),
}
SLOTS = (1, 2, 3, 4)
TESTS = len(EXPLORERS) * len(SLOTS)
BLOCKS, BATCH = 50, 2_000  # 100,000 slates


def moving_belief(random, rows, samples=16):
    """Beliefs of decisions with four to eight candidates, none like the other."""
    counts_B = random.integers(4, 9, BATCH)
    N = counts_B.sum()
    logit_N, sd_N = random.normal(0.0, 1.0, N), random.uniform(0.3, 1.5, N)
    return Belief(
        logit_N,
        sd_N,
        counts_B,
        rows,
        samples_MN=logit_N + sd_N * random.normal(size=(samples, N)),
        item_rows_N=random.integers(0, 100, N).astype(float),
        item_reward_N=random.uniform(0.0, 1.0, N),
    )


def explained(probabilities_BK, shown_BL):
    """The slates as they would be logged if they had been drawn from these probabilities."""
    left_BK, rows_B = probabilities_BK.copy(), np.arange(len(shown_BL))
    propensities_BL = np.empty(shown_BL.shape)
    for slot, shown_B in enumerate(shown_BL.T):
        propensities_BL[:, slot] = left_BK[rows_B, shown_B] / left_BK.sum(axis=1)
        left_BK[rows_B, shown_B] = 0.0
    return Slates(probabilities_BK, shown_BL, propensities_BL, propensities_BL.prod(axis=1))


@pytest.fixture(scope="module")
def drawn():
    """Draws 100,000 slates by the agent's own functions; keeps them for the tests that follow."""
    kept = {}

    def draw(strategy, slots):
        if (strategy, slots) not in kept:
            random = np.random.default_rng([list(EXPLORERS).index(strategy), slots])
            kept[strategy, slots] = [block(random, strategy, slots, number) for number in range(BLOCKS)]
        return kept[strategy, slots]

    return draw


def block(random, strategy, slots, number):
    belief = moving_belief(random, rows=100 * number)
    shares_N = probabilities(EXPLORERS[strategy], belief)
    seeds_B = random.integers(0, 2**53, BATCH).tolist()
    slates = draw_slates(shares_N, belief.counts_B, [slots] * BATCH, seeds_B)
    propensities_BL = np.array([slate.propensities for slate in slates])
    shown_BL = np.array([slate.indices for slate in slates])
    return Slates(padded(shares_N, belief.counts_B), shown_BL, propensities_BL, propensities_BL.prod(axis=1))


def test_every_strategy_is_tested():
    assert set(EXPLORERS) == set(get_args(ExploreSettings.model_fields["strategy"].annotation))
    assert all(settings.strategy == name for name, settings in EXPLORERS.items())


@pytest.mark.parametrize(("strategy", "slots"), list(product(EXPLORERS, SLOTS)))
def test_slates_come_as_often_as_their_propensities_say(drawn, strategy, slots):
    certificate = certify_slates(drawn(strategy, slots))
    assert (certificate.decisions, certificate.unexplained, certificate.misproducts) == (BLOCKS * BATCH, 0, 0)
    assert [slot.freedom for slot in certificate.slots] == [7 - slot for slot in range(slots)]
    assert certificate.p_value * TESTS > 0.001, certificate


# Planted errors: the certificate has to notice every one, whatever else of the record fits together


def sharper(slates):
    """Publishes p^1.05 for p."""
    sharp_BK = slates.probabilities_BK**1.05
    return explained(sharp_BK / sharp_BK.sum(axis=1, keepdims=True), slates.shown_BL)


def inflated(slates):
    """Publishes the second most probable as 10 % more probable than it was."""
    more_BK, rows_B = slates.probabilities_BK.copy(), np.arange(BATCH)
    more_BK[rows_B, np.argsort(-more_BK, axis=1, kind="stable")[:, 1]] *= 1.1
    return explained(more_BK / more_BK.sum(axis=1, keepdims=True), slates.shown_BL)


def swapped(slates):
    """Publishes the last two slots in the wrong order, each with the propensity that it would have had there."""
    order = [*range(slates.shown_BL.shape[1] - 2), -1, -2]
    return explained(slates.probabilities_BK, slates.shown_BL[:, order])


@pytest.mark.parametrize("strategy", EXPLORERS)
@pytest.mark.parametrize(
    ("error", "slots"), [(sharper, 1), (sharper, 3), (inflated, 1), (inflated, 2), (swapped, 2), (swapped, 4)]
)
def test_a_planted_error_is_caught_by_the_frequencies(drawn, strategy, error, slots):
    certificate = certify_slates(map(error, drawn(strategy, slots)))
    assert (certificate.unexplained, certificate.misproducts) == (0, 0)
    assert certificate.p_value < 1e-6, certificate


def test_an_error_of_the_second_slot_is_found_in_the_second_slot(drawn):
    def repeated(slates):
        """Draws the second slot from what is left evenly, and publishes it as drawn in proportion."""
        random = np.random.default_rng(0)
        left_BK = (slates.probabilities_BK > 0) * random.random(slates.probabilities_BK.shape)
        left_BK[np.arange(BATCH), slates.shown_BL[:, 0]] = 0.0
        shown_BL = np.column_stack([slates.shown_BL[:, 0], left_BK.argmax(axis=1)])
        return explained(slates.probabilities_BK, shown_BL)

    first, second = certify_slates(map(repeated, drawn("boltzmann", 2))).slots
    assert first.p_value > 0.001
    assert second.p_value < 1e-6


def test_propensities_that_do_not_follow_from_the_record_are_counted(drawn):
    slates = drawn("thompson", 2)[0]
    out_of_order = slates._replace(shown_BL=slates.shown_BL[:, ::-1])
    assert certify_slates([out_of_order]).unexplained > 0.9 * BATCH
    off_BL = slates.propensities_BL.copy()
    off_BL[7, 1] *= 1.0 + 1e-6
    one_off = certify_slates([slates._replace(propensities_BL=off_BL)])
    assert (one_off.unexplained, one_off.misproducts, one_off.holds) == (1, 1, False)
    one_unknown = slates.slate_B.copy()
    one_unknown[3] = np.nan
    half_told = certify_slates([slates._replace(slate_B=one_unknown)])
    assert (half_told.unexplained, half_told.misproducts, half_told.holds) == (0, 1, False)
