"""The ring of the last rows."""

import numpy as np
import pytest
from support.learning_rows import rows

from agent.errors import LearnError
from agent.kept import Kept


def filled(most, *counts):
    kept = Kept(most)
    for seed, count in enumerate(counts):
        kept.append(rows(seed, count), np.full(count, seed / 10, np.float32), seed)
    return kept


@pytest.mark.parametrize("counts", [(10,), (10, 20), (700, 700, 700), (30, 1_500), (0, 5, 0), (1_024, 1)])
def test_the_last_rows_are_kept_in_their_order(counts):
    kept = filled(1_024, *counts)
    all_R = np.concatenate([rows(seed, count).candidate_RD for seed, count in enumerate(counts)])
    assert len(kept) == min(1_024, len(all_R))
    np.testing.assert_array_equal(kept.rows().candidate_RD, all_R[-1_024:])
    ages = np.array([0, len(kept) - 1, len(kept) // 2])
    np.testing.assert_array_equal(kept.rows(ages).candidate_RD, all_R[len(all_R) - 1 - ages])
    changed_R = np.repeat(np.arange(len(counts)), counts)
    np.testing.assert_array_equal(kept.last("changed_R", 50), changed_R[-min(50, len(kept)) :])


def test_what_was_predicted_can_be_replaced():
    kept = filled(1_024, 700, 700)
    kept.predict(np.arange(1_024, dtype=np.float32))
    np.testing.assert_array_equal(kept.last("predicted_R", 2_000), np.arange(1_024))


@pytest.mark.parametrize("counts", [(), (10,), (700, 700, 700)])
def test_a_restored_one_goes_on_identically(counts):
    kept, again = filled(1_024, *counts), Kept(1_024)
    again.set_state({name: array.copy() for name, array in kept.get_state().items()})
    for each in (kept, again):
        each.append(rows(50, 300), np.zeros(300, np.float32), 9)
    for name, array in kept.get_state().items():
        np.testing.assert_array_equal(array, again.get_state()[name])


def test_columns_of_unequal_length_are_an_error():
    state = filled(1_024, 10).get_state()
    with pytest.raises(LearnError, match="kept rows must have columns of equal length"):
        Kept(1_024).set_state(state | {"reward_R": np.zeros(3, np.float32)})
