"""Places written: remembered in order, each told once, the oldest forgotten first."""

import numpy as np

from agent.written import Written


def noted(most, *places):
    written = Written(most)
    for each in places:
        written.note(np.array(each))
    return written


def test_places_are_told_once_and_ascending():
    written = noted(10, [7, 3], [3, 1], [])
    assert written.since(0).tolist() == [1, 3, 7]
    assert written.since(3).tolist() == [1]
    assert written.since(4).tolist() == []


def test_the_ring_runs_over_where_it_is_full():
    written = noted(3, [0, 1], [2, 3])
    assert (written.remembers(0), written.remembers(1)) == (False, True)
    assert written.since(1).tolist() == [1, 2, 3]


def test_more_at_once_than_are_remembered():
    written = noted(3, [9, 8, 7, 6, 5])
    assert written.revision == 5
    assert not written.remembers(1)
    assert written.since(2).tolist() == [5, 6, 7]


def test_forgetting_leaves_nothing_before_it():
    written = noted(10, [1, 2])
    written.forget()
    assert not written.remembers(2)
    now = written.revision
    written.note(np.array([4]))
    assert written.since(now).tolist() == [4]
    assert not written.remembers(now + 2)  # that is to come
