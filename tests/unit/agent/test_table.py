"""Rows by key: found again, bounded, saved with their lengths."""

import torch

from agent.table import Table


def table(most=1_000):
    return Table({"value": 2}, most)


def keys(*numbers):
    return torch.tensor(numbers, dtype=torch.int64)


def fill(rows, first, count, now):
    places = rows.place(torch.arange(first, first + count), now)
    rows.write(places, {"value": torch.arange(first, first + count)[:, None].repeat(1, 2).float()}, now)


def test_a_row_is_found_by_its_key_however_many_there_are():
    rows = table(10_000)
    for first in range(0, 5_000, 100):
        fill(rows, first, 100, now=float(first))
    wanted = keys(4_999, 0, 77, 9_999)
    places = rows.find(wanted)
    assert places[-1] == -1
    assert rows.value[places[:3], 0].tolist() == [4_999.0, 0.0, 77.0]
    assert len(rows) == 5_000


def test_the_rows_touched_longest_ago_make_room_and_those_asked_for_stay():
    rows = table(100)
    for first in range(0, 100, 10):
        fill(rows, first, 10, now=float(first))
    rows.place(torch.cat([keys(3), torch.arange(100, 120)]), now=200.0)
    assert len(rows) <= 100
    assert rows.find(keys(3)).item() >= 0  # old, but asked for
    assert (rows.find(keys(*range(100, 120))) >= 0).all()
    gone = [key for key in range(100) if rows.find(keys(key)).item() < 0]
    assert set(gone) <= set(range(31))
    assert rows.value[rows.find(keys(99)), 0].item() == 99.0  # those that stay keep what they hold


def test_a_new_row_holds_zeros_also_where_another_lay():
    rows = table(100)
    fill(rows, 0, 100, now=1.0)
    rows.truncate(90)
    assert rows.find(keys(95)).item() == -1
    assert rows.value[rows.place(keys(500), now=2.0)].tolist() == [[0.0, 0.0]]


def test_saved_are_the_rows_in_use_and_a_table_of_another_length_takes_them():
    rows, other = table(), table()
    fill(rows, 0, 30, now=1.0)
    fill(other, 500, 300, now=2.0)
    saved = {name: value.clone() for name, value in rows.state_dict().items()}
    assert {name: len(value) for name, value in saved.items()} == {"key": 30, "touched": 30, "value": 30}
    other.load_state_dict(saved)
    assert len(other) == 30
    assert other.find(keys(500)).item() == -1
    assert other.value[other.find(keys(29)), 0].item() == 29.0
    fill(other, 1_000, 400, now=3.0)
    assert other.value[other.find(keys(29)), 0].item() == 29.0


def test_no_rows_can_be_saved_and_taken_back():
    rows = table()
    fill(rows, 0, 5, now=1.0)
    rows.load_state_dict(table().state_dict())
    assert len(rows) == 0
    assert rows.find(keys(1)).tolist() == [-1]
