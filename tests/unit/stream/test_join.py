"""Attribution in event time, as a specification: when a decision is open, which clicks are its own, when it closes."""

import pytest
from support.joins import click, decided, impression, join_of, names, recommendation

from stream.early_clicks import click_bytes
from stream.errors import StreamError
from stream.events import Candidate
from stream.open_decisions import Origin


def test_a_click_within_the_window_is_joined_and_leaves_with_its_decision():
    join = decided(join_of(), impression())
    assert join.click(click(), offset=0) == "joined"
    assert join.advance(5_999) == ([], 0)
    (closed,), orphans = join.advance(6_000)
    assert (closed.shown.decision_id, closed.clicks, orphans) == ("d-i1", (click(),), 0)
    assert len(join) == 0


@pytest.mark.parametrize(
    ("age_ms", "fate"), [(-1, "outside_window"), (0, "joined"), (999, "joined"), (1_000, "outside_window")]
)
def test_the_window_begins_with_the_impression_and_ends_before_its_length(age_ms, fate):
    join = decided(join_of(), impression(ts_ms=5_000))
    assert join.click(click(ts_ms=5_000 + age_ms), offset=0) == fate


def test_a_click_on_a_candidate_that_was_not_shown_is_dropped():
    assert decided(join_of(), impression()).click(click(item="c"), offset=0) == "not_shown"


def test_a_click_of_another_user_finds_no_decision_of_that_impression():
    join = decided(join_of(), impression())
    assert join.click(click(user="u2"), offset=0) == "early"  # as far as anyone knows, u2 may have an i1 of their own
    (closed,), orphans = join.advance(6_000)
    assert (closed.clicks, orphans) == ((), 1)


def test_clicks_leave_in_the_order_of_their_times_whatever_order_they_came_in():
    join = decided(join_of(), impression())
    for ts_ms in (5_300, 5_100, 5_200):
        join.click(click(ts_ms=ts_ms), offset=0)
    (closed,), _ = join.advance(6_000)
    assert [each.ts_ms for each in closed.clicks] == [5_100, 5_200, 5_300]


@pytest.mark.parametrize(
    ("again", "fate"),
    [
        (click(), "repeated"),
        (click(ts_ms=5_101), "joined"),
        (click(item="b"), "joined"),
        (click(kind="like"), "joined"),
        (click(value=2.0), "joined"),
        (click(click_id="c1"), "joined"),
    ],
)
def test_without_an_id_a_click_is_a_repeat_if_all_of_it_is_the_same(again, fate):
    join = decided(join_of(), impression())
    join.click(click(), offset=0)
    assert join.click(again, offset=1) == fate


def test_with_an_id_a_click_is_a_repeat_whatever_else_it_says():
    join = decided(join_of(), impression())
    assert join.click(click(click_id="c1"), offset=0) == "joined"
    assert join.click(click(click_id="c1", ts_ms=5_200, value=7.0), offset=1) == "repeated"
    assert join.click(click(click_id="c2"), offset=2) == "joined"


def test_a_click_before_its_decision_waits_and_is_joined_with_it():
    join = join_of()
    assert join.click(click(), offset=0) == "early"
    join.arrive(impression(), Origin(0))
    assert join.click(click(ts_ms=5_200), offset=1) == "early"  # arrived, but nothing is shown yet
    assert join.early == 2
    fates = join.decide(recommendation(impression()))
    assert fates == [(click(), "joined"), (click(ts_ms=5_200), "joined")]
    assert join.early == 0


def test_an_early_click_is_held_to_the_same_rules_as_any():
    join = join_of()
    for each in (click(item="c"), click(ts_ms=4_999), click(), click()):
        join.click(each, offset=0)
    assert join.early == 3  # the fourth is a repeat
    join.arrive(impression(), Origin(0))
    assert [fate for _, fate in join.decide(recommendation(impression()))] == ["not_shown", "outside_window", "joined"]


def test_an_early_click_is_an_orphan_once_the_watermark_has_passed_it():
    join = join_of()
    join.click(click(ts_ms=5_100), offset=0)
    assert join.advance(5_099) == ([], 0)
    assert join.advance(5_100) == ([], 1)
    assert join.early == 0


@pytest.mark.parametrize("order", [(5_100, 5_900), (5_900, 5_100)])
def test_early_clicks_of_one_impression_wait_for_the_latest_of_them_in_any_order(order):
    join = join_of()
    for offset, ts_ms in enumerate(order):
        join.click(click(ts_ms=ts_ms), offset)
    assert join.advance(5_500) == ([], 0)
    assert join.advance(5_900) == ([], 2)


def test_a_click_whose_decision_must_have_closed_is_late():
    join = join_of()
    join.advance(6_000)
    assert join.click(click(ts_ms=5_000), offset=0) == "late"
    assert join.click(click(ts_ms=5_001), offset=1) == "early"


def test_early_clicks_are_bounded_and_those_past_it_are_dropped():
    join = join_of(max_early_bytes=2 * click_bytes(click()))
    fates = [join.click(click(name=f"i{number}"), offset=number) for number in range(3)]
    assert fates == ["early", "early", "dropped_early"]
    join.advance(5_100)
    assert join.click(click(ts_ms=5_200), offset=3) == "early"


def test_an_impression_is_late_where_its_window_has_passed_and_a_repeat_while_it_is_open():
    join = join_of()
    join.advance(6_000)
    assert join.arrive(impression(ts_ms=5_000), Origin(0)) == "late"
    assert join.arrive(impression(ts_ms=5_001), Origin(1)) == "new"
    assert join.arrive(impression(ts_ms=5_001), Origin(2)) == "repeated"
    assert join.arrive(impression(ts_ms=5_001, user="u2"), Origin(3)) == "new"


def test_a_repeat_of_what_has_closed_is_late():
    join = decided(join_of(), impression())
    join.advance(6_000)
    assert join.arrive(impression(), Origin(1)) == "late"


def test_decisions_close_by_the_end_of_their_windows_not_by_arrival():
    join = decided(join_of(), impression("i1", 5_300), impression("i2", 5_100), impression("i3", 5_200))
    assert names(join.advance(6_250)[0]) == ["i2", "i3"]
    assert names(join.advance(6_300)[0]) == ["i1"]


def test_the_watermark_never_recedes():
    join = join_of()
    join.advance(6_000)
    join.advance(5_000)
    assert join.watermark_ms == 6_000
    assert join.arrive(impression(ts_ms=5_000), Origin(0)) == "late"


def test_open_clicks_come_in_the_order_of_their_offsets():
    join = decided(join_of(), impression("i1"), impression("i2"))
    for offset, name in enumerate(("i2", "i1", "i2")):
        join.click(click(name, ts_ms=5_300 - offset), offset)
    assert [(key, each.ts_ms) for key, each in join.open_clicks()] == [
        (("u1", "i2"), 5_300),
        (("u1", "i1"), 5_299),
        (("u1", "i2"), 5_298),
    ]


def test_what_was_published_is_taken_in_even_when_its_window_has_passed():
    join = join_of()
    join.advance(6_000)
    assert join.arrive(impression(ts_ms=5_000), Origin(0), due=True) == "new"
    join.decide(recommendation(impression(ts_ms=5_000)))
    assert names(join.advance(6_000)[0]) == ["i1"]


def test_closing_everything_needs_no_watermark():
    join = decided(join_of(), impression("i1", 5_300), impression("i2", 9_000))
    join.click(click(ts_ms=5_400), offset=0)
    closed, _ = join.close_all()
    assert names(closed) == ["i1", "i2"]
    assert len(closed[0].clicks) == 1
    assert join.close_all() == ([], 0)


def test_an_impression_that_is_withdrawn_or_undecided_does_not_close():
    join = join_of()
    join.arrive(impression("i1"), Origin(0))
    join.arrive(impression("i2"), Origin(1))
    join.withdraw(impression("i1"))
    assert len(join) == 1
    assert join.advance(6_000) == ([], 0)
    assert len(join) == 0


def test_only_what_is_open_and_undecided_can_be_decided():
    join = decided(join_of(), impression())
    for name in ("i1", "i2"):
        with pytest.raises(StreamError, match=f"must be open and undecided; got '{name}'"):
            join.decide(recommendation(impression(name)))


def test_a_joined_click_knows_its_candidate():
    join = decided(join_of(), impression())
    assert join.candidate(click(item="b")) == Candidate(item_id="b")
