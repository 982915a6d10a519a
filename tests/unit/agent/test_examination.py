"""Examination by position: the arithmetic of seen rows, what is learned of slots, and what one slot leaves alone."""

import pytest
import torch

from agent.examination import Examination
from agent.settings import SlateSettings


def examination(*examined, **settings):
    found = Examination(SlateSettings(max_slots=len(examined), **settings))
    found.examined_L.copy_(torch.tensor(examined, dtype=torch.float64))
    return found


def rows(slots, attractive, rewards, weights=None):
    weights = weights or [1.0] * len(slots)
    return torch.tensor(slots), *(torch.tensor(each, dtype=torch.float64) for each in (attractive, rewards, weights))


def test_an_unclicked_row_counts_as_far_as_it_was_seen():
    # e (1 - p) / (1 - e p): .5 * .8 / .9; a click was seen for certain; expected are e p
    seen = examination(1.0, 0.5).seen(*rows([1, 1, 0], [0.2, 0.2, 0.2], [0.0, 1.0, 0.0]))
    assert seen.weight_R.tolist() == pytest.approx([0.4 / 0.9, 1.0, 1.0])
    assert seen.reward_R.tolist() == [0.0, 1.0, 0.0]
    assert seen.predicted_R.tolist() == pytest.approx([0.1, 0.1, 0.2])


def test_a_row_that_stands_for_many_is_split_into_its_clicks_and_the_rest():
    # 8 rows of mean .25 count as 2 clicks and 6 * .4 / .9 = 2.667 that were seen: 4.667 rows of mean 2 / 4.667
    seen = examination(1.0, 0.5).seen(*rows([1], [0.2], [0.25], [8.0]))
    assert float(seen.weight_R[0]) == pytest.approx(2 + 6 * 0.4 / 0.9)
    assert float(seen.reward_R[0]) == pytest.approx(2 / (2 + 6 * 0.4 / 0.9))


def test_the_first_slot_is_left_as_it_is_bit_for_bit():
    generator = torch.Generator().manual_seed(0)
    p_R, reward_R, weight_R = torch.rand(3, 1_000, generator=generator)
    seen = examination(1.0, 0.5).seen(torch.zeros(1_000, dtype=torch.int64), p_R, reward_R, weight_R)
    assert torch.equal(seen.reward_R, reward_R.double())
    assert torch.equal(seen.weight_R, weight_R.double())
    assert torch.equal(seen.predicted_R, p_R)
    assert seen.predicted_R.dtype == p_R.dtype


def test_what_predictions_are_wrong_by_everywhere_goes_out():
    # rows count by what is predicted, 200 a slot; clicks 80 of 40 predicted, and 20 of 40; the prior is .5 of .5 and of
    # .5 * 2^-.5
    found = examination(1.0, 1.0)
    found.observe(*rows([0, 1], [0.2, 0.2], [0.4, 0.1], [1_000.0, 1_000.0]))
    assert found.examined_L.tolist() == pytest.approx([1.0, (20 + 0.5 * 2**-0.5) / 80.5])


def test_slots_beyond_the_last_share_its_value():
    found = examination(1.0, 0.25)
    assert found.seen(*rows([1, 7], [0.2, 0.2], [0.0, 0.0])).predicted_R.tolist() == pytest.approx([0.05, 0.05])


def test_old_rows_count_half_after_the_memory():
    found = examination(1.0, 1.0, memory_rows=100.0)
    for reward in (0.5, 0.0):
        found.observe(*rows([1], [0.5], [reward], [100.0]))
    assert found.came_L.tolist() == pytest.approx([0.0, 12.5])
    assert found.predicted_L.tolist() == pytest.approx([0.0, 37.5])


def test_what_is_carried_keeps_its_value_and_a_tenth_of_its_evidence():
    one, other = examination(1.0, 1.0), examination(1.0, 1.0)
    one.observe(*rows([0, 1], [0.5, 0.5], [0.5, 0.1], [1_000.0, 1_000.0]))
    other.carry(one)
    assert torch.equal(other.examined_L, one.examined_L)
    assert other.came_L.tolist() == pytest.approx([25.0, 5.0])


def test_before_there_are_clicks_lower_slots_count_as_seen_less_unless_nothing_is_learned():
    assert Examination(SlateSettings(max_slots=4)).examined_L.tolist() == pytest.approx([1, 2**-0.5, 3**-0.5, 0.5])
    assert Examination(SlateSettings(max_slots=4, examination=False)).examined_L.tolist() == [1.0] * 4
