"""Slates whose later slots are explored anew, given those above: they come as often as their records say.

Each test of agreement draws 100,000 slates of three slots; the seeds are fixed, so they pass or fail for good.
"""

import numpy as np
import pytest

from agent.belief import Belief, Resemblance
from agent.certificate import Slates, certify_slates
from agent.draw import draw_slates, padded
from agent.explore import probabilities
from agent.later_slots import LaterSlots
from agent.settings import ExploreSettings

EXPLORERS = {
    "inverse_gap_weighting": ExploreSettings(gap_scale=1.0, evaluable=0.05),
    "boltzmann": ExploreSettings(strategy="boltzmann", value_rows=50.0),
    "thompson": ExploreSettings(strategy="thompson", floor=0.1),
}
SLOTS, BLOCKS, BATCH = 3, 50, 2_000
TESTS = 2 * len(EXPLORERS)
WEIGHT_F = np.array([-2.0, -1.0, -1.0])


def moving_belief(random, rows):
    """Beliefs of decisions with four to eight candidates of a few kinds."""
    counts_B = random.integers(4, 9, BATCH)
    N = counts_B.sum()
    vector_NE = np.eye(3, dtype=np.float32)[random.integers(3, size=N)] + random.normal(0.0, 0.3, (N, 3))
    logit_N, sd_N = random.normal(0.0, 1.0, N), random.uniform(0.3, 1.5, N)
    return Belief(
        logit_N,
        sd_N,
        counts_B,
        rows,
        samples_MN=logit_N + sd_N * random.normal(size=(16, N)),
        item_rows_N=random.integers(0, 100, N).astype(float),
        item_reward_N=random.uniform(0.0, 1.0, N),
        resemblance=Resemblance(vector_NE.astype(np.float32), WEIGHT_F),
    )


def block(random, explore, number):
    """A block of slates as they are published: some of one slot, some of three."""
    belief = moving_belief(random, rows=100 * number)
    shares_N, later = probabilities(explore, belief), LaterSlots(explore, belief, belief.resemblance)
    slots_B = np.where(random.random(BATCH) < 0.1, 1, SLOTS)
    drawn = draw_slates(shares_N, belief.counts_B, slots_B, random.integers(0, 2**53, BATCH).tolist(), later)
    shown_BL, propensities_BL = np.full((BATCH, SLOTS), -1), np.zeros((BATCH, SLOTS))
    later_BSK = np.full((BATCH, SLOTS - 1, belief.counts_B.max()), np.nan)
    for row, slate in enumerate(drawn):
        shown_BL[row, : slots_B[row]], propensities_BL[row, : slots_B[row]] = slate.indices, slate.propensities
        for slot, share_K in enumerate(later.of(row) or ()):
            later_BSK[row, slot] = 0.0
            later_BSK[row, slot, : len(share_K)] = share_K
    slate_B = np.where(shown_BL >= 0, propensities_BL, 1.0).prod(axis=1)
    return Slates(padded(shares_N, belief.counts_B), shown_BL, propensities_BL, slate_B, later_BSK)


@pytest.fixture(scope="module", params=list(EXPLORERS))
def blocks(request):
    random = np.random.default_rng([list(EXPLORERS).index(request.param), 9])
    return [block(random, EXPLORERS[request.param], number) for number in range(BLOCKS)]


def test_slates_come_as_often_as_their_records_say(blocks):
    certificate = certify_slates(blocks)
    assert (certificate.decisions, certificate.unexplained, certificate.misproducts) == (BLOCKS * BATCH, 0, 0)
    assert [slot.freedom for slot in certificate.slots] == [7, 6, 5]
    assert certificate.slate.freedom == 18
    assert certificate.p_value * TESTS > 0.001, certificate
    assert certificate.slate.p_value * TESTS > 0.001, certificate


def test_probabilities_of_every_later_slot_are_a_distribution_over_what_is_left(blocks):
    for each in blocks[:5]:
        for slot in range(1, SLOTS):
            told_BK = each.later_BSK[:, slot - 1]
            has_B = each.shown_BL[:, slot] >= 0
            assert np.isnan(told_BK[~has_B]).all()
            np.testing.assert_allclose(told_BK[has_B].sum(axis=1), 1.0, rtol=1e-12)
            for above in range(slot):
                assert (told_BK[has_B, each.shown_BL[has_B, above]] == 0.0).all()
            left_BK = (each.probabilities_BK[has_B] > 0.0).sum(axis=1) - slot
            assert ((told_BK[has_B] > 0.0).sum(axis=1) == left_BK).all()


def test_a_record_without_what_later_slots_were_drawn_from_does_not_explain_them(blocks):
    certificate = certify_slates([blocks[0]._replace(later_BSK=None)])
    assert certificate.unexplained > 0.5 * BATCH


def test_a_second_slot_that_is_published_sharper_than_drawn_is_found_there(blocks):
    def sharper(each):
        sharp_BSK = each.later_BSK**1.1
        sharp_BSK = sharp_BSK / sharp_BSK.sum(axis=2, keepdims=True)
        propensities_BL = each.propensities_BL.copy()
        for slot in range(1, SLOTS):
            rows = np.flatnonzero(each.shown_BL[:, slot] >= 0)
            propensities_BL[rows, slot] = sharp_BSK[rows, slot - 1, each.shown_BL[rows, slot]]
        slate_B = np.where(each.shown_BL >= 0, propensities_BL, 1.0).prod(axis=1)
        return each._replace(later_BSK=sharp_BSK, propensities_BL=propensities_BL, slate_B=slate_B)

    certificate = certify_slates(map(sharper, blocks))
    assert (certificate.unexplained, certificate.misproducts) == (0, 0)
    assert certificate.slots[0].p_value > 0.001 / TESTS
    assert certificate.slots[1].p_value < 1e-6
    assert certificate.slate.p_value < 1e-6
