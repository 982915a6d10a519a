"""The users of a partition are saved now and then, and found again by whoever gets the partition next."""

import logging

import numpy as np
import pytest

from agent.settings import InterestSettings
from agent.user_snapshots import Keeping, UserStores

SPACE = "raw/encoder-1/2"
NOTHING = np.zeros(2, np.float32)


class Clock:
    def __init__(self):
        self.now_ms = 1_000_000

    def __call__(self):
        return self.now_ms


def stores(folder, clock=None, every_ms=60_000, keep=2, rebuild=1_000):
    keeping = Keeping(folder, every_ms, keep, clock or Clock())
    return UserStores(InterestSettings(), rebuild_outcomes=rebuild, keeping=keeping)


def known(store, user="u1"):
    return store.read(user, 10_000, NOTHING)


def filled(users, partition=0, outcomes=5, end=0):
    """A store after some outcomes, one click each."""
    store, start = users.open(partition, end, SPACE)
    for number in range(start, outcomes):
        store.closed("u1", f"d{number}", [(number, np.array([1.0, number], np.float32))])
    users.committed(partition, store, outcomes, SPACE)
    return store


def test_what_was_saved_at_the_close_is_found_with_the_offset_to_fold_on_from(tmp_path):
    users = stores(tmp_path)
    before = filled(users)
    users.close()
    again, start = stores(tmp_path).open(0, 9, SPACE)
    assert start == 5
    assert known(again) == known(before)
    assert known(again).clicks == 5


def test_a_partition_is_saved_when_its_time_has_come_and_not_before(tmp_path):
    clock = Clock()
    users = stores(tmp_path, clock, every_ms=1_000)
    store = filled(users)
    clock.now_ms += 999
    users.committed(0, store, 6, SPACE)
    assert list(tmp_path.iterdir()) == []
    clock.now_ms += 1
    users.committed(0, store, 7, SPACE)
    users._writing.result(10)
    assert [path.name for path in tmp_path.iterdir()] == ["users-0-000000000007"]


def test_of_one_partition_the_last_few_stay_and_others_are_left_alone(tmp_path):
    for outcomes in (5, 6, 7):
        users = stores(tmp_path, keep=2)
        filled(users, outcomes=outcomes, end=outcomes)
        filled(users, partition=1, outcomes=3, end=3)
        users.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "users-0-000000000006",
        "users-0-000000000007",
        "users-1-000000000003",
    ]


def test_what_was_saved_beyond_the_end_of_the_outcomes_is_left_out(tmp_path):
    users = stores(tmp_path)
    filled(users, outcomes=5)
    users.close()
    store, start = stores(tmp_path).open(0, 4, SPACE)
    assert (len(store), start) == (0, 0)


def test_what_was_saved_in_another_space_is_left_out_with_a_warning(tmp_path, caplog):
    users = stores(tmp_path)
    filled(users)
    users.close()
    with caplog.at_level(logging.WARNING):
        store, start = stores(tmp_path).open(0, 9, "raw/encoder-2/2")
    assert (len(store), start) == (0, 0)
    assert "space" in caplog.text
    assert "u1" not in caplog.text


def test_a_torn_snapshot_is_skipped_with_a_warning_and_the_one_before_it_is_used(tmp_path, caplog):
    for outcomes in (5, 6):
        users = stores(tmp_path)
        filled(users, outcomes=outcomes, end=outcomes)
        users.close()
    newest = tmp_path / "users-0-000000000006" / "vectors.safetensors"
    newest.write_bytes(newest.read_bytes()[:-1])
    with caplog.at_level(logging.WARNING):
        _, start = stores(tmp_path).open(0, 9, SPACE)
    assert start == 5
    assert "torn" in caplog.text


@pytest.mark.parametrize(("end", "expected"), [(500, 0), (1_000, 0), (1_500, 500)])
def test_without_a_snapshot_the_newest_outcomes_are_folded(tmp_path, end, expected):
    assert stores(tmp_path).open(0, end, SPACE)[1] == expected
    assert UserStores(InterestSettings(), rebuild_outcomes=1_000).open(0, end, SPACE)[1] == expected


def test_a_snapshot_too_old_to_fold_on_from_is_left_out(tmp_path):
    users = stores(tmp_path)
    filled(users)
    users.close()
    store, start = stores(tmp_path).open(0, 2_000, SPACE)
    assert (len(store), start) == (0, 1_000)


def test_a_disk_that_refuses_is_a_warning_and_deciding_goes_on(tmp_path, caplog):
    place = tmp_path / "file"
    place.write_text("not a folder")
    users = stores(place)
    filled(users)
    with caplog.at_level(logging.WARNING):
        users.close()
    assert "not saved" in caplog.text
