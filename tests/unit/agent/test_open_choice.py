"""Which open decisions are read: all of few; of many the newest and a fair, lasting sample of the rest."""

import numpy as np
import pytest

from agent import open_choice
from agent.open_entries import Entries


def keys(count, start=0):
    return [number.to_bytes(16, "big") for number in range(start, start + count)]


def choose(keys, most, seed):
    """The chosen entries, with how many each stands for."""
    entries = Entries.of(keys)
    places, shares = open_choice.choose(entries, most, seed)
    return dict(zip(map(entries.entry, places), shares.tolist(), strict=True))


def test_all_of_few_are_read_in_the_order_of_partition_and_arrival():
    chosen = choose({1: keys(3, 10), 0: keys(2)}, most=5, seed=0)
    assert list(chosen) == [(0, key) for key in keys(2)] + [(1, key) for key in keys(3, 10)]
    assert set(chosen.values()) == {1.0}


@pytest.mark.parametrize("counts", [(1_000, 0), (900, 100), (500, 500), (990, 10)])
def test_of_many_it_reads_as_many_as_it_may_and_they_stand_for_all(counts):
    open_keys = {0: keys(counts[0]), 1: keys(counts[1], 5_000)}
    chosen = choose(open_keys, most=40, seed=0)
    assert len(chosen) == 40
    assert sum(chosen.values()) == pytest.approx(1_000)
    for number, each in open_keys.items():
        newest = each[-10:]
        assert [chosen.get((number, key)) for key in newest] == [1.0] * len(newest)
        assert [key for entry, key in chosen if entry == number] == sorted(k for n, k in chosen if n == number)


def test_an_older_one_stays_in_the_sample_as_others_close_and_come():
    before = choose({0: keys(1_000)}, most=100, seed=0)
    after = choose({0: keys(1_000, 20)}, most=100, seed=0)
    stayed = [entry for entry in before if entry in after]
    assert len(stayed) > 70  # of about 99 that could: 50 newest become old, the sample stays
    assert choose({0: keys(1_000)}, most=100, seed=1).keys() != before.keys()


def test_the_sample_is_fair_over_all_the_older_ones():
    chosen = choose({0: keys(20_000)}, most=4_000, seed=3)
    old = np.array([int.from_bytes(key, "big") for (_, key), share in chosen.items() if share > 1])
    assert abs(old.mean() - 9_000) < 4 * 18_000 / 12**0.5 / 2_000**0.5
