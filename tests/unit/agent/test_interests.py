"""What is known of users: clusters of what they clicked, recency, attention, bounds; the arithmetic by hand."""

import numpy as np
import pytest

from agent.interests import InterestStore
from agent.settings import InterestSettings
from stream.events import Knew

NOTHING = np.zeros(2, np.float32)


def store(**settings):
    return InterestStore(InterestSettings(**settings))


def vector(*values):
    return np.array(values, np.float32)


def interest(knew):
    return np.frombuffer(knew.interest, "<f2").astype(float)


def test_of_a_user_never_seen_nothing_is_known_and_asking_leaves_no_trace():
    users = store()
    assert users.read("u1", 1_000, NOTHING) == Knew()
    assert len(users) == 0


def test_one_click_makes_its_direction_the_interest():
    users = store()
    users.closed("u1", "d", [(1_000, vector(3, 4))])
    knew = users.read("u1", 1_500, NOTHING)
    assert (knew.clicks, knew.decisions, knew.idle_ms) == (1, 0, 500)
    np.testing.assert_allclose(interest(knew), [0.6, 0.8], atol=1e-3)


def test_a_click_near_a_known_interest_joins_it_with_the_weight_of_what_is_left_of_it():
    users = store(same_interest=0.5, half_life_clicks=1)
    users.closed("u1", "d", [(1, vector(1, 0))])
    users.closed("u1", "d", [(2, vector(0.6, 0.8))])  # cosine 0.6
    assert len(users.users["u1"].vectors) == 1
    # the old weight has halved: 0.5 (1, 0) + (0.6, 0.8) = (1.1, 0.8), of unit length
    np.testing.assert_allclose(users.users["u1"].vectors[0], np.array([1.1, 0.8]) / np.hypot(1.1, 0.8), rtol=1e-6)
    assert users.users["u1"].weights == [1.5]


def test_a_click_far_from_all_starts_an_interest_of_its_own():
    users = store(same_interest=0.61, half_life_clicks=1)
    users.closed("u1", "d", [(1, vector(1, 0))])
    users.closed("u1", "d", [(2, vector(0.6, 0.8))])
    assert users.users["u1"].weights == [0.5, 1.0]
    # read as one: 0.5 (1, 0) + (0.6, 0.8), of unit length
    knew = users.read("u1", 2, NOTHING)
    np.testing.assert_allclose(interest(knew), np.array([1.1, 0.8]) / np.hypot(1.1, 0.8), atol=1e-3)


def test_past_the_bound_a_new_interest_takes_the_place_of_the_lightest():
    users = store(vectors=2, same_interest=0.9, half_life_clicks=1)
    for click in (vector(1, 0, 0), vector(0, 1, 0), vector(0, 0, 1)):
        users.closed("u1", "d", [(1, click)])
    kept = {tuple(v.tolist()): w for v, w in zip(users.users["u1"].vectors, users.users["u1"].weights, strict=True)}
    assert kept == {(0, 0, 1): 1.0, (0, 1, 0): 0.5}


def test_what_is_asked_about_weighs_the_interest_that_is_close_to_it():
    users = store(attention=2.0, half_life_clicks=1e12)
    users.closed("u1", "d", [(1, vector(1, 0))])
    users.closed("u1", "d", [(2, vector(0, 1))])
    knew = users.read("u1", 2, vector(0, 1))
    # weights 1 exp(2 * 0) and 1 exp(2 * 1)
    np.testing.assert_allclose(interest(knew), np.array([1, np.e**2]) / np.hypot(1, np.e**2), atol=1e-3)


def test_what_is_asked_in_another_space_selects_nothing():
    users = store()
    users.closed("u1", "d", [(1, vector(1, 0))])
    users.closed("u1", "d", [(2, vector(0, 1))])
    assert users.read("u1", 2, np.ones(7, np.float32)) == users.read("u1", 2, NOTHING)


def test_an_interest_is_told_as_it_is_however_often_it_was_asked_for_before():
    asked, fresh = store(attention=2.0), store(attention=2.0)
    for ts_ms, click in enumerate((vector(1, 0), vector(0, 1), vector(0.9, 0.1)), start=1):
        for users in (asked, fresh):
            users.closed("u1", "d", [(ts_ms, click)])
        for about in (NOTHING, np.ones(7, np.float32), vector(0, 1)):
            asked.read("u1", ts_ms, about)
    for about in (NOTHING, vector(0, 1), vector(1, 0)):
        assert asked.read("u1", 9, about) == fresh.read("u1", 9, about)
    assert asked.read("u1", 9, vector(0, 1)) != asked.read("u1", 9, NOTHING)


def test_interests_that_cancel_are_none():
    users = store()
    users.closed("u1", "d", [(1, vector(1, 0))])
    users.closed("u1", "d", [(2, vector(-1, 0))])
    users.users["u1"].weights = [1.0, 1.0]
    assert users.read("u1", 2, NOTHING).interest is None


def test_an_item_without_a_vector_counts_as_a_click_and_teaches_no_interest():
    users = store()
    users.closed("u1", "d", [(1_000, NOTHING)])
    assert users.read("u1", 1_000, NOTHING) == Knew(clicks=1, idle_ms=0)


def test_a_decision_without_a_click_counts_and_does_not_touch_the_time():
    users = store()
    users.closed("u1", "d", [])
    users.closed("u1", "d", [])
    assert users.read("u1", 3_000, NOTHING) == Knew(decisions=2)


def test_the_time_of_the_last_click_does_not_run_back():
    users = store()
    users.closed("u1", "d", [(5_000, vector(1, 0))])
    users.closed("u1", "d", [(4_000, vector(1, 0))])
    assert users.read("u1", 6_000, NOTHING).idle_ms == 1_000
    assert users.read("u1", 4_500, NOTHING).idle_ms == 0


def test_what_is_kept_is_a_copy_of_its_own():
    users, click = store(), vector(1, 0)
    users.closed("u1", "d", [(1, click)])
    click[:] = (0, 1)
    np.testing.assert_array_equal(users.users["u1"].vectors[0], [1, 0])


@pytest.mark.parametrize("touch", ["clicked", "passed"])
def test_past_the_bound_the_user_seen_least_recently_is_forgotten(touch):
    users = store(max_users=2)
    users.closed("u1", "d", [])
    users.closed("u2", "d", [])
    users.closed("u1", "d", [(2, vector(1, 0))]) if touch == "clicked" else users.closed("u1", "d", [])
    assert users.closed("u3", "d", []) == 1
    assert list(users.users) == ["u1", "u3"]
    assert users.read("u2", 4, NOTHING) == Knew()


def test_a_store_holds_an_interest_of_any_size_at_unit_length():
    users = store()
    users.closed("u1", "d", [(1, vector(1e30, 0))])
    users.closed("u2", "d", [(1, vector(0, 1e-30))])
    np.testing.assert_array_equal(interest(users.read("u1", 1, NOTHING)), [1, 0])
    np.testing.assert_array_equal(interest(users.read("u2", 1, NOTHING)), [0, 1])


def test_an_open_click_counts_at_once_and_is_settled_once_by_its_close():
    users, other = store(), store()
    users.clicked("u1", "d1", 1_000, vector(3, 4))
    assert users.read("u1", 1_000, NOTHING).clicks == 1
    assert list(users.users) == []
    users.closed("u1", "d1", [(1_000, vector(3, 4))])
    other.closed("u1", "d1", [(1_000, vector(3, 4))])
    assert users.read("u1", 1_500, NOTHING) == other.read("u1", 1_500, NOTHING)
    assert users.users["u1"].clicks == 1


def test_what_closes_settles_in_its_order_while_other_clicks_stay_on_top():
    users, other = store(same_interest=0.5), store(same_interest=0.5)
    users.clicked("u1", "d2", 2_000, vector(1, 0))
    users.clicked("u1", "d1", 3_000, vector(0, 1))
    users.closed("u1", "d1", [(3_000, vector(0, 1))])  # settled: d1; on top: d2
    other.closed("u1", "d1", [(3_000, vector(0, 1))])
    other.clicked("u1", "d2", 2_000, vector(1, 0))
    assert users.read("u1", 3_000, NOTHING) == other.read("u1", 3_000, NOTHING)
    assert users.users["u1"].weights == other.users["u1"].weights == [1.0]
    users.closed("u1", "d2", [(2_000, vector(1, 0))])
    assert users.read("u1", 3_000, NOTHING).clicks == 2


def test_a_close_without_a_click_leaves_the_open_clicks_on_top():
    users = store()
    users.clicked("u1", "d2", 2_000, vector(1, 0))
    users.closed("u1", "d1", [])
    assert users.read("u1", 2_000, NOTHING) == Knew(clicks=1, decisions=1, idle_ms=0, interest=b"\x00<\x00\x00")
    assert users.users["u1"].clicks == 0


def test_of_one_hot_user_the_oldest_open_clicks_make_room():
    users = store()
    for number in range(1_000):
        users.clicked("hot", f"d{number}", number, vector(1, number))
    assert len(users._open["hot"]) == 64
    users.closed("hot", "d0", [(0, vector(1, 0))])  # made room already: settled all the same
    assert users.users["hot"].clicks == 1
    for number in range(1, 1_000):
        users.closed("hot", f"d{number}", [(number, vector(1, number))])
    assert users._open == users._live == {}
    assert users.users["hot"].clicks == 1_000
