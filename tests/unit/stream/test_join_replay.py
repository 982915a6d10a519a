"""From where a replay finds all that is open."""

from support.joins import click, impression, join_of, recommendation

from stream.open_decisions import Origin


def test_where_nothing_is_open_nothing_needs_a_replay():
    assert join_of().low_offsets() == {}


def test_a_replay_begins_with_the_oldest_open_impression_its_decision_and_the_clicks_since():
    join = join_of()
    for place, each in enumerate((impression("i1", 5_000), impression("i2", 5_100)), start=40):
        join.arrive(each, Origin(place, clicks=place - 33, recommendations=place + 60))
        join.decide(recommendation(each))
    assert join.low_offsets() == {"impressions": 40, "recommendations": 100, "clicks": 7}
    join.advance(6_000)
    assert join.low_offsets() == {"impressions": 41, "recommendations": 101, "clicks": 8}
    join.advance(6_100)
    assert join.low_offsets() == {}


def test_a_replay_begins_with_the_first_early_click_that_waits_or_was_joined():
    join = join_of()
    join.click(click("i9", ts_ms=5_000), offset=3)
    join.click(click("i1"), offset=4)
    assert join.low_offsets() == {"clicks": 3}
    join.arrive(impression("i1"), Origin(0, clicks=5))
    join.decide(recommendation(impression("i1")))
    assert join.low_offsets()["clicks"] == 3
    join.advance(5_500)  # the one of i9 is an orphan
    assert join.low_offsets()["clicks"] == 4


def test_a_replay_begins_at_the_lowest_of_all_that_is_open_whatever_the_order():
    join = join_of()
    for place, low in enumerate((9, 4, 12)):
        each = impression(f"i{place}", 5_000 + place)
        join.arrive(each, Origin(place, recommendations=low))
        join.decide(recommendation(each))
    assert join.low_offsets()["recommendations"] == 4
    join.withdraw(impression("i1"))
    assert join.low_offsets()["recommendations"] <= 9
