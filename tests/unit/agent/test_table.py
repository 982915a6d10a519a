"""Rows by key: found again, bounded, saved with their lengths."""

import pytest
import torch

from agent.errors import LearnError
from agent.table import Table


def table(most=1_000):
    return Table({"value": 2}, most, memory_rows=10.0)


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
    assert rows.read(places[:3])["value"][:, 0].tolist() == [4_999.0, 0.0, 77.0]
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
    assert rows.read(rows.find(keys(99)))["value"][0, 0].item() == 99.0  # those that stay keep what they hold


def test_a_new_row_holds_zeros_also_where_another_lay():
    rows = table(100)
    fill(rows, 0, 100, now=1.0)
    rows.truncate(90)
    assert rows.find(keys(95)).item() == -1
    assert rows.read(rows.place(keys(500), now=2.0))["value"].tolist() == [[0.0, 0.0]]


def test_what_rows_hold_is_halved_by_each_memory_since_they_were_touched():
    rows = table()  # remembers for 10
    fill(rows, 1, 1, now=5.0)
    fill(rows, 2, 1, now=15.0)
    touched_M = rows.rows(rows.find(keys(1, 2)).numpy())["touched"]
    assert rows.remaining(touched_M, now=15.0).tolist() == [0.5, 1.0]
    assert rows.remaining(touched_M, now=35.0).tolist() == [0.125, 0.25]
    assert rows.remaining(touched_M, now=20.0)[1] == pytest.approx(0.5**0.5)


def test_saved_are_the_rows_in_use_and_a_table_of_another_length_takes_them():
    rows, other = table(), table()
    fill(rows, 0, 30, now=1.0)
    fill(other, 500, 300, now=2.0)
    saved = {name: value.clone() for name, value in rows.state_dict().items()}
    assert {name: len(value) for name, value in saved.items()} == {"key": 30, "touched": 30, "value": 30}
    other.load_state_dict(saved)
    assert len(other) == 30
    assert other.find(keys(500)).item() == -1
    assert other.read(other.find(keys(29)))["value"][0, 0].item() == 29.0
    fill(other, 1_000, 400, now=3.0)
    assert other.read(other.find(keys(29)))["value"][0, 0].item() == 29.0


def test_saved_columns_lie_apart_by_their_names():
    saved = {
        "key": keys(70, 80),
        "touched": torch.tensor([1.0, 2.0], dtype=torch.float64),
        "mean": torch.tensor([[0.25], [0.5]]),
        "weight": torch.tensor([[1.0, 2.0], [3.0, 4.0]]),
    }
    rows = Table({"mean": 1, "weight": 2}, 100, memory_rows=10.0)
    rows.load_state_dict(saved)
    found = rows.read(rows.find(keys(80, 70)))
    assert {name: column.tolist() for name, column in found.items()} == {
        "mean": [[0.5], [0.25]],
        "weight": [[3.0, 4.0], [1.0, 2.0]],
        "touched": [2.0, 1.0],
    }
    assert all(torch.equal(value, saved[name]) for name, value in rows.state_dict().items())
    assert rows.state_dict().keys() == saved.keys()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"mean": None}, 'Missing key.*"mean"'),
        ({"key": None}, 'Missing key.*"key"'),
        ({"mean": torch.zeros(2, 2), "weight": torch.zeros(2, 1)}, r"mean must have the shape \(2, 1\); got \(2, 2\)"),
        ({"weight": torch.zeros(3, 2)}, r"weight must have the shape \(2, 2\); got \(3, 2\)"),
        ({"touched": torch.zeros(1)}, r"touched must have the shape \(2,\); got \(1,\)"),
        ({"other": torch.zeros(2, 1)}, 'Unexpected key.*"other"'),
    ],
)
def test_saved_columns_that_do_not_fit_are_named(changes, message):
    saved = {"key": keys(7, 8), "touched": torch.zeros(2), "mean": torch.zeros(2, 1), "weight": torch.zeros(2, 2)}
    changed = {name: value for name, value in (saved | changes).items() if value is not None}
    with pytest.raises(RuntimeError, match=rf"(?s){message}"):
        Table({"mean": 1, "weight": 2}, 100, memory_rows=10.0).load_state_dict(changed)


def test_no_rows_can_be_saved_and_taken_back():
    rows = table()
    fill(rows, 0, 5, now=1.0)
    rows.load_state_dict(table().state_dict())
    assert len(rows) == 0
    assert rows.find(keys(1)).tolist() == [-1]


def part_since(rows, revision):
    part = rows.part(revision)
    return part.rows, part.place_M.tolist(), part.columns["key"].tolist()


def test_the_last_rows_fill_the_holes_of_those_that_went():
    rows = table(32)
    fill(rows, 0, 30, now=5.0)
    rows.write(keys(4, 29), {}, now=1.0)  # the places, which are the keys here
    fill(rows, 30, 2, now=5.0)
    before = rows.revision
    rows.place(keys(100), now=6.0)
    assert rows.evicted == 2  # a sixteenth of 32
    assert rows.find(keys(4, 29)).tolist() == [-1, -1]
    assert rows.key[:31].tolist() == [0, 1, 2, 3, 30, *range(5, 29), 31, 100]
    assert rows.read(rows.find(keys(31)))["value"][0, 0].item() == 31.0
    assert part_since(rows, before) == (31, [4, 29, 30], [30, 31, 100])


def test_a_copy_takes_what_was_written_and_no_more():
    rows, copy = table(), table()
    fill(rows, 0, 300, now=1.0)
    copy.take(rows.part())
    revision = rows.revision
    fill(rows, 298, 4, now=2.0)
    rows.truncate(301)
    part = rows.part(revision)
    assert part_since(rows, revision) == (301, [298, 299, 300], [298, 299, 300])
    copy.take(part)
    for name, value in rows.state_dict().items():
        assert torch.equal(copy.state_dict()[name], value)
    assert copy.find(keys(300, 301)).tolist() == [300, -1]


def test_a_copy_follows_rows_that_move_and_keys_that_go_and_come_back():
    rows, copy = table(64), table(64)
    fill(rows, 0, 64, now=1.0)
    copy.take(rows.part())
    revision = rows.revision
    fill(rows, 100, 3, now=2.0)  # keys 0 to 3 make room, 60 to 63 fill their holes, the new ones follow 59
    fill(rows, 0, 2, now=3.0)  # these four make room in their turn, for the last four
    copy.take(rows.part(revision))
    asked = torch.arange(110)
    assert rows.key[: len(rows)].tolist() == [59, 100, 101, 102, *range(4, 59), 0, 1]
    assert torch.equal(copy.find(asked), rows.find(asked))
    assert torch.equal(copy.key[: len(copy)], rows.key[: len(rows)])


def test_what_was_written_is_remembered_until_all_may_have_changed_or_too_much_did():
    rows = table()
    fill(rows, 0, 5, now=1.0)
    fresh = rows.revision
    assert rows.remembers(fresh)
    assert not rows.remembers(fresh + 1)
    for _ in range(17):
        fill(rows, 0, 900, now=1.0)
    assert rows.remembers(fresh)
    fill(rows, 0, 900, now=1.0)
    assert not rows.remembers(fresh)  # 895 were made, 18 times 900 written, and 16,384 are remembered
    for change in (rows.clear, lambda: rows.load_state_dict(table().state_dict())):
        fresh = rows.revision
        change()
        assert not rows.remembers(fresh)
        assert rows.remembers(rows.revision)


def test_a_part_of_another_table_is_noticed():
    rows, other = table(), table()
    fill(rows, 0, 10, now=1.0)
    revision = rows.revision
    fill(rows, 10, 5, now=1.0)
    fill(other, 0, 8, now=1.0)
    with pytest.raises(LearnError, match=r"table must have 15 rows once it took a part of another; got 13"):
        other.take(rows.part(revision))


def test_those_asked_for_stay_even_where_few_others_are_left():
    rows = table(64)
    fill(rows, 0, 64, now=1.0)
    wanted = torch.arange(2, 65)
    places = rows.place(wanted, now=2.0)
    assert (places >= 0).all()
    assert torch.equal(rows.key[places], wanted)
    assert rows.evicted == 2
