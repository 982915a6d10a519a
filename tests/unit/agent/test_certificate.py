"""The certificate on published events: what it reads, what it counts, and the arithmetic by hand."""

import msgspec
import numpy as np
import pytest

from agent.certificate import Slates, certify, certify_slates
from agent.draw import draw_slate
from stream.events import Candidate, Impression, Recommendation, Slot

SHARES = (0.5, 0.3, 0.2)


def pair(number, slots=2):
    """An impression with three candidates, and what was shown of them."""
    candidates = tuple(Candidate(item_id=name) for name in "abc")
    impression = Impression(impression_id=f"i{number}", user_id="u1", ts_ms=1, candidates=candidates, slots=slots)
    indices, propensities = draw_slate(np.array(SHARES), slots, number)
    slate = tuple(Slot(item_id="abc"[i], propensity=p) for i, p in zip(indices, propensities, strict=True))
    return impression, Recommendation(
        decision_id=f"d{number}",
        impression_id=f"i{number}",
        user_id="u1",
        ts_ms=1,
        slate=slate,
        slate_propensity=float(np.prod(propensities)),
        probabilities=SHARES,
        strategy="x",
        policy_version="0.1",
    )


def changed(published, **fields):
    return published[0], msgspec.structs.replace(published[1], **fields)


def test_chi_square_by_hand():
    # 10,000 decisions at 0.7 and 0.3, the second shown in 3,100: excess 100, variance 2,100, so 100^2 / 2,100
    shown_B = (np.arange(10_000) % 100 < 31).astype(int)
    p_B = np.where(shown_B, 0.3, 0.7)
    slates = Slates(np.tile([0.7, 0.3], (10_000, 1)), shown_B[:, None], p_B[:, None], p_B)
    (slot,) = certify_slates([slates]).slots
    assert (slot.decisions, slot.freedom) == (10_000, 1)
    assert slot.chi_square == pytest.approx(100**2 / 2_100)
    assert slot.p_value == pytest.approx(0.02909, abs=1e-5)  # erfc(sqrt(4.7619 / 2))


def test_slates_of_different_lengths_are_tested_together_slot_by_slot():
    certificate = certify(pair(number, slots=1 + number % 3) for number in range(3_000))
    assert [slot.decisions for slot in certificate.slots] == [3_000, 2_000, 1_000]
    assert [slot.freedom for slot in certificate.slots] == [2, 1, 0]  # one less than are left
    assert certificate.holds, certificate


def test_decisions_that_do_not_tell_their_probabilities_are_left_out():
    told = certify([pair(0), changed(pair(1), probabilities=None), pair(2)])
    assert (told.decisions, told.holds) == (2, True)
    assert (certify([]).decisions, certify([]).slots) == (0, ())


def test_few_decisions_say_nothing_of_frequencies():
    certificate = certify(pair(0) for _ in range(20))
    assert [slot.freedom for slot in certificate.slots] == [0, 0]
    assert certificate.p_value == 1.0


@pytest.mark.parametrize(
    "slate",
    [
        (Slot(item_id="z", propensity=0.5), Slot(item_id="b", propensity=0.6)),
        (Slot(item_id="a"), Slot(item_id="b", propensity=0.6)),
        (Slot(item_id="a", propensity=0.5), Slot(item_id="b", propensity=0.3)),
    ],
    ids=["an item that is no candidate", "no propensity", "a propensity that forgets the slot above"],
)
def test_a_slot_that_its_probabilities_do_not_explain_is_counted(slate):
    certificate = certify([pair(0), changed(pair(1), slate=slate)])
    assert (certificate.decisions, certificate.unexplained, certificate.holds) == (2, 1, False)


def test_a_slate_propensity_that_is_not_the_product_is_counted():
    one, other = changed(pair(0), slate_propensity=0.123), changed(pair(1), slate_propensity=None)
    certificate = certify([one, other, pair(2)])
    assert (certificate.unexplained, certificate.misproducts, certificate.holds) == (0, 2, False)
