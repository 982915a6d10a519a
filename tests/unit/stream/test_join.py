"""Attribution in event time, as a specification: when a decision is open, which clicks are its own, when it closes."""

import pytest

from stream.codec import JsonCodec
from stream.early_clicks import click_bytes
from stream.errors import StreamError
from stream.events import Candidate, Click, Impression, Recommendation, Slot
from stream.heads import ImpressionHead
from stream.join import ClickJoin
from stream.open_decisions import ENTRY_BYTES, Origin
from stream.settings import AttributionSettings

WINDOW_MS = 1_000


def impression(name="i1", ts_ms=5_000, user="u1"):
    candidates = tuple(Candidate(item_id=item) for item in "abc")
    return Impression(impression_id=name, user_id=user, ts_ms=ts_ms, candidates=candidates, slots=2)


def recommendation(of):
    return Recommendation(
        decision_id=f"d-{of.impression_id}",
        impression_id=of.impression_id,
        user_id=of.user_id,
        ts_ms=of.ts_ms,
        slate=(Slot(item_id="a"), Slot(item_id="b")),
        strategy="s",
        policy_version="0.0",
    )


def click(name="i1", ts_ms=5_100, item="a", user="u1", **more):
    return Click(impression_id=name, user_id=user, item_id=item, ts_ms=ts_ms, **more)


def join_of(**settings):
    return ClickJoin(AttributionSettings(**{"window_ms": WINDOW_MS} | settings))


def decided(join, *impressions, offset=0):
    for place, each in enumerate(impressions, start=offset):
        assert join.arrive(each, Origin(place)) == "new"
        assert join.decide(recommendation(each)) == []
    return join


def one_open():
    """The memory that one decision takes."""
    return decided(join_of(), impression()).open_bytes


def names(closed):
    return [decision.impression.impression_id for decision in closed]


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


def test_past_its_bound_the_oldest_decision_closes_and_its_repeat_is_late():
    join = decided(
        join_of(max_open_bytes=2 * one_open() + 50),
        impression("i1", 5_300),
        impression("i2", 5_100),
        impression("i3", 5_200),
    )
    assert names(join.advance(0)[0]) == ["i2"]
    assert len(join) == 2
    assert join.arrive(impression("i2", 5_100), Origin(3)) == "late"  # open decisions are the memory of repeats
    assert join.arrive(impression("i4", 5_101), Origin(4)) == "new"


def test_what_closed_past_the_bound_stays_closed_in_a_replay_from_the_committed_place():
    settings = {"max_open_bytes": 2 * one_open() + 50}
    join = decided(join_of(**settings), impression("i1", 5_300), impression("i2", 5_100), impression("i3", 5_200))
    join.advance(0)
    again = join_of(**settings)
    again.closed_ms = join.closed_ms
    assert join.low_offsets()["impressions"] == 0  # i1 is open, so the replay sees i2 as well
    assert again.arrive(impression("i1", 5_300), Origin(0)) == "new"
    assert again.arrive(impression("i2", 5_100), Origin(1)) == "late"


def test_a_close_past_the_bound_moves_no_watermark_so_early_clicks_go_on_waiting():
    join = decided(join_of(max_open_bytes=2 * one_open() + 50), *(impression(f"i{n}", 5_000 + n) for n in range(3)))
    join.click(click("not yet here", ts_ms=5_500), offset=0)
    closed, orphans = join.advance(4_000)
    assert (names(closed), orphans, join.early) == (["i0"], 0, 1)
    assert (join.watermark_ms, join.closed_ms) == (4_000, 6_000)
    assert [join.take_counts()["forced_closes"] for _ in range(2)] == [1, 0]


def test_outcomes_come_in_the_order_of_their_windows_ends_also_where_the_bound_closes_them():
    join = join_of(max_open_bytes=3 * one_open() + 50)
    ends = []
    for place, ts_ms in enumerate((5_300, 5_100, 5_100, 5_250, 5_050, 5_400, 5_260, 5_500)):
        each = impression(f"i{place}", ts_ms)
        if join.arrive(each, Origin(place)) == "new":
            join.decide(recommendation(each))
        ends += [(d.impression.ts_ms, d.offset) for d in join.advance(0)[0]]
    ends += [(d.impression.ts_ms, d.offset) for d in join.close_all()[0]]
    assert ends == sorted(ends)
    assert len(ends) == 7  # one came after younger ones had to close


def test_bytes_are_those_of_the_compressed_events_and_their_clicks():
    join = decided(join_of(), impression())
    codec = JsonCodec()
    raw = len(codec.encode(impression())) + len(codec.encode(recommendation(impression())))
    alone = join.open_bytes
    assert ENTRY_BYTES < alone < ENTRY_BYTES + raw
    assert join.packed_bytes == alone - ENTRY_BYTES
    join.click(click(), offset=0)
    assert join.open_bytes == alone + click_bytes(click())
    join.advance(6_000)
    assert join.open_bytes == 0


def test_what_arrived_as_bytes_leaves_as_the_event_they_are():
    join, codec = join_of(), JsonCodec()
    head = ImpressionHead(impression_id="i1", user_id="u1", ts_ms=5_000)
    join.arrive(head, Origin(7), codec.encode(impression()))
    join.decide(recommendation(impression()), codec.encode(recommendation(impression())))
    (closed,), _ = join.close_all()
    assert (closed.impression, closed.shown, closed.offset) == (impression(), recommendation(impression()), 7)


def test_clicks_on_one_decision_are_bounded():
    join = decided(join_of(max_clicks=2), impression())
    fates = [join.click(click(ts_ms=5_100 + number), offset=number) for number in range(3)]
    assert fates == ["joined", "joined", "too_many"]
    assert join.click(click(ts_ms=5_100), offset=3) == "repeated"


def test_what_cannot_be_read_any_more_closes_without_an_outcome():
    join = decided(join_of(), impression("good"))
    join.arrive(impression("bad"), Origin(1), b"{}")
    join.decide(recommendation(impression("bad")))
    assert names(join.close_all()[0]) == ["good"]
    assert join.take_counts()["unreadable_decisions"] == 1


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


# From where a replay finds all that is open


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


def test_after_a_pause_as_much_closes_at_once_as_one_commit_can_hold_and_the_rest_is_not_late():
    join = decided(join_of(), *(impression(f"i{n}", ts_ms) for n, ts_ms in enumerate((5_000, 5_001, 5_001, 5_002))))
    assert names(join.advance(9_000, max_bytes=1)[0]) == ["i0"]
    assert (join.watermark_ms, join.closed_ms) == (6_000, 6_000)  # a replay from here takes the others for open
    assert names(join.advance(9_000, max_bytes=1)[0]) == ["i1", "i2"]  # of one millisecond all or none
    assert names(join.advance(9_000, max_bytes=1)[0]) == ["i3"]
    assert join.advance(9_000, max_bytes=1) == ([], 0)
    assert join.watermark_ms == 9_000
    assert join.take_counts()["forced_closes"] == 0


def test_the_bound_of_one_commit_is_in_bytes_of_the_events():
    one = len(JsonCodec().encode(impression("i0"))) + len(JsonCodec().encode(recommendation(impression("i0"))))
    join = decided(join_of(), *(impression(f"i{n}", 5_000 + n) for n in range(5)))
    assert names(join.advance(9_000, max_bytes=2 * one + 1)[0]) == ["i0", "i1", "i2"]
    assert names(join.advance(9_000, max_bytes=2 * one)[0]) == ["i3", "i4"]
