"""Rows that are worked out once: which are asked for, and that their number is bounded."""

import numpy as np
import torch

from agent.remembered import PART, Remembered


class Asked:
    """Works out twice the key, and notes for which keys it had to."""

    def __init__(self):
        self.keys = []

    def __call__(self, key_M):
        assert len(key_M) == PART
        self.keys.append(list(dict.fromkeys(key_M.tolist())))
        return 2.0 * key_M.numpy()[:, None]


def test_each_key_is_worked_out_once_and_in_the_order_of_its_coming():
    remembered, asked = Remembered(width=1), Asked()
    assert remembered.rows(torch.tensor([5, 1, 5, 2]), asked).tolist() == [[10.0], [2.0], [10.0], [4.0]]
    assert remembered.rows(torch.tensor([2, 3]), asked).tolist() == [[4.0], [6.0]]
    assert remembered.rows(torch.tensor([], dtype=torch.int64), asked).shape == (0, 1)
    assert asked.keys == [[5, 1, 2], [3]]


def test_where_there_would_be_too_many_all_that_are_wanted_are_worked_out_anew():
    remembered, asked = Remembered(width=1, most=3), Asked()
    remembered.rows(torch.tensor([1, 2]), asked)
    assert remembered.rows(torch.tensor([2, 3, 4]), asked).tolist() == [[4.0], [6.0], [8.0]]
    assert asked.keys == [[1, 2], [2, 3, 4]]


def test_many_keys_are_worked_out_in_parts_of_one_size():
    remembered, asked = Remembered(width=1), Asked()
    keys = list(range(2 * PART + 1))
    assert remembered.rows(torch.tensor(keys), asked).tolist() == [[2.0 * key] for key in keys]
    assert asked.keys == [keys[:PART], keys[PART : 2 * PART], keys[2 * PART :]]


def test_rows_given_stay_as_they_are_when_more_come():
    remembered, asked = Remembered(width=1), Asked()
    first = remembered.rows(torch.arange(3), asked)
    before = first.copy()
    remembered.rows(torch.arange(5_000), asked)
    np.testing.assert_array_equal(first, before)
