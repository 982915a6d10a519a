"""The level of exploring follows what exploring costs, the age of users and changes."""

import numpy as np
import pytest
from support.learning_rows import rows as usual_rows

from agent.explore_level import ExploreLevel
from agent.settings import ExploreSettings

SETTINGS = ExploreSettings(level=0.4, most=0.5, newcomers=1.0, newcomer_decisions=10.0, alarm=2.0, alarm_rows=500.0)


def users(*met):
    """User vectors of people with so many unclicked decisions."""
    vectors = np.zeros((len(met), 4), np.float32)
    vectors[:, -2] = np.log1p(met)
    return vectors


def told(count, cost, reward=0.1, lost=None, level=0.4):
    """Rows of known level and cost, whose outcomes say that the cost is right or, where given, another."""
    found = usual_rows(0, count, reward=np.full(count, reward))
    found.user_RU[:, -3:] = 0.0
    found.exploring_R3[:] = (level, cost, cost if lost is None else lost)
    return found


def test_a_new_user_is_explored_for_twice_as_much_as_one_well_known():
    level = ExploreLevel(SETTINGS)
    new, half, known = level.of_decisions(users(0, 10, 10**9))
    # everybody was new so far, so that new users have the level itself: 2 / 2, 1.5 / 2 and 1 / 2 of it
    assert (new, half, known) == pytest.approx((0.4, 0.3, 0.2))


def test_among_known_users_the_usual_one_has_the_level_itself():
    level = ExploreLevel(SETTINGS)
    rows = told(4_000, 0.001)
    rows.user_RU[:, -2] = np.log1p(10**9)
    level.observe(rows, changed=False)
    # after two half-lives the mean newness is 1 + (2 - 1) / 4
    assert level.of_decisions(users(10**9))[0] == pytest.approx(float(level.level) / 1.25)


def test_without_tuning_there_is_no_level():
    level = ExploreLevel(ExploreSettings(tuned=False))
    level.observe(told(256, 0.1), changed=True)
    assert level.of_decisions(users(0)) is None
    assert level.measures() == {}


def test_it_falls_by_at_most_a_quarter_in_256_rows_until_the_cost_is_within_the_budget():
    level = ExploreLevel(SETTINGS.model_copy(update={"learning_rows": 1.0}))
    level.observe(told(256, 0.01), changed=False)  # a cost of .01 / .11 of what the best brings, budget .01
    assert float(level.level) == pytest.approx(0.4 / 1.25)
    for _ in range(20):
        level.observe(told(256, 0.01 * float(level.level) / 0.4, level=float(level.level)), changed=False)
    wanted = 0.4 * 0.01 * 0.1 / 0.01  # the share of .4 at which the cost is about .01 of .1
    assert float(level.level) == pytest.approx(wanted, rel=0.1)


def test_it_rises_to_the_most_where_exploring_costs_nothing():
    level = ExploreLevel(SETTINGS)
    for _ in range(3):
        level.observe(told(256, 0.0), changed=False)
    assert float(level.level) == 0.5


def test_the_budget_is_larger_while_little_is_learned_and_after_a_change():
    level = ExploreLevel(SETTINGS.model_copy(update={"budget": 0.01, "learning_rows": 25_600.0}))
    level.observe(told(256, 0.001), changed=False)
    assert level.budget == pytest.approx(0.1)  # sqrt(25,600 / 256) = 10 times
    level.observe(told(25_344, 0.001), changed=False)
    assert level.budget == pytest.approx(0.01)
    level.observe(told(256, 0.001), changed=True)
    assert level.budget > 0.1


def test_an_alarm_raises_all_levels_and_dies_away():
    level = ExploreLevel(SETTINGS.model_copy(update={"budget": 0.5}))
    level.observe(told(10, 0.0), changed=True)
    assert level.of_decisions(users(0))[0] == pytest.approx(2.0 * float(level.level), rel=0.02)
    level.observe(told(500, 0.0), changed=False)
    assert float(level.alarm) == pytest.approx(1.5)
    level.observe(told(1_000, 0.0), changed=False)
    assert float(level.alarm) == pytest.approx(1.125)


def test_outcomes_correct_what_the_model_expects_in_the_long_run_only():
    # d = .02 in each row where .01 was expected: V = n * .01^2, M = n * .01, D = n * .02; the prior is worth 4
    level = ExploreLevel(SETTINGS)
    level.observe(told(1, 0.01, lost=0.02), changed=False)
    assert level.trust == pytest.approx((4 + 2) / (4 + 1))
    for _ in range(400):
        level.observe(told(256, 0.01, lost=0.02), changed=False)
    assert level.trust == pytest.approx(2.0, rel=0.01)


def test_rows_that_do_not_tell_teach_nothing_but_time():
    level = ExploreLevel(SETTINGS)
    level.observe(usual_rows(0, 256), changed=False)
    assert float(level.level) == 0.4
    assert not level.judged_4.any()
    assert int(level.since) == 256


def test_cost_is_the_estimate_with_its_interval():
    level = ExploreLevel(SETTINGS)
    rows = told(100, 0.01, reward=0.19)
    rows.exploring_R3[:50, 2], rows.exploring_R3[50:, 2] = 0.11, -0.09  # .01 in the mean, .1 from what was expected
    level.observe(rows, changed=False)
    # of 100 rows 1 is lost and 19 came; the variance of the sum is 100 * .01
    share, low, high = level.cost()
    assert (share, low, high) == pytest.approx((1 / 20, (1 - 1.96) / 20, (1 + 1.96) / 20), rel=1e-4)
    assert level.measures()["exploration_cost_share"] == share
