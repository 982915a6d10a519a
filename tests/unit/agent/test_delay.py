"""How delays are estimated, checked against samples whose delays are known, and what weights follow from them."""

import numpy as np
import pytest
from support.learning_rows import rows

from agent.delay import DelayDistribution, Delays, OpenRows, lynden_bell
from agent.errors import LearnError
from agent.settings import DelaySettings

WINDOW_MS = 1_000


def distribution(delays, window_ms=WINDOW_MS, **settings):
    found = DelayDistribution(DelaySettings(**{"min_clicks": 1} | settings))
    found.observe(Delays(np.array(delays, dtype=np.float64), np.full(len(delays), float(window_ms))))
    return found


def share(found, *ages):
    return found.share(np.array(ages, dtype=np.float64), WINDOW_MS).tolist()


def test_it_is_the_share_of_clicks_that_have_come_by_an_age():
    found = distribution([300, 100, np.nan, 100, 900])
    assert share(found, -5, 0, 99, 100, 299, 300, 899, 900, 999) == [0, 0, 0, 0.5, 0.5, 0.75, 0.75, 1, 1]


def test_until_there_are_enough_clicks_it_is_linear_in_the_window():
    found = distribution([900, 900], min_clicks=3)
    assert share(found, -100, 0, 250, 999, 5_000) == [0, 0, 0.25, 0.999, 1]
    found.observe(Delays(np.array([900.0]), np.array([1_000.0])))
    assert share(found, 250, 899, 900) == [0, 0, 1]


def test_from_the_window_on_every_click_has_come():
    assert share(distribution([5_000.0], window_ms=10_000), 999, 1_000) == [0, 1]


def test_a_delay_outside_its_window_is_left_out():
    found = distribution([-1, 1_001, 200])
    assert found.get_state()["delay_ms_C"].tolist() == [200]


def test_only_the_last_clicks_count():
    found = distribution(list(range(10)), kept_clicks=4)
    assert found.get_state()["delay_ms_C"].tolist() == [6, 7, 8, 9]
    found.observe(Delays(np.full(3, np.nan), np.full(3, 1_000.0)))
    found.observe(Delays(np.array([1.0]), np.full(1, 1_000.0)))
    assert found.get_state()["delay_ms_C"].tolist() == [7, 8, 9, 1]


def test_with_windows_of_two_lengths_the_hidden_late_clicks_are_reckoned_with():
    random = np.random.default_rng(0)
    delay_N, limit_N = random.exponential(400.0, 40_000), random.choice([300.0, 2_000.0], 40_000)
    seen_N = delay_N <= limit_N
    at_M, share_M = lynden_bell(delay_N[seen_N], limit_N[seen_N])
    ages = np.array([100.0, 300.0, 800.0, 1_500.0])
    found = share_M[np.searchsorted(at_M, ages, side="right") - 1]
    truth = (1 - np.exp(-ages / 400)) / (1 - np.exp(-2_000 / 400))
    naive = [(delay_N[seen_N] <= age).mean() for age in ages]
    np.testing.assert_allclose(found, truth, atol=0.02)
    assert np.abs(naive - truth).max() > 0.1


def test_a_clicked_row_counts_whole_and_any_other_by_its_age():
    found = distribution([100, 300])
    kept = rows(0, 4, reward=[0, 1, 0, 0.25])
    open_rows = OpenRows(kept, np.array([150.0, 150.0, 50.0, 50.0]), np.array([1.0, 1.0, 3.0, 3.0]), WINDOW_MS)
    assert found.weights(open_rows).tolist() == [0.5, 1.0, 0.0, 3.0]


def test_what_was_saved_is_restored():
    found, other = distribution([100, 300, 250]), DelayDistribution(DelaySettings(min_clicks=1))
    other.set_state(found.get_state())
    ages = range(0, 400, 10)
    assert share(other, *ages) == share(found, *ages)
    other.set_state({})
    assert (other.get_state(), share(other, 500)) == ({}, [0.5])


def test_a_state_whose_parts_differ_in_length_is_refused():
    with pytest.raises(LearnError, match="click delays must have a window each; got 1 and 2"):
        distribution([1]).set_state({"delay_ms_C": np.zeros(1), "window_ms_C": np.zeros(2)})
