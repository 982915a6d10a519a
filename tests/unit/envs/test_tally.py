"""The tally of a world: its rates by hand, its merge, and its way through JSON."""

import json

import numpy as np
import pytest

from envs.tally import WorldTally


def test_the_tally_knows_its_last_quarter_whatever_the_order_of_decisions():
    tally = WorldTally()
    for index in (7, 0, 3, 1, 6, 2, 5, 4):
        tally.add(index, shown=index / 10, uniform=0.0, oracle=1.0)
    assert tally.values("shown") == pytest.approx(np.arange(8) / 10)
    assert tally.click_rate == pytest.approx(0.35)
    assert tally.click_rate_last_quarter == pytest.approx(0.65)  # of 0.6 and 0.7
    assert tally.lift == pytest.approx(0.35)
    assert tally.lift_last_quarter == pytest.approx(0.65)


def test_an_empty_tally_has_no_rates():
    tally = WorldTally()
    assert tally.click_rate is tally.click_rate_oracle_last_quarter is tally.lift is None


def test_tallies_merge_by_index_and_survive_json():
    whole, even, odd = WorldTally(), WorldTally(), WorldTally()
    for index in range(20):
        part = even if index % 2 == 0 else odd
        for tally in (whole, part):
            tally.add(index, shown=index / 20, uniform=0.1, oracle=1.0)
            tally.clicks += 1
    even.merge(odd)
    again = WorldTally.from_dict(json.loads(json.dumps(even.to_dict())))
    for tally in (even, again):
        assert tally.values("shown").tolist() == whole.values("shown").tolist()
        assert tally.counts() == whole.counts()
        assert tally.click_rate_last_quarter == whole.click_rate_last_quarter
