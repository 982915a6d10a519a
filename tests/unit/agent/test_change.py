"""The alarm: silent while predictions hold, quick when clicks fail to come."""

from itertools import pairwise

import numpy as np
import pytest

from agent.change import Change
from agent.settings import ChangeSettings


def run(change, seed, count, predicted, true, before=0):
    """The row counts at which it raised an alarm, in updates of 256 rows."""
    random, alarms = np.random.default_rng(seed), []
    for rows in range(before + 256, before + count + 1, 256):
        reward_R = (random.random(256) < true).astype(np.float32)
        if change.observe(np.full(256, predicted, np.float32), reward_R, rows):
            alarms.append(rows)
    return alarms


def test_it_is_silent_while_predictions_hold():
    alarms = [run(Change(ChangeSettings()), seed, 100_000, 0.15, 0.15) for seed in range(20)]
    assert alarms == [[]] * 20


def test_it_is_silent_where_clicks_come_more_often_or_a_little_less_often_than_predicted():
    for true in (0.14, 0.2, 0.5):
        assert run(Change(ChangeSettings()), 0, 100_000, 0.15, true) == []


@pytest.mark.parametrize(("true", "within"), [(0.02, 512), (0.05, 1_024), (0.07, 2_048)])
def test_a_break_is_noticed_soon(true, within):
    for seed in range(10):
        change = Change(ChangeSettings())
        assert run(change, seed, 9_984, 0.15, 0.15) == []
        assert run(change, seed, 10_240, 0.15, true, before=9_984)[0] - 9_984 <= within
        assert int(change.start) > 9_984 - 1_024


def test_alarms_come_neither_too_early_nor_too_close_together():
    alarms = run(Change(ChangeSettings(min_rows=2_500, apart_rows=1_024)), 0, 10_000, 0.3, 0.0)
    assert alarms[0] == 2_560
    assert all(later - earlier == 1_024 for earlier, later in pairwise(alarms))


def test_rows_without_a_prediction_tell_nothing():
    change = Change(ChangeSettings(min_rows=0))
    assert not change.observe(np.full(5_000, np.nan, np.float32), np.zeros(5_000, np.float32), 5_000)
    assert float(change.sum) == 0.0
